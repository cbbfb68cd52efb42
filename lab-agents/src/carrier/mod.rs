//! Carriers: the ways in which the lab reaches an agent. They move messages and end what hangs; they never read them.

mod child;
mod in_process;

pub use child::{ChildCarrier, PROTOCOL_FD, describe, die_with_parent, pass_fd, taken_fd};
pub use in_process::InProcess;

use std::io::Read;
use std::sync::mpsc::Sender;

use lab_protocol::{Incoming, Source, wire};

/// Moves what an agent says into the inbox until its line ends.
fn deliver(mut stream: impl Read, source: &Source, inbox: &Sender<Incoming>) -> Option<std::io::Error> {
    loop {
        match wire::read(&mut stream) {
            Ok(Some(message)) => {
                if inbox.send(Incoming::Message(source.clone(), message)).is_err() {
                    return None;
                }
            }
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    }
}

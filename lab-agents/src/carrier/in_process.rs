//! An agent on a thread of this process: for tests of whatever stands on either side. It can't be killed.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use lab_protocol::{Carrier, Fault, Incoming, Source, ToAgent, wire};
use serde_json::Value;

use crate::serve::{Agent, Outlet, serve};

/// An agent that runs on a thread.
pub struct InProcess {
    stream: UnixStream,
    threads: Vec<JoinHandle<()>>,
}

impl InProcess {
    /// Starts an agent as `source`; what it says goes to the inbox.
    ///
    /// # Errors
    /// When no socket or thread can be made.
    pub fn start(
        source: &Source,
        inbox: Sender<Incoming>,
        start: impl FnOnce(Value, &Outlet) -> Result<Box<dyn Agent>, Fault> + Send + 'static,
    ) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let writing = theirs.try_clone()?;
        let agent = std::thread::spawn(move || {
            if let Err(error) = serve(theirs, Box::new(writing), start, || {}) {
                tracing::warn!(%error, "an agent in this process ended");
            }
        });
        let (reading, source) = (ours.try_clone()?, source.clone());
        let reader = std::thread::spawn(move || {
            let broken = super::deliver(reading, &source, &inbox);
            let how = broken.map_or_else(|| "ended".to_owned(), |error| error.to_string());
            let _ = inbox.send(Incoming::Gone { source, how });
        });
        Ok(Self { stream: ours, threads: vec![agent, reader] })
    }
}

impl Carrier for InProcess {
    fn send(&mut self, message: &ToAgent) -> io::Result<()> {
        wire::write(&mut self.stream, message)
    }

    fn kill(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    fn join(&mut self) {
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

//! Has flows told on a thread of their own, so that telling them and writing them go on side by side.

use std::io;
use std::sync::mpsc::sync_channel;
use std::thread;

use lab_observe::{Ended, FlowRecord, Observer};

/// Flows that are handed over at once.
const FLOWS: usize = 256;
/// Times as many that lie between the two threads at most.
const HANDFULS: usize = 4;

/// Has `write` take what the observer tells, in its order.
///
/// # Errors
/// What `write` reports first; the flows behind it are told to nobody.
pub(super) fn tell(
    observer: Observer,
    mut write: impl FnMut(&FlowRecord) -> io::Result<()>,
) -> io::Result<Ended> {
    let (told, telling) = sync_channel::<Vec<FlowRecord>>(HANDFULS);
    // Records go back to where they were made: memory is given back most cheaply there.
    let (written, used) = sync_channel::<Vec<FlowRecord>>(HANDFULS + 1);
    thread::scope(|scope| {
        let teller = scope.spawn(move || {
            let mut handful = Vec::with_capacity(FLOWS);
            let mut is_heard = true;
            let ended = observer.finish_each(|record| {
                handful.push(record);
                if handful.len() == FLOWS && is_heard {
                    let mut empty = used.try_recv().unwrap_or_default();
                    empty.clear();
                    is_heard = told.send(std::mem::replace(&mut handful, empty)).is_ok();
                }
                if !is_heard {
                    handful.clear();
                }
            });
            // Whoever no longer listens has an error to report.
            let _ = told.send(handful);
            ended
        });
        for handful in telling {
            handful.iter().try_for_each(&mut write)?;
            // No room for it means that there are enough.
            let _ = written.try_send(handful);
        }
        teller.join().map_err(|_| io::Error::other("the flows could not be told to their end"))
    })
}

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

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;
    use lab_observe::Options;
    use lab_observe::capture::Frame;

    use super::*;

    /// Has seen more flows than are handed over at once.
    fn observer() -> Observer {
        let mut observer = Observer::new(Options::default());
        for port in 0..3 * FLOWS as u16 + 7 {
            let mut data = Vec::new();
            PacketBuilder::ethernet2([2; 6], [4; 6])
                .ipv4([192, 0, 2, 10], [198, 51, 100, 20], 64)
                .udp(10_000 + port, 4_000)
                .write(&mut data, b"hello")
                .unwrap();
            let orig_len = data.len() as u32;
            observer.push(Frame {
                ts_ns: u64::from(port),
                data: &data,
                orig_len,
                link_type: 1,
                interface: 0,
            });
        }
        observer
    }

    #[test]
    fn what_is_told_beside_the_writing_is_what_is_told_alone() {
        let mut alone = Vec::new();
        let expected = observer().finish_each(|record| alone.push(record)).summary;
        let mut beside = Vec::new();
        let ended = tell(observer(), |record| {
            beside.push(record.clone());
            Ok(())
        });
        assert_eq!(ended.unwrap().summary, expected);
        assert_eq!(beside, alone);
    }

    #[test]
    fn what_cannot_be_written_ends_the_telling() {
        let mut room = 300;
        let ended = tell(observer(), |_| {
            room -= 1;
            if room > 0 { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        });
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}

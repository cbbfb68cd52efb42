//! Reads ahead on a thread of its own, so that reading, unpacking and observing go on side by side.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use lab_observe::capture::{Stretch, Stretches};

/// Stretches that lie between the two threads at most.
const STRETCHES: usize = 4;

/// What was read ahead.
pub(super) struct Ahead {
    full: Receiver<io::Result<Stretch>>,
    /// Stretches to be filled again.
    empty: SyncSender<Stretch>,
}

/// Has `source` read on another thread while `work` takes what it gives.
pub(super) fn read_ahead<R: Read + Send, T>(source: R, work: impl FnOnce(Ahead) -> T) -> T {
    let (filled, full) = sync_channel(STRETCHES);
    let (empty, emptied) = sync_channel(STRETCHES + 1);
    thread::scope(|scope| {
        scope.spawn(move || fill(source, &filled, &emptied));
        work(Ahead { full, empty })
    })
}

/// Fills stretches until the source has no more, or nobody takes them. What a pipe has is passed on at once.
fn fill(mut source: impl Read, filled: &SyncSender<io::Result<Stretch>>, emptied: &Receiver<Stretch>) {
    loop {
        let mut stretch = emptied.try_recv().unwrap_or_default();
        let (stretch, ends) = match stretch.fill(&mut source) {
            Ok(false) => return,
            Ok(true) => (Ok(stretch), false),
            Err(error) => (Err(error), true),
        };
        if filled.send(stretch).is_err() || ends {
            return;
        }
    }
}

impl Stretches for Ahead {
    fn next(&mut self, used: Stretch) -> io::Result<Option<Stretch>> {
        // No room for it means that there are enough.
        let _ = self.empty.try_send(used);
        // Nobody sends any more: that was the end.
        self.full.recv().ok().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_ahead_is_what_the_source_gives_and_then_its_error() {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        let bytes: Vec<u8> = (0..3_000_000u32).map(|number| number as u8).collect();
        let (mut read, mut failed) = (Vec::new(), String::new());
        read_ahead(bytes.as_slice().chain(Fails), |mut ahead| {
            let mut used = Stretch::default();
            loop {
                match ahead.next(used) {
                    Ok(Some(stretch)) => {
                        read.extend_from_slice(stretch.bytes());
                        used = stretch;
                    }
                    Ok(None) => break,
                    Err(error) => {
                        failed = error.to_string();
                        break;
                    }
                }
            }
        });
        assert!(read == bytes);
        assert_eq!(failed, "the disk is gone");
    }

    #[test]
    fn who_takes_no_more_stops_the_reading() {
        read_ahead(io::repeat(7), |mut ahead| ahead.next(Stretch::default()).map(|_| ()).unwrap());
    }
}

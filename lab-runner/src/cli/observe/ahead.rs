//! Reads ahead on a thread of its own, so that unpacking and observing go on side by side.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// A stretch that is handed over at once.
const STRETCH_BYTES: usize = 256 * 1024;
/// Stretches that lie between the two threads at most.
const STRETCHES: usize = 4;

type Stretch = io::Result<Vec<u8>>;

/// What was read ahead.
pub(super) struct Ahead {
    full: Receiver<Stretch>,
    /// Buffers to be filled again.
    empty: SyncSender<Vec<u8>>,
    stretch: Vec<u8>,
    at: usize,
}

/// Has `source` read on another thread while `work` takes what it gives.
pub(super) fn read_ahead<R: Read + Send, T>(source: R, work: impl FnOnce(Ahead) -> T) -> T {
    let (filled, full) = sync_channel(STRETCHES);
    let (empty, emptied) = sync_channel(STRETCHES + 1);
    thread::scope(|scope| {
        scope.spawn(move || fill(source, &filled, &emptied));
        work(Ahead { full, empty, stretch: Vec::new(), at: 0 })
    })
}

/// Fills stretches until the source has no more, or nobody takes them.
fn fill(mut source: impl Read, filled: &SyncSender<Stretch>, emptied: &Receiver<Vec<u8>>) {
    loop {
        let mut stretch = emptied.try_recv().unwrap_or_default();
        stretch.resize(STRETCH_BYTES, 0);
        // What a pipe has is passed on at once.
        let read = match source.read(&mut stretch) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let _ = filled.send(Err(error));
                return;
            }
        };
        stretch.truncate(read);
        if filled.send(Ok(stretch)).is_err() {
            return;
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.stretch.len() {
            let Ok(stretch) = self.full.recv() else { return Ok(0) };
            let used = std::mem::replace(&mut self.stretch, stretch?);
            self.at = 0;
            // No room for it means that there are enough.
            let _ = self.empty.try_send(used);
        }
        let left = self.stretch.get(self.at..).unwrap_or(&[]);
        let length = left.len().min(out.len());
        out[..length].copy_from_slice(&left[..length]);
        self.at += length;
        Ok(length)
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
            failed = ahead.read_to_end(&mut read).unwrap_err().to_string();
        });
        assert!(read == (0..3_000_000u32).map(|number| number as u8).collect::<Vec<_>>());
        assert_eq!(failed, "the disk is gone");
    }

    #[test]
    fn who_takes_no_more_stops_the_reading() {
        read_ahead(io::repeat(7), |mut ahead| ahead.read_exact(&mut [0; 10]).unwrap());
    }
}

//! A capture observed on two cores: two observers read it side by side, and each takes half of its flows.
//!
//! Tells what one observer would, flow by flow, or nothing: where a bound of one observer might have been reached, or the
//! two saw different captures, there is no result, and the capture is to be observed by one. Reading a capture twice and
//! looking at each header twice costs less than handing frames from core to core.

mod telling;

use std::collections::VecDeque;
use std::io::Read;
use std::panic::resume_unwind;
use std::thread::{self, Builder, ScopedJoinHandle};

use crate::capture::{CaptureError, Frame};
use crate::moment::Moment;
use crate::names::Names;
use crate::observer::{Ended, Observer, Options};
use crate::record::{FlowRecord, Observation};
use crate::whole::Last;
use telling::Telling;

/// The two halves of a capture that was read.
#[derive(Debug)]
pub struct Halves {
    /// Each in memory of its own, so that no cache line is both's.
    observers: [Box<Observer>; 2],
    /// The number of each half's flows.
    numbers: [Vec<u64>; 2],
    names: Names,
}

impl Halves {
    /// Observes a capture that can be read twice; `None` where one observer has to.
    ///
    /// # Errors
    /// As [`observe_from`](crate::observe_from).
    pub fn read<R: Read + Send>(sources: [R; 2], options: &Options) -> Result<Option<Self>, CaptureError> {
        Self::side_by_side(sources.map(|source| |half: &mut Observer| half.frames(source)), options)
    }

    /// Observes frames, which come the same from both iterators; `None` where one observer has to.
    pub fn of_frames<'a, I>(frames: [I; 2], options: &Options) -> Option<Self>
    where
        I: Iterator<Item = Frame<'a>> + Send,
    {
        let observe = frames.map(|frames| {
            |half: &mut Observer| {
                for frame in frames {
                    half.push(frame);
                }
                Ok(Last::default())
            }
        });
        Self::side_by_side(observe, options).ok().flatten()
    }

    fn side_by_side<F>(observe: [F; 2], options: &Options) -> Result<Option<Self>, CaptureError>
    where
        F: FnOnce(&mut Observer) -> Result<Last, CaptureError> + Send,
    {
        let [first, second] = Observer::halves(options).map(Box::new);
        let [one, other] = observe;
        let halves = thread::scope(|scope| {
            // Where there can be no more threads, one observer has to.
            let theirs = Builder::new().spawn_scoped(scope, || half(second, other)).ok()?;
            let ours = half(first, one);
            Some((ours, joined(theirs)))
        });
        let Some((ours, theirs)) = halves else { return Ok(None) };
        let (Some(mut ours), Some(theirs)) = (ours?, theirs?) else { return Ok(None) };
        if ours.last != theirs.last || !ours.observer.has_seen_as_many(&theirs.observer) {
            return Ok(None);
        }
        ours.observer.last(ours.last);
        let is_bound = ours.observer.would_be_bound(&theirs.observer, options);
        let Some(names) = ours.names.with(theirs.names).filter(|_| !is_bound) else { return Ok(None) };
        let numbers = in_turn(ours.observer.begun(), theirs.observer.begun());
        Ok(Some(Self { observers: [ours.observer, theirs.observer], numbers, names }))
    }

    /// What one observer would tell.
    pub fn finish(self) -> Observation {
        let mut flows = Vec::new();
        let Ended { summary, canaries, .. } = self.finish_each(|record| flows.push(record.take()));
        Observation { flows, summary, canaries }
    }

    /// Lends one flow after the other, in the order of their first packets.
    pub fn finish_each(self, mut each: impl FnMut(&mut FlowRecord) + Send) -> Ended {
        let add = |stretch: &mut VecDeque<FlowRecord>, record: &mut FlowRecord| {
            stretch.push_back(record.take());
        };
        self.tell(add, |stretch, _| {
            if let Some(mut record) = stretch.pop_front() {
                each(&mut record);
            }
        })
    }

    /// Tells all flows: two threads `add` them to what each gathers, in the order of their first packets.
    pub fn gather<T: Default + Send>(self, add: impl Fn(&mut T, &mut FlowRecord) + Sync) -> ([T; 2], Ended) {
        let Self { observers: [mut first, mut second], numbers, names } = self;
        let gather = |observer: &mut Observer, numbers: &[u64]| {
            let mut gathered = T::default();
            observer.tell(&names, |index| numbers[index], |record| add(&mut gathered, record));
            gathered
        };
        let (ours, theirs) = thread::scope(|scope| {
            let theirs = Builder::new().spawn_scoped(scope, || gather(&mut second, &numbers[1]));
            let ours = gather(&mut first, &numbers[0]);
            (ours, theirs.ok().map(joined))
        });
        let theirs = theirs.unwrap_or_else(|| gather(&mut second, &numbers[1]));
        ([ours, theirs], first.ended_with(*second, &names))
    }

    /// Tells all flows: two threads `add` them to stretches, of which one after the other is taken, flow by flow, in the
    /// order of their first packets; `take` is given a stretch and how many of its flows were taken before.
    pub fn tell<T: Default + Send>(
        self,
        add: impl Fn(&mut T, &mut FlowRecord) + Sync,
        take: impl FnMut(&mut T, usize) + Send,
    ) -> Ended {
        let Self { observers: [mut first, mut second], numbers, names } = self;
        let telling = Telling::new(numbers.each_ref().map(Vec::as_slice), take);
        let theirs = thread::scope(|scope| {
            let theirs = Builder::new().spawn_scoped(scope, || telling.tell(1, &mut second, &names, &add));
            if theirs.is_err() {
                telling.waits_for_none();
            }
            telling.tell(0, &mut first, &names, &add);
            // Awaited to its very end: a scope alone waits for no destructors.
            theirs.ok().map(joined)
        });
        theirs.unwrap_or_else(|| telling.tell(1, &mut second, &names, &add));
        first.ended_with(*second, &names)
    }
}

/// What an observer has seen of its half.
struct Half {
    observer: Box<Observer>,
    names: Names,
    last: Last,
}

/// Has an observer take its half of a capture; `None` where it saw another than the other observer.
fn half(
    mut observer: Box<Observer>,
    observe: impl FnOnce(&mut Observer) -> Result<Last, CaptureError>,
) -> Result<Option<Half>, CaptureError> {
    let last = observe(&mut observer);
    let agrees = observer.part_ways();
    let names = observer.close();
    last.map(|last| agrees.then_some(Half { observer, names, last }))
}

/// What a thread ends with; its panic goes on here.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// The numbers of both halves' flows, by when they began.
fn in_turn(first: &[Moment], second: &[Moment]) -> [Vec<u64>; 2] {
    let mut numbers = [Vec::with_capacity(first.len()), Vec::with_capacity(second.len())];
    let (mut first, mut second) = (first.iter().peekable(), second.iter().peekable());
    for number in 1.. {
        let half = match (first.peek(), second.peek()) {
            (Some(one), Some(other)) => usize::from(other < one),
            (Some(_), None) => 0,
            (None, Some(_)) => 1,
            (None, None) => break,
        };
        if half == 0 {
            first.next()
        } else {
            second.next()
        };
        numbers[half].push(number);
    }
    numbers
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_half_that_is_told_when_the_other_has_ended_tells_the_same() {
        // A datagram each between hosts so many that one half gets further ahead of the other than it may.
        let frames: Vec<Vec<u8>> = (0..30_000_u32)
            .map(|number| {
                let [_, a, b, c] = number.to_be_bytes();
                let ends = [[10, a, b, c], [198, 51, 100, 1]].concat();
                let ip = [&[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0][..], &ends].concat();
                [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0][..], &ip, &[9, 9, 9, 9, 0, 8, 0, 0]].concat()
            })
            .collect();
        let frames = || {
            let frame = |data| Frame { ts_ns: 1, data, orig_len: 42, link_type: 1, interface: 0 };
            frames.iter().map(move |data| frame(data.as_slice()))
        };
        let halves = || Halves::of_frames([frames(), frames()], &Options::default()).unwrap();
        let expected = halves().finish().flows;

        let Halves { observers: [mut first, mut second], numbers, names } = halves();
        let mut told = Vec::new();
        let take = |stretch: &mut VecDeque<FlowRecord>, _: usize| told.extend(stretch.pop_front());
        let telling = Telling::new(numbers.each_ref().map(Vec::as_slice), take);
        telling.waits_for_none();
        let add = |stretch: &mut VecDeque<FlowRecord>, record: &mut FlowRecord| {
            stretch.push_back(record.take());
        };
        telling.tell(0, &mut first, &names, add);
        telling.tell(1, &mut second, &names, add);
        drop(telling);
        assert_eq!(told.len(), 30_000);
        assert!(told == expected);
    }
}

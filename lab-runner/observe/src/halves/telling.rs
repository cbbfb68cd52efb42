//! Two threads tell the flows of their halves; what they tell is taken in the order of flows.
//!
//! Each tells in stretches. What both have told is taken by the one that is ahead, so that they stay side by side; it waits
//! only where it gets far ahead all the same.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::slice::Iter;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::names::Names;
use crate::observer::Observer;
use crate::record::FlowRecord;

/// Flows of both halves in a stretch.
const STRETCH: u64 = 256;
/// Stretches that one may be ahead of the other.
const MOST_AHEAD: usize = 64;
/// Stretches told by both that are not left to the one that is ahead.
const MOST_READY: usize = 64;

/// What is common to the two that tell.
pub(super) struct Telling<'a, T, F> {
    numbers: [&'a [u64]; 2],
    told: Mutex<Told<T>>,
    /// One has caught up with the other, or never will.
    changed: Condvar,
    taking: Mutex<Taking<'a, F>>,
}

/// Stretches that are not yet taken.
struct Told<T> {
    /// Of both halves.
    ready: VecDeque<[T; 2]>,
    /// Of the half that is ahead.
    waiting: VecDeque<T>,
    ahead: usize,
    /// The one that is ahead waits for the other.
    sleeps: bool,
    /// Halves of which no more comes.
    finished: usize,
    /// None waits for the other: one of them has panicked, or begins only when the other has ended.
    apart: bool,
}

struct Taking<'a, F> {
    /// The flow that comes next.
    next: u64,
    numbers: [Peekable<Iter<'a, u64>>; 2],
    take: F,
}

impl<'a, T: Default + Send, F: FnMut(&mut T, usize) + Send> Telling<'a, T, F> {
    /// Of halves whose flows have these numbers.
    pub(super) fn new(numbers: [&'a [u64]; 2], take: F) -> Self {
        let (ready, waiting) = (VecDeque::new(), VecDeque::new());
        let told = Told { ready, waiting, ahead: 0, sleeps: false, finished: 0, apart: false };
        let taking = Taking { next: 1, numbers: numbers.map(|numbers| numbers.iter().peekable()), take };
        Self { numbers, told: Mutex::new(told), changed: Condvar::new(), taking: Mutex::new(taking) }
    }

    /// Has none of the two wait for the other, however far ahead it is.
    pub(super) fn waits_for_none(&self) {
        self.told().apart = true;
        self.changed.notify_one();
    }

    /// Tells the flows of one half.
    pub(super) fn tell(
        &self,
        half: usize,
        observer: &mut Observer,
        names: &Names,
        add: impl Fn(&mut T, &mut FlowRecord),
    ) {
        let _leaving = Leaving(self);
        let flows: u64 = self.numbers.iter().map(|numbers| numbers.len() as u64).sum();
        let (mut stretch, mut to) = (T::default(), STRETCH);
        observer.tell(
            names,
            |index| self.numbers[half][index],
            |record| {
                while record.flow > to {
                    self.hand_over(half, std::mem::take(&mut stretch));
                    to += STRETCH;
                }
                add(&mut stretch, record);
            },
        );
        while to < flows + STRETCH {
            self.hand_over(half, std::mem::take(&mut stretch));
            to += STRETCH;
        }
        let mut told = self.told();
        told.finished += 1;
        let is_last = told.finished == self.numbers.len();
        drop(told);
        if is_last {
            self.take_ready(&mut self.taking.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn hand_over(&self, half: usize, stretch: T) {
        let mut told = self.told();
        while told.ahead == half && told.waiting.len() >= MOST_AHEAD && !told.apart {
            told.sleeps = true;
            told = self.changed.wait(told).unwrap_or_else(PoisonError::into_inner);
        }
        if told.ahead != half
            && let Some(other) = told.waiting.pop_front()
        {
            told.ready.push_back(if half == 0 { [stretch, other] } else { [other, stretch] });
            if std::mem::take(&mut told.sleeps) {
                self.changed.notify_one();
            }
        } else {
            told.ahead = half;
            told.waiting.push_back(stretch);
        }
        let is_ahead = told.ahead == half && !told.waiting.is_empty();
        let takes = !told.ready.is_empty() && (is_ahead || told.ready.len() >= MOST_READY);
        drop(told);
        if takes && let Ok(mut taking) = self.taking.try_lock() {
            self.take_ready(&mut taking);
        }
    }

    fn take_ready(&self, taking: &mut Taking<'_, F>) {
        let next = || self.told().ready.pop_front();
        while let Some(mut stretches) = next() {
            taking.take(&mut stretches);
        }
    }

    fn told(&self) -> MutexGuard<'_, Told<T>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> Taking<'_, F> {
    /// Takes the flows of a stretch, of which each half told its own.
    fn take<T>(&mut self, stretches: &mut [T; 2])
    where
        F: FnMut(&mut T, usize),
    {
        let mut taken = [0; 2];
        for next in self.next..self.next + STRETCH {
            let has = |numbers: &mut Peekable<Iter<'_, u64>>| numbers.next_if(|own| **own == next).is_some();
            let Some(half) = self.numbers.iter_mut().position(has) else { break };
            (self.take)(&mut stretches[half], taken[half]);
            taken[half] += 1;
        }
        self.next += STRETCH;
    }
}

/// Tells the other one where one of the two panics: it would wait forever.
struct Leaving<'t, 'a, T: Default + Send, F: FnMut(&mut T, usize) + Send>(&'t Telling<'a, T, F>);

impl<T: Default + Send, F: FnMut(&mut T, usize) + Send> Drop for Leaving<'_, '_, T, F> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.waits_for_none();
        }
    }
}

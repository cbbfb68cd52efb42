//! One direction of a TCP connection, put in order within a bound.
//!
//! Segments in order are handed on as they are; only what a parser did not yet take, and what came too early, is copied.
//! What exceeds the bound is given up and said to be: this never grows with what a peer sends.

use crate::protocol::interface::Shown;
use crate::unacknowledged::{Contradiction, Unacknowledged};

/// Bytes held for one direction at most.
pub(crate) const MAX_HELD: usize = 64 * 1024;
/// Segments held that came too early.
const MAX_EARLY: usize = 64;

/// A pool that all streams take their memory from.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
    /// The least that ever was left.
    least: usize,
    /// Streams whose bytes were given up.
    pub(crate) evicted: u64,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: bytes, least: bytes, evicted: 0 }
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// Takes so many bytes; false where there are not so many.
    #[must_use]
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let has = bytes <= self.left;
        if has {
            self.left -= bytes;
        }
        self.least = if has { self.least.min(self.left) } else { 0 };
        has
    }

    /// Takes what is left, and says how much that was.
    pub(crate) fn take_all(&mut self) -> usize {
        self.least = 0;
        std::mem::take(&mut self.left)
    }

    /// Gives bytes back.
    pub(crate) fn give(&mut self, bytes: usize) {
        self.left += bytes;
    }

    /// Whether a pool that served for both might have been empty at some time.
    pub(crate) fn would_be_bound(&self, other: &Self, bytes: usize) -> bool {
        let taken = |budget: &Self| bytes.saturating_sub(budget.least);
        taken(self) + taken(other) >= bytes
    }
}

/// What came of bytes that were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fed {
    /// So many of them are done with; the rest is shown again with more behind it.
    Took(usize),
    /// No more of this stream is needed.
    Done,
}

#[derive(Debug, Default)]
pub(crate) struct Stream {
    next: u32,
    started: bool,
    dead: bool,
    after_gap: bool,
    /// Not all bytes before were put in order.
    resumed: bool,
    /// Some bytes of this direction were never seen.
    pub(crate) lossy: bool,
    held: Vec<u8>,
    early: Vec<(u32, Vec<u8>)>,
    early_bytes: usize,
    /// Of a client's stream, for a server is not the one that hides something.
    unacknowledged: Option<Unacknowledged>,
    contradiction: Option<Contradiction>,
}

impl Stream {
    /// A client's.
    pub(crate) fn of_client() -> Self {
        Self { unacknowledged: Some(Unacknowledged::default()), ..Self::default() }
    }

    /// Begins after a SYN with this sequence number.
    pub(crate) fn start(&mut self, syn: u32) {
        if !self.started {
            self.next = syn.wrapping_add(1);
            self.started = true;
            if let Some(unacknowledged) = self.unacknowledged.as_mut().filter(|bytes| !bytes.waits()) {
                unacknowledged.begins(syn);
            }
        }
    }

    /// Whether bytes that were read may still be contradicted.
    pub(crate) fn is_unacknowledged(&self) -> bool {
        self.unacknowledged.as_ref().is_some_and(Unacknowledged::waits)
    }

    /// The other side has everything before this number; whether nothing more is waited for.
    pub(crate) fn acknowledged(&mut self, ack: u32, frame: u64, budget: &mut Budget) -> bool {
        if let Some(unacknowledged) = &mut self.unacknowledged {
            self.contradiction = self.contradiction.or(unacknowledged.acknowledged(ack, frame, budget).err());
        }
        self.contradiction.is_some() || !self.is_unacknowledged()
    }

    /// What contradicts the bytes that were read; told once, and then nothing more is looked for.
    pub(crate) fn contradiction(&mut self, budget: &mut Budget) -> Option<Contradiction> {
        let contradiction = self.contradiction.take()?;
        self.believe(budget);
        Some(contradiction)
    }

    /// Gives the memory back for what may still be contradicted, and looks no more for that.
    pub(crate) fn believe(&mut self, budget: &mut Budget) {
        if let Some(mut unacknowledged) = self.unacknowledged.take() {
            unacknowledged.forget(budget);
        }
    }

    /// Compares what may have been sent before with what was read then.
    pub(crate) fn compare(&mut self, seq: u32, payload: &[u8], wire_len: usize) {
        if let Some(unacknowledged) = &mut self.unacknowledged {
            self.contradiction = self.contradiction.or(unacknowledged.sent(seq, payload, wire_len).err());
        }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead
    }

    /// Takes a segment of `wire_len` bytes of which `payload` was captured; true once `parse` is done.
    pub(crate) fn push(
        &mut self,
        seq: u32,
        payload: &[u8],
        wire_len: usize,
        budget: &mut Budget,
        parse: &mut dyn FnMut(&[u8], Shown) -> Fed,
    ) -> bool {
        self.compare(seq, payload, wire_len);
        if self.dead {
            return false;
        }
        if !self.started {
            self.started = true;
            self.next = seq;
        }
        let ahead = seq.wrapping_sub(self.next) as i32;
        if ahead > 0 {
            if payload.len() < wire_len || !self.keep_early(seq, payload, budget) {
                // No room to wait any longer: take the missing bytes for lost.
                if self.skip_gap(budget, parse) {
                    return true;
                }
                if seq.wrapping_sub(self.next) as i32 > 0 {
                    self.lost(seq, budget);
                }
                return self.push_now(seq, payload, wire_len, budget, parse);
            }
            return false;
        }
        self.push_now(seq, payload, wire_len, budget, parse)
    }

    /// Shows the parser what is left; for the end of a flow.
    pub(crate) fn finish(&mut self, budget: &mut Budget, parse: &mut dyn FnMut(&[u8], Shown) -> Fed) {
        let shown = Shown { after_gap: self.after_gap, last: true };
        if !self.held.is_empty() && parse(&self.held, shown) == Fed::Done {
            return;
        }
        while !self.early.is_empty() {
            if self.skip_gap(budget, parse) {
                return;
            }
        }
    }

    /// No more comes: what the other side acknowledged without its being seen will not be.
    pub(crate) fn ends(&mut self) {
        if let Some(unacknowledged) = &self.unacknowledged {
            self.contradiction = self.contradiction.or(unacknowledged.ends().err());
        }
    }

    /// Gives the memory back; what comes when bytes are wanted again is taken from where it then begins.
    pub(crate) fn pause(&mut self, budget: &mut Budget) {
        if self.dead {
            return;
        }
        self.release(budget);
        (self.dead, self.started, self.after_gap, self.resumed) = (false, false, false, true);
    }

    /// Whether the bytes that are shown next are this side's first.
    pub(crate) fn is_from_start(&self) -> bool {
        !self.after_gap && !self.resumed
    }

    /// Gives the memory back, but for what may still be contradicted.
    pub(crate) fn release(&mut self, budget: &mut Budget) {
        budget.give(self.held.len() + self.early_bytes);
        self.held = Vec::new();
        self.early = Vec::new();
        self.early_bytes = 0;
        self.dead = true;
    }

    fn give_up(&mut self, budget: &mut Budget) {
        budget.evicted += 1;
        self.lossy = true;
        self.release(budget);
    }

    fn keep_early(&mut self, seq: u32, payload: &[u8], budget: &mut Budget) -> bool {
        let ahead = seq.wrapping_sub(self.next) as usize;
        let fits = self.early.len() < MAX_EARLY
            && ahead <= 4 * MAX_HELD
            && self.held.len() + self.early_bytes + payload.len() <= MAX_HELD;
        if !fits {
            return false;
        }
        if self.early.iter().any(|(at, bytes)| *at == seq && bytes.starts_with(payload)) {
            return true;
        }
        if !budget.take(payload.len()) {
            return false;
        }
        self.early_bytes += payload.len();
        self.early.push((seq, payload.to_vec()));
        true
    }

    /// Forgets what was held and goes on at `seq`.
    fn lost(&mut self, seq: u32, budget: &mut Budget) {
        budget.give(self.held.len());
        self.held.clear();
        if let Some(unacknowledged) = &mut self.unacknowledged {
            unacknowledged.forget(budget);
        }
        self.next = seq;
        self.lossy = true;
        self.after_gap = true;
    }

    /// Takes the bytes before the first early segment for lost, and goes on with it; true once the parser is done.
    fn skip_gap(&mut self, budget: &mut Budget, parse: &mut dyn FnMut(&[u8], Shown) -> Fed) -> bool {
        let next = self.next;
        let Some(seq) = self.early.iter().map(|(seq, _)| *seq).min_by_key(|seq| seq.wrapping_sub(next))
        else {
            return false;
        };
        if !self.held.is_empty()
            && parse(&self.held, Shown { after_gap: self.after_gap, last: true }) == Fed::Done
        {
            return true;
        }
        self.lost(seq, budget);
        self.drain_early(budget, parse)
    }

    fn push_now(
        &mut self,
        seq: u32,
        payload: &[u8],
        wire_len: usize,
        budget: &mut Budget,
        parse: &mut dyn FnMut(&[u8], Shown) -> Fed,
    ) -> bool {
        let behind = self.next.wrapping_sub(seq) as usize;
        if behind >= wire_len {
            return false;
        }
        let cut = payload.len() < wire_len;
        let fresh = payload.get(behind..).unwrap_or(&[]);
        if self.feed(fresh, cut, budget, parse) {
            return true;
        }
        if cut {
            self.lost(seq.wrapping_add(wire_len as u32), budget);
        }
        self.drain_early(budget, parse)
    }

    fn drain_early(&mut self, budget: &mut Budget, parse: &mut dyn FnMut(&[u8], Shown) -> Fed) -> bool {
        while let Some(index) = self.early.iter().position(|(seq, _)| seq.wrapping_sub(self.next) as i32 <= 0)
        {
            let (seq, bytes) = self.early.swap_remove(index);
            budget.give(bytes.len());
            self.early_bytes -= bytes.len();
            let behind = self.next.wrapping_sub(seq) as usize;
            self.compare(seq, &bytes, bytes.len());
            if let Some(fresh) = bytes.get(behind..)
                && !fresh.is_empty()
                && self.feed(fresh, false, budget, parse)
            {
                return true;
            }
        }
        false
    }

    /// Shows bytes that follow on; true once the parser is done.
    fn feed(
        &mut self,
        bytes: &[u8],
        last: bool,
        budget: &mut Budget,
        parse: &mut dyn FnMut(&[u8], Shown) -> Fed,
    ) -> bool {
        if bytes.is_empty() || self.dead {
            return false;
        }
        if let Some(unacknowledged) = &mut self.unacknowledged {
            unacknowledged.read(self.next, bytes, budget);
        }
        self.next = self.next.wrapping_add(bytes.len() as u32);
        let shown = Shown { after_gap: self.after_gap, last };
        if self.held.is_empty() {
            match parse(bytes, shown) {
                Fed::Done => return true,
                Fed::Took(taken) => self.hold(&bytes[taken.min(bytes.len())..], budget),
            }
        } else {
            self.hold(bytes, budget);
            if self.dead {
                return false;
            }
            match parse(&self.held, shown) {
                Fed::Done => return true,
                Fed::Took(taken) => {
                    let taken = taken.min(self.held.len());
                    self.held.drain(..taken);
                    budget.give(taken);
                }
            }
        }
        self.after_gap = false;
        false
    }

    fn hold(&mut self, bytes: &[u8], budget: &mut Budget) {
        if bytes.is_empty() {
            return;
        }
        if self.held.len() + bytes.len() > MAX_HELD || !budget.take(bytes.len()) {
            return self.give_up(budget);
        }
        self.held.extend_from_slice(bytes);
    }
}

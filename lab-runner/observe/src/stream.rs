//! One direction of a TCP connection, put in order within a bound.
//!
//! Segments in order are handed on as they are; only what a parser did not yet take, and what came too early, is copied.
//! What exceeds the bound is given up and said to be: this never grows with what a peer sends.

use crate::protocol::interface::Shown;
use crate::unacknowledged::Unacknowledged;

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
    /// Half of the pool, and what is left of that for bytes that are kept after they were read.
    half: usize,
    kept_left: usize,
    least_kept_left: usize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let half = bytes / 2;
        Self { left: bytes, least: bytes, evicted: 0, half, kept_left: half, least_kept_left: half }
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

    /// Takes so many bytes for what was read and is kept: no more than half of the pool, so that reading always goes on.
    #[must_use]
    pub(crate) fn take_kept(&mut self, bytes: usize) -> bool {
        let has = bytes <= self.kept_left && self.take(bytes);
        if has {
            self.kept_left -= bytes;
        }
        self.least_kept_left = if has { self.least_kept_left.min(self.kept_left) } else { 0 };
        has
    }

    /// Gives such bytes back.
    pub(crate) fn give_kept(&mut self, bytes: usize) {
        self.kept_left += bytes;
        self.give(bytes);
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
        let kept = |budget: &Self| budget.half - budget.least_kept_left;
        taken(self) + taken(other) >= bytes || kept(self) + kept(other) >= bytes / 2
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

/// What a stream works with.
pub(crate) struct Reading<'a> {
    pub(crate) budget: &'a mut Budget,
    /// Of a client's stream: what was read of it, to be compared with what it sends again.
    pub(crate) unacknowledged: Option<&'a mut Unacknowledged>,
    /// Reads bytes in order.
    pub(crate) parse: &'a mut dyn FnMut(&[u8], Shown) -> Fed,
}

impl Reading<'_> {
    fn compare(&mut self, seq: u32, payload: &[u8], wire_len: usize) {
        if let Some(unacknowledged) = &mut self.unacknowledged {
            unacknowledged.sent(seq, payload, wire_len);
        }
    }
}

/// Segments that came too early; few streams have any.
#[derive(Debug, Default)]
struct Early {
    segments: Vec<(u32, Vec<u8>)>,
    bytes: usize,
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
    early: Option<Box<Early>>,
}

impl Stream {
    /// Begins after a SYN with this sequence number.
    pub(crate) fn start(&mut self, syn: u32) {
        if !self.started {
            self.next = syn.wrapping_add(1);
            self.started = true;
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
        reading: &mut Reading<'_>,
    ) -> bool {
        reading.compare(seq, payload, wire_len);
        if self.dead {
            return false;
        }
        if !self.started {
            self.started = true;
            self.next = seq;
        }
        let ahead = seq.wrapping_sub(self.next) as i32;
        if ahead > 0 {
            if payload.len() < wire_len || !self.keep_early(seq, payload, reading.budget) {
                // No room to wait any longer: take the missing bytes for lost.
                if self.skip_gap(reading) {
                    return true;
                }
                if seq.wrapping_sub(self.next) as i32 > 0 {
                    self.lost(seq, reading);
                }
                return self.push_now(seq, payload, wire_len, reading);
            }
            return false;
        }
        self.push_now(seq, payload, wire_len, reading)
    }

    /// Shows the parser what is left; for the end of a flow.
    pub(crate) fn finish(&mut self, reading: &mut Reading<'_>) {
        let shown = Shown { after_gap: self.after_gap, last: true };
        if !self.held.is_empty() && (reading.parse)(&self.held, shown) == Fed::Done {
            return;
        }
        while self.early.as_ref().is_some_and(|early| !early.segments.is_empty()) {
            if self.skip_gap(reading) {
                return;
            }
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

    /// Gives the memory back.
    pub(crate) fn release(&mut self, budget: &mut Budget) {
        let early = self.early.take().map_or(0, |early| early.bytes);
        budget.give(self.held.len() + early);
        self.held = Vec::new();
        self.dead = true;
    }

    fn give_up(&mut self, budget: &mut Budget) {
        budget.evicted += 1;
        self.lossy = true;
        self.release(budget);
    }

    fn keep_early(&mut self, seq: u32, payload: &[u8], budget: &mut Budget) -> bool {
        let ahead = seq.wrapping_sub(self.next) as usize;
        let early = self.early.get_or_insert_default();
        let fits = early.segments.len() < MAX_EARLY
            && ahead <= 4 * MAX_HELD
            && self.held.len() + early.bytes + payload.len() <= MAX_HELD;
        if !fits {
            return false;
        }
        if early.segments.iter().any(|(at, bytes)| *at == seq && bytes.starts_with(payload)) {
            return true;
        }
        if !budget.take(payload.len()) {
            return false;
        }
        early.bytes += payload.len();
        early.segments.push((seq, payload.to_vec()));
        true
    }

    /// Forgets what was held and goes on at `seq`.
    fn lost(&mut self, seq: u32, reading: &mut Reading<'_>) {
        reading.budget.give(self.held.len());
        self.held.clear();
        self.next = seq;
        self.lossy = true;
        self.after_gap = true;
    }

    /// Takes the bytes before the first early segment for lost, and goes on with it; true once the parser is done.
    fn skip_gap(&mut self, reading: &mut Reading<'_>) -> bool {
        let next = self.next;
        let early = self.early.iter().flat_map(|early| &early.segments);
        let Some(seq) = early.map(|(seq, _)| *seq).min_by_key(|seq| seq.wrapping_sub(next)) else {
            return false;
        };
        let shown = Shown { after_gap: self.after_gap, last: true };
        if !self.held.is_empty() && (reading.parse)(&self.held, shown) == Fed::Done {
            return true;
        }
        self.lost(seq, reading);
        self.drain_early(reading)
    }

    fn push_now(&mut self, seq: u32, payload: &[u8], wire_len: usize, reading: &mut Reading<'_>) -> bool {
        let behind = self.next.wrapping_sub(seq) as usize;
        if behind >= wire_len {
            return false;
        }
        let cut = payload.len() < wire_len;
        let fresh = payload.get(behind..).unwrap_or(&[]);
        if self.feed(fresh, cut, reading) {
            return true;
        }
        if cut {
            self.lost(seq.wrapping_add(wire_len as u32), reading);
        }
        self.drain_early(reading)
    }

    fn drain_early(&mut self, reading: &mut Reading<'_>) -> bool {
        while let Some(early) = &mut self.early {
            let is_due = |(seq, _): &(u32, Vec<u8>)| seq.wrapping_sub(self.next) as i32 <= 0;
            let Some(index) = early.segments.iter().position(is_due) else { break };
            let (seq, bytes) = early.segments.swap_remove(index);
            reading.budget.give(bytes.len());
            early.bytes -= bytes.len();
            let behind = self.next.wrapping_sub(seq) as usize;
            reading.compare(seq, &bytes, bytes.len());
            if let Some(fresh) = bytes.get(behind..)
                && !fresh.is_empty()
                && self.feed(fresh, false, reading)
            {
                return true;
            }
        }
        false
    }

    /// Shows bytes that follow on; true once the parser is done.
    fn feed(&mut self, bytes: &[u8], last: bool, reading: &mut Reading<'_>) -> bool {
        if bytes.is_empty() || self.dead {
            return false;
        }
        if let Some(unacknowledged) = &mut reading.unacknowledged {
            unacknowledged.read(self.next, bytes, reading.budget);
        }
        self.next = self.next.wrapping_add(bytes.len() as u32);
        let shown = Shown { after_gap: self.after_gap, last };
        if self.held.is_empty() {
            match (reading.parse)(bytes, shown) {
                Fed::Done => return true,
                Fed::Took(taken) => self.hold(&bytes[taken.min(bytes.len())..], reading.budget),
            }
        } else {
            self.hold(bytes, reading.budget);
            if self.dead {
                return false;
            }
            match (reading.parse)(&self.held, shown) {
                Fed::Done => return true,
                Fed::Took(taken) => {
                    let taken = taken.min(self.held.len());
                    self.held.drain(..taken);
                    reading.budget.give(taken);
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

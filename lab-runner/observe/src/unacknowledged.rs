//! What of a client's bytes was read here before its server acknowledged it.
//!
//! Until then the server may not have got them, and takes others that come under the same numbers: a segment that dies on
//! its way, by its hop limit or a wrong checksum, shows a name to whoever captures and to nobody else. This tells such bytes
//! from those that are only sent again. It never reads what they say.

use crate::stream::{Budget, MAX_HELD};

/// One client's bytes, as they were read.
#[derive(Debug, Default)]
pub(crate) struct Unacknowledged {
    /// There are such bytes.
    waits: bool,
    /// The SYN was seen, so the numbers of both sides are known.
    is_sure: bool,
    /// Nothing behind the SYN was acknowledged.
    from_start: bool,
    /// `first` tells where what is read next should begin.
    knows: bool,
    /// Something contradicted them before.
    is_over: bool,
    /// The number of the first byte that was not acknowledged.
    first: u32,
    /// Behind the last byte that was read.
    read_to: u32,
    /// Behind the last byte that was sent with none missing before it.
    sent_to: u32,
    /// Bytes beyond that, which came early: from, and to.
    early: Option<(u32, u32)>,
    /// What was read from this number on, as much as there was room for.
    kept_from: u32,
    kept: Vec<u8>,
    /// The server acknowledged what was not sent so far, in this frame. Some captures have both sides' packets out of
    /// order.
    ahead: Option<(u32, u64)>,
    contradiction: Option<Contradiction>,
}

/// Bytes that are kept of one connection at most.
const MAX_KEPT: usize = 4 * MAX_HELD;
/// No window is larger (RFC 7323 §2.3): where more waits, the server's packets are not in the capture.
const MAX_WINDOW: usize = 1 << 30;

/// Why the server may have got something else than what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contradiction {
    /// The same numbers came with other bytes, or with more than could be compared.
    SentOtherwise,
    /// It acknowledges, in this frame, what nobody was seen to send.
    AcknowledgedUnseen(u64),
}

impl Contradiction {
    /// The word for it among the oddities.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::SentOtherwise => "tcp_sent_otherwise",
            Self::AcknowledgedUnseen(_) => "tcp_acknowledged_unseen",
        }
    }

    /// The frame that shows it, where that is not the present one.
    pub(crate) fn frame(self) -> Option<u64> {
        match self {
            Self::SentOtherwise => None,
            Self::AcknowledgedUnseen(frame) => Some(frame),
        }
    }
}

impl Unacknowledged {
    /// Of a connection that begins with a SYN of this number, if with any.
    pub(crate) fn since(syn: Option<u32>) -> Self {
        let first = syn.map_or(0, |syn| syn.wrapping_add(1));
        let is_sure = syn.is_some();
        let numbers = Self { first, read_to: first, sent_to: first, ..Self::default() };
        Self { is_sure, from_start: is_sure, knows: is_sure, ..numbers }
    }

    /// Whether bytes that were read wait for the server's word.
    pub(crate) fn waits(&self) -> bool {
        self.waits
    }

    /// What contradicts the bytes that were read; told once, and then nothing more is looked for.
    pub(crate) fn contradiction(&mut self, budget: &mut Budget) -> Option<Contradiction> {
        let contradiction = self.contradiction.take()?;
        self.forget(budget);
        self.is_over = true;
        Some(contradiction)
    }

    /// Notes bytes that are read now. Where they don't follow on, what is between was not read, and must not come either.
    pub(crate) fn read(&mut self, seq: u32, bytes: &[u8], budget: &mut Budget) {
        if self.is_over {
            return;
        }
        if !self.knows {
            (self.knows, self.first, self.read_to, self.sent_to) = (true, seq, seq, seq);
        }
        self.waits = true;
        if self.kept.is_empty() {
            self.kept_from = seq;
        }
        let follows = distance(self.kept_from, seq) == self.kept.len();
        if follows && self.kept.len() + bytes.len() <= MAX_KEPT && budget.take_kept(bytes.len()) {
            self.kept.extend_from_slice(bytes);
        }
        self.read_to = later(self.read_to, seq.wrapping_add(bytes.len() as u32));
        self.has_sent(self.read_to);
        if distance(self.first, self.read_to) > MAX_WINDOW {
            self.forget(budget);
        }
    }

    /// Notes a segment of the client, of `wire_len` bytes of which `payload` was captured, before it is read.
    pub(crate) fn sent(&mut self, seq: u32, payload: &[u8], wire_len: usize) {
        if !self.knows || wire_len == 0 {
            return;
        }
        // A keep-alive may have a byte of the past (RFC 9293 §3.8.4).
        let is_alive =
            wire_len == 1 && (payload == [0] || !self.waits) && seq.wrapping_add(1) == self.sent_to;
        if is_alive {
            return;
        }
        let end = seq.wrapping_add(wire_len as u32);
        let is_strange = self.from_start && is_ahead(self.first, seq);
        if self.waits && is_ahead(seq, self.sent_to) {
            self.came_early(seq, end);
        } else if is_strange || (self.waits && self.differs(seq, end, payload)) {
            self.contradiction.get_or_insert(Contradiction::SentOtherwise);
        } else if self.waits {
            self.has_sent(end);
        }
    }

    /// Whether bytes are others than those that were read under the same numbers, or can't be compared with them.
    fn differs(&self, seq: u32, end: u32, payload: &[u8]) -> bool {
        let from = later(seq, self.first);
        let to = if is_ahead(end, self.read_to) { self.read_to } else { end };
        if !is_ahead(to, from) {
            return false;
        }
        let length = distance(from, to);
        let part = |bytes: usize| bytes..bytes + length;
        let again = payload.get(part(distance(seq, from)));
        let before = match is_ahead(self.kept_from, from) {
            true => None,
            false => self.kept.get(part(distance(self.kept_from, from))),
        };
        again.is_none() || again != before
    }

    /// Everything before this number was sent.
    fn has_sent(&mut self, end: u32) {
        self.sent_to = later(self.sent_to, end);
        if let Some((from, to)) = self.early
            && !is_ahead(from, self.sent_to)
        {
            self.sent_to = later(self.sent_to, to);
            self.early = None;
        }
    }

    /// Bytes came before others that are missing before them: what is nearest is remembered, and what adjoins it.
    fn came_early(&mut self, seq: u32, end: u32) {
        self.early = Some(match self.early {
            Some((from, to)) if !is_ahead(seq, to) && !is_ahead(from, end) => {
                (if is_ahead(from, seq) { seq } else { from }, later(to, end))
            }
            Some((from, to)) if is_ahead(seq, from) => (from, to),
            _ => (seq, end),
        });
    }

    /// Takes the server's word, in a frame, that it has everything before this number; whether nothing more is waited for.
    pub(crate) fn acknowledged(&mut self, ack: u32, frame: u64, budget: &mut Budget) -> bool {
        if is_ahead(self.first, ack) {
            // Of something that was not seen, or it was late on its way.
            if self.from_start {
                self.contradiction.get_or_insert(Contradiction::AcknowledgedUnseen(frame));
            }
        } else if self.is_sure && !self.is_sent(ack) {
            if self.ahead.is_none_or(|(before, _)| self.is_sent(before)) {
                self.ahead = Some((ack, frame));
            }
        } else if ack != self.first {
            let had = match is_ahead(ack, self.kept_from) {
                true => distance(self.kept_from, ack).min(self.kept.len()),
                false => 0,
            };
            self.drop_kept(had, budget);
            (self.first, self.from_start) = (ack, false);
            if !is_ahead(self.read_to, ack) {
                (self.waits, self.read_to, self.sent_to) = (false, ack, later(self.sent_to, ack));
                (self.ahead, self.early) = (None, None);
                self.drop_kept(self.kept.len(), budget);
            }
        }
        self.contradiction.is_some() || !self.waits
    }

    /// Forgets so many of the bytes that are kept, from the first on.
    fn drop_kept(&mut self, bytes: usize, budget: &mut Budget) {
        budget.give_kept(bytes);
        self.kept_from = self.kept_from.wrapping_add(bytes as u32);
        if bytes == self.kept.len() {
            self.kept = Vec::new();
        } else {
            self.kept.drain(..bytes);
        }
    }

    /// No more comes.
    pub(crate) fn ends(&mut self) {
        if let Some((ack, frame)) = self.ahead
            && !self.is_sent(ack)
        {
            self.contradiction.get_or_insert(Contradiction::AcknowledgedUnseen(frame));
        }
    }

    /// Whether everything before this number was sent. A FIN has a number, too.
    fn is_sent(&self, ack: u32) -> bool {
        distance(self.first, ack) <= distance(self.first, self.sent_to) + 1
    }

    /// Gives the memory back; where bytes are read next is where they begin.
    pub(crate) fn forget(&mut self, budget: &mut Budget) {
        self.drop_kept(self.kept.len(), budget);
        (self.waits, self.from_start, self.knows) = (false, false, false);
        (self.ahead, self.early) = (None, None);
    }
}

/// How far a number is behind another that is not ahead of it, in bytes.
fn distance(from: u32, to: u32) -> usize {
    to.wrapping_sub(from) as usize
}

/// Whether a number comes after another (RFC 9293 §3.4: they wrap).
fn is_ahead(number: u32, of: u32) -> bool {
    number.wrapping_sub(of) as i32 > 0
}

fn later(a: u32, b: u32) -> u32 {
    if is_ahead(a, b) { a } else { b }
}

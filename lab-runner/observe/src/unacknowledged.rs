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
    /// Something contradicted them before.
    is_over: bool,
    /// The number of the first byte that was not acknowledged.
    first: u32,
    /// Behind the last byte that was read.
    read_to: u32,
    /// Behind the last byte that was sent with none missing before it.
    sent_to: u32,
    /// Those from `first` on; as many as there was room for.
    bytes: Vec<u8>,
    /// The server acknowledged what was not sent so far, in this frame. Some captures have both sides' packets out of
    /// order.
    ahead: Option<(u32, u64)>,
    contradiction: Option<Contradiction>,
}

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
        Self { is_sure: syn.is_some(), from_start: syn.is_some(), first, ..Self::default() }
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

    /// Notes bytes that are read now, which follow on.
    pub(crate) fn read(&mut self, seq: u32, bytes: &[u8], budget: &mut Budget) {
        if self.is_over {
            return;
        }
        if !self.waits {
            self.from_start &= seq == self.first;
            (self.waits, self.first, self.read_to, self.sent_to) = (true, seq, seq, seq);
        }
        let has_all = seq == self.read_to && self.bytes.len() == distance(self.first, seq);
        if has_all && self.bytes.len() + bytes.len() <= MAX_HELD && budget.take(bytes.len()) {
            self.bytes.extend_from_slice(bytes);
        }
        self.read_to = seq.wrapping_add(bytes.len() as u32);
        self.sent_to = later(self.sent_to, self.read_to);
        if distance(self.first, self.read_to) > MAX_WINDOW {
            self.forget(budget);
        }
    }

    /// Notes a segment of the client, of `wire_len` bytes of which `payload` was captured, before it is read.
    pub(crate) fn sent(&mut self, seq: u32, payload: &[u8], wire_len: usize) {
        if !self.waits || wire_len == 0 || is_ahead(seq, self.sent_to) {
            return;
        }
        self.sent_to = later(self.sent_to, seq.wrapping_add(wire_len as u32));
        let before = if is_ahead(self.first, seq) { distance(seq, self.first) } else { 0 };
        // A keep-alive may have a byte of the past (RFC 9293 §3.8.4).
        let is_strange = before > 0 && self.from_start && wire_len > 1;
        let from = if before > 0 { 0 } else { distance(self.first, seq) };
        let to = distance(self.first, self.read_to).min((from + wire_len).saturating_sub(before));
        let is_same = || {
            let again = payload.get(before..before + (to - from));
            again.is_some() && again == self.bytes.get(from..to)
        };
        if is_strange || (from < to && !is_same()) {
            self.contradiction.get_or_insert(Contradiction::SentOtherwise);
        }
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
        } else if !is_ahead(self.read_to, ack) {
            self.forget(budget);
        } else if ack != self.first {
            let had = distance(self.first, ack).min(self.bytes.len());
            self.bytes.drain(..had);
            budget.give(had);
            (self.first, self.from_start) = (ack, false);
        }
        self.contradiction.is_some() || !self.waits
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

    /// Gives the memory back; what is read next begins anew.
    pub(crate) fn forget(&mut self, budget: &mut Budget) {
        budget.give(self.bytes.len());
        self.bytes = Vec::new();
        (self.waits, self.from_start, self.ahead) = (false, false, None);
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

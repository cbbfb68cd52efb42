//! Protocols in lines of text, in which TLS may follow: what they share.
//!
//! Reads the client's first segments and the server's greeting, no mail and no file. A client that begins TLS has agreed on
//! it with its server, whatever was seen of that.

use std::fmt;

use super::facts::Facts;
use super::interface::{Dialogue, Probe, Shown, Step};
use super::tls;
use crate::flow::{CLIENT, SERVER};

/// Segments of a client among which TLS is awaited.
const MAX_SEGMENTS: u8 = 32;
/// A longer line says nothing that is looked for.
const MAX_LINE: usize = 2048;

/// One of these protocols.
pub(super) struct Text {
    pub(super) app: &'static str,
    /// The byte that ends what can be read.
    pub(super) end: u8,
    /// Reads a line, or what else ends so, of either side; a server's only from its first segment.
    pub(super) line: fn(usize, &[u8], &mut Facts<'_, '_>),
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.app)
    }
}

/// Reads a connection in it.
pub(super) fn open(text: &'static Text) -> Box<dyn Dialogue> {
    Box::new(Talk { text, segments: [0; 2] })
}

/// What to do with a client's bytes if they may be TLS's first.
pub(super) fn tls_begins(bytes: &[u8], shown: Shown) -> Option<Step> {
    match tls::probe_client(bytes) {
        Probe::Yes => Some(Step::Switch(0)),
        Probe::More if !shown.last => Some(Step::Took(0)),
        Probe::More | Probe::No => None,
    }
}

/// Whether a line begins with a word, in whatever case, and a blank or nothing follows.
pub(super) fn is_command(line: &[u8], word: &str) -> bool {
    let (Some(start), rest) = (line.get(..word.len()), line.get(word.len())) else { return false };
    start.eq_ignore_ascii_case(word.as_bytes()) && rest.is_none_or(u8::is_ascii_whitespace)
}

/// The words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// Whether a word reads as a host's name with a domain: greetings hold all sorts of words.
pub(super) fn is_host(word: &[u8]) -> bool {
    let is_plain = word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    let mut labels = word.rsplit(|byte| *byte == b'.');
    let top = labels.next().unwrap_or(&[]);
    is_plain
        && top.len() >= 2
        && top.iter().all(u8::is_ascii_alphabetic)
        && labels.any(|label| !label.is_empty())
}

#[derive(Debug)]
struct Talk {
    text: &'static Text,
    segments: [u8; 2],
}

impl Dialogue for Talk {
    fn wants(&self, side: usize) -> bool {
        side == CLIENT || self.segments[SERVER] == 0
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised(self.text.app);
        if side == CLIENT
            && let Some(step) = tls_begins(bytes, shown)
        {
            return step;
        }
        let mut at = 0;
        while let Some(length) = bytes[at..].iter().position(|byte| *byte == self.text.end) {
            (self.text.line)(side, bytes[at..at + length].trim_ascii(), facts);
            at += length + 1;
        }
        let incomplete = at < bytes.len() && bytes.len() - at < MAX_LINE && !shown.last;
        if incomplete && at == 0 {
            return Step::Took(0);
        }
        self.segments[side] = self.segments[side].saturating_add(1);
        if self.segments[CLIENT] >= MAX_SEGMENTS {
            return Step::Done;
        }
        Step::Took(if incomplete { at } else { bytes.len() })
    }
}

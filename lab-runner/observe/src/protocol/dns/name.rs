//! Names in DNS messages (RFC 1035 §3.1, §4.1.4).
//!
//! Compression pointers must point backwards and are followed a bounded number of times.

use crate::escape;

const MAX_POINTERS: usize = 32;
/// RFC 1035 §2.3.4.
const MAX_NAME: usize = 255;

/// Names, made printable, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Text(String);

/// Where a name stands in a [`Text`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Span {
    from: usize,
    to: usize,
}

impl Text {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn get(&self, span: Span) -> &str {
        self.0.get(span.from..span.to).unwrap_or("")
    }

    /// Adds the name that begins at `at`, and returns where it ends there.
    pub(super) fn read(&mut self, bytes: &[u8], at: usize) -> Option<(Span, usize)> {
        let mut name = [0; MAX_NAME];
        let mut length = 0;
        // Nearly all names are plain, and there are many: they are put together here and copied once.
        let plain = walk(bytes, at, |label| {
            let begun = if length == 0 { 0 } else { length + 1 };
            let room = name.get_mut(begun..begun + label.len())?;
            for (kept, byte) in room.iter_mut().zip(label) {
                *kept = PLAIN[usize::from(*byte)];
                if *kept == 0 {
                    return None;
                }
            }
            if begun > 0 {
                name[length] = b'.';
            }
            length = begun + label.len();
            Some(())
        });
        let from = self.0.len();
        let end = match plain {
            Some(end) => {
                self.0.push_str(str::from_utf8(&name[..length]).ok()?);
                end
            }
            None => self.read_odd(bytes, at)?,
        };
        Some((Span { from, to: self.0.len() }, end))
    }

    /// Adds a name of which not every byte is plain, or which makes no sense.
    #[cold]
    fn read_odd(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let begun = self.0.len();
        let name = &mut self.0;
        walk(bytes, at, |label| {
            if name.len() > begun {
                name.push('.');
            }
            for (number, part) in label.split(|byte| *byte == b'.').enumerate() {
                // A dot inside of a label is no separator.
                if number > 0 {
                    escape::push_hex(name, b'.');
                }
                escape::push_name(name, part);
            }
            Some(())
        })
    }
}

/// Shows each label of a name; returns where the name ends, or `None` where it makes no sense or `show` says so.
#[inline]
fn walk(bytes: &[u8], mut at: usize, mut show: impl FnMut(&[u8]) -> Option<()>) -> Option<usize> {
    let mut end = None;
    let mut pointers = 0;
    let mut total = 0;
    loop {
        let length = usize::from(*bytes.get(at)?);
        match length >> 6 {
            0 if length == 0 => return Some(end.unwrap_or(at + 1)),
            0 => {
                total += length + 1;
                if total > MAX_NAME {
                    return None;
                }
                show(bytes.get(at + 1..at + 1 + length)?)?;
                at += 1 + length;
            }
            3 => {
                let target = pointer(bytes, at)?;
                end.get_or_insert(at + 2);
                pointers += 1;
                if target >= at || pointers > MAX_POINTERS {
                    return None;
                }
                at = target;
            }
            _ => return None,
        }
    }
}

/// Where a name that begins at `at` leads right away, if it begins with a pointer.
pub(super) fn pointer(bytes: &[u8], at: usize) -> Option<usize> {
    crate::link::be16(bytes, at).filter(|word| *word >= 0xc000).map(|word| usize::from(word & 0x3fff))
}

/// What stands for a byte of a label; 0 for one that has to be escaped, and for the dot.
const PLAIN: [u8; 256] = {
    let mut plain = [0; 256];
    let mut byte = 0;
    while byte < plain.len() {
        if escape::is_plain(byte as u8) && byte as u8 != b'.' {
            plain[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    plain
};

/// Where a name ends; follows no pointer.
pub(super) fn skip_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    let begun = at;
    loop {
        let length = usize::from(*bytes.get(at)?);
        match length >> 6 {
            0 if length == 0 => return Some(at + 1),
            0 if at - begun < MAX_NAME => at += 1 + length,
            3 => return Some(at + 2),
            _ => return None,
        }
    }
}

//! Names in DNS messages (RFC 1035 §3.1, §4.1.4).
//!
//! Compression pointers must point backwards and are followed a bounded number of times.

use crate::escape;

const MAX_POINTERS: usize = 32;
/// RFC 1035 §2.3.4.
const MAX_NAME: usize = 255;

/// Reads a name, made printable, and returns where it ends.
pub(super) fn read_name(bytes: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut end = None;
    let mut pointers = 0;
    let mut total = 0;
    // Most names fit.
    let mut name = Vec::with_capacity(48);
    loop {
        let length = usize::from(*bytes.get(at)?);
        match length >> 6 {
            0 if length == 0 => return Some((String::from_utf8(name).ok()?, end.unwrap_or(at + 1))),
            0 => {
                total += length + 1;
                if total > MAX_NAME {
                    return None;
                }
                let label = bytes.get(at + 1..at + 1 + length)?;
                if !name.is_empty() {
                    name.push(b'.');
                }
                push_label(&mut name, label);
                at += 1 + length;
            }
            3 => {
                let target = usize::from(crate::link::be16(bytes, at)? & 0x3fff);
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

fn push_label(name: &mut Vec<u8>, label: &[u8]) {
    // Nearly all are plain, and there are many.
    if label.iter().all(|byte| escape::is_plain(*byte) && *byte != b'.') {
        name.extend(label.iter().map(u8::to_ascii_lowercase));
        return;
    }
    let mut printable = String::new();
    for (number, part) in label.split(|byte| *byte == b'.').enumerate() {
        // A dot inside of a label is no separator.
        if number > 0 {
            escape::push_hex(&mut printable, b'.');
        }
        escape::push_name(&mut printable, part);
    }
    name.extend_from_slice(printable.as_bytes());
}

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

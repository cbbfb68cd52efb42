//! Bytes from the wire, made into strings that any output may show.
//!
//! Printable ASCII stays; every other byte, and the backslash itself, becomes `\xNN`. So a terminal escape, a line end or
//! a quote of another language never leaves this crate, and two different names never look the same.

/// A name: lower case, no blanks, without a final dot; at most `max` bytes are read, and `\x..` marks that there were more.
pub fn name(bytes: &[u8], max: usize) -> String {
    let mut out = String::with_capacity(bytes.len().min(max));
    push_name(&mut out, &bytes[..bytes.len().min(max)]);
    if bytes.len() > max {
        out.push_str("\\x..");
    } else if out.len() > 1 && out.ends_with('.') {
        out.pop();
    }
    out
}

/// Whether a byte stands in a name as it is, but for its case.
#[inline]
pub(crate) const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && byte != b'\\'
}

/// Appends bytes of a name.
pub(crate) fn push_name(out: &mut String, bytes: &[u8]) {
    // Nearly all names are plain, and there are many.
    if bytes.iter().all(|byte| is_plain(*byte))
        && let Ok(plain) = std::str::from_utf8(bytes)
    {
        let from = out.len();
        out.push_str(plain);
        if let Some(added) = out.get_mut(from..) {
            added.make_ascii_lowercase();
        }
        return;
    }
    for &byte in bytes {
        match byte {
            b'\\' => push_hex(out, byte),
            0x21..=0x7e => out.push(char::from(byte.to_ascii_lowercase())),
            _ => push_hex(out, byte),
        }
    }
}

/// Text such as an interface's name: case and blanks stay; at most `max` bytes are read.
pub fn text(bytes: &[u8], max: usize) -> String {
    let mut out = String::with_capacity(bytes.len().min(max));
    for &byte in bytes.iter().take(max) {
        match byte {
            b'\\' => push_hex(&mut out, byte),
            0x20..=0x7e => out.push(char::from(byte)),
            _ => push_hex(&mut out, byte),
        }
    }
    if bytes.len() > max {
        out.push_str("\\x..");
    }
    out
}

/// One byte as `\xNN`.
pub(crate) fn push_hex(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push_str("\\x");
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_terminal_escape_is_written_in_printable_ascii() {
        assert_eq!(name(b"Api.\x1b[2J\\Example.", 64), "api.\\x1b[2j\\x5cexample");
        assert_eq!(name("ä b".as_bytes(), 64), "\\xc3\\xa4\\x20b");
        assert_eq!(name(b"abcdef", 3), "abc\\x..");
    }
}

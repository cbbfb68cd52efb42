//! HPACK (RFC 7541), as much of it as the `:authority` of requests takes.
//!
//! Keeps lengths of the fields that it need not know, and the values of those that it must: bounded by the table's size.

use std::collections::VecDeque;

/// Index and name of the pseudo-header for the host (RFC 7541 appendix A).
const AUTHORITY: usize = 1;
const AUTHORITY_NAME: &[u8] = b":authority";
/// Lengths of the static table's names, from index 1 on (RFC 7541 appendix A).
const STATIC_NAMES: [u8; 61] = [
    10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14, 16, 13,
    12, 6, 4, 4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10, 25, 17, 10, 4, 3,
    16,
];
/// What an entry takes beside its name and value (RFC 7541 §4.1).
const OVERHEAD: usize = 32;
/// The table's size to begin with (RFC 9113 §6.5.2), and the largest that is followed.
const FIRST_SIZE: usize = 4096;
const MAX_SIZE: usize = 16 * 1024;
/// Bytes of a decoded string that are kept; a longer one is no host's name.
const MAX_KEPT: usize = 512;

/// A field that the client put into the table.
#[derive(Debug)]
struct Entry {
    name_length: usize,
    size: usize,
    /// Its value, if it is an `:authority`.
    authority: Option<Box<[u8]>>,
}

/// What is remembered from one block of fields to the next.
#[derive(Debug)]
pub(super) struct Decoder {
    /// The latest first.
    table: VecDeque<Entry>,
    size: usize,
    max_size: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { table: VecDeque::new(), size: 0, max_size: FIRST_SIZE }
    }
}

/// A string, as far as it is of interest.
struct Text {
    length: usize,
    /// Its first bytes; empty unless they were asked for.
    kept: Vec<u8>,
}

impl Decoder {
    /// Reads a block of fields and tells each `:authority` in it; `None` where it is malformed, or needs a larger table.
    pub(super) fn decode(&mut self, block: &[u8], mut tell: impl FnMut(&[u8])) -> Option<()> {
        let mut rest = block;
        while let Some(&first) = rest.first() {
            if first & 0x80 != 0 {
                let index = number(&mut rest, 7)?;
                if let Some(authority) = self.entry(index)?.and_then(|entry| entry.authority.as_deref()) {
                    tell(authority);
                }
            } else if first & 0xe0 == 0x20 {
                let size = number(&mut rest, 5)?;
                if size > MAX_SIZE {
                    return None;
                }
                self.max_size = size;
                self.shrink_to(size);
            } else {
                let is_kept = first & 0x40 != 0;
                let index = number(&mut rest, if is_kept { 6 } else { 4 })?;
                let (name_length, is_authority) = match index {
                    0 => {
                        let name = text(&mut rest, true)?;
                        (name.length, name.kept == AUTHORITY_NAME)
                    }
                    AUTHORITY => (AUTHORITY_NAME.len(), true),
                    _ => match self.entry(index)? {
                        Some(entry) => (entry.name_length, entry.authority.is_some()),
                        None => (usize::from(*STATIC_NAMES.get(index - 1)?), false),
                    },
                };
                let value = text(&mut rest, is_authority)?;
                if is_authority {
                    tell(&value.kept);
                }
                if is_kept {
                    let authority = is_authority.then(|| value.kept.into_boxed_slice());
                    self.add(Entry { name_length, size: name_length + value.length + OVERHEAD, authority });
                }
            }
        }
        Some(())
    }

    /// How large the table is (RFC 7541 §4.1), which is about what it takes.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The entry of an index; `Some(None)` for the static table's, `None` where there is none.
    fn entry(&self, index: usize) -> Option<Option<&Entry>> {
        match index.checked_sub(STATIC_NAMES.len() + 1) {
            Some(index) => self.table.get(index).map(Some),
            None => (index > 0).then_some(None),
        }
    }

    fn add(&mut self, entry: Entry) {
        if entry.size > self.max_size {
            self.shrink_to(0);
            return;
        }
        self.shrink_to(self.max_size - entry.size);
        self.size += entry.size;
        self.table.push_front(entry);
    }

    fn shrink_to(&mut self, size: usize) {
        while self.size > size {
            match self.table.pop_back() {
                Some(entry) => self.size -= entry.size,
                None => self.size = 0,
            }
        }
    }
}

/// A number that begins in the low bits of the first byte (RFC 7541 §5.1).
fn number(rest: &mut &[u8], bits: u32) -> Option<usize> {
    let mask = (1_usize << bits) - 1;
    let (&first, mut tail) = rest.split_first()?;
    let mut value = usize::from(first) & mask;
    if value == mask {
        for shift in [0, 7, 14, 21] {
            let (&byte, behind) = tail.split_first()?;
            tail = behind;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                *rest = tail;
                return Some(value);
            }
        }
        return None;
    }
    *rest = tail;
    Some(value)
}

/// RFC 7541 §5.2.
fn text(rest: &mut &[u8], keep: bool) -> Option<Text> {
    let is_huffman = rest.first()? & 0x80 != 0;
    let length = number(rest, 7)?;
    let (bytes, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    if is_huffman {
        return huffman(bytes, keep);
    }
    let kept = if keep { bytes[..bytes.len().min(MAX_KEPT)].to_vec() } else { Vec::new() };
    Some(Text { length, kept })
}

/// Lengths of the codes of the symbols 0 to 256 (RFC 7541 appendix B). The code is canonical: codes of one length are in
/// the order of their symbols, so these tell them all.
const CODE_LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24,
    23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23,
    23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26,
    26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20,
    21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27,
    27, 27, 26, 30,
];
const SHORTEST: usize = 5;
const LONGEST: usize = 30;
const END_OF_STRING: u16 = 256;

/// For each length of code: the first code, and how many symbols have shorter ones; and the symbols by their codes.
struct Codes {
    first: [u32; LONGEST + 2],
    before: [u16; LONGEST + 2],
    symbols: [u16; 257],
}

const CODES: Codes = {
    let mut codes = Codes { first: [0; LONGEST + 2], before: [0; LONGEST + 2], symbols: [0; 257] };
    let (mut code, mut count, mut length) = (0_u32, 0_usize, SHORTEST);
    while length <= LONGEST + 1 {
        codes.first[length] = code;
        codes.before[length] = count as u16;
        let mut symbol = 0;
        while symbol < 257 {
            if CODE_LENGTHS[symbol] as usize == length {
                codes.symbols[count] = symbol as u16;
                count += 1;
                code += 1;
            }
            symbol += 1;
        }
        code <<= 1;
        length += 1;
    }
    codes
};

fn huffman(bytes: &[u8], keep: bool) -> Option<Text> {
    let mut text = Text { length: 0, kept: Vec::new() };
    let (mut code, mut length) = (0_u32, 0_usize);
    for bit in bytes.iter().flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1)) {
        code = code << 1 | u32::from(bit);
        length += 1;
        if length < SHORTEST {
            continue;
        }
        let after = code.wrapping_sub(CODES.first[length]) as usize;
        let (from, to) = (usize::from(CODES.before[length]), usize::from(CODES.before[length + 1]));
        if code >= CODES.first[length] && after < to - from {
            let symbol = CODES.symbols[from + after];
            if symbol == END_OF_STRING {
                return None;
            }
            text.length += 1;
            if keep && text.kept.len() < MAX_KEPT {
                text.kept.push(symbol as u8);
            }
            (code, length) = (0, 0);
        } else if length >= LONGEST {
            return None;
        }
    }
    // What is left is padding: fewer than eight bits, all ones.
    (length < 8 && code == (1 << length) - 1).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(|digit| *digit != b' ').collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn decoded(decoder: &mut Decoder, hex: &str) -> Option<Vec<String>> {
        let mut told = Vec::new();
        decoder.decode(&bytes(hex), |name| told.push(String::from_utf8_lossy(name).into_owned()))?;
        Some(told)
    }

    #[test]
    fn requests_of_rfc_7541_appendix_c_name_their_host_plain_and_huffman_coded_and_from_the_table() {
        for requests in [
            ["8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", "8286 84be 5808 6e6f 2d63 6163 6865"],
            ["8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8286 84be 5886 a8eb 1064 9cbf"],
        ] {
            let mut decoder = Decoder::default();
            for request in requests {
                assert_eq!(decoded(&mut decoder, request).unwrap(), ["www.example.com"]);
            }
            // An index of a field that the client never sent.
            assert_eq!(decoded(&mut decoder, "c2"), None);
        }
    }

    #[test]
    fn a_number_without_end_and_a_string_longer_than_its_block_are_malformed() {
        assert_eq!(decoded(&mut Decoder::default(), "ff ff ff ff ff ff 01"), None);
        assert_eq!(decoded(&mut Decoder::default(), "41 7f 61"), None);
    }
}

//! The hello of Google's QUIC before it took TLS: tags and values in clear text (the QUIC Crypto design document,
//! "Handshake message encoding").
//!
//! Only the server's name is read: the user agent and tokens that stand beside it are nobody's business.

/// Packet number, hash and stream header take less than this.
const MAX_BEFORE: usize = 64;
const MAX_TAGS: usize = 128;

/// The server's name in a CHLO, and whether the CHLO could be read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hello<'a> {
    pub(super) sni: Option<&'a [u8]>,
    pub(super) whole: bool,
}

/// Looks for a CHLO near the start of what follows a packet's version.
pub(super) fn hello(bytes: &[u8]) -> Option<Hello<'_>> {
    let near = &bytes[..bytes.len().min(MAX_BEFORE + 4)];
    let at = near.windows(4).position(|tag| tag == b"CHLO")?;
    let count = usize::from(u16::from_le_bytes([*bytes.get(at + 4)?, *bytes.get(at + 5)?]));
    // Behind the count are two bytes of padding, then a tag and the end of its value each.
    let tags = bytes.get(at + 8..)?.as_chunks::<8>().0;
    let values = at + 8 + 8 * count;
    let mut hello = Hello { sni: None, whole: count <= tags.len().min(MAX_TAGS) };
    let mut from = 0;
    for &[a, b, c, d, e, f, g, h] in tags.iter().take(count.min(MAX_TAGS)) {
        let to = u32::from_le_bytes([e, f, g, h]) as usize;
        let value = to.checked_add(values).and_then(|end| bytes.get(values.checked_add(from)?..end));
        if value.is_none() {
            hello.whole = false;
        }
        if [a, b, c, d] == *b"SNI\0" {
            hello.sni = value;
            break;
        }
        from = to;
    }
    Some(hello)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_value_of_its_tag() {
        let mut bytes = vec![0; 30];
        bytes.extend(b"CHLO\x03\0\0\0PAD\0\x04\0\0\0SNI\0\x11\0\0\0UAID\x13\0\0\0");
        bytes.extend(b"----fw.u8.exampleX1");
        let sni = Some(&b"fw.u8.example"[..]);
        assert_eq!(hello(&bytes), Some(Hello { sni, whole: true }));
        for end in 0..bytes.len() {
            assert!(hello(&bytes[..end]).is_none_or(|hello| hello.sni.is_none() || hello.sni == sni));
        }
    }
}

//! Taking the protection off a client's Initial packet (RFC 9001 §5), with keys that follow from its connection id.
//!
//! Nothing else of QUIC can be opened from outside, and nothing else is tried.

use aes_gcm::aead::AeadInPlace;
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::BlockEncrypt;
use aes_gcm::{Aes128Gcm, KeyInit};
use hkdf::Hkdf;
use sha2::Sha256;

/// RFC 9001 §5.3: AEAD_AES_128_GCM's tag.
const TAG: usize = 16;
/// RFC 9001 §5.4.2.
const SAMPLE: usize = 16;
const MAX_NUMBER: usize = 4;

/// A client's Initial keys: as bytes, for flows keep them, and what is made of them is many times as large.
#[derive(Debug)]
pub(super) struct Keys {
    aead: [u8; 16],
    iv: [u8; 12],
    mask: [u8; 16],
    /// The largest packet number opened so far.
    largest: Option<u64>,
}

impl Keys {
    /// From the destination id of the client's first packet, or of the first after a Retry (RFC 9001 §5.2).
    pub(super) fn new(salt: &[u8; 20], second: bool, dcid: &[u8]) -> Option<Self> {
        let (_, initial) = Hkdf::<Sha256>::extract(Some(salt), dcid);
        let secret: [u8; 32] = expand(&initial, b"client in")?;
        let client = Hkdf::<Sha256>::from_prk(&secret).ok()?;
        let labels: [&[u8]; 3] = if second {
            [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"]
        } else {
            [b"quic key", b"quic iv", b"quic hp"]
        };
        Some(Self {
            aead: expand(&client, labels[0])?,
            iv: expand(&client, labels[1])?,
            mask: expand(&client, labels[2])?,
            largest: None,
        })
    }

    /// The frames of a packet whose number begins at `number_at`; `None` where these keys don't fit.
    pub(super) fn open(&mut self, packet: &[u8], number_at: usize) -> Option<Vec<u8>> {
        let sample = packet.get(number_at + MAX_NUMBER..number_at + MAX_NUMBER + SAMPLE)?;
        let mut mask = *aes_gcm::aes::Block::from_slice(sample);
        Aes128::new(&self.mask.into()).encrypt_block(&mut mask);
        let first = packet.first()? ^ (mask[0] & 0x0f);
        let width = usize::from(first & 3) + 1;
        let mut header = packet.get(..number_at + width)?.to_vec();
        header[0] = first;
        for (byte, mask) in header[number_at..].iter_mut().zip(&mask[1..]) {
            *byte ^= mask;
        }
        let truncated = header[number_at..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let sealed = packet.get(number_at + width..)?;
        let (text, tag) = sealed.split_at(sealed.len().checked_sub(TAG)?);
        let aead = Aes128Gcm::new(&self.aead.into());
        // A larger number may never have reached the server, which then expects what it did before.
        let expected = full_number(self.largest, truncated, width);
        let at_first = Some(full_number(None, truncated, width)).filter(|number| *number != expected);
        for number in std::iter::once(expected).chain(at_first) {
            let mut nonce = self.iv;
            for (byte, part) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
                *byte ^= part;
            }
            let mut frames = text.to_vec();
            if aead.decrypt_in_place_detached(&nonce.into(), &header, &mut frames, tag.into()).is_ok() {
                self.largest = self.largest.max(Some(number));
                return Some(frames);
            }
        }
        None
    }
}

/// RFC 9000 §A.3: the number nearest to the one expected that ends in these bits.
fn full_number(largest: Option<u64>, truncated: u64, width: usize) -> u64 {
    let window = 1u64 << (8 * width);
    let expected = largest.map_or(0, |largest| largest + 1);
    let candidate = (expected & !(window - 1)) | truncated;
    if candidate + window / 2 <= expected && candidate < (1 << 62) - window {
        candidate + window
    } else if candidate > expected + window / 2 && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &[u8]) -> Option<[u8; N]> {
    let mut out = [0; N];
    let length = [0, u8::try_from(N).ok()?];
    let label_length = [u8::try_from(label.len() + 6).ok()?];
    secret.expand_multi_info(&[&length, &label_length, b"tls13 ", label, &[0]], &mut out).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_number_is_completed_as_the_rfc_says() {
        // RFC 9000 §A.3.
        assert_eq!(full_number(Some(0xa82f_30ea), 0x9b32, 2), 0xa82f_9b32);
        assert_eq!(full_number(None, 0xe0eb_ff79, 4), 0xe0eb_ff79);
        assert_eq!(full_number(Some(255), 1, 1), 257);
    }
}

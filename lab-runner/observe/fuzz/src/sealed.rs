//! A client's Initial packet (RFC 9001 §5) around any frames: the protection hides nothing, and a fuzzer can't guess it.

use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::BlockEncrypt;
use aes_gcm::{Aes128Gcm, aes};
use hkdf::Hkdf;
use sha2::Sha256;

/// QUIC version 1.
pub const V1: u32 = 1;
/// QUIC version 2 (RFC 9369 §3.1).
pub const V2: u32 = 0x6b33_43cf;

const DCID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
/// RFC 9001 §5.2 and RFC 9369 §3.3.1.
const SALT_V1: [u8; 20] =
    *b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a";
const SALT_V2: [u8; 20] =
    *b"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9";
/// RFC 9000 §14.1.
const LEAST: usize = 1200;
const TAG: usize = 16;

/// A packet of [`V1`] or [`V2`] with this number, of the first connection or another; frames beyond 16000 bytes are left
/// out.
pub fn initial(version: u32, connection: u8, number: u8, frames: &[u8]) -> Vec<u8> {
    let mut dcid = DCID;
    dcid[7] ^= connection;
    let frames = &frames[..frames.len().min(16_000)];
    let (salt, prefix, first) =
        if version == V2 { (SALT_V2, "quicv2", 0xd0) } else { (SALT_V1, "quic", 0xc0) };
    let (_, common) = Hkdf::<Sha256>::extract(Some(&salt), &dcid);
    let secret = Hkdf::<Sha256>::from_prk(&expand::<32>(&common, "client in")).expect("32 bytes");
    let key = expand::<16>(&secret, &format!("{prefix} key"));
    let mut nonce = expand::<12>(&secret, &format!("{prefix} iv"));
    let mask_key = expand::<16>(&secret, &format!("{prefix} hp"));

    let mut header = vec![first];
    header.extend(version.to_be_bytes());
    header.push(dcid.len() as u8);
    header.extend(dcid);
    // No source id, no token.
    header.extend([0, 0]);
    let mut body = frames.to_vec();
    body.resize(frames.len().max(LEAST - header.len() - 3 - TAG), 0);
    header.extend((0x4000 | (1 + body.len() + TAG) as u16).to_be_bytes());
    let number_at = header.len();
    header.push(number);
    nonce[11] ^= number;
    let aead = Aes128Gcm::new(&key.into());
    let tag = aead.encrypt_in_place_detached(&nonce.into(), &header, &mut body).expect("a short text");
    body.extend(tag);
    let mut mask = *aes::Block::from_slice(&body[3..19]);
    Aes128::new(&mask_key.into()).encrypt_block(&mut mask);
    header[0] ^= mask[0] & 0x0f;
    header[number_at] ^= mask[1];
    header.extend(body);
    header
}

/// HKDF-Expand-Label of TLS 1.3 (RFC 8446 §7.1) without a context.
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &str) -> [u8; N] {
    let length = ("tls13 ".len() + label.len()) as u8;
    let mut key = [0; N];
    secret
        .expand_multi_info(&[&[0, N as u8, length], b"tls13 ", label.as_bytes(), &[0]], &mut key)
        .expect("few bytes");
    key
}

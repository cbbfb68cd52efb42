//! Versions of QUIC: how each is called, and what its Initial packets are protected with.
//!
//! Every endpoint on the path can take this protection off: the keys follow from the packet itself (RFC 9001 §5.2).

use std::borrow::Cow;

/// How a version's first packets are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// TLS in CRYPTO frames, protected with keys from this salt; with the labels of version 2, and its numbers for types.
    Ietf { salt: &'static [u8; 20], second: bool, moved: bool },
    /// Google's own: the hello stands in clear text.
    Google,
    /// Reserved to keep servers tolerant (RFC 9000 §15): no server speaks it, and what a client says in it is protected as
    /// in a version that it would rather have.
    Reserved,
}

/// RFC 9001 §5.2; drafts 33 and 34 have the same.
const SALT_V1: [u8; 20] = hex(b"38762cf7f55934b34d179ae6a4c80cadccbb7f0a");
/// RFC 9369 §3.3.1.
const SALT_V2: [u8; 20] = hex(b"0dede3def700a6db819381be6e269dcbf9bd2ed9");
/// draft-ietf-quic-v2-00 §3.3, and 01.
const SALT_V2_DRAFT: [u8; 20] = hex(b"a707c203a59b47184a1d62ca570406ea7ae3e5d3");
/// draft-ietf-quic-tls-29 §5.2, to draft 32.
const SALT_29: [u8; 20] = hex(b"afbfec289993d24c9e9786f19c6111e04390a899");
/// draft-ietf-quic-tls-23 §5.2, to draft 28.
const SALT_23: [u8; 20] = hex(b"c3eef712c72ebb5a11a7d2432bb46365bef9f502");
/// draft-ietf-quic-tls-21 §5.2, to draft 22.
const SALT_22: [u8; 20] = hex(b"7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a");
/// Chromium's versions Q050, T050 and T051.
const SALT_Q050: [u8; 20] = hex(b"504574efd066fe2f9d945cfcdbd3a7f0d3b56b45");
const SALT_T050: [u8; 20] = hex(b"7ff579e5acd072915580304c43a2367c60488310");
const SALT_T051: [u8; 20] = hex(b"7a4edef4e7ccee5fa4506c19124fc8ccda6e033d");

const V1: u32 = 1;
const V2: u32 = 0x6b33_43cf;
const V2_DRAFT_00: u32 = 0xff02_0000;
const V2_DRAFT_01: u32 = 0x709a_50c4;

impl Version {
    /// `None` for numbers that name no version that was in use.
    pub(super) fn of(number: u32) -> Option<Self> {
        let ietf = |salt| Some(Self::Ietf { salt, second: false, moved: false });
        let [a, b, c, d] = number.to_be_bytes();
        match number {
            V1 => return ietf(&SALT_V1),
            V2 => return Some(Self::Ietf { salt: &SALT_V2, second: true, moved: true }),
            V2_DRAFT_00 => return Some(Self::Ietf { salt: &SALT_V2_DRAFT, second: true, moved: false }),
            V2_DRAFT_01 => return Some(Self::Ietf { salt: &SALT_V2_DRAFT, second: true, moved: true }),
            _ => {}
        }
        match [a, b, c, d] {
            [0xff, 0, 0, 21..=22] => ietf(&SALT_22),
            [0xff, 0, 0, 23..=28] => ietf(&SALT_23),
            [0xff, 0, 0, 29..=32] => ietf(&SALT_29),
            [0xff, 0, 0, 33..=34] => ietf(&SALT_V1),
            // Facebook's mvfst: its first was draft 22, one stands for version 1, the others follow draft 27.
            [0xfa, 0xce, 0xb0, 0x01] => ietf(&SALT_22),
            [0xfa, 0xce, 0xb0, 0x03] => ietf(&SALT_V1),
            [0xfa, 0xce, 0xb0, 0x02..=0x13] => ietf(&SALT_23),
            [b'Q', b'0', b'5', b'0'] => ietf(&SALT_Q050),
            [b'T', b'0', b'5', b'0'] => ietf(&SALT_T050),
            [b'T', b'0', b'5', b'1'] => ietf(&SALT_T051),
            [b'Q', b'0', b'0'..=b'4', b'0'..=b'9'] => Some(Self::Google),
            _ if number & 0x0f0f_0f0f == 0x0a0a_0a0a => Some(Self::Reserved),
            _ => None,
        }
    }

    /// Salts to try, with whether the labels are those of version 2.
    pub(super) fn salts(self) -> impl Iterator<Item = (&'static [u8; 20], bool)> {
        let (first, second) = match self {
            Self::Ietf { salt, second, .. } => (Some((salt, second)), None),
            Self::Reserved => (Some((&SALT_V1, false)), Some((&SALT_29, false))),
            Self::Google => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// Whether Google's frames are meant, where CRYPTO has another number.
    pub(super) fn has_google_frames(number: u32) -> bool {
        matches!(number.to_be_bytes()[0], b'Q' | b'T')
    }
}

/// What a version is called in the records.
pub(super) fn word(number: u32) -> Cow<'static, str> {
    match (number, number.to_be_bytes()) {
        (V1, _) => "v1".into(),
        (V2, _) => "v2".into(),
        (V2_DRAFT_00, _) => "v2-draft-00".into(),
        (V2_DRAFT_01, _) => "v2-draft-01".into(),
        (_, [0xff, 0, 0, draft]) => format!("draft-{draft}").into(),
        (_, [0xfa, 0xce, 0xb0, 0x01]) => "mvfst-22".into(),
        (_, [0xfa, 0xce, 0xb0, 0x03]) => "mvfst-v1".into(),
        (_, [0xfa, 0xce, 0xb0, _]) => "mvfst-27".into(),
        (_, [a @ (b'Q' | b'T'), b, c, d]) if [b, c, d].iter().all(u8::is_ascii_digit) => {
            [a, b, c, d].map(char::from).iter().collect::<String>().into()
        }
        _ => format!("0x{number:08x}").into(),
    }
}

/// Constants as the RFCs print them.
const fn hex(text: &[u8; 40]) -> [u8; 20] {
    const fn digit(byte: u8) -> u8 {
        if byte <= b'9' { byte - b'0' } else { byte - b'a' + 10 }
    }
    let mut out = [0; 20];
    let mut at = 0;
    while at < out.len() {
        out[at] = digit(text[2 * at]) << 4 | digit(text[2 * at + 1]);
        at += 1;
    }
    out
}

//! SMB 1 to 3 in sessions of NetBIOS or TCP (RFC 1002 §4.3, [MS-CIFS], [MS-SMB2]): the version, and hosts that are named.
//!
//! Reads the start of the first messages, no files.

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use super::netbios;
use crate::flow::{CLIENT, SERVER};
use crate::record::NameKind;

/// SMB.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol {
    begins: Begins::with(&[0, SESSION_REQUEST]),
    probe,
    open: |_| Box::<Session>::default(),
};

const SESSION_REQUEST: u8 = 0x81;
const SMB1: &[u8] = b"\xffSMB";
const SMB2: &[u8] = b"\xfeSMB";
/// What SMB 3 encrypts or compresses ([MS-SMB2] §2.2.41, §2.2.42).
const ENCRYPTED: &[u8] = b"\xfdSMB";
const COMPRESSED: &[u8] = b"\xfcSMB";
/// Bytes of a message that are looked at.
const MAX_LOOK: usize = 2048;
/// Messages of either side; a session and its first share are set up by then.
const MAX_MESSAGES: u8 = 12;
/// SMB2 NEGOTIATE and TREE_CONNECT ([MS-SMB2] §2.2.1).
const NEGOTIATE: u16 = 0;
const TREE_CONNECT: u16 = 3;
/// [MS-NLMP] §2.2.1.
const NTLM: &[u8] = b"NTLMSSP\0";
const NTLM_CHALLENGE: u8 = 2;
const NTLM_AUTHENTICATE: u8 = 3;
/// The server's DNS name among what a challenge says of it ([MS-NLMP] §2.2.2.1).
const DNS_COMPUTER_NAME: u16 = 3;

fn probe(opening: &Opening<'_>) -> Probe {
    let told = match opening.bytes {
        [SESSION_REQUEST, 0, 0, 68, rest @ ..] => netbios::decoded(rest).is_some(),
        [0, 0 | 1, _, _, rest @ ..] => {
            [SMB1, SMB2, ENCRYPTED, COMPRESSED].iter().any(|kind| rest.starts_with(kind))
        }
        _ => false,
    };
    if told { Probe::Yes } else { Probe::No }
}

#[derive(Debug, Default)]
struct Session {
    messages: [u8; 2],
    /// Bytes of a message that are still to come and are not looked at.
    skip: [usize; 2],
}

impl Dialogue for Session {
    fn wants(&self, side: usize) -> bool {
        self.messages[side] < MAX_MESSAGES
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        if shown.after_gap {
            // Where a message begins is not known any more.
            self.messages[side] = MAX_MESSAGES;
        }
        let mut at = 0;
        while self.messages[side] < MAX_MESSAGES {
            let skipped = self.skip[side].min(bytes.len() - at);
            (self.skip[side], at) = (self.skip[side] - skipped, at + skipped);
            let mut rest = Fields(&bytes[at..]);
            let (Some(kind), Some(length)) = (rest.u8(), rest.u24()) else { return Step::Took(at) };
            let length = length as usize & 0x1_ffff;
            let look = length.min(MAX_LOOK);
            if rest.0.len() < look && !shown.last {
                return Step::Took(at);
            }
            message(side, kind, rest.take_lax(look), facts);
            self.messages[side] += 1;
            (at, self.skip[side]) = (at + 4, length);
        }
        if self.messages == [MAX_MESSAGES; 2] { Step::Done } else { Step::Took(bytes.len()) }
    }
}

fn message(side: usize, kind: u8, bytes: &[u8], facts: &mut Facts<'_, '_>) {
    if kind == SESSION_REQUEST {
        facts.recognised("smb");
        // The name that is called, and the caller's.
        for name in [bytes.get(..34), bytes.get(34..)].into_iter().flatten().filter_map(netbios::decoded) {
            facts.escaped(NameKind::Netbios, name);
        }
        return;
    }
    if bytes.starts_with(ENCRYPTED) || bytes.starts_with(COMPRESSED) {
        facts.recognised("smb");
        facts.version("3");
        return;
    }
    if bytes.starts_with(SMB1) {
        facts.recognised("smb");
        facts.version("1");
    } else if bytes.starts_with(SMB2) {
        facts.recognised("smb");
        let le16 = |at: usize| bytes.get(at..at + 2).map(|pair| u16::from(pair[0]) | u16::from(pair[1]) << 8);
        match (le16(12), side) {
            // The dialect that the server chose.
            (Some(NEGOTIATE), SERVER) => {
                if let Some(dialect @ 0x0200..=0x03ff) = le16(64 + 4) {
                    facts.version(if dialect >= 0x0300 { "3" } else { "2" });
                }
            }
            (Some(TREE_CONNECT), CLIENT) => {
                if let (Some(from), Some(length)) = (le16(64 + 4), le16(64 + 6))
                    && let Some(path) = bytes.get(usize::from(from)..usize::from(from) + usize::from(length))
                    && let Some(host) = host_in(&narrow(path))
                {
                    facts.name(NameKind::SmbHost, host);
                }
            }
            _ => {}
        }
    }
    ntlm(bytes, facts);
}

/// The host in `\\host\share`.
fn host_in(path: &[u8]) -> Option<&[u8]> {
    path.strip_prefix(br"\\")?.split(|byte| *byte == b'\\').next()
}

/// UTF-16 in ASCII, as far as it goes; names of hosts do.
fn narrow(wide: &[u8]) -> Vec<u8> {
    wide.as_chunks::<2>().0.iter().map(|[low, high]| if *high == 0 { *low } else { b'?' }).collect()
}

/// What a message of NTLM says of the server, and whether it names a user.
fn ntlm(bytes: &[u8], facts: &mut Facts<'_, '_>) {
    let Some(at) = bytes.windows(NTLM.len()).position(|window| window == NTLM) else { return };
    let ntlm = &bytes[at..];
    let field = |at: usize| -> Option<&[u8]> {
        let [a, b, _, _, c, d, 0, 0] = *ntlm.get(at..)?.first_chunk::<8>()? else { return None };
        let (length, from) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        ntlm.get(usize::from(from)..)?.get(..usize::from(length))
    };
    match ntlm.get(8) {
        Some(&NTLM_CHALLENGE) => {
            let mut pairs = field(40).unwrap_or(&[]);
            while let [a, b, c, d, rest @ ..] = pairs {
                let (kind, length) =
                    (u16::from_le_bytes([*a, *b]), usize::from(u16::from_le_bytes([*c, *d])));
                let Some((value, behind)) = rest.split_at_checked(length) else { return };
                if kind == DNS_COMPUTER_NAME {
                    facts.name(NameKind::SmbHost, &narrow(value));
                }
                pairs = behind;
            }
        }
        Some(&NTLM_AUTHENTICATE) if field(36).is_some_and(|user| !user.is_empty()) => {
            facts.carries("user_name")
        }
        _ => {}
    }
}

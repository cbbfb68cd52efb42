//! Resource records (RFC 1035 §4.1.3): the few kinds that name or address something.

use std::borrow::Cow;
use std::net::IpAddr;

use super::name::{Span, Text, pointer, skip_name};
use crate::link::be16;
use crate::protocol::Fields;

const A: u16 = 1;
const CNAME: u16 = 5;
const PTR: u16 = 12;
const TXT: u16 = 16;
const AAAA: u16 = 28;
/// RFC 6891 §6.1.2: it stands for the message, and has no owner.
const OPT: u16 = 41;
const SRV: u16 = 33;
const SVCB: u16 = 64;
pub(super) const HTTPS: u16 = 65;
/// RFC 9460 §14.3.2: parameters of a service.
const PARAM_IPV4_HINT: u16 = 4;
const PARAM_ECH: u16 = 5;
const PARAM_IPV6_HINT: u16 = 6;
/// Records of one message that are kept.
const MAX_KEPT: usize = 128;
/// Owners of records of one message that are kept.
const MAX_OWNERS: usize = 256;

/// What is kept of a section's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Only where they end.
    Nothing,
    /// Addresses.
    Addresses,
    /// What an answer may tell.
    Answers,
    /// Every name as well.
    Names,
}

/// A name that leads to another, and for how many seconds. Where all names are kept, owners are not told apart.
#[derive(Debug)]
pub(super) struct Alias {
    pub(super) owner: Span,
    pub(super) target: Span,
    pub(super) ttl: u32,
}

#[derive(Debug)]
pub(super) struct Found {
    pub(super) owner: Span,
    pub(super) ip: IpAddr,
    pub(super) ttl: u32,
}

/// What the records of a message tell.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) aliases: Vec<Alias>,
    pub(super) found: Vec<Found>,
    /// Hosts of services, and names of addresses.
    pub(super) hosts: Vec<Alias>,
    pub(super) pointers: Vec<Alias>,
    /// Names that stand for a service with keys for Encrypted Client Hello.
    pub(super) keys: Vec<Span>,
    /// All names, where they are kept, and where each begins in the message.
    pub(super) names: Vec<(usize, Span)>,
}

impl Records {
    pub(super) fn clear(&mut self) {
        let Self { aliases, found, hosts, pointers, keys, names } = self;
        for list in [aliases, hosts, pointers] {
            list.clear();
        }
        found.clear();
        keys.clear();
        names.clear();
    }

    /// Reads the record that begins at `at`, and returns where the next one does; `None` where it makes no sense, or there
    /// were too many.
    pub(super) fn read(&mut self, bytes: &[u8], at: usize, keep: Keep, text: &mut Text) -> Option<usize> {
        let after_owner = skip_name(bytes, at)?;
        let mut fields = Fields(bytes.get(after_owner..)?);
        let (kind, class) = (fields.u16()?, fields.u16()?);
        let ttl = fields.u32()?;
        // RFC 2181 §8: with the highest bit it is zero.
        let ttl = if ttl >> 31 == 0 { ttl } else { 0 };
        let length = usize::from(fields.u16()?);
        let data = fields.take(length)?;
        let data_at = after_owner + 10;
        let wanted = match keep {
            Keep::Nothing => false,
            Keep::Addresses => matches!(kind, A | AAAA),
            Keep::Answers | Keep::Names => matches!(kind, A | AAAA | CNAME | PTR | SRV | SVCB | HTTPS),
        };
        // An owner that makes no sense ends the message only where its record would tell something.
        if keep == Keep::Names && kind != OPT && self.name(bytes, at, text).is_none() && wanted {
            return None;
        }
        // The class's high bit has a meaning of its own in multicast DNS (RFC 6762 §10.2).
        if wanted && class & 0x7fff == 1 {
            let owner = match keep {
                Keep::Names => Span::default(),
                _ => text.read(bytes, at)?.0,
            };
            let mut target = |at| text.read(bytes, at).map(|(target, _)| target);
            match kind {
                A => self.found.push(Found { owner, ip: IpAddr::from(<[u8; 4]>::try_from(data).ok()?), ttl }),
                AAAA => {
                    self.found.push(Found { owner, ip: IpAddr::from(<[u8; 16]>::try_from(data).ok()?), ttl })
                }
                CNAME => self.aliases.push(Alias { owner, target: target(data_at)?, ttl }),
                PTR => self.pointers.push(Alias { owner, target: target(data_at)?, ttl }),
                // RFC 2782: priority, weight and port come before the host.
                SRV => self.hosts.push(Alias { owner, target: target(data_at + 6)?, ttl }),
                SVCB | HTTPS => self.service(bytes, data_at, length, owner, ttl, text)?,
                _ => {}
            }
        }
        (self.kept() <= MAX_KEPT && self.names.len() <= MAX_OWNERS).then_some(data_at + length)
    }

    /// Keeps the name that begins at `at`, unless another record pointed at the same one.
    fn name(&mut self, bytes: &[u8], at: usize, text: &mut Text) -> Option<()> {
        let begins = pointer(bytes, at).unwrap_or(at);
        if !self.names.iter().any(|(known, _)| *known == begins) {
            self.names.push((begins, text.read(bytes, at)?.0));
        }
        Some(())
    }

    fn kept(&self) -> usize {
        self.aliases.len() + self.found.len() + self.hosts.len() + self.pointers.len()
    }

    /// RFC 9460 §2.2.
    fn service(
        &mut self,
        bytes: &[u8],
        at: usize,
        length: usize,
        owner: Span,
        ttl: u32,
        text: &mut Text,
    ) -> Option<()> {
        let (target, after) = text.read(bytes, at + 2)?;
        // Priority 0 is an alias (RFC 9460 §2.4.2); target `.` means the owner.
        if be16(bytes, at)? == 0 && !text.get(target).is_empty() {
            self.aliases.push(Alias { owner, target, ttl });
            return Some(());
        }
        let mut params = Fields(bytes.get(after..at + length)?);
        while !params.0.is_empty() {
            let key = params.u16()?;
            let size = params.u16()?;
            let value = params.take(usize::from(size))?;
            // One more than is allowed tells the caller that there were too many.
            let room = (MAX_KEPT + 1).saturating_sub(self.kept());
            let owned = |ip: IpAddr| Found { owner, ip, ttl };
            let (v4, v6) = (value.as_chunks::<4>().0, value.as_chunks::<16>().0);
            match key {
                PARAM_IPV4_HINT => self.found.extend(v4.iter().take(room).map(|ip| owned(IpAddr::from(*ip)))),
                PARAM_IPV6_HINT => self.found.extend(v6.iter().take(room).map(|ip| owned(IpAddr::from(*ip)))),
                PARAM_ECH if self.keys.len() < MAX_KEPT => self.keys.push(owner),
                _ => {}
            }
        }
        Some(())
    }
}

/// What a type of question is called (IANA's registry), unless it asks for an address.
pub(super) fn type_word(kind: u16) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match kind {
        // 0 is none: the question was cut.
        0 | A | AAAA => return None,
        2 => "NS",
        CNAME => "CNAME",
        6 => "SOA",
        10 => "NULL",
        PTR => "PTR",
        13 => "HINFO",
        15 => "MX",
        TXT => "TXT",
        SRV => "SRV",
        35 => "NAPTR",
        43 => "DS",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        52 => "TLSA",
        SVCB => "SVCB",
        HTTPS => "HTTPS",
        252 => "AXFR",
        255 => "ANY",
        257 => "CAA",
        other => return Some(Cow::Owned(format!("TYPE{other}"))),
    }))
}

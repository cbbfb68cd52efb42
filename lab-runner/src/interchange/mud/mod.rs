//! Manufacturer Usage Description (RFC 8520): what a device's network should let it do, as JSON of two YANG modules.
//!
//! A MUD file speaks of addresses, names, ports and who opens, for one device. It can't say who on a phone talks, what
//! for, with what data, when, how much, or any pattern of names.

pub mod export;
pub mod import;

use std::net::IpAddr;

use ipnet::{Ipv4Net, Ipv6Net};
use serde::Deserialize;

use super::foreign::{Foreign, Ignored, at_most, present};
use crate::manifest::{PortRange, TlsVersion, canonical_host};
use crate::yaml::Diagnostic;

/// The most access control lists of a file.
const MOST_ACLS: usize = 1_000;
/// The most entries of one list.
const MOST_ACES: usize = 10_000;
/// The most entries of a file.
const MOST_ENTRIES: usize = 20_000;

/// The class of peers that resolve names for the device (RFC 8520, section 17.7).
pub(super) const DNS_CONTROLLER: &str = "urn:ietf:params:mud:dns";
/// The class of peers that tell the device the time (RFC 8520, section 17.7).
pub(super) const NTP_CONTROLLER: &str = "urn:ietf:params:mud:ntp";

/// The network's router. Not registered; MUDgee writes it, of which most published MUD files are.
pub(super) const GATEWAY_CONTROLLER: &str = "urn:ietf:params:mud:gateway";

/// A MUD file as it was read.
#[derive(Debug, Clone)]
pub struct MudFile {
    pub(super) mud: Mud,
    pub(super) acls: Acls,
    /// Keys that are of no module read here.
    pub ignored: Ignored,
}

/// Reads a MUD file; both names of the container of lists are accepted, as RFC 8519 and its drafts have them.
///
/// # Errors
/// It is no such JSON, says something impossible, or is of another version.
pub fn read(foreign: &Foreign) -> Result<MudFile, Diagnostic> {
    #[derive(Deserialize)]
    struct Both {
        #[serde(rename = "ietf-mud:mud")]
        mud: Mud,
        #[serde(rename = "ietf-access-control-list:acls", alias = "ietf-access-control-list:access-lists")]
        acls: Acls,
    }
    let (Both { mud, acls }, ignored) = foreign.json::<Both>("a MUD file, RFC 8520")?;
    let whole = |message: String| Diagnostic::whole_file(&foreign.file, message);
    if mud.version != 1 {
        return Err(whole(format!("this is a MUD file of version {}, and version 1 is read", mud.version))
            .help("`mud-version` is 1 in RFC 8520"));
    }
    let entries: usize = acls.acl.iter().map(|acl| acl.aces.ace.len()).sum();
    if entries > MOST_ENTRIES {
        return Err(whole(format!("the file has {entries} entries; {MOST_ENTRIES} are read"))
            .help("split it: a device has one MUD file, and seldom a hundred entries"));
    }
    Ok(MudFile { mud, acls, ignored })
}

/// The container `ietf-mud:mud` (RFC 8520, section 3).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Mud {
    #[serde(rename = "mud-version")]
    pub(super) version: u8,
    #[serde(rename = "mud-url")]
    pub(super) url: String,
    pub(super) last_update: Option<String>,
    pub(super) mud_signature: Option<String>,
    pub(super) cache_validity: Option<u8>,
    pub(super) is_supported: Option<bool>,
    pub(super) systeminfo: Option<String>,
    pub(super) mfg_name: Option<String>,
    pub(super) model_name: Option<String>,
    pub(super) firmware_rev: Option<String>,
    pub(super) software_rev: Option<String>,
    pub(super) documentation: Option<String>,
    #[serde(default, deserialize_with = "at_most::<_, _, 100>")]
    pub(super) extensions: Vec<String>,
    #[serde(default)]
    pub(super) from_device_policy: Policy,
    #[serde(default)]
    pub(super) to_device_policy: Policy,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Policy {
    #[serde(default)]
    pub(super) access_lists: AccessLists,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct AccessLists {
    #[serde(default, deserialize_with = "at_most::<_, _, MOST_ACLS>")]
    pub(super) access_list: Vec<ListName>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ListName {
    pub(super) name: String,
}

/// The container of lists (RFC 8519, section 4.1).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Acls {
    #[serde(default, deserialize_with = "at_most::<_, _, MOST_ACLS>")]
    pub(super) acl: Vec<Acl>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Acl {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) aces: Aces,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Aces {
    #[serde(default, deserialize_with = "at_most::<_, _, MOST_ACES>")]
    pub(super) ace: Vec<Ace>,
}

/// One entry.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Ace {
    pub(super) name: String,
    #[serde(default)]
    pub(super) matches: Box<Matches>,
    actions: Option<Actions>,
}

impl Ace {
    /// Whether the entry permits, forbids, or says neither.
    pub(super) fn accepts(&self) -> Option<bool> {
        // The example of RFC 9761 (section 7) has the actions among the matches.
        let actions = self.actions.as_ref().or(self.matches.actions.as_ref())?;
        // The identity may carry its module's name.
        Some(actions.forwarding.rsplit(':').next() == Some("accept"))
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Actions {
    forwarding: String,
}

/// What an entry matches (RFC 8519, section 4.1; RFC 8520, section 4).
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Matches {
    pub(super) ipv4: Option<Ip>,
    pub(super) ipv6: Option<Ip>,
    pub(super) tcp: Option<Ports>,
    pub(super) udp: Option<Ports>,
    #[serde(default, deserialize_with = "present")]
    pub(super) icmp: bool,
    #[serde(rename = "ietf-mud:mud", alias = "mud")]
    pub(super) mud: Option<MudMatch>,
    /// Profiles of TLS (RFC 9761), which say that the flow is TLS and how. The RFC's modules and its example have
    /// different names for everything in them.
    #[serde(rename = "ietf-acl-tls:client-profiles", alias = "ietf-acl-tls:client-profile")]
    pub(super) tls: Option<TlsProfiles>,
    actions: Option<Actions>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct TlsProfiles {
    #[serde(default, alias = "tls-dtls-profiles", deserialize_with = "at_most::<_, _, 1000>")]
    tls_dtls_profile: Vec<TlsProfile>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TlsProfile {
    #[serde(default, alias = "supported-tls-versions", deserialize_with = "at_most::<_, _, 100>")]
    supported_tls_version: Vec<String>,
}

impl TlsProfiles {
    /// The least version of TLS that a profile has, where every profile has versions and each is known.
    pub(super) fn least(&self) -> Option<TlsVersion> {
        let mut least = None;
        for profile in &self.tls_dtls_profile {
            if profile.supported_tls_version.is_empty() {
                return None;
            }
            for version in &profile.supported_tls_version {
                let version = match version.rsplit(':').next() {
                    Some("tls12" | "tls-1.2") => TlsVersion::V1_2,
                    Some("tls13" | "tls-1.3") => TlsVersion::V1_3,
                    _ => return None,
                };
                least = Some(least.map_or(version, |least: TlsVersion| least.min(version)));
            }
        }
        least
    }
}

/// Fields of IPv4 or IPv6 (RFC 8519, section 4.2), with names (RFC 8520, section 8).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Ip {
    pub(super) protocol: Option<u8>,
    #[serde(rename = "ietf-acldns:src-dnsname", alias = "src-dnsname")]
    pub(super) src_dnsname: Option<Host>,
    #[serde(rename = "ietf-acldns:dst-dnsname", alias = "dst-dnsname")]
    pub(super) dst_dnsname: Option<Host>,
    pub(super) source_ipv4_network: Option<Ipv4Net>,
    pub(super) destination_ipv4_network: Option<Ipv4Net>,
    pub(super) source_ipv6_network: Option<Ipv6Net>,
    pub(super) destination_ipv6_network: Option<Ipv6Net>,
}

/// A name or an address: both are an `inet:host` (RFC 6991).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Host {
    Name(String),
    Address(IpAddr),
}

impl TryFrom<String> for Host {
    type Error = String;

    fn try_from(written: String) -> Result<Host, String> {
        match written.parse() {
            Ok(address) => Ok(Host::Address(address)),
            Err(_) => canonical_host(&written).map(Host::Name),
        }
    }
}

/// Fields of TCP or UDP (RFC 8519, section 4.2), with who opens (RFC 8520, section 4).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Ports {
    pub(super) source_port: Option<PortMatch>,
    pub(super) destination_port: Option<PortMatch>,
    #[serde(rename = "ietf-mud:direction-initiated", alias = "direction-initiated")]
    pub(super) initiated: Option<Direction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Direction {
    FromDevice,
    ToDevice,
}

/// Ports by range, or by an operator (RFC 8519, section 4.2, `port-range-or-operator`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PortArgs")]
pub(super) struct PortMatch(pub(super) Vec<PortRange>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PortArgs {
    operator: Option<Operator>,
    port: Option<u16>,
    lower_port: Option<u16>,
    upper_port: Option<u16>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Operator {
    Eq,
    Neq,
    Gte,
    Lte,
}

impl TryFrom<PortArgs> for PortMatch {
    type Error = String;

    fn try_from(args: PortArgs) -> Result<PortMatch, String> {
        let PortArgs { operator, port, lower_port, upper_port } = args;
        let mut ranges = match (operator, port, lower_port, upper_port) {
            (None | Some(Operator::Eq), Some(port), None, None) => vec![(port, port)],
            (Some(Operator::Gte), Some(port), None, None) => vec![(port.max(1), u16::MAX)],
            (Some(Operator::Lte), Some(port), None, None) => vec![(1, port)],
            (Some(Operator::Neq), Some(port), None, None) => {
                vec![(1, port.saturating_sub(1)), (port.saturating_add(1), u16::MAX)]
            }
            (None, None, Some(lower), Some(upper)) if lower <= upper => vec![(lower, upper)],
            (None, None, Some(lower), Some(upper)) => {
                return Err(format!("the range of ports {lower}-{upper} ends before it begins"));
            }
            _ => return Err("expected `operator` and `port`, or `lower-port` and `upper-port`".into()),
        };
        if let (Some(Operator::Neq), Some(port)) = (operator, port) {
            ranges.retain(|(first, last)| first <= last && !(*first..=*last).contains(&port));
        }
        if ranges.iter().any(|(first, last)| *first == 0 || first > last) {
            return Err("0 is no port: they are from 1 to 65535".into());
        }
        Ok(PortMatch(ranges.into_iter().map(|(first, last)| PortRange { first, last }).collect()))
    }
}

/// Peers that the network knows and the file doesn't (RFC 8520, section 4).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct MudMatch {
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) controller: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) same_manufacturer: bool,
    #[serde(default, deserialize_with = "present")]
    pub(super) local_networks: bool,
    #[serde(default, deserialize_with = "present")]
    pub(super) my_controller: bool,
}

//! Who stands beside whom: servers in one announced network, and whether the repeats show several of them taking turns.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::sighting::{Sighting, To};

/// The network that an address is in, as networks are announced at the smallest: /24, and /48 (RFC 7454 section 6.1.3).
pub(super) fn announced(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets()[..3].to_vec(),
        IpAddr::V6(v6) => v6.octets()[..6].to_vec(),
    }
}

/// The names of servers beside which others, that nothing names, take turns: two or more, each of which some run did
/// without. Such a name's server is one of several, even if every run shows the same name.
///
/// `others` are flows that are alike but for whom they are with.
pub(super) fn taking_turns(
    named: &[&Sighting<'_>],
    others: &[&Sighting<'_>],
    runs: usize,
) -> BTreeSet<String> {
    let mut turns: BTreeMap<Vec<u8>, BTreeMap<IpAddr, BTreeSet<usize>>> = BTreeMap::new();
    for other in others.iter().filter(|other| other.answered && matches!(other.to, To::Address(_))) {
        let network = turns.entry(announced(other.address)).or_default();
        network.entry(other.address).or_default().insert(other.run);
    }
    turns.retain(|_, servers| servers.values().filter(|of| of.len() < runs).count() > 1);
    let mut names = BTreeSet::new();
    for flow in named.iter().filter(|flow| turns.contains_key(&announced(flow.address))) {
        if let To::Names(of_flow) = &flow.to {
            names.extend(of_flow.iter().cloned());
        }
    }
    names
}

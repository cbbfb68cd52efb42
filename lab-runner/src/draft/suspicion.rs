//! What a draft doesn't declare without a person's word, and what it declares with a mark: each with its reason.
//!
//! Suspicious is what an endpoint does that somebody would do to stay unseen. That it is new or unencrypted is no reason
//! not to write down what a product does, and is marked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::propose::{Proposal, UNKNOWN};
use super::sighting::{Question, Sightings};
use super::{channel, network};
use crate::manifest::{Class, Evidence, OpenedBy, Peer, Transport, is_local};

/// Protocols that say what they are for in every packet, so that a fixed address alone hides nothing.
const PLAIN_SERVICES: [&str; 1] = ["ntp"];
/// Protocols that encrypt.
const ENCRYPTED: [&str; 7] = ["tls", "quic", "dtls", "ssh", "dot", "doq", "wireguard"];
/// Names that differ in no more letters than this look alike.
const ALIKE: usize = 1;
/// Shorter names differ in one letter by chance.
const SHORTEST_LOOK_ALIKE: usize = 5;
/// More ports than this on one address are a scan, or a protocol that picks its ports.
const MOST_PORTS: usize = 4;

/// Marks every proposal.
pub(super) fn mark(proposals: &mut [Proposal], sightings: &Sightings<'_>, runs: usize) {
    let networks = Networks::of(proposals);
    let look_alikes = look_alikes(proposals);
    let tunnels = tunnels(proposals, &sightings.questions);
    for proposal in proposals.iter_mut() {
        let at = networks.beside(proposal);
        let look_alike = look_alikes.get(&proposal.id).cloned();
        let tunnel = tunnels.get(&proposal.id).cloned();
        address(proposal, at, runs);
        name(proposal, look_alike, tunnel);
        traffic(proposal);
    }
}

fn address(proposal: &mut Proposal, beside: Option<String>, runs: usize) {
    let Peer::Cidr(net) = proposal.peer else { return };
    let protocol = proposal.protocol.clone().unwrap_or_default();
    let local = is_near(net.addr());
    if protocol == "dns" {
        if local {
            proposal.marks.push(
                "a resolver of the local network that no DHCP answer of the captures names; where it is the network's, \
                 write `class: dns-resolver` instead"
                    .into(),
            );
        } else {
            proposal.suspicions.push("a resolver that the network did not give the product".into());
        }
        return;
    }
    if local {
        proposal.marks.push("an address of the local network".into());
        return;
    }
    let literal = format!("IP LITERAL: {} was never looked up", net.addr());
    let every_run = proposal.seen.runs.len() == runs && runs > 1;
    if PLAIN_SERVICES.contains(&protocol.as_str()) && proposal.sure && every_run {
        proposal.marks.push(format!("{literal}; it speaks {protocol} in every run"));
    } else if let Some(beside) = beside {
        proposal.marks.push(format!(
            "{literal}; it stands beside {beside}, on the same port and with the same protocol"
        ));
    } else {
        proposal.suspicions.push(format!("{literal}, and nothing tells whose it is"));
    }
    if proposal.ports.len() > MOST_PORTS {
        proposal.suspicions.push(format!("{} different ports on one address", proposal.ports.len()));
    }
}

fn is_near(address: IpAddr) -> bool {
    is_local(address) || address.is_unspecified()
}

fn name(proposal: &mut Proposal, look_alike: Option<String>, tunnel: Option<String>) {
    if let Some(look_alike) = look_alike {
        proposal.suspicions.push(format!("its name looks like {look_alike}, which is another domain"));
    }
    if let Some(why) = tunnel {
        proposal.suspicions.push(format!("its look-ups may carry data: {why}"));
    }
    if proposal.evidence == Evidence::Sni {
        proposal
            .suspicions
            .push("only the product itself says this name: no look-up gave its address".into());
    }
    if !proposal.declarable {
        proposal.suspicions.push("no host has such a name, and a manifest no word for it".into());
    }
}

fn traffic(proposal: &mut Proposal) {
    let protocol = proposal.protocol.clone().unwrap_or_default();
    let local = match proposal.peer {
        Peer::Class(class) => class != Class::NtpPool,
        Peer::Cidr(net) => is_near(net.addr()),
        _ => false,
    };
    if proposal.opened_by == OpenedBy::Peer && !local {
        proposal
            .suspicions
            .push("somebody outside of the local network opened it, and the product answered".into());
    }
    if local || proposal.only_asked || proposal.transport == Transport::Icmp {
        if !local && proposal.transport == Transport::Icmp {
            proposal.marks.push("ICMP can carry anything".into());
        }
        return;
    }
    match protocol.as_str() {
        UNKNOWN => {
            proposal.marks.push("its protocol is not known: nobody can tell whether it is encrypted".into())
        }
        // Public by nature: the time, and names.
        "ntp" | "dns" | "stun" => {}
        _ if !proposal.encrypted && !ENCRYPTED.contains(&protocol.as_str()) => {
            proposal.marks.push("CLEAR TEXT: everybody on the way can read it".into());
        }
        _ => {}
    }
}

/// Where a server stands: network, transport, port and protocol.
type Stand = (Vec<u8>, Transport, u16, String);

/// Where the looked-up servers stand, each with a name and the runs that show it.
struct Networks(BTreeMap<Stand, (String, BTreeSet<usize>)>);

impl Networks {
    fn of(proposals: &[Proposal]) -> Self {
        let mut known: BTreeMap<_, (String, BTreeSet<usize>)> = BTreeMap::new();
        for proposal in proposals {
            let told = matches!(proposal.evidence, Evidence::Corroborated | Evidence::Dns);
            if !told || !proposal.peer.is_named() || proposal.only_asked {
                continue;
            }
            for address in &proposal.addresses {
                let entry = known.entry(Self::key(proposal, *address)).or_default();
                entry.0 = proposal.seen.names.first().cloned().unwrap_or_default();
                entry.1.extend(&proposal.seen.runs);
            }
        }
        Self(known)
    }

    /// The looked-up name beside which an address stands, in at least two runs that show both.
    fn beside(&self, proposal: &Proposal) -> Option<String> {
        let Peer::Cidr(net) = proposal.peer else { return None };
        let (name, runs) = self.0.get(&Self::key(proposal, net.addr()))?;
        let both = proposal.seen.runs.intersection(runs).count();
        (both > 0 && runs.len() > 1).then(|| name.clone())
    }

    fn key(proposal: &Proposal, address: IpAddr) -> Stand {
        let port = proposal.ports.first().map_or(0, |ports| ports.first);
        (network::announced(address), proposal.transport, port, proposal.protocol.clone().unwrap_or_default())
    }
}

/// Proposals whose domain looks like one that more runs show, each with that one.
fn look_alikes(proposals: &[Proposal]) -> BTreeMap<String, String> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let domains = |proposal: &Proposal| -> Vec<String> {
        let names = proposal.seen.names.iter();
        names.filter_map(|name| psl::domain_str(name).map(str::to_owned)).collect()
    };
    let all: Vec<(&Proposal, Vec<String>)> =
        proposals.iter().map(|proposal| (proposal, domains(proposal))).collect();
    for (proposal, domains) in &all {
        for domain in domains {
            let runs = seen.entry(domain).or_default();
            *runs = (*runs).max(proposal.seen.runs.len());
        }
    }
    let mut found = BTreeMap::new();
    for (proposal, domains) in &all {
        for domain in domains {
            let own = seen.get(domain.as_str()).copied().unwrap_or_default();
            let other = seen.iter().find(|(other, runs)| looks_like(domain, other) && **runs > own);
            if let Some((other, _)) = other {
                found.insert(proposal.id.clone(), (*other).to_owned());
            }
        }
    }
    found
}

/// Whether a name looks like another, though it isn't: letters swapped for ones of the same look, or one letter apart.
fn looks_like(one: &str, other: &str) -> bool {
    let main = |domain: &str| domain.split('.').next().unwrap_or_default().to_owned();
    let (a, b) = (main(one), main(other));
    if one == other || a.len().min(b.len()) < SHORTEST_LOOK_ALIKE {
        return false;
    }
    let shape =
        |label: &str| label.replace('0', "o").replace(['1', 'i'], "l").replace("rn", "m").replace("vv", "w");
    // The same label under another suffix is a vendor's other country more often than not.
    a != b && (shape(&a) == shape(&b) || strsim::damerau_levenshtein(&a, &b) <= ALIKE)
}

/// Proposals whose look-ups could carry data, each with why.
fn tunnels(proposals: &[Proposal], questions: &[Question<'_>]) -> BTreeMap<String, String> {
    let named = proposals.iter().filter(|proposal| proposal.peer.is_named());
    let told = named.filter_map(|proposal| {
        let asked = questions.iter().filter(|question| proposal.peer.covers_name(question.name));
        Some((proposal.id.clone(), channel::excess(asked)?))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::looks_like;

    #[test]
    fn one_letter_apart_or_of_the_same_look_is_alike_and_a_country_is_not() {
        assert!(looks_like("vend0r.example", "vendor.example"));
        assert!(looks_like("vendr.example", "vendor.example"));
        assert!(looks_like("rnodern.example", "modern.example"));
        assert!(!looks_like("vendor.example", "vendor.test"));
        assert!(!looks_like("api.example", "apo.example"));
        assert!(!looks_like("vendor.example", "another.example"));
    }
}

//! Whether one declaration admits everything that another admits, and in which ways it doesn't.
//!
//! It compares what is declared. Where it can't tell, it says that something is admitted beside.

use super::words::{Evidence, OpenedBy};
use super::{Budget, Declaration, PortRange, size_text};

/// A way in which a declaration admits what another doesn't, in the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// By another talker.
    Talker,
    /// Over another transport.
    Transport,
    /// Opened by another side.
    Opener,
    /// To others.
    Peer,
    /// On other ports.
    Ports,
    /// In other phases.
    Phases,
    /// In another protocol.
    Protocol,
    /// In clear text.
    ClearText,
    /// With an older TLS.
    Tls,
    /// With its name hidden.
    Ech,
    /// Without a server name.
    Sni,
    /// On weaker evidence.
    Evidence,
    /// With more bytes or connections.
    Budget,
}

/// Whether the second declaration admits what the first doesn't, in one way.
type Admits = fn(&Declaration, &Declaration) -> bool;

/// The cheap questions first: most pairs differ in these.
const WAYS: [(Way, Admits); 13] = [
    (Way::Talker, |old, new| old.talker != new.talker),
    (Way::Transport, |old, new| old.transport != new.transport),
    (Way::Opener, |old, new| old.opened_by != new.opened_by),
    (Way::Ports, |old, new| {
        // Ranges that touch are one, so that a range within several is within one of them.
        !new.ports.iter().all(|range| range.is_within(&old.ports))
    }),
    (Way::ClearText, |old, new| old.encryption.is_some() && new.encryption.is_none()),
    (Way::Tls, |old, new| old.tls.is_some_and(|least| new.tls.is_none_or(|new| new < least))),
    (Way::Ech, |old, new| old.ech_forbidden && !new.ech_forbidden),
    (Way::Sni, |old, new| old.sni_required && !new.sni_required),
    // Later words of `Evidence` are weaker; an address is compared as a peer.
    (Way::Evidence, |old, new| {
        new.evidence > old.evidence && old.evidence != Evidence::Ip && new.evidence != Evidence::Ip
    }),
    (Way::Protocol, |old, new| old.protocol.is_some() && old.protocol != new.protocol),
    (Way::Phases, |old, new| match (&old.phases, &new.phases) {
        (Some(old), Some(new)) => !new.iter().all(|phase| old.contains(phase)),
        (Some(_), None) => true,
        (None, _) => false,
    }),
    (Way::Budget, |old, new| {
        old.budgets.iter().any(|budget| {
            let same = same_span(*budget, new);
            over(budget.bytes, same.bytes) || over(budget.connections, same.connections)
        })
    }),
    (Way::Peer, |old, new| !old.peer.covers_peer(&new.peer)),
];

/// In which ways `new` admits what `old` doesn't, found one by one.
pub(super) fn beyond<'d>(old: &'d Declaration, new: &'d Declaration) -> impl Iterator<Item = Way> + 'd {
    WAYS.iter().filter(|(_, admits)| admits(old, new)).map(|(way, _)| *way)
}

/// Whether `wide` admits everything that `narrow` admits.
pub(super) fn admits_all(wide: &Declaration, narrow: &Declaration) -> bool {
    beyond(wide, narrow).next().is_none()
}

/// What `new` admits and `old` doesn't, in words, one way after another.
pub(super) fn in_words(old: &Declaration, new: &Declaration) -> Vec<String> {
    let mut ways: Vec<Way> = beyond(old, new).collect();
    ways.sort_unstable();
    ways.into_iter().map(|way| words(way, old, new)).collect()
}

fn words(way: Way, old: &Declaration, new: &Declaration) -> String {
    match way {
        Way::Talker => format!("by the {}, and not the {}", new.talker.word(), old.talker.word()),
        Way::Transport => format!("over {}, and not {}", new.transport.word(), old.transport.word()),
        Way::Opener if new.opened_by == OpenedBy::Peer => "opened by the peer".to_owned(),
        Way::Opener => "opened by the product".to_owned(),
        Way::Peer => format!("to {}, and not only {}", new.peer, old.peer),
        Way::Ports => on_ports(&without(&new.ports, &old.ports)),
        Way::Phases => {
            let known = old.phases.as_deref().unwrap_or_default();
            let more = |phases: &Vec<String>| {
                phases.iter().filter(|phase| !known.contains(phase)).cloned().collect::<Vec<_>>()
            };
            in_phases(new.phases.as_ref().map(more).as_deref())
        }
        Way::Protocol => {
            let known = old.protocol.as_deref().unwrap_or_default();
            match &new.protocol {
                Some(new) => format!("in {new}, and not {known}"),
                None => format!("in any protocol, and not only {known}"),
            }
        }
        Way::ClearText => "in clear text".to_owned(),
        Way::Tls => {
            let least = old.tls.map_or("", |tls| tls.word());
            match new.tls {
                Some(new) => format!("with TLS {}, and not {least} at least", new.word()),
                None => format!("with TLS older than {least}"),
            }
        }
        Way::Ech => "with its name hidden in an Encrypted Client Hello".to_owned(),
        Way::Sni => "without a server name in its ClientHello".to_owned(),
        Way::Evidence => {
            format!("on weaker evidence: {}, and not {}", new.evidence.word(), old.evidence.word())
        }
        Way::Budget => {
            let budgets =
                old.budgets.iter().flat_map(|budget| over_in_words(*budget, same_span(*budget, new)));
            budgets.collect::<Vec<_>>().join("; ")
        }
    }
}

/// `on port 80, 8000-8010`.
pub(super) fn on_ports(ports: &[PortRange]) -> String {
    let ports: Vec<String> = ports.iter().map(PortRange::to_string).collect();
    format!("on port {}", ports.join(", "))
}

/// `in phase pairing, idle`; without phases, in any.
pub(super) fn in_phases(phases: Option<&[String]>) -> String {
    match phases {
        Some(phases) => format!("in phase {}", phases.join(", ")),
        None => "in any phase".to_owned(),
    }
}

/// A declaration's budget of the span of another; one that limits nothing where there is none.
fn same_span(of: Budget, declaration: &Declaration) -> Budget {
    let same = declaration.budgets.iter().find(|budget| budget.per == of.per);
    same.copied().unwrap_or(Budget { per: of.per, bytes: None, connections: None })
}

fn over(old: Option<u64>, new: Option<u64>) -> bool {
    old.is_some_and(|old| new.is_none_or(|new| new > old))
}

fn over_in_words(old: Budget, new: Budget) -> Vec<String> {
    let span = old.per.word();
    let part = |old: Option<u64>, new: Option<u64>, text: fn(u64) -> String| {
        let limit = text(old.filter(|_| over(old, new))?);
        Some(match new {
            None => format!("without a limit of {limit} for each {span}"),
            Some(new) => format!("up to {}, and not {limit}, for each {span}", text(new)),
        })
    };
    let connections = part(old.connections, new.connections, |count| format!("{count} connections"));
    part(old.bytes, new.bytes, size_text).into_iter().chain(connections).collect()
}

/// The ports of the first that are not in the second; both sorted and without overlap.
pub(super) fn without(ports: &[PortRange], other: &[PortRange]) -> Vec<PortRange> {
    let mut left = Vec::new();
    for range in ports {
        let mut first = u32::from(range.first);
        let last = u32::from(range.last);
        for cut in other.iter().filter(|cut| cut.last >= range.first && cut.first <= range.last) {
            left.extend(port_range(first, u32::from(cut.first).saturating_sub(1)));
            first = first.max(u32::from(cut.last) + 1);
        }
        left.extend(port_range(first, last));
    }
    left
}

fn port_range(first: u32, last: u32) -> Option<PortRange> {
    let (first_port, last_port) = (u16::try_from(first).ok()?, u16::try_from(last).ok()?);
    (first <= last).then_some(PortRange { first: first_port, last: last_port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_taken_from_ports() {
        let range = |first, last| PortRange { first, last };
        let all = [range(1, 65535)];
        assert_eq!(without(&all, &[range(443, 443), range(8000, 65535)]), [range(1, 442), range(444, 7999)]);
        assert_eq!(without(&[range(443, 443)], &all), []);
        assert_eq!(without(&all, &[]), all);
        assert_eq!(without(&[range(65535, 65535)], &[range(1, 65534)]), [range(65535, 65535)]);
    }
}

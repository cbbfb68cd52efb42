//! Whether one declaration admits everything that another admits, and in which ways it doesn't.
//!
//! It compares what is declared. Where it can't tell, it says that something is admitted beside.

use super::words::{Evidence, OpenedBy};
use super::{Budget, Declaration, PortRange, size_text};

/// One way in which a declaration admits what another doesn't, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Beyond {
    /// Another talker, peer, transport or opener: it is about something else.
    Other(String),
    /// On these ports.
    Ports(Vec<PortRange>),
    /// In these phases; `None`: in any.
    Phases(Option<Vec<String>>),
    /// In conditions that the other refuses.
    Condition(String),
}

impl Beyond {
    /// What it admits, as the end of a sentence.
    pub(super) fn words(&self) -> String {
        match self {
            Beyond::Other(words) | Beyond::Condition(words) => words.clone(),
            Beyond::Ports(ports) => {
                let ports: Vec<String> = ports.iter().map(PortRange::to_string).collect();
                format!("on port {}", ports.join(", "))
            }
            Beyond::Phases(None) => "in any phase".to_owned(),
            Beyond::Phases(Some(phases)) => format!("in phase {}", phases.join(", ")),
        }
    }
}

/// Whether `wide` admits everything that `narrow` admits.
pub(super) fn admits_all(wide: &Declaration, narrow: &Declaration) -> bool {
    beyond(wide, narrow).is_empty()
}

/// In which ways `new` admits what `old` doesn't.
pub(super) fn beyond(old: &Declaration, new: &Declaration) -> Vec<Beyond> {
    let mut ways = Vec::new();
    // The cheap questions first: most pairs differ in these.
    if old.talker != new.talker {
        let words = format!("by the {}, and not the {}", new.talker.word(), old.talker.word());
        ways.push(Beyond::Other(words));
    }
    if old.transport != new.transport {
        ways.push(Beyond::Other(format!("over {}, and not {}", new.transport.word(), old.transport.word())));
    }
    if old.opened_by != new.opened_by {
        let by = if new.opened_by == OpenedBy::Peer { "the peer" } else { "the product" };
        ways.push(Beyond::Other(format!("opened by {by}")));
    }
    if !old.peer.covers_peer(&new.peer) {
        ways.push(Beyond::Other(format!("to {}, and not only {}", new.peer, old.peer)));
    }
    let ports = without(&new.ports, &old.ports);
    if !ports.is_empty() {
        ways.push(Beyond::Ports(ports));
    }
    match (&old.phases, &new.phases) {
        (Some(_), None) => ways.push(Beyond::Phases(None)),
        (Some(old), Some(new)) => {
            let more: Vec<String> = new.iter().filter(|phase| !old.contains(phase)).cloned().collect();
            if !more.is_empty() {
                ways.push(Beyond::Phases(Some(more)));
            }
        }
        (None, _) => {}
    }
    ways.extend(conditions(old, new).into_iter().map(Beyond::Condition));
    ways
}

fn conditions(old: &Declaration, new: &Declaration) -> Vec<String> {
    let mut ways = Vec::new();
    match (&old.protocol, &new.protocol) {
        (Some(old), None) => ways.push(format!("in any protocol, and not only {old}")),
        (Some(old), Some(new)) if old != new => ways.push(format!("in {new}, and not {old}")),
        _ => {}
    }
    if old.encryption.is_some() && new.encryption.is_none() {
        ways.push("in clear text".to_owned());
    }
    match (old.tls, new.tls) {
        (Some(least), None) => ways.push(format!("with TLS older than {}", least.word())),
        (Some(least), Some(new)) if new < least => {
            ways.push(format!("with TLS {}, and not {} at least", new.word(), least.word()));
        }
        _ => {}
    }
    if old.ech_forbidden && !new.ech_forbidden {
        ways.push("with its name hidden in an Encrypted Client Hello".to_owned());
    }
    if old.sni_required && !new.sni_required {
        ways.push("without a server name in its ClientHello".to_owned());
    }
    // Later words of `Evidence` are weaker; an address is compared as a peer.
    if new.evidence > old.evidence && old.evidence != Evidence::Ip && new.evidence != Evidence::Ip {
        ways.push(format!("on weaker evidence: {}, and not {}", new.evidence.word(), old.evidence.word()));
    }
    for old in &old.budgets {
        let same = new.budgets.iter().find(|budget| budget.per == old.per);
        ways.extend(over(*old, same.copied()));
    }
    ways
}

/// What a budget admits over another of the same span.
fn over(old: Budget, new: Option<Budget>) -> Vec<String> {
    let span = old.per.word();
    let (bytes, connections) = new.map_or((None, None), |new| (new.bytes, new.connections));
    let part = |old: Option<u64>, new: Option<u64>, text: &dyn Fn(u64) -> String| match (old, new) {
        (Some(old), None) => Some(format!("without a limit of {} for each {span}", text(old))),
        (Some(old), Some(new)) if new > old => {
            Some(format!("up to {}, and not {}, for each {span}", text(new), text(old)))
        }
        _ => None,
    };
    let count = |count: u64| format!("{count} connections");
    part(old.bytes, bytes, &size_text).into_iter().chain(part(old.connections, connections, &count)).collect()
}

/// The ports of the first that are not in the second; both sorted and without overlap.
pub(super) fn without(ports: &[PortRange], other: &[PortRange]) -> Vec<PortRange> {
    let mut left = Vec::new();
    for range in ports {
        let mut first = u32::from(range.first);
        let last = u32::from(range.last);
        for cut in other.iter().filter(|cut| cut.last >= range.first && cut.first <= range.last) {
            if let Some(range) = port_range(first, u32::from(cut.first).saturating_sub(1)) {
                left.push(range);
            }
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

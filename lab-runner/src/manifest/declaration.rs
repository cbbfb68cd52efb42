//! One declaration, from what is written to what it means. What other files and the plan know isn't asked here.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::args::{AllowanceArgs, BudgetArgs, DeclarationArgs};
use super::budget::size;
use super::country::country;
use super::glob::Glob;
use super::name::{canonical_host, is_public_suffix};
use super::text::{canonical_text, default_evidence};
use super::words::{Ech, Encryption, Evidence, OpenedBy, Sni, Talker, Transport};
use super::{Budget, Controller, Date, Declaration, Necessity, Peer, PortRange, Span, Statement};
use crate::yaml::{Entry, Position, Reading, nearest};

/// The file that a declaration stands in.
pub(super) enum Of<'m> {
    /// The manifest itself, with those who get data.
    Manifest(&'m [Controller]),
    /// The ambient profile of this id.
    Profile(&'m str),
}

/// Where a key's value stands; the whole's place where there is none.
pub(super) fn part_at(entry: Entry<'_>, key: &str) -> Position {
    entry.get(key).map_or(entry.at(), Entry::at)
}

/// Reads one declaration.
pub(super) fn declaration<'d>(
    reading: &mut Reading<'d>,
    entry: Entry<'d>,
    of: &Of<'_>,
) -> Option<Declaration> {
    let args: DeclarationArgs = reading.decode(entry)?;
    if !crate::plan::is_role(&args.id) {
        let message = "an id has letters, digits, `-` and `_`, and starts with a letter";
        reading.error(part_at(entry, "id"), message, None);
    }
    let talker = talker(reading, entry, args.talker, of);
    let peer = peer(reading, entry, &args);
    let transport = args.transport.unwrap_or(Transport::Tcp);
    let ports = ports(reading, entry, transport, args.ports.map(|ports| ports.0));
    if let Some(protocol) = &args.protocol
        && !crate::plan::is_role(protocol)
    {
        let help = Some("in lower case, as `lab observe` shows it: tls, http, dns, ntp".to_owned());
        reading.error(part_at(entry, "protocol"), format!("`{protocol}` is no protocol's name"), help);
    }
    if args.phases.as_ref().is_some_and(Vec::is_empty) {
        let help = "remove `phases` to admit all, or the whole declaration".to_owned();
        reading.error(part_at(entry, "phases"), "no phase at all: this could never match", Some(help));
    }
    let opened_by = args.opened_by.unwrap_or_default();
    opener(reading, entry, opened_by, peer.as_ref());
    let (tls, sni_required) = (args.tls.map(|tls| tls.0), args.sni == Some(Sni::Required));
    if transport == Transport::Icmp && (tls.is_some() || sni_required || args.encryption.is_some()) {
        let help = Some("remove `tls`, `sni` and `encryption`".to_owned());
        reading.error(entry.at(), "ICMP is never encrypted: this could never match", help);
    }
    let required = args.required.unwrap_or(false);
    if let (true, Of::Profile(_)) = (required, of) {
        let help = Some("remove `required`".to_owned());
        reading.error(
            part_at(entry, "required"),
            "what a phone's system says anyway is never required",
            help,
        );
    }
    let evidence = evidence(reading, entry, peer.as_ref()?, args.evidence);
    let budgets = args.budget.map_or_else(Vec::new, |budget| budgets(reading, entry, budget));
    let written = Written {
        trigger: args.trigger,
        period: args.period.map(|period| period.0),
        data: args.data,
        recipient: args.recipient,
        country: args.country,
        necessity: args
            .necessity
            .map(|necessity| necessity.0.map_or(Necessity::Optional, Necessity::RequiredFor)),
        justification: args.justification,
        review_by: args.review_by,
        reference: args.reference,
    };
    let mut declaration = Declaration {
        id: match of {
            Of::Manifest(_) => args.id,
            Of::Profile(profile) => format!("{profile}/{}", args.id),
        },
        talker: talker?,
        sdk: args.sdk,
        peer: peer?,
        ports: ports?,
        transport,
        protocol: args.protocol.map(|protocol| protocol.to_ascii_lowercase()),
        phases: args.phases,
        required,
        evidence: evidence?,
        encryption: args.encryption.or((tls.is_some() || sni_required).then_some(Encryption::Required)),
        tls,
        ech_forbidden: args.ech == Some(Ech::Forbidden),
        sni_required,
        opened_by,
        budgets,
        statement: statement(reading, entry, written, of),
        purpose: args.purpose,
        at: entry.at(),
        peer_at: ["host", "suffix", "glob", "cidr", "class"]
            .into_iter()
            .find_map(|key| entry.get(key))
            .map_or(entry.at(), Entry::at),
        text: String::new(),
    };
    declaration.text = canonical_text(&declaration);
    Some(declaration)
}

fn talker(
    reading: &mut Reading<'_>,
    entry: Entry<'_>,
    written: Option<Talker>,
    of: &Of<'_>,
) -> Option<Talker> {
    match (of, written) {
        (Of::Manifest(_), None) => {
            let help = Some("who talks: `watch`, `app`, or `os` for the phone's system".to_owned());
            reading.error(entry.at(), "the key `talker` is missing here", help);
            None
        }
        (Of::Profile(_), None | Some(Talker::Os)) => Some(Talker::Os),
        (Of::Profile(_), Some(talker)) => {
            let help = Some("the product's own endpoints are declared in its manifest".to_owned());
            let message =
                format!("an ambient profile speaks of the phone's system, not of the {}", talker.word());
            reading.error(part_at(entry, "talker"), message, help);
            None
        }
        (Of::Manifest(_), Some(talker)) => Some(talker),
    }
}

fn ports(
    reading: &mut Reading<'_>,
    entry: Entry<'_>,
    transport: Transport,
    written: Option<Vec<PortRange>>,
) -> Option<Vec<PortRange>> {
    match (transport, written) {
        (Transport::Icmp, Some(_)) => {
            reading.error(part_at(entry, "ports"), "ICMP has no ports", Some("remove `ports`".to_owned()));
            None
        }
        (Transport::Icmp, None) => Some(Vec::new()),
        (_, Some(ports)) => Some(ports),
        (_, None) => {
            let help = "such as `ports: 443`; \"1-65535\" means any".to_owned();
            reading.error(entry.at(), "the key `ports` is missing here", Some(help));
            None
        }
    }
}

fn opener(reading: &mut Reading<'_>, entry: Entry<'_>, opened_by: OpenedBy, peer: Option<&Peer>) {
    if opened_by == OpenedBy::Peer && peer.is_some_and(Peer::is_named) {
        let help = Some("declare whom it lets in by `cidr` or `class`".to_owned());
        let message = "whoever opens a flow shows an address and no name";
        reading.error(part_at(entry, "opened-by"), message, help);
    }
}

fn peer(reading: &mut Reading<'_>, entry: Entry<'_>, args: &DeclarationArgs) -> Option<Peer> {
    match (&args.host, &args.suffix, &args.glob, &args.cidr, args.class) {
        (Some(host), None, None, None, None) => name(reading, part_at(entry, "host"), host).map(Peer::Host),
        (None, Some(suffix), None, None, None) => {
            let at = part_at(entry, "suffix");
            let bare = suffix.strip_prefix("*.").or_else(|| suffix.strip_prefix('.')).unwrap_or(suffix);
            let name = name(reading, at, bare)?;
            owned(reading, at, &name)?;
            Some(Peer::Suffix(name))
        }
        (None, None, Some(pattern), None, None) => {
            let at = part_at(entry, "glob");
            let glob = Glob::parse(pattern).map_err(|message| reading.error(at, message, None)).ok()?;
            owned(reading, at, &glob.tail())?;
            Some(Peer::Glob(glob))
        }
        (None, None, None, Some(cidr), None) => {
            network(reading, part_at(entry, "cidr"), cidr).map(Peer::Cidr)
        }
        (None, None, None, None, Some(class)) => Some(Peer::Class(class)),
        _ => {
            let help = "such as `host: api.vendor.example`".to_owned();
            let message = "a declaration has exactly one of host, suffix, glob, cidr and class";
            reading.error(entry.at(), message, Some(help));
            None
        }
    }
}

fn name(reading: &mut Reading<'_>, at: Position, written: &str) -> Option<String> {
    if written.parse::<IpAddr>().is_ok() {
        let help = format!("an address is declared as `cidr: {written}`");
        reading.error(at, format!("`{written}` is an address, not a name"), Some(help));
        return None;
    }
    if written.contains('*') {
        let help =
            "a pattern is declared as `glob`; `suffix: vendor.example` is a domain and everything under it";
        reading.error(at, "a `*` can't stand here", Some(help.to_owned()));
        return None;
    }
    canonical_host(written).map_err(|message| reading.error(at, message, None)).ok()
}

/// Reads a domain that somebody owns.
pub(super) fn domain(reading: &mut Reading<'_>, at: Position, written: &str) -> Option<String> {
    let name = name(reading, at, written)?;
    owned(reading, at, &name)?;
    Some(name)
}

/// Refuses what is anybody's: everybody may register a name under a public suffix, so declaring one declares the world.
fn owned(reading: &mut Reading<'_>, at: Position, domain: &str) -> Option<()> {
    if !is_public_suffix(domain) {
        return Some(());
    }
    let message = format!("`{domain}` is a public suffix: everything under it is anybody's");
    reading.error(at, message, Some("declare the domains under it that you own".to_owned()));
    None
}

fn network(reading: &mut Reading<'_>, at: Position, written: &str) -> Option<IpNet> {
    let net = match (written.parse::<IpNet>(), written.parse::<IpAddr>()) {
        (Ok(net), _) => net,
        (Err(_), Ok(address)) => IpNet::from(address),
        (Err(_), Err(_)) => {
            let help = "write 203.0.113.0/24, 2001:db8::/32, or one address".to_owned();
            reading.error(at, format!("`{written}` is no network"), Some(help));
            return None;
        }
    };
    if net.trunc() != net {
        let help = format!("write {} for the network, or {} for the address", net.trunc(), net.addr());
        reading.error(at, format!("`{written}` has bits set after its prefix"), Some(help));
        return None;
    }
    Some(net)
}

fn evidence(
    reading: &mut Reading<'_>,
    entry: Entry<'_>,
    peer: &Peer,
    written: Option<Evidence>,
) -> Option<Evidence> {
    let default = default_evidence(peer);
    match (default, written) {
        (Evidence::Ip, None | Some(Evidence::Ip)) => Some(Evidence::Ip),
        (Evidence::Ip, Some(_)) => {
            let help = "remove `evidence`, or declare the host's name".to_owned();
            reading.error(part_at(entry, "evidence"), "a network is told by its addresses only", Some(help));
            None
        }
        (_, Some(Evidence::Ip)) => {
            let help =
                "declare its addresses with `cidr`, or ask for corroborated, dns, sni or cert".to_owned();
            reading.error(part_at(entry, "evidence"), "a name can't be told by an address alone", Some(help));
            None
        }
        (default, written) => Some(written.unwrap_or(default)),
    }
}

fn budgets(reading: &mut Reading<'_>, entry: Entry<'_>, args: BudgetArgs) -> Vec<Budget> {
    let BudgetArgs { run, hour, day } = args;
    let Some(whole) = entry.get("budget") else { return Vec::new() };
    if run.is_none() && hour.is_none() && day.is_none() {
        let help = Some("such as `budget: {run: {bytes: 64 KiB, connections: 4}}`".to_owned());
        reading.error(whole.at(), "this budget limits nothing", help);
    }
    let spans = [(Span::Run, run), (Span::Hour, hour), (Span::Day, day)];
    spans
        .into_iter()
        .filter_map(|(per, allowance)| budget(reading, whole.get(per.word())?, per, allowance?))
        .collect()
}

fn budget(reading: &mut Reading<'_>, entry: Entry<'_>, per: Span, args: AllowanceArgs) -> Option<Budget> {
    let AllowanceArgs { bytes, connections } = args;
    if bytes.is_none() && connections.is_none() {
        let help = Some("such as `bytes: 64 KiB`, `connections: 4`, or both".to_owned());
        reading.error(entry.at(), "this budget limits nothing", help);
        return None;
    }
    if connections == Some(0) {
        let help = Some("remove the whole declaration".to_owned());
        reading.error(part_at(entry, "connections"), "no connection at all: this could never match", help);
        return None;
    }
    let bytes = match bytes {
        Some(written) => match size(&written.0) {
            Ok(bytes) => Some(bytes),
            Err(message) => {
                reading.error(part_at(entry, "bytes"), message, None);
                return None;
            }
        },
        None => None,
    };
    Some(Budget { per, bytes, connections })
}

/// What is written for people, before it is read.
struct Written {
    trigger: Option<String>,
    period: Option<String>,
    data: Option<Vec<super::Data>>,
    recipient: Option<String>,
    country: Option<String>,
    necessity: Option<Necessity>,
    justification: Option<String>,
    review_by: Option<String>,
    reference: Option<String>,
}

fn statement(reading: &mut Reading<'_>, entry: Entry<'_>, written: Written, of: &Of<'_>) -> Statement {
    let review_at = part_at(entry, "review-by");
    let mut read = |key: &str, message: String| reading.error(part_at(entry, key), message, None);
    let period =
        written.period.and_then(|text| period(&text).map_err(|message| read("period", message)).ok());
    let country =
        written.country.and_then(|text| country(&text).map_err(|message| read("country", message)).ok());
    let review_by = written
        .review_by
        .and_then(|text| Date::parse(&text).map_err(|message| read("review-by", message)).ok())
        .map(|date| (date, review_at));
    if let Some(recipient) = &written.recipient {
        let controllers = match of {
            Of::Manifest(controllers) => *controllers,
            Of::Profile(_) => &[],
        };
        if !controllers.iter().any(|controller| controller.id == *recipient) {
            let near = nearest(recipient, controllers.iter().map(|controller| controller.id.as_str()));
            let help = match (near, of) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, Of::Manifest(_)) => "a recipient is the id of one of the `controllers`".to_owned(),
                (None, Of::Profile(_)) => "a profile has no controllers: remove `recipient`".to_owned(),
            };
            let message = format!("no controller is called `{recipient}`");
            reading.error(part_at(entry, "recipient"), message, Some(help));
        }
    }
    let data = written.data.map(|mut data| {
        data.sort_unstable();
        data.dedup();
        data
    });
    Statement {
        trigger: written.trigger,
        period,
        data,
        recipient: written.recipient,
        country,
        necessity: written.necessity,
        justification: written.justification,
        review_by,
        reference: written.reference,
    }
}

/// The longest period: a year that has a leap day.
const LONGEST_PERIOD: Duration = Duration::from_secs(366 * 24 * 3600);

/// Reads how often something happens: a whole number and s, m, h or d.
fn period(written: &str) -> Result<Duration, String> {
    let shown: String = written.chars().take(32).collect();
    let refused = || {
        format!(
            "`{}` is no period: write a whole number and s, m, h or d, such as `24h`",
            shown.escape_debug()
        )
    };
    let split = written.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
    let (number, unit) = written.split_at(split);
    let seconds = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(refused()),
    };
    let number: u64 = number.parse().map_err(|_| refused())?;
    let period = Duration::from_secs(number.saturating_mul(seconds));
    if period.is_zero() || period > LONGEST_PERIOD { Err(refused()) } else { Ok(period) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_a_unit_and_an_end() {
        assert_eq!(period("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(period("7 d"), Ok(Duration::from_secs(7 * 24 * 3600)));
        for bad in ["", "15", "0s", "1.5h", "400d", "99999999999999999999d", "h"] {
            assert!(period(bad).is_err(), "{bad}");
        }
    }
}

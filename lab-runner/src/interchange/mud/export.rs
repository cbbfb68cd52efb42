//! A manifest's declarations of one talker as a MUD file, and what is lost on the way.
//!
//! The file is the same for the same manifest and options: entries keep the manifest's order, and those that would match
//! the same are made one. So an export that was imported exports to the same bytes.

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::{DNS_CONTROLLER, NTP_CONTROLLER};
use crate::interchange::declared;
use crate::interchange::loss::Loss;
use crate::manifest::{Class, Declaration, Ids, Manifest, OpenedBy, Peer, PortRange, Talker, Transport};

/// The longest id that names are made of: an entry's name has at most 64 characters (RFC 8519, section 4.1), of which an
/// ending, and numbers that tell it from others, take some.
const LONGEST_ID: usize = 40;

/// What a MUD file says beside its entries.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// Whose traffic it is: a MUD file speaks of one device.
    pub talker: Talker,
    /// Where the file will stand: an https URL (RFC 8520, section 3.2).
    pub url: &'a str,
    /// When it was made: a date and time of RFC 3339 (RFC 8520, section 3.5).
    pub last_update: &'a str,
    /// How many hours networks may keep it, 1 to 168 (RFC 8520, section 3.6).
    pub cache_validity: u8,
}

/// A MUD file and what it couldn't say.
#[derive(Debug, Clone)]
pub struct Export {
    /// The file's text.
    pub text: String,
    /// What is lost.
    pub losses: Vec<Loss>,
    /// How many declarations have entries.
    pub exported: usize,
}

/// The MUD file.
pub fn export(manifest: &Manifest, about: &About<'_>) -> Export {
    let mut losses = of_the_manifest(manifest);
    let mut rules: Vec<Rule> = Vec::new();
    let mut exported = 0;
    for declaration in &manifest.endpoints {
        if declaration.talker != about.talker {
            let who = declaration.talker.word();
            losses.push(Loss::of(
                declaration,
                format!(
                    "the whole declaration: its talker is the {who}, and a MUD file speaks of one device"
                ),
            ));
            continue;
        }
        let Some(far) = far(&declaration.peer) else {
            losses.push(Loss::of(
                declaration,
                format!("the whole declaration: MUD has no words for {}", declaration.peer),
            ));
            continue;
        };
        exported += 1;
        losses.extend(of_one(declaration));
        let rule = Rule {
            id: declaration.id.clone(),
            names: Vec::new(),
            far,
            transport: declaration.transport,
            opened_by: declaration.opened_by,
            ports: PortRange::merged(declaration.ports.clone()),
        };
        if let Some(known) = add(&mut rules, rule) {
            let what = format!("its own entry: it is made one with `{known}`, which matches the same");
            losses.push(Loss::of(declaration, what));
        }
    }
    // Ports that were joined may be all there are, and then say no longer who opens.
    let joined = std::mem::take(&mut rules);
    for mut rule in joined {
        if rule.opened_by == OpenedBy::Peer && !rule.says_who_opens() {
            rule.opened_by = OpenedBy::Product;
            losses.push(Loss::of_all(format!(
                "that the peer opens `{}`: for UDP MUD says it by the ports alone, for ICMP not at all",
                rule.id
            )));
        }
        add(&mut rules, rule);
    }
    // Networks of IPv6 stand in the second list alone: they come last in it, and so in what is imported from it.
    rules.sort_by_key(|rule| !Version::V4.has(&rule.far));
    name(&mut rules);
    Export { text: text(manifest, about, &rules), losses, exported }
}

/// Adds a rule, to one that matches the same but for the ports where there is one: its id.
fn add(rules: &mut Vec<Rule>, rule: Rule) -> Option<String> {
    let Some(known) = rules.iter_mut().find(|known| known.same_peer(&rule)) else {
        rules.push(rule);
        return None;
    };
    known.ports.extend(rule.ports);
    known.ports = PortRange::merged(std::mem::take(&mut known.ports));
    Some(known.id.clone())
}

/// Names the entries, one for each range of ports: each name once, no longer than the modules allow.
fn name(rules: &mut [Rule]) {
    let mut ids = Ids::default();
    for rule in rules.iter_mut() {
        rule.names.push(ids.take(&rule.id.chars().take(LONGEST_ID).collect::<String>()));
    }
    for rule in rules {
        for number in 2..=rule.ranges().len() {
            let first = rule.names.first().cloned().unwrap_or_default();
            rule.names.push(ids.take(&format!("{first}-{number}")));
        }
    }
}

/// What the entries are made of.
struct Rule {
    id: String,
    /// The entries' names, without their endings.
    names: Vec<String>,
    far: Far,
    transport: Transport,
    opened_by: OpenedBy,
    ports: Vec<PortRange>,
}

impl Rule {
    /// The ranges of ports, one for each entry; `None` where an entry names none.
    fn ranges(&self) -> Vec<Option<PortRange>> {
        let any = [PortRange { first: 1, last: u16::MAX }];
        match self.transport {
            Transport::Icmp => vec![None],
            _ if self.ports == any => vec![None],
            _ => self.ports.iter().copied().map(Some).collect(),
        }
    }

    /// Whether the entries tell who opens: TCP's always do, UDP's by whose ports they name.
    fn says_who_opens(&self) -> bool {
        match self.transport {
            Transport::Tcp => true,
            Transport::Udp => self.ranges() != [None],
            Transport::Icmp => false,
        }
    }

    fn same_peer(&self, other: &Rule) -> bool {
        (&self.far, self.transport, self.opened_by) == (&other.far, other.transport, other.opened_by)
    }
}

/// The far end in MUD's words.
#[derive(PartialEq)]
enum Far {
    Name(String),
    Net(IpNet),
    Controller(&'static str),
    LocalNetworks,
}

fn far(peer: &Peer) -> Option<Far> {
    match peer {
        Peer::Host(name) => Some(Far::Name(name.clone())),
        Peer::Cidr(net) => Some(Far::Net(*net)),
        Peer::Class(Class::DnsResolver) => Some(Far::Controller(DNS_CONTROLLER)),
        Peer::Class(Class::NtpPool) => Some(Far::Controller(NTP_CONTROLLER)),
        Peer::Class(Class::Lan) => Some(Far::LocalNetworks),
        Peer::Suffix(_) | Peer::Glob(_) | Peer::Class(_) => None,
    }
}

fn of_the_manifest(manifest: &Manifest) -> Vec<Loss> {
    let mut losses = Vec::new();
    let mut say = |lost: bool, what: &str| losses.extend(lost.then(|| Loss::of_all(what)));
    say(
        !manifest.builds.firmware.is_empty() || !manifest.builds.app.is_empty(),
        "the builds that the manifest applies to",
    );
    say(!manifest.controllers.is_empty(), "the controllers");
    say(!manifest.domains.is_empty(), "the vendor's domains");
    say(!manifest.ambient.is_empty(), "the ambient profiles");
    say(manifest.policy != Default::default(), "the policy");
    losses
}

fn of_one(declaration: &Declaration) -> Option<Loss> {
    let said = declared::keys(declaration);
    // Who opens is in the entry itself.
    let lost = said.iter().filter(|(key, _)| *key != "opened-by");
    let lost: Vec<String> =
        lost.map(|(key, value)| format!("{key} {}", declared::to_property(value))).collect();
    (!lost.is_empty()).then(|| Loss::of(declaration, lost.join("; ")))
}

fn text(manifest: &Manifest, about: &About<'_>, rules: &[Rule]) -> String {
    let mut lists = Vec::new();
    let mut from_names = Vec::new();
    let mut to_names = Vec::new();
    for version in [Version::V4, Version::V6] {
        let entries = |from_device: bool| -> Vec<Value> {
            rules
                .iter()
                .filter(|rule| version.has(&rule.far))
                .flat_map(|rule| entries(rule, version, from_device))
                .collect()
        };
        for (from_device, names) in [(true, &mut from_names), (false, &mut to_names)] {
            let entries = entries(from_device);
            if entries.is_empty() {
                continue;
            }
            let name = format!("{}-{}", version.short(), if from_device { "fr" } else { "to" });
            names.push(json!({"name": &name}));
            lists.push(json!({"name": name, "type": version.list_type(), "aces": {"ace": entries}}));
        }
    }
    let policy = |names: Vec<Value>| json!({"access-lists": {"access-list": names}});
    let product = &manifest.product;
    let file = json!({
        "ietf-mud:mud": {
            "mud-version": 1,
            "mud-url": about.url,
            "last-update": about.last_update,
            "cache-validity": about.cache_validity,
            "is-supported": true,
            // At most 60 characters (RFC 8520, section 3.8).
            "systeminfo": format!("{} {}", product.vendor, product.model).chars().take(60).collect::<String>(),
            "mfg-name": product.vendor,
            "model-name": product.model,
            "from-device-policy": policy(from_names),
            "to-device-policy": policy(to_names),
        },
        "ietf-access-control-list:acls": {"acl": lists},
    });
    format!("{file:#}\n")
}

#[derive(Clone, Copy)]
enum Version {
    V4,
    V6,
}

impl Version {
    fn short(self) -> &'static str {
        match self {
            Version::V4 => "v4",
            Version::V6 => "v6",
        }
    }

    fn list_type(self) -> &'static str {
        match self {
            Version::V4 => "ipv4-acl-type",
            Version::V6 => "ipv6-acl-type",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Version::V4 => "ipv4",
            Version::V6 => "ipv6",
        }
    }

    /// A name or a class may be of either version; a network is of one.
    fn has(self, far: &Far) -> bool {
        match (self, far) {
            (Version::V4, Far::Net(net)) => matches!(net, IpNet::V4(_)),
            (Version::V6, Far::Net(net)) => matches!(net, IpNet::V6(_)),
            _ => true,
        }
    }
}

/// The entries of a rule in one direction: one for each range of ports.
fn entries(rule: &Rule, version: Version, from_device: bool) -> Vec<Value> {
    let end = if from_device { "frdev" } else { "todev" };
    let named = rule.ranges().into_iter().zip(&rule.names);
    named
        .map(|(range, name)| {
            json!({
                "name": format!("{name}-{end}"),
                "matches": matches(rule, version, from_device, range),
                "actions": {"forwarding": "accept"},
            })
        })
        .collect()
}

fn matches(rule: &Rule, version: Version, from_device: bool, range: Option<PortRange>) -> Value {
    let protocol = match (rule.transport, version) {
        (Transport::Tcp, _) => super::import::TCP,
        (Transport::Udp, _) => super::import::UDP,
        (Transport::Icmp, Version::V4) => super::import::ICMP,
        (Transport::Icmp, Version::V6) => super::import::ICMPV6,
    };
    let mut ip = Map::from_iter([("protocol".to_owned(), json!(protocol))]);
    let mut matches = Map::new();
    let (name_side, net_side) = if from_device { ("dst", "destination") } else { ("src", "source") };
    match &rule.far {
        Far::Name(name) => {
            ip.insert(format!("ietf-acldns:{name_side}-dnsname"), json!(name));
        }
        Far::Net(net) => {
            ip.insert(format!("{net_side}-{}-network", version.key()), json!(net.to_string()));
        }
        Far::Controller(urn) => {
            matches.insert("ietf-mud:mud".into(), json!({"controller": urn}));
        }
        // An empty leaf is `[null]` (RFC 7951, section 6.9).
        Far::LocalNetworks => {
            matches.insert("ietf-mud:mud".into(), json!({"local-networks": [null]}));
        }
    }
    matches.insert(version.key().into(), Value::Object(ip));
    let mut l4 = Map::new();
    if rule.transport == Transport::Tcp {
        let opener = if rule.opened_by == OpenedBy::Product { "from-device" } else { "to-device" };
        l4.insert("ietf-mud:direction-initiated".into(), json!(opener));
    }
    if let Some(range) = range {
        // The ports are those of the side that is called.
        let called_is_destination = from_device == (rule.opened_by == OpenedBy::Product);
        let side = if called_is_destination { "destination-port" } else { "source-port" };
        let ports = if range.first == range.last {
            json!({"operator": "eq", "port": range.first})
        } else {
            json!({"lower-port": range.first, "upper-port": range.last})
        };
        l4.insert(side.into(), ports);
    }
    if !l4.is_empty() {
        matches.insert(rule.transport.word().into(), Value::Object(l4));
    }
    Value::Object(matches)
}

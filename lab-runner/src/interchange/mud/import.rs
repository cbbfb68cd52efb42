//! A MUD file as the seed of a manifest.
//!
//! Each peer, transport and opener becomes one endpoint with all its ports. The list towards the device says the same a
//! second time for answers, and adds an endpoint only where the list from the device has none for it.

use std::collections::{BTreeSet, HashMap};

use super::{
    Ace, DNS_CONTROLLER, Direction, GATEWAY_CONTROLLER, Host, Ip, MudFile, MudMatch, NTP_CONTROLLER,
    PortMatch, Ports, TlsProfiles,
};
use crate::interchange::Format;
use crate::interchange::seed::{Key, Notes, Said, Seed, SeedEndpoint, Told, short};
use crate::interchange::seed_yaml::quoted;
use crate::manifest::{Class, Ids, Peer, PortRange, Talker, Transport};

/// IANA's numbers of the transports (Assigned Internet Protocol Numbers).
pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMPV6: u8 = 58;

/// What MUD has no words for.
const UNSAID: [&str; 6] = ["purpose", "data", "recipient", "country", "phases", "encryption"];

/// The seed. Who talks is what the person says: MUD speaks of one device.
pub fn seed(file: &MudFile, talker: Talker, told: &Told) -> Seed {
    let mut import = Import::new(talker);
    import.read(file);
    let mud = &file.mud;
    let mut notes = import.notes;
    if mud.is_supported == Some(false) {
        notes.add("the manufacturer no longer supports this device (`is-supported`)");
    }
    let texts = [
        ("last-update", &mud.last_update),
        ("systeminfo", &mud.systeminfo),
        ("firmware-rev", &mud.firmware_rev),
        ("software-rev", &mud.software_rev),
        ("documentation", &mud.documentation),
        ("mud-signature", &mud.mud_signature),
    ];
    for (key, text) in texts {
        text.iter().for_each(|text| notes.add(&format!("{key}: {text}")));
    }
    mud.cache_validity.iter().for_each(|hours| notes.add(&format!("cache-validity: {hours} hours")));
    mud.extensions.iter().for_each(|extension| notes.add(&format!("the extension `{extension}`")));
    notes.add_ignored("not understood", &file.ignored);
    Seed {
        format: Format::Mud,
        title: mud.url.clone(),
        vendor: Said::of(told.vendor.as_deref(), mud.mfg_name.as_deref()),
        model: Said::of(told.model.as_deref(), mud.model_name.as_deref()),
        controllers: Vec::new(),
        endpoints: import.endpoints,
        statements: Vec::new(),
        notes,
    }
}

/// Who begins a conversation, as far as the file says.
type Opener = Option<Direction>;

struct Import {
    talker: Talker,
    endpoints: Vec<SeedEndpoint>,
    known: HashMap<(Peer, Transport, Opener), usize>,
    ids: Ids,
    notes: Notes,
}

impl Import {
    fn new(talker: Talker) -> Import {
        Import {
            talker,
            endpoints: Vec::new(),
            known: HashMap::new(),
            ids: Ids::default(),
            notes: Notes::default(),
        }
    }

    fn read(&mut self, file: &MudFile) {
        let names = |policy: &super::Policy| -> BTreeSet<String> {
            policy.access_lists.access_list.iter().map(|list| list.name.clone()).collect()
        };
        let from = names(&file.mud.from_device_policy);
        let to = names(&file.mud.to_device_policy);
        // What the device sends says more than what it gets: it goes first, wherever it stands.
        for direction in [Direction::FromDevice, Direction::ToDevice] {
            let wanted = if direction == Direction::FromDevice { &from } else { &to };
            for acl in file.acls.acl.iter().filter(|acl| wanted.contains(&acl.name)) {
                // The identity may carry its module's name. RFC 8520, section 2.1, has these two alone.
                let kind = acl.kind.as_deref().and_then(|kind| kind.rsplit(':').next());
                if let Some(other) = kind.filter(|kind| !["ipv4-acl-type", "ipv6-acl-type"].contains(kind)) {
                    self.notes.add(&format!("the list `{}` is of the type {other}", short(&acl.name, 64)));
                }
                for ace in &acl.aces.ace {
                    self.ace(direction, &acl.name, ace);
                }
            }
        }
        for acl in file.acls.acl.iter().filter(|acl| !from.contains(&acl.name) && !to.contains(&acl.name)) {
            self.notes.add(&format!("the list `{}`: no policy names it", short(&acl.name, 64)));
        }
    }

    fn ace(&mut self, direction: Direction, list: &str, ace: &Ace) {
        let place = format!("ace `{}` of `{}`", short(&ace.name, 64), short(list, 64));
        let mut note = |what: &str| self.notes.add(&format!("{place}: {what}"));
        match ace.accepts() {
            Some(true) => {}
            Some(false) => return note("it forbids; what isn't declared is forbidden as it is"),
            None => return note("it has no action: neither accept nor drop"),
        }
        let matches = &ace.matches;
        let ip = matches.ipv4.as_ref().or(matches.ipv6.as_ref());
        let peer = match peer(direction, ip, matches.mud.as_ref()) {
            Ok(peer) => peer,
            Err(what) => return note(&what),
        };
        if ip.is_some_and(|ip| narrows_the_device(direction, ip)) {
            note("it holds for some addresses of the device only, and a declaration for all");
        }
        let transports = match transports(ip.and_then(|ip| ip.protocol), matches) {
            Ok(transports) => transports,
            Err(what) => return note(&what),
        };
        for transport in &transports {
            let l4 = match transport {
                Transport::Tcp => matches.tcp.as_ref(),
                Transport::Udp => matches.udp.as_ref(),
                Transport::Icmp => None,
            };
            let facts = Facts {
                direction,
                transport: *transport,
                transport_is_guessed: transports.len() > 1,
                l4,
                tls: matches.tls.as_ref(),
            };
            self.endpoint(&ace.name, &place, peer.clone(), &facts);
        }
    }

    fn endpoint(&mut self, name: &str, place: &str, peer: Peer, facts: &Facts<'_>) {
        let opener = facts.l4.and_then(|l4| l4.initiated).or(facts.guessed_opener());
        if opener == Some(Direction::ToDevice) && peer.is_named() {
            self.notes.add(&format!("{place}: {peer} opens, and whoever opens shows an address and no name; declare whom it lets in by `cidr`"));
            return;
        }
        let key = (peer, facts.transport, opener);
        let (ports, ports_mark) = facts.ports(opener);
        if let Some(known) = self.known.get(&key).and_then(|index| self.endpoints.get_mut(*index)) {
            // Answers come from the ports that requests went to; they say nothing new.
            if facts.direction == Direction::FromDevice || opener == Some(Direction::ToDevice) {
                known.ports.extend(ports);
                known.ports = PortRange::merged(std::mem::take(&mut known.ports));
                known.ports_mark = known.ports_mark.take().or(ports_mark);
            } else if !ports.iter().all(|range| range.is_within(&known.ports)) {
                self.notes.add(&format!("{place}: answers from other ports than those that are asked"));
            }
            return;
        }
        let mut keys = Vec::new();
        match opener {
            Some(Direction::FromDevice) => keys.push(Key::sure("opened-by", "product")),
            Some(Direction::ToDevice) if facts.guessed_opener().is_some() => {
                keys.push(Key::marked(
                    "opened-by",
                    "peer",
                    "guessed: the entry has a port of the device alone",
                ));
            }
            Some(Direction::ToDevice) => keys.push(Key::sure("opened-by", "peer")),
            None => {}
        }
        // MUD names a peer by what DNS answers, and the default asks for a name in the flow as well. Over UDP there is one in
        // QUIC alone.
        let may_be_quic = ports.iter().any(|range| range.contains(443));
        if facts.transport == Transport::Udp && matches!(key.0, Peer::Host(_)) && !may_be_quic {
            keys.push(Key::marked("evidence", "dns", "guessed: few protocols over UDP carry a name"));
        }
        if let Some(profiles) = facts.tls {
            let mark = "by its TLS profile (RFC 9761), of which nothing else is imported";
            keys.push(Key::marked("encryption", "required", mark));
            let least = profiles.least().map(|least| quoted(least.word()));
            keys.extend(least.map(|least| Key::marked("tls", least, mark)));
        }
        let mut unsaid: Vec<&'static str> = UNSAID.to_vec();
        if facts.tls.is_some() {
            unsaid.retain(|key| *key != "encryption");
        }
        if opener.is_none() && facts.transport == Transport::Tcp {
            unsaid.push("opened-by");
        }
        let mut origin = place.to_owned();
        if facts.direction == Direction::ToDevice {
            origin.push_str(", which only the policy to the device has");
        }
        if facts.transport_is_guessed {
            origin.push_str(", which names no transport: both TCP and UDP are written");
        }
        let index = self.endpoints.len();
        self.endpoints.push(SeedEndpoint {
            id: self.ids.take(bare_name(name)),
            origin,
            at: None,
            talker: self.talker,
            talker_mark: Some("said by --talker: MUD speaks of the device as a whole".into()),
            peer: key.0.clone(),
            transport: facts.transport,
            ports,
            ports_mark,
            keys,
            unsaid,
        });
        self.known.insert(key, index);
    }
}

/// What an entry says of the transport.
struct Facts<'a> {
    direction: Direction,
    transport: Transport,
    transport_is_guessed: bool,
    l4: Option<&'a Ports>,
    tls: Option<&'a TlsProfiles>,
}

impl Facts<'_> {
    /// UDP's entries don't say who opens; a port of the device alone is that of a service on it.
    fn guessed_opener(&self) -> Opener {
        let l4 = self.l4.filter(|l4| l4.initiated.is_none())?;
        let (device, far) = match self.direction {
            Direction::FromDevice => (&l4.source_port, &l4.destination_port),
            Direction::ToDevice => (&l4.destination_port, &l4.source_port),
        };
        (device.is_some() && far.is_none()).then_some(Direction::ToDevice)
    }

    /// The service's ports: the peer's, or the device's own where the peer opens.
    fn ports(&self, opener: Opener) -> (Vec<PortRange>, Option<String>) {
        if self.transport == Transport::Icmp {
            return (Vec::new(), None);
        }
        let at_destination =
            (self.direction == Direction::FromDevice) != (opener == Some(Direction::ToDevice));
        let written = self.l4.and_then(|l4| match at_destination {
            true => l4.destination_port.as_ref(),
            false => l4.source_port.as_ref(),
        });
        match written {
            Some(PortMatch(ranges)) => (PortRange::merged(ranges.clone()), None),
            None => {
                let any = PortRange { first: 1, last: u16::MAX };
                (vec![any], Some("the source names no port: any".into()))
            }
        }
    }
}

/// The far end, or why a manifest can't name it.
fn peer(direction: Direction, ip: Option<&Ip>, mud: Option<&MudMatch>) -> Result<Peer, String> {
    if let Some(mud) = mud {
        return class(mud);
    }
    let nobody = "it names no peer: anybody; a declaration names whom it admits";
    let ip = ip.ok_or(nobody)?;
    let (host, v4, v6) = match direction {
        Direction::FromDevice => (&ip.dst_dnsname, ip.destination_ipv4_network, ip.destination_ipv6_network),
        Direction::ToDevice => (&ip.src_dnsname, ip.source_ipv4_network, ip.source_ipv6_network),
    };
    match (host, v4, v6) {
        (Some(Host::Name(name)), ..) => Ok(Peer::Host(name.clone())),
        (Some(Host::Address(address)), ..) => Ok(Peer::Cidr((*address).into())),
        (None, Some(net), _) => Ok(Peer::Cidr(net.trunc().into())),
        (None, None, Some(net)) => Ok(Peer::Cidr(net.trunc().into())),
        (None, None, None) => Err(nobody.into()),
    }
}

fn class(mud: &MudMatch) -> Result<Peer, String> {
    if mud.local_networks {
        return Ok(Peer::Class(Class::Lan));
    }
    let unknown =
        |whom: &str| Err(format!("{whom}: the network knows who that is; declare its name or address"));
    match mud.controller.as_deref() {
        Some(DNS_CONTROLLER) => return Ok(Peer::Class(Class::DnsResolver)),
        Some(NTP_CONTROLLER) => return Ok(Peer::Class(Class::NtpPool)),
        Some(GATEWAY_CONTROLLER) => return Ok(Peer::Class(Class::Gateway)),
        Some(other) => return unknown(&format!("the controller {other}")),
        None => {}
    }
    if mud.my_controller {
        return unknown("the device's own controller (`my-controller`)");
    }
    if mud.same_manufacturer {
        return unknown("devices of the same manufacturer");
    }
    match (&mud.manufacturer, &mud.model) {
        (Some(name), _) => unknown(&format!("devices of the manufacturer {name}")),
        (None, Some(model)) => unknown(&format!("devices of the model {model}")),
        (None, None) => Err("it matches nothing".into()),
    }
}

fn transports(protocol: Option<u8>, matches: &super::Matches) -> Result<Vec<Transport>, String> {
    Ok(match protocol {
        Some(TCP) => vec![Transport::Tcp],
        Some(UDP) => vec![Transport::Udp],
        Some(ICMP | ICMPV6) => vec![Transport::Icmp],
        Some(other) => return Err(format!("the IP protocol {other}: a declaration has tcp, udp or icmp")),
        None if matches.tcp.is_some() => vec![Transport::Tcp],
        None if matches.udp.is_some() => vec![Transport::Udp],
        None if matches.icmp => vec![Transport::Icmp],
        None => vec![Transport::Tcp, Transport::Udp],
    })
}

fn narrows_the_device(direction: Direction, ip: &Ip) -> bool {
    match direction {
        Direction::FromDevice => {
            ip.src_dnsname.is_some() || ip.source_ipv4_network.is_some() || ip.source_ipv6_network.is_some()
        }
        Direction::ToDevice => {
            ip.dst_dnsname.is_some()
                || ip.destination_ipv4_network.is_some()
                || ip.destination_ipv6_network.is_some()
        }
    }
}

/// The name without the ending that tells the direction (as in RFC 8520, section 9).
fn bare_name(name: &str) -> &str {
    ["-frdev", "-todev"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

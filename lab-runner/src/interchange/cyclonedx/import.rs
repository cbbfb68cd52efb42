//! CycloneDX services as the seed of a manifest: the lab's own by their properties, others by their URIs.

use std::net::IpAddr;

use url::{Host, Url};

use super::{Bom, OWN, Organization, Service};
use crate::interchange::Format;
use crate::interchange::declared::yaml_of_property;
use crate::interchange::seed::{Key, Notes, Said, Seed, SeedController, SeedEndpoint, Told, peer_of, short};
use crate::interchange::seed_yaml::plain;
use crate::manifest::{Class, Data, Glob, Ids, Peer, PortRange, Talker, Transport};

/// The keys of a declaration that a property may set, in a manifest's order.
const KEYS: [&str; 21] = [
    "sdk",
    "protocol",
    "phases",
    "required",
    "evidence",
    "encryption",
    "tls",
    "ech",
    "sni",
    "opened-by",
    "budget",
    "trigger",
    "period",
    "purpose",
    "data",
    "recipient",
    "country",
    "necessity",
    "justification",
    "review-by",
    "reference",
];

/// The longest value of a property that is read, in bytes: each endpoint of a service repeats them.
const LONGEST_VALUE: usize = 1_000;
/// The most endpoints that are made of a file.
const MOST_ENDPOINTS: usize = 20_000;

/// What a service can't say.
const UNSAID: [&str; 5] = ["purpose", "data", "recipient", "country", "phases"];

/// The seed.
///
/// # Errors
/// In words: a service doesn't say who talks, and neither did the person; or there are too many endpoints.
pub fn seed(bom: &Bom, told: &Told) -> Result<Seed, String> {
    let component = bom.bom.metadata.component.as_ref();
    let maker = component.and_then(|one| one.manufacturer.as_ref().or(one.supplier.as_ref()));
    let mut import = Import {
        told,
        ids: Ids::default(),
        controller_ids: Ids::default(),
        endpoints: Vec::new(),
        controllers: Vec::new(),
        notes: Notes::default(),
    };
    for service in &bom.bom.services {
        import.service(service)?;
    }
    let mut notes = import.notes;
    notes.add_ignored("not about services", &bom.ignored);
    Ok(Seed {
        format: Format::CycloneDx,
        title: String::new(),
        vendor: Said::of(told.vendor.as_deref(), maker.and_then(|maker| maker.name.as_deref())),
        model: Said::of(told.model.as_deref(), component.map(|component| component.name.as_str())),
        controllers: import.controllers,
        endpoints: import.endpoints,
        statements: Vec::new(),
        notes,
    })
}

struct Import<'a> {
    told: &'a Told,
    ids: Ids,
    controller_ids: Ids,
    endpoints: Vec<SeedEndpoint>,
    controllers: Vec<SeedController>,
    notes: Notes,
}

impl Import<'_> {
    fn service(&mut self, service: &Service) -> Result<(), String> {
        let property = |key: &str| {
            let own = |name: &str| name.strip_prefix(OWN) == Some(key);
            let found =
                service.properties.iter().find(|one| own(&one.name) && one.value.len() <= LONGEST_VALUE);
            found.map(|one| one.value.as_str())
        };
        let said =
            property("talker").and_then(|word| Talker::ALL.iter().find(|talker| talker.word() == word));
        let Some(talker) = said.copied().or(self.told.talker) else {
            let name = short(&service.name, 64);
            return Err(format!(
                "the service `{name}` doesn't say who talks to it: say it with --talker watch, app or os"
            ));
        };
        let talker_mark =
            said.is_none().then(|| "said by --talker: CycloneDX has no word for who talks".to_owned());
        let recipient = self.provider(service.provider.as_ref(), property("recipient"));
        let mut keys: Vec<Key> = Vec::new();
        for key in KEYS {
            if key != "recipient" {
                keys.extend(property(key).map(|text| Key::sure(key, yaml_of_property(key, text))));
            } else {
                keys.extend(recipient.as_deref().map(|id| Key::sure("recipient", plain(id))));
            }
        }
        self.data(service, &mut keys);
        if let Some(text) = service.description.as_deref().filter(|_| property("justification").is_none()) {
            keys.push(Key::marked("justification", plain(text), "the service's description"));
        }
        if let Some(authenticated) = service.authenticated {
            self.notes.add(&format!("service `{}`: authenticated: {authenticated}", service.name));
        }
        if let Some(crosses) = service.x_trust_boundary.filter(|_| property("talker").is_none()) {
            self.notes.add(&format!("service `{}`: x-trust-boundary: {crosses}", service.name));
        }
        let base = SeedEndpoint {
            id: String::new(),
            origin: format!("service `{}`", service.name),
            at: None,
            talker,
            talker_mark,
            peer: Peer::Host(String::new()),
            transport: Transport::Tcp,
            ports: Vec::new(),
            ports_mark: None,
            unsaid: UNSAID.into_iter().filter(|key| !keys.iter().any(|set| set.key == *key)).collect(),
            keys,
        };
        match own_peer(&property) {
            Some(Ok((peer, transport, ports))) => {
                let id = self.ids.take(&service.name);
                self.endpoints.push(SeedEndpoint { id, peer, transport, ports, ..base });
            }
            Some(Err(what)) => self.notes.add(&format!("service `{}`: {what}", service.name)),
            None => self.uris(service, &base),
        }
        if self.endpoints.len() > MOST_ENDPOINTS {
            return Err("the file has more than 20,000 endpoints, the most that are read".into());
        }
        for inner in &service.services {
            self.service(inner)?;
        }
        Ok(())
    }

    /// One endpoint for each URI.
    fn uris(&mut self, service: &Service, base: &SeedEndpoint) {
        if service.endpoints.is_empty() {
            self.notes.add(&format!("service `{}`: it has no endpoints", service.name));
        }
        for uri in &service.endpoints {
            match at(uri) {
                Ok(At { peer, transport, port, encrypted, mark }) => {
                    let mut one = base.clone();
                    if let Some(encrypted) =
                        encrypted.filter(|_| !one.keys.iter().any(|key| key.key == "encryption"))
                    {
                        if encrypted {
                            one.keys.insert(0, Key::sure("encryption", "required"));
                        } else {
                            one.unsaid.push("encryption");
                        }
                    }
                    one.id = self.ids.take(&service.name);
                    one.origin = format!("service `{}`, {uri}", service.name);
                    one.ports = vec![port.into()];
                    (one.peer, one.transport, one.ports_mark) = (peer, transport, mark);
                    self.endpoints.push(one);
                }
                Err(what) => self.notes.add(&format!("service `{}`: {uri}: {what}", service.name)),
            }
        }
    }

    /// Which data, where no property says it.
    fn data(&mut self, service: &Service, keys: &mut Vec<Key>) {
        if keys.iter().any(|key| key.key == "data") || service.data.is_empty() {
            return;
        }
        let known = |word: &str| Data::ALL.iter().find(|data| data.word() == word);
        let words: Vec<&str> = service
            .data
            .iter()
            .filter_map(|data| known(&data.classification))
            .map(|data| data.word())
            .collect();
        if !words.is_empty() {
            keys.push(Key::sure("data", format!("[{}]", words.join(", "))));
        }
        for data in service.data.iter().filter(|data| known(&data.classification).is_none()) {
            self.notes.add(&format!(
                "service `{}`: data {} ({}), which is no category of a manifest",
                service.name, data.classification, data.flow
            ));
        }
    }

    /// The id of the provider as a controller.
    fn provider(&mut self, provider: Option<&Organization>, id: Option<&str>) -> Option<String> {
        let provider = provider?;
        let name = provider.name.as_deref().filter(|name| !name.trim().is_empty())?;
        if let Some(known) = self.controllers.iter().find(|known| known.name == name) {
            return Some(known.id.clone());
        }
        let id = self.controller_ids.take(id.unwrap_or(name));
        let contact = provider
            .contact
            .first()
            .and_then(|one| one.email.clone().or(one.name.clone()).or(one.phone.clone()));
        let country = provider.address.as_ref().and_then(|address| address.country.clone());
        self.controllers.push(SeedController { id: id.clone(), name: name.to_owned(), country, contact });
        Some(id)
    }
}

type OwnPeer = (Peer, Transport, Vec<PortRange>);

/// The peer as the lab's own properties have it; `None` where there are none.
fn own_peer<'a>(property: &impl Fn(&str) -> Option<&'a str>) -> Option<Result<OwnPeer, String>> {
    let peer = if let Some(text) = property("host") {
        peer_of(text, false)
    } else if let Some(text) = property("suffix") {
        peer_of(text, true)
    } else if let Some(text) = property("glob") {
        Glob::parse(text).map(Peer::Glob)
    } else if let Some(text) = property("cidr") {
        text.parse().map(Peer::Cidr).map_err(|_| format!("`{text}` is no network"))
    } else {
        let text = property("class")?;
        let class = Class::ALL.iter().find(|class| class.word() == text);
        class.copied().map(Peer::Class).ok_or_else(|| format!("`{text}` is no class of peers"))
    };
    let transport = property("transport").unwrap_or("tcp");
    let transport = Transport::ALL.iter().find(|one| one.word() == transport).copied();
    Some(peer.and_then(|peer| {
        let transport = transport.ok_or("it has a transport that no declaration has")?;
        let ports = property("ports").map_or(Ok(Vec::new()), ports)?;
        Ok((peer, transport, ports))
    }))
}

fn ports(text: &str) -> Result<Vec<PortRange>, String> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = PortRange { first: port(first)?, last: port(last)? };
        (range.first <= range.last).then_some(range)
    };
    text.split(',').map(range).collect::<Option<Vec<_>>>().ok_or_else(|| format!("`{text}` are no ports"))
}

/// Where a URI leads.
struct At {
    peer: Peer,
    transport: Transport,
    port: u16,
    encrypted: Option<bool>,
    mark: Option<String>,
}

/// Schemes with their transport, usual port and whether they are encrypted (IANA's registries of schemes and ports).
const SCHEMES: [(&str, Transport, Option<u16>, Option<bool>); 16] = [
    ("https", Transport::Tcp, Some(443), Some(true)),
    ("http", Transport::Tcp, Some(80), Some(false)),
    ("wss", Transport::Tcp, Some(443), Some(true)),
    ("ws", Transport::Tcp, Some(80), Some(false)),
    ("tls", Transport::Tcp, None, Some(true)),
    ("mqtts", Transport::Tcp, Some(8883), Some(true)),
    ("mqtt", Transport::Tcp, Some(1883), Some(false)),
    ("amqps", Transport::Tcp, Some(5671), Some(true)),
    ("amqp", Transport::Tcp, Some(5672), Some(false)),
    ("coaps", Transport::Udp, Some(5684), Some(true)),
    ("coap", Transport::Udp, Some(5683), Some(false)),
    ("quic", Transport::Udp, None, Some(true)),
    ("dns", Transport::Udp, Some(53), None),
    ("ntp", Transport::Udp, Some(123), None),
    ("tcp", Transport::Tcp, None, None),
    ("udp", Transport::Udp, None, None),
];

fn at(uri: &str) -> Result<At, String> {
    let url = Url::parse(uri).map_err(|error| format!("it is no URI: {error}"))?;
    let scheme = url.scheme();
    let (_, transport, usual, encrypted) = *SCHEMES
        .iter()
        .find(|(known, ..)| *known == scheme)
        .ok_or_else(|| format!("the scheme {scheme} is not known here"))?;
    let port = url.port().or(usual).filter(|port| *port > 0).ok_or("it names no port")?;
    let mark =
        url.port().is_none().then(|| format!("{port} is the usual port of {scheme}; the URI names none"));
    let peer = match url.host() {
        Some(Host::Ipv4(address)) => Peer::Cidr(IpAddr::from(address).into()),
        Some(Host::Ipv6(address)) => Peer::Cidr(IpAddr::from(address).into()),
        Some(Host::Domain(name)) => peer_of(name, false)?,
        None => return Err("it names no host".into()),
    };
    Ok(At { peer, transport, port, encrypted, mark })
}

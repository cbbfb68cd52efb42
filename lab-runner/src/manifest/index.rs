//! Finding the declarations that may cover a flow without asking each: by host, by domain, by pattern, by network and
//! by class. It finds; whether one admits the flow is the judge's.
//!
//! A look-up costs time in proportion to the name's labels and to what it finds. Patterns share a tree of their
//! labels, read from the right, and all of them are followed through a name at once: none is tried again.

use std::net::IpAddr;

use foldhash::HashMap;
use ipnet::IpNet;

use super::class::{Class, NTP_POOL, Surroundings};
use super::glob::{Glob, Label};
use super::name::{canonical, tails};
use super::{Declaration, Manifest, Peer, PortRange, Transport};

/// A declaration's place in the order in which declarations count: an earlier one goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u32);

/// The declarations of a manifest and of its profiles, ready to be found.
#[derive(Debug)]
pub struct Index<'m> {
    declarations: Vec<&'m Declaration>,
    hosts: HashMap<&'m str, Vec<Place>>,
    suffixes: HashMap<&'m str, Vec<Place>>,
    globs: GlobTree<'m>,
    /// By prefix length, then by the network's first address.
    networks: HashMap<(bool, u8), HashMap<IpAddr, Vec<Place>>>,
    /// Classes that are told by address.
    classes: HashMap<Class, Vec<Place>>,
    /// Those that names tell, by what they are declared for.
    named: HashMap<(Transport, &'m [PortRange]), Vec<Place>>,
}

impl<'m> Index<'m> {
    /// Of a manifest and its profiles.
    pub fn of(manifest: &'m Manifest) -> Index<'m> {
        let mut index = Index {
            declarations: manifest.declarations().collect(),
            hosts: HashMap::default(),
            suffixes: HashMap::default(),
            globs: GlobTree::default(),
            networks: HashMap::default(),
            classes: HashMap::default(),
            named: HashMap::default(),
        };
        for number in 0..index.declarations.len() {
            let (place, declaration) = (Place(number as u32), index.declarations[number]);
            match &declaration.peer {
                Peer::Host(host) => index.hosts.entry(host).or_default().push(place),
                Peer::Suffix(suffix) => index.suffixes.entry(suffix).or_default().push(place),
                Peer::Glob(glob) => index.globs.add(glob, place),
                Peer::Cidr(net) => {
                    let of_length = index.networks.entry(family_and_length(*net)).or_default();
                    of_length.entry(net.network()).or_default().push(place);
                }
                Peer::Class(Class::NtpPool) => index.suffixes.entry(NTP_POOL).or_default().push(place),
                Peer::Class(class) => index.classes.entry(*class).or_default().push(place),
            }
            if declaration.peer.is_named() {
                let what = (declaration.transport, declaration.ports.as_slice());
                index.named.entry(what).or_default().push(place);
            }
        }
        index
    }

    /// The declaration at a place that this index gave.
    pub fn get(&self, place: Place) -> Option<&'m Declaration> {
        self.declarations.get(place.0 as usize).copied()
    }

    /// The declarations whose peer covers one of these names or this address, each once, in their order. A name may be
    /// in any case and with a trailing dot; what is no host name finds nothing.
    pub fn covering<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
        address: Option<IpAddr>,
        around: &Surroundings,
    ) -> Vec<Place> {
        let mut found = Vec::new();
        for name in names {
            self.by_name(name, &mut found);
        }
        if let Some(address) = address {
            self.by_address(address, around, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The declarations whose peer covers a name, each once, in their order.
    pub fn covering_name(&self, name: &str) -> Vec<Place> {
        self.covering([name], None, &Surroundings::default())
    }

    /// The declarations that name everybody whom a peer names, in their order.
    pub fn covering_peer(&self, peer: &Peer) -> Vec<&'m Declaration> {
        // Whoever covers all of it covers any one of it.
        let one_name = match peer {
            Peer::Host(name) | Peer::Suffix(name) => Some(name.clone()),
            Peer::Glob(glob) => Some(glob.to_string().replace("**", "x").replace('*', "x")),
            Peer::Class(Class::NtpPool) => Some(NTP_POOL.to_owned()),
            Peer::Cidr(_) | Peer::Class(_) => None,
        };
        let one_address = match peer {
            Peer::Cidr(net) => Some(net.network()),
            _ => None,
        };
        let mut found = self.covering(one_name.as_deref(), one_address, &Surroundings::default());
        if let Peer::Class(class) = peer {
            found.extend(self.classes.get(class).into_iter().flatten());
        }
        let found = found.into_iter().filter_map(|place| self.get(place));
        found.filter(|one| one.peer.covers_peer(peer)).collect()
    }

    /// The declarations that a flow of this transport to this port could be, had it a name: those that names tell, in
    /// their order. This may be many: whoever asks for many flows keeps the answer by transport and port.
    pub fn named_on(&self, transport: Transport, port: u16) -> Vec<Place> {
        let admits = |(of, ports): &(Transport, &[PortRange])| {
            *of == transport && (ports.is_empty() || ports.iter().any(|range| range.contains(port)))
        };
        let groups = self.named.iter().filter(|(what, _)| admits(what));
        let mut found: Vec<Place> = groups.flat_map(|(_, places)| places.iter().copied()).collect();
        found.sort_unstable();
        found
    }

    fn by_name(&self, name: &str, found: &mut Vec<Place>) {
        let Some(name) = canonical(name) else { return };
        found.extend(self.hosts.get(&*name).into_iter().flatten());
        if !self.suffixes.is_empty() {
            found.extend(tails(&name).filter_map(|tail| self.suffixes.get(tail)).flatten());
        }
        self.globs.find(&name, found);
    }

    fn by_address(&self, address: IpAddr, around: &Surroundings, found: &mut Vec<Place>) {
        let address = address.to_canonical();
        for ((v6, length), networks) in &self.networks {
            if *v6 == address.is_ipv6()
                && let Ok(net) = IpNet::new(address, *length)
            {
                found.extend(networks.get(&net.network()).into_iter().flatten());
            }
        }
        for (class, places) in &self.classes {
            if class.covers_address(address, around) {
                found.extend(places);
            }
        }
    }
}

fn family_and_length(net: IpNet) -> (bool, u8) {
    (matches!(net, IpNet::V6(_)), net.prefix_len())
}

/// Patterns as one tree of labels, the last label first.
#[derive(Debug)]
struct GlobTree<'m> {
    nodes: Vec<GlobNode>,
    /// The labels of all patterns by number: one of a name is compared once, however many patterns are followed.
    labels: HashMap<&'m str, u32>,
    /// Where a label leads to from a node.
    exact: HashMap<(usize, u32), usize>,
}

#[derive(Debug, Default)]
struct GlobNode {
    /// Labels lead on from it.
    branches: bool,
    one: Option<usize>,
    many: Option<usize>,
    /// It was reached by `**`, which may take more labels.
    stays: bool,
    /// The patterns that end here.
    places: Vec<Place>,
}

impl GlobNode {
    fn is_leaf(&self) -> bool {
        !self.branches && self.one.is_none() && self.many.is_none()
    }
}

impl Default for GlobTree<'_> {
    fn default() -> Self {
        let nodes = vec![GlobNode::default()];
        GlobTree { nodes, labels: HashMap::default(), exact: HashMap::default() }
    }
}

impl<'m> GlobTree<'m> {
    fn add(&mut self, glob: &'m Glob, place: Place) {
        let mut at = 0;
        for label in glob.labels().iter().rev() {
            let new = self.nodes.len();
            let node = &mut self.nodes[at];
            let next = match label {
                Label::Exact(label) => {
                    let number = self.labels.len() as u32;
                    let number = *self.labels.entry(label).or_insert(number);
                    node.branches = true;
                    *self.exact.entry((at, number)).or_insert(new)
                }
                Label::One => *node.one.get_or_insert(new),
                Label::Many => *node.many.get_or_insert(new),
            };
            if next == new {
                self.nodes.push(GlobNode { stays: *label == Label::Many, ..GlobNode::default() });
            }
            at = next;
        }
        self.nodes[at].places.push(place);
    }

    fn find(&self, name: &str, found: &mut Vec<Place>) {
        if self.nodes.len() == 1 {
            return;
        }
        let (mut here, mut next, mut leaves) = (vec![0], Vec::with_capacity(16), Vec::new());
        let (mut last, mut settled) = ("", false);
        for written in name.rsplit('.') {
            // What led back to the same places does so again.
            if settled && written == last {
                continue;
            }
            let label = self.labels.get(written).copied();
            for &at in &here {
                let node = &self.nodes[at];
                let exact = label.filter(|_| node.branches).and_then(|label| self.exact.get(&(at, label)));
                next.extend(exact);
                next.extend(node.one);
                next.extend(node.stays.then_some(at));
                match node.many.map(|many| (many, &self.nodes[many])) {
                    // A pattern that begins with `**` takes all that is left: it need not be followed to the end.
                    Some((many, first)) if first.is_leaf() => leaves.push(many),
                    Some((many, _)) => next.push(many),
                    None => {}
                }
            }
            // Each place in the tree is followed once, by however many ways it was reached.
            next.sort_unstable();
            next.dedup();
            (last, settled) = (written, here == next);
            std::mem::swap(&mut here, &mut next);
            next.clear();
            if here.is_empty() {
                break;
            }
        }
        leaves.sort_unstable();
        leaves.dedup();
        found.extend(here.into_iter().chain(leaves).flat_map(|at| &self.nodes[at].places));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::yaml::{Document, Source};

    fn manifest(peers: &[String]) -> Manifest {
        let mut text = "format: 1\nproduct: {vendor: Nucleus, model: U8}\nendpoints:\n".to_owned();
        for (number, peer) in peers.iter().enumerate() {
            text.push_str(&format!("  - {{id: d{number}, talker: app, {peer}, ports: 443}}\n"));
        }
        let source = Source::from_bytes(Path::new("m.yaml"), text.into_bytes()).unwrap();
        Manifest::from_document(Document::parse(source).unwrap()).unwrap().0
    }

    /// Peers of every kind that overlap, and names and addresses at their edges.
    fn peers() -> Vec<String> {
        let written = [
            "host: api.u8.example",
            "suffix: u8.example",
            "glob: \"*.u8.example\"",
            "glob: \"**.u8.example\"",
            "glob: \"a.*.u8.example\"",
            "glob: \"**.a.**.u8.example\"",
            "glob: \"*.**.u8.example\"",
            "suffix: eu.u8.example",
            "class: ntp-pool",
            "class: lan",
            "class: multicast",
            "cidr: 203.0.113.0/24",
            "cidr: 203.0.113.7",
            "cidr: 2001:db8::/32",
            "cidr: 192.168.0.0/16",
            "host: api.u8.example",
        ];
        written.map(str::to_owned).to_vec()
    }

    #[test]
    fn the_index_finds_what_asking_every_declaration_finds() {
        let manifest = manifest(&peers());
        let index = Index::of(&manifest);
        let mut names =
            vec!["u8.example".to_owned(), "API.u8.example.".into(), "evilu8.example".into(), "a..b".into()];
        names.extend(["0.pool.ntp.org", "pool.ntp.org", "xpool.ntp.org", "example"].map(str::to_owned));
        let labels = ["a", "b", "eu", "api"];
        for one in labels {
            for two in labels {
                names.extend([format!("{one}.{two}.u8.example"), format!("{one}.{two}.a.b.u8.example")]);
            }
        }
        // A row of the same label, at the end of a name and within it.
        names.extend((1..6).flat_map(|count| {
            let row = "a.".repeat(count);
            ["", "b.", "a.b."].map(|before| format!("{before}{row}b.{row}u8.example"))
        }));
        for name in &names {
            let found: Vec<&str> = index
                .covering_name(name)
                .into_iter()
                .map(|place| index.get(place).unwrap().id.as_str())
                .collect();
            let asked: Vec<&str> = manifest
                .declarations()
                .filter(|declaration| declaration.peer.covers_name(name))
                .map(|declaration| declaration.id.as_str())
                .collect();
            assert_eq!(found, asked, "{name}");
        }
        for address in [
            "203.0.113.7",
            "::ffff:203.0.113.8",
            "192.168.1.1",
            "2001:db8::1",
            "fe80::1",
            "224.0.0.1",
            "198.51.100.1",
        ] {
            let address: IpAddr = address.parse().unwrap();
            let found = index.covering([], Some(address), &Surroundings::default());
            let found: Vec<&str> =
                found.into_iter().map(|place| index.get(place).unwrap().id.as_str()).collect();
            let asked: Vec<&str> = manifest
                .declarations()
                .filter(|declaration| declaration.peer.covers_address(address))
                .map(|declaration| declaration.id.as_str())
                .collect();
            assert_eq!(found, asked, "{address}");
        }
    }

    #[test]
    fn a_flow_without_a_name_could_be_any_named_declaration_of_its_port() {
        let manifest = manifest(&peers());
        let index = Index::of(&manifest);
        let on = index.named_on(Transport::Tcp, 443);
        assert_eq!(on.len(), 10);
        assert!(on.is_sorted() && index.named_on(Transport::Udp, 443).is_empty());
    }

    #[test]
    fn ten_thousand_patterns_made_to_backtrack_are_followed_at_once() {
        let pattern = |number: usize| {
            let labels: Vec<&str> =
                (0..13).map(|bit| if number >> bit & 1 == 0 { "a" } else { "**.a" }).collect();
            format!("glob: \"**.{}.{number}.u8.example\"", labels.join("."))
        };
        let manifest = manifest(&(0..10_000).map(pattern).collect::<Vec<_>>());
        let index = Index::of(&manifest);
        let begun = Instant::now();
        let longest = format!("{}9999.u8.example", "a.".repeat(110));
        let all: usize = (0..10_000).map(|_| index.covering_name(&longest).len()).sum();
        assert_eq!(all, 10_000);
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }
}

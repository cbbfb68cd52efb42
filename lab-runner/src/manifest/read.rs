//! A manifest file to a `Manifest`, and what can be said about it beside a plan.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::args::DeclarationArgs;
use super::{
    Declaration, Encryption, Evidence, FORMAT, Manifest, Peer, PortRange, Product, Transport, canonical_host,
};
use crate::plan::Plan;
use crate::yaml::{Diagnostic, Document, Entry, Position, Problems, Reading, json_schema, nearest};

const KEYS: [&str; 3] = ["format", "product", "endpoints"];

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn load(file: &Path) -> Result<(Manifest, Vec<Diagnostic>), Problems> {
        Manifest::from_document(Document::read(file)?)
    }

    /// Checks a manifest that was read.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn from_document(document: Document) -> Result<(Manifest, Vec<Diagnostic>), Problems> {
        let mut reading = Reading::new(&document);
        let manifest = if reading.format(FORMAT) { manifest(&mut reading, &document) } else { None };
        let (mut manifest, warnings) = reading.finish(manifest)?;
        manifest.source = document.into_source().text;
        Ok((manifest, warnings))
    }
}

/// The JSON Schema of a manifest.
pub fn schema() -> Value {
    let mut schemas = SchemaGenerator::default();
    let product = schemas.subschema_for::<Product>();
    let declaration = schemas.subschema_for::<DeclarationArgs>();
    let properties = json!({
        "format": {"const": FORMAT},
        "product": product,
        "endpoints": {"type": "array", "items": declaration},
    });
    let required = ["format", "product", "endpoints"];
    json_schema("A privacy manifest of the lab", &mut schemas, properties, &required, [])
}

/// What a manifest says that its plan doesn't know: another product, phases that never come.
pub fn problems_with_plan(manifest: &Manifest, plan: &Plan) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    if manifest.product != plan.product {
        let of = |product: &Product| format!("{} {}", product.vendor, product.model);
        let message = format!(
            "this manifest speaks of {}, and the plan {} tests {}",
            of(&manifest.product),
            plan.file.display(),
            of(&plan.product)
        );
        problems.push(
            Diagnostic::error(&manifest.file, &manifest.source, manifest.product_at, message)
                .help("name another manifest in the plan, or the same product in both"),
        );
    }
    let known: Vec<&str> = plan.phases.iter().map(|phase| phase.name.as_str()).collect();
    for declaration in &manifest.endpoints {
        for phase in declaration.phases.iter().flatten().filter(|phase| !known.contains(&phase.as_str())) {
            let message = format!(
                "`{}` is declared for the phase `{phase}`, which the plan {} doesn't have",
                declaration.id,
                plan.file.display()
            );
            let help = match nearest(phase, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has: {}", known.join(", ")),
            };
            problems.push(
                Diagnostic::warning(&manifest.file, &manifest.source, declaration.at, message).help(help),
            );
        }
    }
    problems
}

fn manifest<'d>(reading: &mut Reading<'d>, document: &'d Document) -> Option<Manifest> {
    let root = document.root();
    let fields = reading.fields(root, "a privacy manifest", &KEYS)?;
    let product = reading.required::<Product>(root, &fields, "product");
    let Some(entry) = fields.get("endpoints") else {
        let help = "`endpoints: []` declares that nobody talks to anybody".to_owned();
        reading.error(root.at(), "the key `endpoints` is missing here", Some(help));
        return None;
    };
    let Some(items) = entry.sequence() else {
        let help = "begin each declaration with `- id: …`".to_owned();
        reading.error(entry.at(), "expected a list of declarations", Some(help));
        return None;
    };
    let mut ids = BTreeMap::new();
    let mut endpoints = Vec::with_capacity(items.len());
    for item in items {
        if let Some(declaration) = declaration(reading, item) {
            let id_at = part_at(item, "id");
            if let Some(first) = ids.insert(declaration.id.clone(), id_at.line) {
                let message = format!("a second declaration has the id `{}`", declaration.id);
                reading.error(id_at, message, Some(format!("the first is in line {first}")));
            }
            endpoints.push(declaration);
        }
    }
    Some(Manifest {
        format: FORMAT,
        product: product?,
        product_at: fields.get("product").map_or(root.at(), |entry| entry.key_at()),
        endpoints,
        file: document.source().file.clone(),
        source: String::new(),
    })
}

fn part_at(entry: Entry<'_>, key: &str) -> Position {
    entry.get(key).map_or(entry.at(), Entry::at)
}

fn declaration<'d>(reading: &mut Reading<'d>, entry: Entry<'d>) -> Option<Declaration> {
    let args: DeclarationArgs = reading.decode(entry)?;
    if !crate::plan::is_role(&args.id) {
        let message = "an id has letters, digits, `-` and `_`, and starts with a letter";
        reading.error(part_at(entry, "id"), message, None);
    }
    let peer = peer(reading, entry, &args);
    let transport = args.transport.unwrap_or(Transport::Tcp);
    let ports = match (transport, args.ports) {
        (Transport::Icmp, Some(_)) => {
            reading.error(part_at(entry, "ports"), "ICMP has no ports", Some("remove `ports`".to_owned()));
            None
        }
        (Transport::Icmp, None) => Some(Vec::new()),
        (_, Some(ports)) => Some(ports.0),
        (_, None) => {
            let help = "such as `ports: 443`; \"1-65535\" means any".to_owned();
            reading.error(entry.at(), "the key `ports` is missing here", Some(help));
            None
        }
    };
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
    let evidence = evidence(reading, entry, peer.as_ref()?, args.evidence);
    let mut declaration = Declaration {
        id: args.id,
        talker: args.talker,
        peer: peer?,
        ports: ports?,
        transport,
        protocol: args.protocol.map(|protocol| protocol.to_ascii_lowercase()),
        phases: args.phases,
        required: args.required.unwrap_or(false),
        evidence: evidence?,
        encryption: args.encryption,
        purpose: args.purpose,
        at: entry.at(),
        text: String::new(),
    };
    declaration.text = canonical_text(&declaration);
    Some(declaration)
}

fn peer(reading: &mut Reading<'_>, entry: Entry<'_>, args: &DeclarationArgs) -> Option<Peer> {
    match (&args.host, &args.suffix, &args.cidr) {
        (Some(host), None, None) => {
            let name = name(reading, part_at(entry, "host"), host)?;
            Some(Peer::Host(name))
        }
        (None, Some(suffix), None) => {
            let at = part_at(entry, "suffix");
            let bare = suffix.strip_prefix("*.").or_else(|| suffix.strip_prefix('.')).unwrap_or(suffix);
            let name = name(reading, at, bare)?;
            // Everybody may register a name under a public suffix: declaring one declares the world.
            if psl::suffix_str(&name).is_none_or(|public| public == name) {
                let message = format!("`{name}` is a public suffix: everything under it is anybody's");
                reading.error(at, message, Some("declare the domains under it that you own".to_owned()));
                return None;
            }
            Some(Peer::Suffix(name))
        }
        (None, None, Some(cidr)) => network(reading, part_at(entry, "cidr"), cidr).map(Peer::Cidr),
        _ => {
            let help = "such as `host: api.vendor.example`".to_owned();
            reading.error(entry.at(), "a declaration has exactly one of host, suffix and cidr", Some(help));
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
        let help = "`suffix: vendor.example` declares everything under a domain".to_owned();
        reading.error(at, "patterns with `*` aren't read here", Some(help));
        return None;
    }
    canonical_host(written).map_err(|message| reading.error(at, message, None)).ok()
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
    match (peer, written) {
        (Peer::Cidr(_), None | Some(Evidence::Ip)) => Some(Evidence::Ip),
        (Peer::Cidr(_), Some(_)) => {
            let help = "remove `evidence`, or declare the host's name".to_owned();
            reading.error(part_at(entry, "evidence"), "a network is told by its addresses only", Some(help));
            None
        }
        (_, Some(Evidence::Ip)) => {
            let help = "declare its addresses with `cidr`, or ask for dns, sni or corroborated".to_owned();
            reading.error(part_at(entry, "evidence"), "a name can't be told by an address alone", Some(help));
            None
        }
        (_, written) => Some(written.unwrap_or_default()),
    }
}

/// The declaration in one line; everything that changes what it admits is in it, and nothing else.
fn canonical_text(declaration: &Declaration) -> String {
    let mut text =
        format!("{} → {} {}", declaration.talker.word(), declaration.peer, declaration.transport.word());
    let ports: Vec<String> = declaration.ports.iter().map(PortRange::to_string).collect();
    if !ports.is_empty() {
        text.push('/');
        text.push_str(&ports.join(","));
    }
    if let Some(protocol) = &declaration.protocol {
        text.push(' ');
        text.push_str(protocol);
    }
    if declaration.encryption == Some(Encryption::Required) {
        text.push_str(", encrypted");
    }
    if !matches!((&declaration.peer, declaration.evidence), (Peer::Cidr(_), _) | (_, Evidence::Corroborated))
    {
        text.push_str(", evidence ");
        text.push_str(declaration.evidence.word());
    }
    if let Some(phases) = &declaration.phases {
        text.push_str(", in ");
        text.push_str(&phases.join(" "));
    }
    if declaration.required {
        text.push_str(", required");
    }
    text
}

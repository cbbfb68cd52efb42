//! Android's network security configuration: where an app may speak in clear text, and which certificates it pins.
//!
//! The format: Android, "Network security configuration" (developer.android.com/privacy-and-security/security-config).

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::Format;
use super::foreign::{Foreign, Lines};
use super::seed::{Domain, Key, Notes, Said, Seed, SeedEndpoint, Statement, Told, peer_of};
use crate::manifest::{Ids, Talker, Transport, canonical_host};
use crate::yaml::{Diagnostic, Position};

/// The largest file, in bytes.
const LARGEST: usize = 1 << 20;
/// The deepest nesting; domains may be nested, and seldom are.
const DEEPEST: usize = 16;
/// The most domains.
const MOST_DOMAINS: usize = 10_000;

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkSecurityConfig {
    /// Whether clear text is permitted to whatever no domain names, and where it says so.
    pub base: Option<(bool, Position)>,
    /// The domains that have a configuration of their own.
    pub domains: Vec<DomainConfig>,
    /// What is not about clear text or pins.
    pub notes: Notes,
}

/// A domain's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainConfig {
    /// Which domain.
    pub domain: Domain,
    /// Whether clear text is permitted: by itself, or by the configuration around it. `None`: as the platform has it.
    pub clear_text: Option<bool>,
    /// How many certificates are pinned.
    pub pins: usize,
    /// Until when (`yyyy-mm-dd`), where it says so.
    pub pins_expire: Option<String>,
    /// Where the file names it.
    pub at: Position,
}

/// A `domain-config` that is still open.
#[derive(Default)]
struct OpenConfig {
    clear_text: Option<bool>,
    domains: Vec<(Domain, Position)>,
    pins: usize,
    pins_expire: Option<String>,
}

/// Reads the file.
///
/// # Errors
/// It is no such XML, nested too deep or too long, with the place where that shows.
pub fn read(foreign: &Foreign) -> Result<NetworkSecurityConfig, Diagnostic> {
    if foreign.bytes.len() > LARGEST {
        return Err(Diagnostic::whole_file(
            &foreign.file,
            "the file is larger than 1 MiB, the most that is read",
        )
        .help("an app's configuration has a few KiB: is this the file that was meant?"));
    }
    let text = foreign.text()?;
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut parse = Parse {
        foreign,
        config: NetworkSecurityConfig::default(),
        open: Vec::new(),
        path: Vec::new(),
        domain: None,
        lines: foreign.lines(),
    };
    let help = "this is read as Android's network_security_config.xml";
    loop {
        let from = reader.buffer_position() as usize;
        let event = reader.read_event().map_err(|error| {
            foreign.error_at(reader.error_position() as usize, format!("this is not XML: {error}")).help(help)
        })?;
        match event {
            Event::Start(start) => parse.start(&start, from)?,
            Event::End(_) => parse.end(from)?,
            Event::Text(text) => parse.text(&text.xml10_content()),
            // An entity would be expanded by a parser that reads document types; this one reads none.
            Event::DocType(_) => {
                return Err(foreign
                    .error_at(from, "the file has a document type")
                    .help("remove the `<!DOCTYPE …>`"));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if let Some(unclosed) = parse.path.last() {
        return Err(foreign
            .error_at(foreign.bytes.len(), format!("the file ends inside <{unclosed}>"))
            .help(help));
    }
    // A nested configuration ends before the one around it; its place is after.
    parse.config.domains.sort_by_key(|one| one.at);
    Ok(parse.config)
}

struct Parse<'a> {
    foreign: &'a Foreign,
    config: NetworkSecurityConfig,
    open: Vec<OpenConfig>,
    path: Vec<String>,
    /// The domain whose text is being read: whether what is under it is meant, its text, its place.
    domain: Option<(bool, String, usize)>,
    lines: Lines<'a>,
}

impl Parse<'_> {
    fn start(&mut self, start: &BytesStart<'_>, at: usize) -> Result<(), Diagnostic> {
        let name = start.name().as_ref().to_owned();
        if self.path.is_empty() && name != "network-security-config" {
            return Err(self
                .foreign
                .error_at(at, format!("the outermost element is <{name}>, not <network-security-config>"))
                .help("name the file that the app's AndroidManifest.xml has under `networkSecurityConfig`"));
        }
        if self.path.len() >= DEEPEST {
            return Err(self
                .foreign
                .error_at(at, "elements are nested more than 16 deep")
                .help("an app's configuration has five levels"));
        }
        let debug = self.path.iter().any(|parent| parent == "debug-overrides");
        match name.as_str() {
            _ if debug => {}
            "base-config" => {
                let permitted = self.boolean(start, "cleartextTrafficPermitted", at)?;
                self.config.base = permitted.map(|permitted| (permitted, self.lines.position(at)));
            }
            "domain-config" => {
                let outer = self.open.last().and_then(|outer| outer.clear_text);
                let own = self.boolean(start, "cleartextTrafficPermitted", at)?;
                self.open.push(OpenConfig { clear_text: own.or(outer), ..OpenConfig::default() });
            }
            "domain" if !self.open.is_empty() => {
                let subdomains = self.boolean(start, "includeSubdomains", at)?.unwrap_or(false);
                self.domain = Some((subdomains, String::new(), at));
            }
            "pin-set" => {
                let expires = self.attribute(start, "expiration", at)?;
                if let Some(open) = self.open.last_mut() {
                    open.pins_expire = expires;
                }
            }
            "pin" => {
                if let Some(open) = self.open.last_mut() {
                    open.pins += 1;
                }
            }
            "certificates" => {
                let source = self.attribute(start, "src", at)?.unwrap_or_default();
                if source != "system" {
                    self.config.notes.add(&format!(
                        "certificates of `{source}` are trusted (line {})",
                        self.lines.position(at).line
                    ));
                }
            }
            "network-security-config" | "trust-anchors" | "debug-overrides" => {}
            other => self.config.notes.add(&format!("<{other}> (line {})", self.lines.position(at).line)),
        }
        self.path.push(name);
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if let Some((_, name, _)) = &mut self.domain
            && name.len() < 1024
        {
            name.push_str(text);
        }
    }

    fn end(&mut self, at: usize) -> Result<(), Diagnostic> {
        match self.path.pop().as_deref() {
            Some("domain") => {
                if let Some((subdomains, text, began)) = self.domain.take() {
                    let position = self.lines.position(began);
                    match (canonical_host(text.trim()), self.open.last_mut()) {
                        (Ok(name), Some(open)) => open.domains.push((Domain { name, subdomains }, position)),
                        (Err(what), _) => {
                            return Err(self
                                .foreign
                                .error_at(began, what)
                                .help("write one domain, such as <domain>api.vendor.example</domain>"));
                        }
                        (Ok(_), None) => {}
                    }
                }
            }
            Some("domain-config") if !self.path.iter().any(|parent| parent == "debug-overrides") => {
                if let Some(open) = self.open.pop() {
                    self.close(open, at)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, open: OpenConfig, at: usize) -> Result<(), Diagnostic> {
        if self.config.domains.len() + open.domains.len() > MOST_DOMAINS {
            return Err(self
                .foreign
                .error_at(at, "the file names more than 10,000 domains, the most that are read"));
        }
        let OpenConfig { clear_text, domains, pins, pins_expire } = open;
        self.config.domains.extend(domains.into_iter().map(|(domain, at)| DomainConfig {
            domain,
            clear_text,
            pins,
            pins_expire: pins_expire.clone(),
            at,
        }));
        Ok(())
    }

    fn attribute(&self, start: &BytesStart<'_>, name: &str, at: usize) -> Result<Option<String>, Diagnostic> {
        let wrong =
            |error: String| self.foreign.error_at(at, error).help("write attributes as name=\"value\"");
        let found = start.try_get_attribute(name).map_err(|error| wrong(error.to_string()))?;
        found
            .map(|one| {
                one.normalized_value(quick_xml::XmlVersion::Implicit1_0).map(|value| value.into_owned())
            })
            .transpose()
            .map_err(|error| wrong(error.to_string()))
    }

    fn boolean(&self, start: &BytesStart<'_>, name: &str, at: usize) -> Result<Option<bool>, Diagnostic> {
        match self.attribute(start, name, at)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(self
                .foreign
                .error_at(at, format!("{name} is `{other}`"))
                .help("write \"true\" or \"false\"")),
        }
    }
}

impl NetworkSecurityConfig {
    /// The seed: the domains that have a configuration of their own, and what is said of clear text.
    pub fn seed(&self, told: &Told) -> Seed {
        let mut ids = Ids::default();
        let mut notes = self.notes.clone();
        let mut statements = Vec::new();
        if let Some((permitted, at)) = self.base {
            statements.push(Statement::ClearText { domain: None, permitted, at });
        }
        let mut endpoints: Vec<SeedEndpoint> = Vec::new();
        for config in &self.domains {
            let domain = &config.domain;
            let clear_text = config.clear_text.or(self.base.map(|(permitted, _)| permitted));
            if let Some(permitted) = clear_text {
                statements.push(Statement::ClearText {
                    domain: Some(domain.clone()),
                    permitted,
                    at: config.at,
                });
            }
            if config.pins > 0 {
                let until =
                    config.pins_expire.as_ref().map_or(String::new(), |until| format!(" until {until}"));
                notes.add(&format!(
                    "{} certificates are pinned for {domain}{until}; a manifest doesn't speak of keys",
                    config.pins
                ));
            }
            let mut keys = Vec::new();
            let mut unsaid = vec!["purpose", "data", "recipient", "country", "phases"];
            if clear_text == Some(false) {
                keys.push(Key::sure("encryption", "required"));
            } else {
                unsaid.push("encryption");
            }
            let peer = match peer_of(&domain.name, domain.subdomains) {
                Ok(peer) => peer,
                Err(what) => {
                    notes.add(&format!("<domain> in line {}: {what}", config.at.line));
                    continue;
                }
            };
            endpoints.push(SeedEndpoint {
                id: ids.take(&domain.name),
                origin: format!("<domain> in line {}", config.at.line),
                at: Some(config.at),
                talker: Talker::App,
                talker_mark: None,
                peer,
                transport: Transport::Tcp,
                ports: vec![443.into()],
                ports_mark: Some("guessed: Android's file names no port or transport".into()),
                keys,
                unsaid,
            });
        }
        Seed {
            format: Format::NetworkSecurityConfig,
            title: String::new(),
            vendor: Said::of(told.vendor.as_deref(), None),
            model: Said::of(told.model.as_deref(), None),
            controllers: Vec::new(),
            endpoints,
            statements,
            notes,
        }
    }
}

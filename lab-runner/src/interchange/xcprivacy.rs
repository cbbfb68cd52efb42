//! Apple's PrivacyInfo.xcprivacy, as XML or binary property list: what an app or SDK tells Apple that it collects.
//!
//! The format: Apple, "Privacy manifest files" (developer.apple.com/documentation/bundleresources/privacy-manifest-files).

use std::io::Cursor;

use plist::stream::{BinaryReader, OwnedEvent, XmlReader};

use super::Format;
use super::foreign::Foreign;
use super::seed::{Notes, Said, Seed, SeedEndpoint, Statement, Told, peer_of};
use crate::manifest::{Data, Ids, Talker, Transport, canonical_host};
use crate::yaml::{Diagnostic, Position};

/// The largest file, in bytes; they have a few KiB.
const LARGEST: usize = 256 << 10;
/// The deepest nesting; the format has five levels.
const DEEPEST: usize = 8;
/// The most values, and the most bytes of their text: a binary list may name one object many times.
const MOST_VALUES: usize = 100_000;
const MOST_TEXT: usize = 4 << 20;

/// The most domains, and kinds of data: each is looked for in the file, to tell its place.
const MOST_ITEMS: usize = 500;

/// The beginning of the words for kinds of data, and for their purposes.
const KIND: &str = "NSPrivacyCollectedDataType";
const PURPOSE: &str = "NSPrivacyCollectedDataTypePurpose";

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrivacyInfo {
    /// Whether data is used to track people; `None` where it doesn't say.
    pub tracking: Option<bool>,
    /// The domains that tracking goes to.
    pub domains: Vec<(String, Position)>,
    /// What is collected.
    pub collected: Vec<Collected>,
    /// Keys that are not about traffic or data, and words that are not understood.
    pub notes: Notes,
}

/// A kind of data that is collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// Apple's word without its beginning, such as `EmailAddress`.
    pub kind: String,
    /// The same as a manifest's word.
    pub data: Option<Data>,
    /// Linked to a person.
    pub linked: Option<bool>,
    /// Used to track people.
    pub tracking: Option<bool>,
    /// Apple's words for what for, without their beginning, such as `Analytics`.
    pub purposes: Vec<String>,
    /// Where the file says so.
    pub at: Position,
}

/// Reads the file.
///
/// # Errors
/// It is no property list, too large or deep, or says something of the wrong type, with the place where that shows.
pub fn read(foreign: &Foreign) -> Result<PrivacyInfo, Diagnostic> {
    if foreign.bytes.len() > LARGEST {
        return Err(Diagnostic::whole_file(
            &foreign.file,
            "the file is larger than 256 KiB, the most that is read",
        )
        .help("PrivacyInfo.xcprivacy has a few KiB: is this the file that was meant?"));
    }
    let root = if foreign.bytes.starts_with(b"bplist") {
        tree(foreign, BinaryReader::new(Cursor::new(foreign.bytes.as_slice())))?
    } else {
        foreign.text()?;
        tree(foreign, XmlReader::new(foreign.bytes.as_slice()))?
    };
    Reader { foreign }.privacy_info(root)
}

/// A property list as far as this format goes.
#[derive(Debug)]
enum Tree {
    Dict(Vec<(String, Tree)>),
    Array(Vec<Tree>),
    Text(String),
    Bool(bool),
    Other,
}

impl Tree {
    fn word(&self) -> &'static str {
        match self {
            Tree::Dict(_) => "a dictionary",
            Tree::Array(_) => "an array",
            Tree::Text(_) => "a string",
            Tree::Bool(_) => "a boolean",
            Tree::Other => "a number, a date or data",
        }
    }
}

/// A collection that is still open.
enum Open {
    Array(Vec<Tree>),
    Dict(Vec<(String, Tree)>, Option<String>),
}

fn tree(
    foreign: &Foreign,
    events: impl Iterator<Item = Result<OwnedEvent, plist::Error>>,
) -> Result<Tree, Diagnostic> {
    let refused = |message: &str| Diagnostic::whole_file(&foreign.file, message);
    let help = "this is read as PrivacyInfo.xcprivacy, a property list as XML or binary";
    let mut open: Vec<Open> = Vec::new();
    let (mut values, mut text) = (0_usize, 0_usize);
    for event in events {
        let event = event.map_err(|error| broken(foreign, &error).help(help))?;
        values += 1;
        if let OwnedEvent::String(string) = &event {
            text += string.len();
        }
        if let OwnedEvent::Data(data) = &event {
            text += data.len();
        }
        if values > MOST_VALUES || text > MOST_TEXT {
            return Err(refused(
                "it unfolds to more than 100,000 values or 4 MiB of text, the most that is read",
            )
            .help(help));
        }
        let done = match event {
            OwnedEvent::StartArray(_) => {
                open.push(Open::Array(Vec::new()));
                None
            }
            OwnedEvent::StartDictionary(_) => {
                open.push(Open::Dict(Vec::new(), None));
                None
            }
            OwnedEvent::EndCollection => match open.pop() {
                Some(Open::Array(items)) => Some(Tree::Array(items)),
                Some(Open::Dict(entries, None)) => Some(Tree::Dict(entries)),
                Some(Open::Dict(_, Some(_))) => {
                    return Err(refused("a dictionary ends with a key that has no value").help(help));
                }
                None => return Err(refused("a collection ends that has not begun").help(help)),
            },
            OwnedEvent::String(string) => Some(Tree::Text(string.into_owned())),
            OwnedEvent::Boolean(value) => Some(Tree::Bool(value)),
            _ => Some(Tree::Other),
        };
        if open.len() > DEEPEST {
            return Err(refused("it is nested more than 8 levels deep; the format has five").help(help));
        }
        match (done, open.last_mut()) {
            (None, _) => {}
            (Some(value), Some(Open::Array(items))) => items.push(value),
            (Some(value), Some(Open::Dict(entries, key))) => match (key.take(), value) {
                (Some(key), value) => entries.push((key, value)),
                (None, Tree::Text(name)) => *key = Some(name),
                (None, other) => {
                    return Err(
                        refused(&format!("a dictionary has {} where a key belongs", other.word())).help(help)
                    );
                }
            },
            (Some(value), None) => return Ok(value),
        }
    }
    Err(refused("the property list ends in the middle").help(help))
}

/// What the reader found wrong; it tells the place in words.
fn broken(foreign: &Foreign, error: &plist::Error) -> Diagnostic {
    let words = error.to_string();
    let (what, place) = words.rsplit_once(" (offset ").unwrap_or((&words, ""));
    let message = format!("this is no property list: {what}");
    match place.trim_end_matches(')').parse() {
        Ok(offset) if !foreign.bytes.starts_with(b"bplist") => foreign.error_at(offset, message),
        Ok(offset) => Diagnostic::whole_file(&foreign.file, format!("{message}, at byte {offset}")),
        Err(_) => Diagnostic::whole_file(&foreign.file, message),
    }
}

struct Reader<'a> {
    foreign: &'a Foreign,
}

impl Reader<'_> {
    /// Where a text first stands in the file; the first line of a binary one.
    fn place(&self, text: &str) -> Position {
        self.foreign
            .find(text.as_bytes())
            .map_or(Position { line: 1, column: 1 }, |at| self.foreign.position(at))
    }

    fn wrong(&self, key: &str, expected: &str, found: &Tree) -> Diagnostic {
        let message = format!("{key} is {}, and {expected} is expected", found.word());
        let help = "Apple's documentation of privacy manifest files has the type of each key";
        match self.foreign.find(key.as_bytes()).filter(|_| !self.foreign.bytes.starts_with(b"bplist")) {
            Some(at) => self.foreign.error_at(at, message).help(help),
            None => Diagnostic::whole_file(&self.foreign.file, message).help(help),
        }
    }

    fn privacy_info(&self, root: Tree) -> Result<PrivacyInfo, Diagnostic> {
        let Tree::Dict(entries) = root else {
            return Err(self.wrong("the outermost value", "a dictionary", &root));
        };
        let mut info = PrivacyInfo::default();
        for (key, value) in entries {
            match key.as_str() {
                "NSPrivacyTracking" => info.tracking = Some(self.boolean(&key, &value)?),
                "NSPrivacyTrackingDomains" => {
                    for text in self.texts(&key, value)? {
                        let at = self.place(&text);
                        match canonical_host(&text) {
                            Ok(name) => info.domains.push((name, at)),
                            Err(what) => info.notes.add(&format!("NSPrivacyTrackingDomains: {what}")),
                        }
                    }
                }
                "NSPrivacyCollectedDataTypes" => {
                    for item in self.items(&key, value)? {
                        info.collected.extend(self.collected(item, &mut info.notes)?);
                    }
                }
                _ => info.notes.add(&format!("{key}, which is not about traffic")),
            }
        }
        if info.tracking == Some(false) && !info.domains.is_empty() {
            info.notes.add("NSPrivacyTracking is false, and there are tracking domains all the same");
        }
        Ok(info)
    }

    fn collected(&self, item: Tree, notes: &mut Notes) -> Result<Option<Collected>, Diagnostic> {
        let Tree::Dict(entries) = item else {
            return Err(self.wrong("NSPrivacyCollectedDataTypes", "an array of dictionaries", &item));
        };
        let mut one = Collected {
            kind: String::new(),
            data: None,
            linked: None,
            tracking: None,
            purposes: Vec::new(),
            at: Position { line: 1, column: 1 },
        };
        for (key, value) in entries {
            match (key.as_str(), value) {
                (KIND, Tree::Text(word)) => {
                    one.at = self.place(&word);
                    one.kind = word.strip_prefix(KIND).unwrap_or(&word).to_owned();
                    one.data = data(&one.kind);
                }
                (KIND, other) => return Err(self.wrong(&key, "a string", &other)),
                ("NSPrivacyCollectedDataTypeLinked", value) => one.linked = Some(self.boolean(&key, &value)?),
                ("NSPrivacyCollectedDataTypeTracking", value) => {
                    one.tracking = Some(self.boolean(&key, &value)?)
                }
                ("NSPrivacyCollectedDataTypePurposes", value) => {
                    let words = self.texts(&key, value)?;
                    one.purposes = words
                        .iter()
                        .map(|word| word.strip_prefix(PURPOSE).unwrap_or(word).to_owned())
                        .collect();
                }
                _ => notes.add(&format!("in NSPrivacyCollectedDataTypes, {key}")),
            }
        }
        if one.kind.is_empty() {
            notes.add("an element of NSPrivacyCollectedDataTypes without a type");
            return Ok(None);
        }
        if one.data.is_none() {
            notes.add(&format!("the kind of data {}, which is none of Apple's list", one.kind));
        }
        Ok(Some(one))
    }

    fn boolean(&self, key: &str, value: &Tree) -> Result<bool, Diagnostic> {
        match value {
            Tree::Bool(value) => Ok(*value),
            other => Err(self.wrong(key, "a boolean", other)),
        }
    }

    fn items(&self, key: &str, value: Tree) -> Result<Vec<Tree>, Diagnostic> {
        match value {
            Tree::Array(items) if items.len() <= MOST_ITEMS => Ok(items),
            Tree::Array(_) => {
                let message = format!("{key} has more than {MOST_ITEMS} elements, the most that are read");
                Err(Diagnostic::whole_file(&self.foreign.file, message)
                    .help("is this the file that was meant?"))
            }
            other => Err(self.wrong(key, "an array", &other)),
        }
    }

    fn texts(&self, key: &str, value: Tree) -> Result<Vec<String>, Diagnostic> {
        let items = self.items(key, value)?;
        items
            .into_iter()
            .map(|item| match item {
                Tree::Text(text) => Ok(text),
                other => Err(self.wrong(key, "an array of strings", &other)),
            })
            .collect()
    }
}

/// A manifest's word for Apple's: they are the same but for case and hyphens.
fn data(kind: &str) -> Option<Data> {
    let plain = kind.to_ascii_lowercase();
    Data::ALL.iter().copied().find(|data| data.word().replace('-', "") == plain)
}

impl PrivacyInfo {
    /// The seed: an endpoint for each tracking domain, and what is collected as remarks, since the file doesn't say
    /// to whom it goes.
    pub fn seed(&self, told: &Told) -> Seed {
        let mut ids = Ids::default();
        let mut notes = self.notes.clone();
        let mut endpoints = Vec::new();
        for (name, at) in &self.domains {
            let peer = match peer_of(name, false) {
                Ok(peer) => peer,
                Err(what) => {
                    notes.add(&format!("NSPrivacyTrackingDomains: {what}"));
                    continue;
                }
            };
            endpoints.push(SeedEndpoint {
                id: ids.take(name),
                origin: "NSPrivacyTrackingDomains".into(),
                at: Some(*at),
                talker: Talker::App,
                talker_mark: None,
                peer,
                transport: Transport::Tcp,
                ports: vec![443.into()],
                ports_mark: Some("guessed: Apple's file names no port or transport".into()),
                keys: Vec::new(),
                unsaid: vec![
                    "purpose (tracking: advertising or analytics)",
                    "data",
                    "recipient",
                    "country",
                    "phases",
                    "encryption",
                ],
            });
        }
        let collected = self.collected.iter().map(|one| {
            let word = one.data.map_or(one.kind.clone(), |data| data.word().to_owned());
            let mut kind = word;
            if one.linked == Some(true) {
                kind.push_str(", linked to the person");
            }
            if one.tracking == Some(true) {
                kind.push_str(", used to track");
            }
            Statement::Collects { kind, data: one.data, purposes: one.purposes.clone(), at: one.at }
        });
        let tracks =
            self.domains.iter().map(|(domain, at)| Statement::Tracks { domain: domain.clone(), at: *at });
        Seed {
            format: Format::XcPrivacy,
            title: String::new(),
            vendor: Said::of(told.vendor.as_deref(), None),
            model: Said::of(told.model.as_deref(), None),
            controllers: Vec::new(),
            endpoints,
            statements: collected.chain(tracks).collect(),
            notes,
        }
    }
}

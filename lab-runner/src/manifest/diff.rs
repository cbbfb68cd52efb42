//! What one manifest permits that another didn't, in words. It compares meaning: declarations that say the same in
//! another order, under other ids or split into several are no change.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::cover::{Way, admits_all, beyond, in_phases, in_words, on_ports, without};
use super::{Build, Declaration, Index, Manifest, OnDoubt, Peer, PortRange, Statement};
use crate::yaml::Position;

/// Something that one manifest permits and the other doesn't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file that permits it, as the manifest's loader was given it.
    pub file: String,
    /// Where in that file; `None`: nowhere in particular.
    pub at: Option<Position>,
    /// What is permitted. It may quote the file.
    pub words: String,
}

/// What lies between two manifests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// What the new one permits and the old one doesn't.
    pub more: Vec<Change>,
    /// What the old one permits and the new one doesn't.
    pub less: Vec<Change>,
}

/// Compares two manifests, the profiles that they include among their declarations.
pub fn diff(old: &Manifest, new: &Manifest) -> Difference {
    Difference { more: permitted_beside(old, new), less: permitted_beside(new, old) }
}

/// What `new` permits beside what `old` permits.
fn permitted_beside<'m>(old: &'m Manifest, new: &'m Manifest) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add =
        |at: Option<Position>, file: String, words: String| changes.push(Change { file, at, words });
    let own = || new.file.display().to_string();
    if old.product != new.product {
        let words = format!("it speaks of {} {}", new.product.vendor, new.product.model);
        add(Some(new.product_at), own(), words);
    }
    for (what, old, new) in [
        ("firmware", &old.builds.firmware, &new.builds.firmware),
        ("the app", &old.builds.app, &new.builds.app),
    ] {
        for (at, words) in more_builds(what, old, new) {
            add(at, own(), words);
        }
    }
    for words in looser(old, new) {
        add(None, own(), words);
    }
    for controller in &new.controllers {
        if let Some(old) = old.controller(&controller.id)
            && (&old.name, &old.country) != (&controller.name, &controller.country)
        {
            let country = controller.country.as_deref().unwrap_or("no country");
            let words = format!("recipient {} is {} ({country})", controller.id, controller.name);
            add(Some(controller.at), own(), words);
        }
    }
    let mut compared = Compared::new(old);
    for declaration in new.declarations() {
        let words = compared.permitted_by(declaration);
        if !words.is_empty() {
            let file = new.profile_of(declaration).map_or(&new.file, |profile| &profile.file);
            let words = format!("{}: {}", declaration.id, words.join("; "));
            add(Some(declaration.at), file.display().to_string(), words);
        }
    }
    changes
}

/// The most pairs of declarations that are compared beside those of one id. A manifest of thousands that all cover one
/// another is no vendor's; what is left of it is told as new.
const MOST_PAIRS: usize = 2_000_000;

/// The declarations that others are compared with.
struct Compared<'m> {
    index: Index<'m>,
    by_id: BTreeMap<&'m str, &'m Declaration>,
    /// Whom a peer is covered by: many declarations may share one.
    covering: HashMap<&'m Peer, Vec<&'m Declaration>>,
    pairs: usize,
}

impl<'m> Compared<'m> {
    fn new(manifest: &'m Manifest) -> Self {
        let by_id =
            manifest.declarations().map(|declaration| (declaration.id.as_str(), declaration)).collect();
        Compared { index: Index::of(manifest), by_id, covering: HashMap::new(), pairs: 0 }
    }

    fn covering(&mut self, peer: &'m Peer) -> &[&'m Declaration] {
        if self.pairs > MOST_PAIRS {
            return &[];
        }
        let index = &self.index;
        let covering = self.covering.entry(peer).or_insert_with(|| index.covering_peer(peer));
        self.pairs += covering.len();
        covering
    }

    /// What a declaration permits and none of these does, in words; nothing where these permit it all.
    fn permitted_by(&mut self, new: &'m Declaration) -> Vec<String> {
        let same = self.by_id.get(new.id.as_str()).copied();
        if let Some(old) = same.filter(|old| admits_all(old, new)) {
            return said_beside(old, new);
        }
        let covering = self.covering(&new.peer);
        if let Some(old) = covering.iter().find(|old| admits_all(old, new)) {
            return said_beside(old, new);
        }
        let mut words = match uncovered(new, covering) {
            Some(left) if left.is_empty() => {
                // What it is a change of: one that differs least, else the declaration of the same name.
                let about_the_same = covering
                    .iter()
                    .filter(|old| !beyond(old, new).any(|way| way <= Way::Peer))
                    .min_by_key(|old| beyond(old, new).count());
                match about_the_same.copied().or(same) {
                    Some(old) => in_words(old, new),
                    None => vec!["nothing like it was there".to_owned()],
                }
            }
            Some(left) => left,
            None => Vec::new(),
        };
        if !words.is_empty() {
            words = vec![format!("{} ({})", new.text, words.join("; "))];
        }
        words.extend(same.into_iter().flat_map(|old| said_beside(old, new)));
        words
    }
}

/// What of a declaration's phases and ports no other admits, where several together may: `None` where all is admitted,
/// an empty list where none admits any of it under the same conditions.
fn uncovered(new: &Declaration, covering: &[&Declaration]) -> Option<Vec<String>> {
    let partly = |old: &&&Declaration| beyond(old, new).all(|way| matches!(way, Way::Ports | Way::Phases));
    let meets = |old: &&&Declaration| new.ports.is_empty() || without(&new.ports, &old.ports) != new.ports;
    let partly: Vec<&Declaration> = covering.iter().filter(partly).filter(meets).copied().collect();
    if partly.is_empty() {
        return Some(Vec::new());
    }
    // The ports that are left, and the phases in which they are. ICMP has none: there only phases are left.
    let mut left: BTreeMap<Vec<PortRange>, Option<Vec<String>>> = BTreeMap::new();
    let mut in_one = |phase: Option<&String>| {
        let mut of_phase = partly.iter().filter(|old| in_phase(old, phase)).peekable();
        let none = of_phase.peek().is_none();
        let ports = of_phase.fold(new.ports.clone(), |left, old| without(&left, &old.ports));
        if none || !ports.is_empty() {
            let phases = left.entry(ports).or_default();
            if let Some(phase) = phase {
                phases.get_or_insert_default().push(phase.clone());
            }
        }
    };
    match &new.phases {
        Some(phases) => phases.iter().for_each(|phase| in_one(Some(phase))),
        None => in_one(None),
    }
    if left.is_empty() {
        return None;
    }
    let words = |(ports, phases): (Vec<PortRange>, Option<Vec<String>>)| match phases {
        // In all of its phases: only the ports are new.
        phases if phases == new.phases && ports != new.ports => on_ports(&ports),
        phases if ports == new.ports => in_phases(phases.as_deref()),
        phases => format!("{} {}", on_ports(&ports), in_phases(phases.as_deref())),
    };
    Some(left.into_iter().map(words).collect())
}

/// Whether a declaration admits a phase; `None` is every phase.
fn in_phase(declaration: &Declaration, phase: Option<&String>) -> bool {
    match (&declaration.phases, phase) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(phases), Some(phase)) => phases.contains(phase),
    }
}

/// What a declaration says beside what it admits, and another didn't: that it is optional, for what, of which data, to
/// whom.
fn said_beside(old: &Declaration, new: &Declaration) -> Vec<String> {
    let mut words = Vec::new();
    if old.required && !new.required {
        words.push("it need not show up any more".to_owned());
    }
    if old.purpose != new.purpose {
        let word =
            |purpose: Option<super::Purpose>| purpose.map_or("no stated purpose", super::Purpose::word);
        words.push(format!("for {}, and not {}", word(new.purpose), word(old.purpose)));
    }
    let (was, is): (&Statement, &Statement) = (&old.statement, &new.statement);
    match (&was.data, &is.data) {
        (Some(was), Some(is)) => {
            let more: Vec<&str> =
                is.iter().filter(|data| !was.contains(data)).map(|data| data.word()).collect();
            if !more.is_empty() {
                words.push(format!("with {}", more.join(", ")));
            }
        }
        (Some(_), None) => words.push("with data that it doesn't name".to_owned()),
        (None, _) => {}
    }
    let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "nobody named".to_owned());
    if was.recipient != is.recipient {
        words.push(format!("to {}, and not {}", said(&is.recipient), said(&was.recipient)));
    }
    if was.country != is.country {
        let place = |text: &Option<String>| text.clone().unwrap_or_else(|| "no named country".to_owned());
        words.push(format!("in {}, and not {}", place(&is.country), place(&was.country)));
    }
    words
}

fn more_builds(what: &str, old: &[Build], new: &[Build]) -> Vec<(Option<Position>, String)> {
    let key = |build: &Build| (build.version.clone(), build.sha256.clone());
    if old.is_empty() {
        return Vec::new();
    }
    if new.is_empty() {
        return vec![(None, format!("it applies to any build of {what}"))];
    }
    let known: BTreeSet<_> = old.iter().map(key).collect();
    let covers =
        |build: &Build| known.contains(&key(build)) || old.iter().any(|old| family_covers(old, build));
    let more = new.iter().filter(|build| !covers(build));
    let words = |build: &Build| {
        let version = build.version.as_ref().map(|version| format!(" {version}"));
        let hash = build.sha256.as_ref().map(|hash| format!(" with SHA-256 {hash}"));
        format!("it applies to {what}{}{}", version.unwrap_or_default(), hash.unwrap_or_default())
    };
    more.map(|build| (Some(build.at), words(build))).collect()
}

/// Whether a build, or a family of them, has every build of another.
fn family_covers(old: &Build, new: &Build) -> bool {
    let version = match (&old.version, &new.version) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(old), Some(new)) => {
            old == new || old.strip_suffix('*').is_some_and(|start| new.starts_with(start))
        }
    };
    version && (old.sha256.is_none() || old.sha256 == new.sha256)
}

fn looser(old: &Manifest, new: &Manifest) -> Vec<String> {
    let (was, is) = (old.policy, new.policy);
    let parts = [
        ("unresolved", was.unresolved, is.unresolved),
        ("ambiguous", was.ambiguous, is.ambiguous),
        ("hidden-dns", was.hidden_dns, is.hidden_dns),
        ("loss", was.loss, is.loss),
    ];
    let loosened = parts.into_iter().filter(|(_, was, is)| *was == OnDoubt::Fail && is < was);
    loosened.map(|(key, _, is)| format!("policy: {key} leads to {}, and not fail", is.word())).collect()
}

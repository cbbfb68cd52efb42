//! What one manifest permits that another didn't, in words. It compares meaning: declarations that say the same in
//! another order, under other ids or split into several are no change.

use std::collections::{BTreeMap, BTreeSet};

use super::cover::{Beyond, beyond, without};
use super::{Build, Declaration, Index, Manifest, OnDoubt, PortRange, Statement};
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
fn permitted_beside(old: &Manifest, new: &Manifest) -> Vec<Change> {
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
    let compared = Compared::new(old);
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

/// The declarations that others are compared with.
struct Compared<'m> {
    index: Index<'m>,
    by_id: BTreeMap<&'m str, &'m Declaration>,
}

impl<'m> Compared<'m> {
    fn new(manifest: &'m Manifest) -> Self {
        let by_id =
            manifest.declarations().map(|declaration| (declaration.id.as_str(), declaration)).collect();
        Compared { index: Index::of(manifest), by_id }
    }

    /// What a declaration permits and none of these does, in words; nothing where these permit it all.
    fn permitted_by(&self, new: &Declaration) -> Vec<String> {
        let covering: Vec<(&Declaration, Vec<Beyond>)> = self
            .index
            .covering_peer(&new.peer)
            .into_iter()
            .filter_map(|place| self.index.get(place))
            .map(|old| (old, beyond(old, new)))
            .collect();
        let mut words = Vec::new();
        if let Some(left) = uncovered(new, &covering) {
            // What it is a change of: the declaration of the same name, else one that differs least.
            let same = self.by_id.get(new.id.as_str()).map(|old| (*old, beyond(old, new)));
            let nearest = covering.iter().min_by_key(|(_, ways)| ways.len()).cloned();
            let about_the_same = |(_, ways): &(&Declaration, Vec<Beyond>)| {
                !ways.iter().any(|way| matches!(way, Beyond::Other(_)))
            };
            let near = nearest.filter(about_the_same).or(same);
            match near {
                _ if !left.is_empty() => words.extend(left.iter().map(Beyond::words)),
                Some((_, ways)) => words.extend(ways.iter().map(Beyond::words)),
                None => words.push("nothing like it was there".to_owned()),
            }
            words = vec![format!("{} ({})", new.text, words.join("; "))];
        }
        let said = self
            .by_id
            .get(new.id.as_str())
            .copied()
            .or_else(|| covering.iter().find(|(_, ways)| ways.is_empty()).map(|(old, _)| *old));
        if let Some(old) = said {
            words.extend(said_beside(old, new));
        }
        words
    }
}

/// What of a declaration's phases and ports no other admits, where one or several together may: `None` where all is
/// admitted, an empty list where none admits it under the same conditions.
fn uncovered(new: &Declaration, covering: &[(&Declaration, Vec<Beyond>)]) -> Option<Vec<Beyond>> {
    let partly = |ways: &[Beyond]| ways.iter().all(|way| matches!(way, Beyond::Ports(_) | Beyond::Phases(_)));
    let partly: Vec<&Declaration> =
        covering.iter().filter(|(_, ways)| partly(ways)).map(|(old, _)| *old).collect();
    if partly.is_empty() {
        return Some(Vec::new());
    }
    if new.ports.is_empty() {
        // ICMP: only the phases can differ.
        let phases = new.phases.as_ref();
        let admits = |phase: Option<&String>| partly.iter().any(|old| in_phase(old, phase));
        let left: Vec<String> =
            phases.into_iter().flatten().filter(|phase| !admits(Some(phase))).cloned().collect();
        return match phases {
            Some(_) if left.is_empty() => None,
            Some(_) => Some(vec![Beyond::Phases(Some(left))]),
            None if admits(None) => None,
            None => Some(vec![Beyond::Phases(None)]),
        };
    }
    // The ports that are left, and the phases in which they are.
    let mut left: BTreeMap<Vec<PortRange>, Option<Vec<String>>> = BTreeMap::new();
    let mut in_one = |phase: Option<&String>| {
        let of_phase = partly.iter().filter(|old| in_phase(old, phase));
        let ports = of_phase.fold(new.ports.clone(), |left, old| without(&left, &old.ports));
        if !ports.is_empty() {
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
        phases if phases == new.phases => Beyond::Ports(ports),
        phases if ports == new.ports => Beyond::Phases(phases),
        phases => {
            let ports = Beyond::Ports(ports).words();
            Beyond::Condition(format!("{ports} {}", Beyond::Phases(phases).words()))
        }
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

/// What a declaration says to people that another didn't: for what, of which data, to whom.
fn said_beside(old: &Declaration, new: &Declaration) -> Vec<String> {
    let mut words = Vec::new();
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

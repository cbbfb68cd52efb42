//! Names to patterns, as far as repeats support it: what was the same in every run stays as it is, and only a label that
//! varied from run to run becomes `*`.
//!
//! It knows names and the runs that they were seen in, and nothing of flows. A public suffix, under which anybody may
//! register, is never generalised.

use std::collections::{BTreeMap, BTreeSet};

use crate::manifest::registered_domain;

/// Whom a proposal is to admit, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NamePattern {
    /// This very host.
    Host(String),
    /// `*` stands for one label.
    Glob(String),
    /// This domain and everything under it.
    Suffix(String),
}

/// A pattern, and the names that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Generalised {
    /// The pattern.
    pub(super) pattern: NamePattern,
    /// The names that were seen, sorted.
    pub(super) names: Vec<String>,
}

/// Names, each with the runs that it was seen in.
pub(super) type Names = BTreeMap<String, BTreeSet<usize>>;

/// Siblings that look like an enumeration (`lb01`, `lb02`) show it with two that varied.
const ENUMERATED_SIBLINGS: usize = 2;
/// Siblings of which nothing but their number says that they are of a kind: with fewer they may well be services apart.
const PLAIN_SIBLINGS: usize = 4;

/// Finds patterns for names that are used alike (same talker, transport, port and protocol).
///
/// `churns` says of which names the repeats show by other means that they stand for others, so that one name of an
/// enumeration is enough.
pub(super) fn generalise(names: &Names, runs: usize, churns: impl Fn(&str) -> bool) -> Vec<Generalised> {
    let mut by_domain: BTreeMap<String, Names> = BTreeMap::new();
    for (name, seen) in names {
        let domain = registered_domain(name).to_owned();
        by_domain.entry(domain).or_default().insert(name.clone(), seen.clone());
    }
    let mut all = Vec::new();
    for (domain, names) in by_domain {
        all.extend(within(&domain, names, runs, &churns));
    }
    all
}

fn within(domain: &str, mut names: Names, runs: usize, churns: &dyn Fn(&str) -> bool) -> Vec<Generalised> {
    let mut found = Vec::new();
    // Alike but for their enumerating parts; then alike but for one whole label.
    for (shape, least) in [
        (enumeration as fn(&[&str], usize) -> Vec<String>, ENUMERATED_SIBLINGS),
        (siblings as fn(&[&str], usize) -> Vec<String>, PLAIN_SIBLINGS),
    ] {
        for family in families(domain, &names, shape) {
            if !varies(&names, &family, runs, least) {
                continue;
            }
            if let Some(pattern) = glob(&family) {
                found.push(take(&mut names, &family, NamePattern::Glob(pattern)));
            }
        }
    }
    let stands_for_others = |name: &&String| churns(name) && is_enumerated(name, domain);
    for name in names.keys().filter(stands_for_others).cloned().collect::<Vec<_>>() {
        if let Some((_, parent)) = name.split_once('.') {
            let pattern = NamePattern::Glob(format!("*.{parent}"));
            found.push(take(&mut names, &[name], pattern));
        }
    }
    let rest: Vec<String> = names.keys().cloned().collect();
    if varies(&names, &rest, runs, PLAIN_SIBLINGS)
        && rest.iter().any(|name| name.split('.').count() != rest[0].split('.').count())
    {
        let suffix = common_suffix(&rest, domain);
        found.push(take(&mut names, &rest, NamePattern::Suffix(suffix)));
    }
    for name in names.keys().cloned().collect::<Vec<_>>() {
        let family = [name.clone()];
        found.push(take(&mut names, &family, NamePattern::Host(name)));
    }
    merge(found)
}

/// The same pattern found twice is one.
fn merge(found: Vec<Generalised>) -> Vec<Generalised> {
    let mut merged: BTreeMap<NamePattern, Generalised> = BTreeMap::new();
    for one in found {
        match merged.get_mut(&one.pattern) {
            Some(known) => {
                known.names.extend(one.names);
                known.names.sort();
            }
            None => {
                merged.insert(one.pattern.clone(), one);
            }
        }
    }
    merged.into_values().collect()
}

fn take(names: &mut Names, family: &[String], pattern: NamePattern) -> Generalised {
    for name in family {
        names.remove(name);
    }
    Generalised { pattern, names: family.to_vec() }
}

/// Names of one shape, the largest families first.
fn families(domain: &str, names: &Names, shape: fn(&[&str], usize) -> Vec<String>) -> Vec<Vec<String>> {
    let own = domain.split('.').count();
    let mut families: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in names.keys() {
        let labels: Vec<&str> = name.split('.').collect();
        for shape in shape(&labels, labels.len().saturating_sub(own)) {
            families.entry(shape).or_default().push(name.clone());
        }
    }
    let mut families: Vec<Vec<String>> = families.into_values().collect();
    families.sort_by_key(|family| std::cmp::Reverse(family.len()));
    families
}

/// Whether the repeats show that these stand for each other: enough of them that some run did without, over at least two
/// runs. What every run shows is a service of its own.
fn varies(names: &Names, family: &[String], runs: usize, least: usize) -> bool {
    // A family may have lost members to a larger one.
    let seen: Vec<&BTreeSet<usize>> = family.iter().filter_map(|name| names.get(name)).collect();
    let changing = seen.iter().filter(|seen| seen.len() < runs).count();
    let together: BTreeSet<usize> = seen.iter().copied().flatten().copied().collect();
    seen.len() == family.len() && changing >= least && together.len() >= 2
}

/// The one shape of a name whose enumerating parts are cut out of the labels under the domain.
fn enumeration(labels: &[&str], free: usize) -> Vec<String> {
    let shape = labels
        .iter()
        .enumerate()
        .map(|(at, label)| if at < free { skeleton(label) } else { (*label).to_owned() });
    if free == 0 { Vec::new() } else { vec![shape.collect::<Vec<_>>().join(".")] }
}

/// The shapes of a name with any one label under the domain left out.
fn siblings(labels: &[&str], free: usize) -> Vec<String> {
    let without = |hole: usize| {
        let shape = labels.iter().enumerate().map(|(at, label)| if at == hole { "*" } else { label });
        shape.collect::<Vec<_>>().join(".")
    };
    (0..free).map(without).collect()
}

/// What of a label is no count: digits, single letters between other signs, and labels that look random are left out.
fn skeleton(label: &str) -> String {
    let digits = label.bytes().filter(u8::is_ascii_digit).count();
    let letters = label.bytes().filter(u8::is_ascii_alphabetic).count();
    const RANDOM_LENGTH: usize = 10;
    if digits >= 2 && letters >= 2 && label.len() >= RANDOM_LENGTH && !label.contains('-') {
        return "?".to_owned();
    }
    let bytes = label.as_bytes();
    let is_letter = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphabetic);
    let mut skeleton = String::with_capacity(label.len());
    for (at, byte) in bytes.iter().enumerate() {
        let alone = byte.is_ascii_alphabetic() && !is_letter(at.checked_sub(1)) && !is_letter(Some(at + 1));
        let shape = if byte.is_ascii_digit() {
            '#'
        } else if alone {
            '@'
        } else {
            char::from(*byte)
        };
        if !(shape == '#' && skeleton.ends_with('#')) {
            skeleton.push(shape);
        }
    }
    skeleton
}

/// Whether the first label counts something.
fn is_enumerated(name: &str, domain: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default();
    name != domain && skeleton(first).contains(['#', '@', '?'])
}

/// The labels of a family, with `*` wherever they differ.
fn glob(family: &[String]) -> Option<String> {
    let (first, rest) = family.split_first()?;
    let mut labels: Vec<&str> = first.split('.').collect();
    for other in rest {
        let others: Vec<&str> = other.split('.').collect();
        if others.len() != labels.len() {
            return None;
        }
        for (label, other) in labels.iter_mut().zip(others) {
            if *label != other {
                *label = "*";
            }
        }
    }
    labels.contains(&"*").then(|| labels.join("."))
}

/// The longest domain that all of these are in; never above `domain`.
fn common_suffix(names: &[String], domain: &str) -> String {
    let mut common: Vec<&str> = names.first().map(|name| name.rsplit('.').collect()).unwrap_or_default();
    for name in names {
        let same = common.iter().zip(name.rsplit('.')).take_while(|(a, b)| **a == *b).count();
        common.truncate(same);
    }
    common.reverse();
    let common = common.join(".");
    if common.len() < domain.len() { domain.to_owned() } else { common }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[(&str, &[usize])]) -> Names {
        all.iter().map(|(name, runs)| ((*name).to_owned(), runs.iter().copied().collect())).collect()
    }

    fn patterns(all: &[(&str, &[usize])], runs: usize) -> Vec<NamePattern> {
        generalise(&names(all), runs, |_| false).into_iter().map(|one| one.pattern).collect()
    }

    #[test]
    fn numbers_that_vary_from_run_to_run_become_a_label() {
        let seen: [(&str, &[usize]); 2] =
            [("lb01.eu.vendor.example", &[0, 2]), ("lb02.eu.vendor.example", &[1])];
        assert_eq!(patterns(&seen, 3), [NamePattern::Glob("*.eu.vendor.example".into())]);
    }

    #[test]
    fn what_every_run_shows_stays_as_it_is() {
        let seen: [(&str, &[usize]); 2] =
            [("api1.vendor.example", &[0, 1]), ("api2.vendor.example", &[0, 1])];
        let exact = ["api1.vendor.example", "api2.vendor.example"].map(|name| NamePattern::Host(name.into()));
        assert_eq!(patterns(&seen, 2), exact);
    }

    #[test]
    fn services_that_only_some_runs_use_are_not_taken_for_one() {
        let seen: [(&str, &[usize]); 3] =
            [("api.vendor.example", &[0, 1, 2]), ("fw.vendor.example", &[1]), ("log.vendor.example", &[2])];
        assert_eq!(patterns(&seen, 3).len(), 3);
    }

    #[test]
    fn one_run_supports_no_pattern() {
        let seen: [(&str, &[usize]); 3] =
            [("lb1.vendor.example", &[0]), ("lb2.vendor.example", &[0]), ("lb3.vendor.example", &[0])];
        assert_eq!(patterns(&seen, 1).len(), 3);
    }

    #[test]
    fn nothing_is_generalised_above_what_one_owner_registers() {
        let seen: [(&str, &[usize]); 4] =
            [("a1.example", &[0]), ("a2.example", &[1]), ("a3.example", &[2]), ("a4.example", &[3])];
        assert!(patterns(&seen, 4).iter().all(|pattern| matches!(pattern, NamePattern::Host(_))));
        let seen: [(&str, &[usize]); 2] = [("d1.cloudfront.net", &[0]), ("d2.cloudfront.net", &[1])];
        assert_eq!(patterns(&seen, 2).len(), 2);
    }

    #[test]
    fn names_of_many_depths_become_their_domain() {
        let seen: [(&str, &[usize]); 5] = [
            ("blue.vendor.example", &[0]),
            ("red.eu.vendor.example", &[1]),
            ("green.eu.vendor.example", &[2]),
            ("white.us.vendor.example", &[3]),
            ("black.ap.b.vendor.example", &[4]),
        ];
        assert_eq!(patterns(&seen, 5), [NamePattern::Suffix("vendor.example".into())]);
    }
}

//! Ids for declarations that are yet to be written, whatever they are made from.

use std::collections::{BTreeMap, BTreeSet};

/// Ids for a manifest, made of other names; each is given once.
#[derive(Debug, Default)]
pub struct Ids {
    given: BTreeSet<String>,
    /// The number that a name gets next.
    next: BTreeMap<String, usize>,
}

impl Ids {
    /// The longest id that a manifest takes, in characters.
    const LONGEST: usize = 64;
    /// The longest beginning of one that a number follows.
    const LONGEST_STEM: usize = 56;

    /// An id that is like the name and new: letters, digits, `-` and `_`, a letter first.
    pub fn take(&mut self, name: &str) -> String {
        let fit = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
        let prefix = if name.starts_with(|c: char| c.is_ascii_alphabetic()) { "" } else { "e-" };
        let id: String = prefix.chars().chain(name.chars().map(fit)).take(Self::LONGEST).collect();
        if self.given.insert(id.clone()) {
            return id;
        }
        let stem: String = id.chars().take(Self::LONGEST_STEM).collect();
        let number = self.next.entry(stem.clone()).or_insert(1);
        loop {
            *number += 1;
            let id = format!("{stem}-{number}");
            if self.given.insert(id.clone()) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_made_fit_for_a_manifest_and_never_twice_the_same() {
        let mut ids = Ids::default();
        assert_eq!(ids.take("cl0"), "cl0");
        assert_eq!(ids.take("cl0"), "cl0-2");
        assert_eq!(ids.take("0.\u{1b}[2J"), "e-0---2J");
        let long = "x".repeat(100_000);
        assert_ne!(ids.take(&long), ids.take(&long));
        assert!(ids.take(&long).len() <= 64);
    }
}

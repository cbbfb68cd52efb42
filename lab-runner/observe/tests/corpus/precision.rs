//! Names that we report where the reference has another one or none: every kind of it is known, with its reason.

use std::collections::BTreeMap;

use lab_observe::NameKind;

use crate::observed::Observed;
use crate::reference::{self, agrees};

/// What the reference has of a flow on which we report a name that it hasn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Theirs {
    /// No name at all.
    None,
    /// A name that we report as well, and ours is one more.
    Among,
    /// A name that we don't have.
    Other,
}

#[test]
fn names_that_the_reference_has_not_are_of_known_kinds() {
    let Some(folder) = reference::folder() else { return };
    let observed = Observed::new(&folder);
    let mut kinds: BTreeMap<(NameKind, String, Theirs), Vec<String>> = BTreeMap::new();
    for row in reference::rows(&folder) {
        let flows = observed.flows(&row);
        let is_theirs =
            |name: &&lab_observe::Name| row.host.as_deref().is_some_and(|host| agrees(name, host));
        let theirs = match &row.host {
            None => Theirs::None,
            Some(_) if flows.iter().flat_map(|flow| &flow.names).any(|name| is_theirs(&name)) => {
                Theirs::Among
            }
            Some(_) => Theirs::Other,
        };
        let ours = flows.iter().flat_map(|flow| &flow.names);
        for name in
            ours.filter(|name| !is_theirs(name) && !matches!(name.kind, NameKind::Dns | NameKind::CertSan))
        {
            let place = format!("{} {:?} {:?} ours {}", row.pcap, row.key.1, row.host, name.name);
            kinds.entry((name.kind, row.carrier.clone(), theirs)).or_default().push(place);
        }
    }
    for (kind, places) in &kinds {
        println!("{kind:?}: {}", places.len());
        for place in places.iter().take(4) {
            println!("    {place}");
        }
    }
}

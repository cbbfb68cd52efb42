//! Hostile manifests end in bounded time, and patterns mean what they say whatever they are.

use std::time::{Duration, Instant};

use lab_runner::manifest::{Date, Glob, Index, Peer, Surroundings, diff, lint};

use super::{WHOLE, manifest, read};

#[test]
fn a_hostile_manifest_is_read_linted_and_compared_in_bounded_time() {
    let labels = |number: usize| -> String {
        (0..13).map(|bit| if number >> bit & 1 == 0 { "a." } else { "**.a." }).collect()
    };
    let declaration = |peer: String, number: usize| {
        let said = "purpose: account, recipient: n, justification: x";
        format!("  - {{id: d{number}, talker: app, {peer}, ports: {}, {said}}}\n", number % 60_000 + 1)
    };
    let head =
        "format: 1\nproduct: {vendor: Nucleus, model: U8}\ncontrollers: [{id: n, name: N}]\nendpoints:\n";
    let of = |peer: &dyn Fn(usize) -> String, count: usize| -> String {
        head.to_owned() + &(0..count).map(|number| declaration(peer(number), number)).collect::<String>()
    };
    let kinds: [(&str, &dyn Fn(usize) -> String); 4] = [
        ("backtracking patterns", &|number| format!("glob: \"**.{}u8.example\"", labels(number))),
        ("the same host on other ports", &|_| "host: api.u8.example".to_owned()),
        ("nested domains", &|number| format!("suffix: {}u8.example", "a.".repeat(number % 100))),
        ("nested networks", &|number| format!("cidr: 2001:db8::/{}", number % 97 + 32)),
    ];
    // A debug build on a busy machine is many times slower; what would not end is caught all the same.
    let (count, limit) = if cfg!(debug_assertions) { (2_000, 60) } else { (10_000, 4) };
    let limit = Duration::from_secs(limit);
    for (name, peer) in kinds {
        let begun = Instant::now();
        let manifest = manifest(&of(peer, count));
        let read = begun.elapsed();
        let index = Index::of(&manifest);
        let address = "2001:db8::1".parse().unwrap();
        let around = Surroundings::default();
        let name_at_most = format!("{}u8.example", "a.".repeat(110));
        let found = index.covering([name_at_most.as_str()], Some(address), &around).len();
        let found_at = begun.elapsed();
        let remarks = lint(&manifest, Date::parse("2026-11-22").unwrap()).len();
        let linted = begun.elapsed();
        let difference = diff(&manifest, &manifest);
        println!(
            "{name}: read {read:?}, found {found} by {found_at:?}, {remarks} remarks by {linted:?}, compared by {:?}",
            begun.elapsed()
        );
        assert!(difference.more.is_empty());
        assert!(begun.elapsed() < limit, "{name}: {:?}", begun.elapsed());
    }
    // A million rules are more than a file may have: refused before anything is made of them.
    let begun = Instant::now();
    let million =
        head.to_owned() + &"  - {id: a, talker: app, host: a.example, ports: 1}\n".repeat(1_000_000);
    let refused = read(&million).unwrap_err().to_string();
    assert!(refused.contains("larger than 4 MiB"), "{refused}");
    let short = head.to_owned() + &"  - {}\n".repeat(500_000);
    assert!(read(&short).is_err());
    assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
}

/// Whether a pattern stands for a name, asked in the plainest way.
fn stands_for(pattern: &[&str], name: &[&str]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), Some((_, left))) => stands_for(rest, left) || stands_for(pattern, left),
        (Some((label, rest)), Some((first, left))) => {
            (*label == "*" || label == first) && stands_for(rest, left)
        }
        _ => false,
    }
}

fn peer(labels: &[&str], suffix: bool) -> Peer {
    let name = labels.iter().copied().chain(["u8", "example"]).collect::<Vec<_>>().join(".");
    match Glob::parse(&name) {
        Ok(glob) => Peer::Glob(glob),
        Err(_) if suffix => Peer::Suffix(name),
        Err(_) => Peer::Host(name),
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_pattern_covers_what_it_stands_for_and_whoever_covers_it_covers_that(
        one in proptest::collection::vec(proptest::sample::select(vec!["a", "b", "*", "**"]), 1..5),
        other in proptest::collection::vec(proptest::sample::select(vec!["a", "b", "*", "**"]), 0..5),
        name in proptest::collection::vec(proptest::sample::select(vec!["a", "b"]), 0..7),
        suffixes in proptest::prelude::any::<(bool, bool)>(),
    ) {
        let text = name.iter().copied().chain(["u8", "example"]).collect::<Vec<_>>().join(".");
        let (first, second) = (peer(&one, suffixes.0), peer(&other, suffixes.1));
        if let Peer::Glob(glob) = &first {
            assert_eq!(glob.matches(&text), stands_for(&one, &name), "{glob} {text}");
            assert_eq!(&Glob::parse(&glob.to_string()).unwrap(), glob);
        }
        if first.covers_peer(&second) && second.covers_name(&text) {
            assert!(first.covers_name(&text), "{first} covers {second}, and not {text}");
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_damage_to_a_manifest_makes_anything_panic(
        damage in proptest::collection::vec((0usize..2_000, "[ \\PC\n\t:{}\\[\\]*0-9-]{0,4}", 0usize..6), 1..4)
    ) {
        let whole = manifest(WHOLE);
        let mut text: Vec<char> = WHOLE.chars().collect();
        for (at, put, cut) in &damage {
            let at = at % text.len();
            let end = (at + cut).min(text.len());
            text.splice(at..end, put.chars());
        }
        match read(&text.into_iter().collect::<String>()) {
            Ok(damaged) => {
                let _ = (lint(&damaged, Date::parse("2026-11-22").unwrap()), diff(&whole, &damaged));
                assert!(damaged.endpoints.iter().all(|declaration| !declaration.text.is_empty()));
            }
            Err(problems) => assert!(problems.to_string().contains("m.yaml")),
        }
    }
}

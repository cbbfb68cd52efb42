//! What a privacy manifest can say, what it may not, and what is said about it.

#![allow(clippy::unwrap_used)] // a test: what can't be prepared ends it

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use lab_runner::cli::schema::{self, SchemaOf};
use lab_runner::manifest::{
    Applies, Data, Date, Evidence, Glob, Index, Manifest, OnDoubt, OpenedBy, Peer, Span, Surroundings,
    Talker, TlsVersion, applies, diff, lint,
};
use lab_runner::yaml::{Diagnostic, Document, Problems, Source};

/// Everything that a manifest can say.
const WHOLE: &str = r#"format: 1
product: {vendor: Nucleus, model: U8, domains: [Nucleus-U8.example]}
builds:
  firmware:
    - {version: 1.4.*, sha256: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}
  app: [{version: 2.0.1}]
controllers:
  - {id: nucleus, name: Nucleus Ltd, country: cn, contact: privacy@nucleus-u8.example}
  - {id: maps, name: Maps GmbH, domains: [maps.example.net]}
policy: {unknown: fail, unresolved: fail, ambiguous: inconclusive, hidden-dns: fail}
endpoints:
  - id: api
    talker: app
    sdk: nucleus-sync
    host: API.nucleus-u8.example.
    ports: [443, "8000-8010"]
    protocol: tls
    tls: 1.3
    ech: forbidden
    sni: required
    phases: [pairing, idle]
    budget: {run: {bytes: 64 KiB, connections: 3}, day: {bytes: 1 MB}}
    trigger: the watch was paired
    period: 24h
    purpose: account
    data: [user-id, email-address, user-id]
    recipient: nucleus
    country: CN
    necessity: {required-for: signing in}
    justification: the account lives there
    review-by: 2027-01-31
    reference: https://nucleus-u8.example/privacy#account
  - {id: tiles, talker: app, glob: "*.tiles.**.maps.example.net", ports: 443, evidence: cert, purpose: content,
     recipient: maps, data: [], necessity: optional}
  - {id: cast, talker: watch, class: lan, transport: tcp, ports: 8009, opened-by: peer, purpose: core-function}
  - {id: clock, talker: watch, class: ntp-pool, transport: udp, ports: 123, protocol: ntp, purpose: time-sync}
"#;

const PROFILE: &str = "format: 1
ambient: {id: phone, version: \"2026-11\", description: a phone on a desk for a day}
endpoints:
  - {id: check, host: connectivitycheck.phone.example, ports: [80, 443], purpose: connectivity-check}
  - {id: mdns, talker: os, class: multicast, transport: udp, ports: 5353}
";

fn read(text: &str) -> Result<Manifest, Problems> {
    let source = Source::from_bytes(Path::new("m.yaml"), text.as_bytes().to_vec())?;
    Manifest::from_document(Document::parse(source)?).map(|(manifest, _)| manifest)
}

#[track_caller]
fn manifest(text: &str) -> Manifest {
    read(text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn told(problems: &[Diagnostic]) -> Vec<String> {
    let line = |problem: &Diagnostic| {
        let at = problem.at.map(|at| format!("{}:{}: ", at.line, at.column)).unwrap_or_default();
        format!("{at}{}", problem.message)
    };
    problems.iter().map(line).collect()
}

#[track_caller]
fn expect_told(told: &[String], wanted: &[&str]) {
    assert_eq!(told.len(), wanted.len(), "{told:#?}");
    for (told, wanted) in told.iter().zip(wanted) {
        assert!(told.starts_with(wanted), "{told}\n  is not\n{wanted}");
    }
}

/// The problems of the whole manifest with one text replaced by another.
#[track_caller]
fn refused(old: &str, new: &str, wanted: &[&str]) {
    assert!(WHOLE.contains(old), "{old}");
    match read(&WHOLE.replace(old, new)) {
        Ok(_) => panic!("`{new}` was read"),
        Err(Problems(problems)) => expect_told(&told(&problems), wanted),
    }
}

fn endpoints(lines: &[&str]) -> String {
    let mut text = "format: 1\nproduct: {vendor: Nucleus, model: U8}\nendpoints:\n".to_owned();
    for line in lines {
        writeln!(text, "  - {{{line}}}").unwrap();
    }
    if lines.is_empty() { text.replace("endpoints:\n", "endpoints: []\n") } else { text }
}

#[test]
fn a_manifest_says_everything_that_can_be_declared() {
    let manifest = manifest(WHOLE);
    assert_eq!(manifest.domains, ["nucleus-u8.example"]);
    assert_eq!(applies(&manifest.builds.app, Some("2.0.1"), None), Applies::Yes);
    assert_eq!(applies(&manifest.builds.firmware, Some("1.4.9"), None), Applies::Unknown);
    assert_eq!(manifest.controller("nucleus").unwrap().country.as_deref(), Some("CN"));
    let policy = manifest.policy;
    assert_eq!([policy.unresolved, policy.hidden_dns], [OnDoubt::Fail; 2]);
    assert_eq!([policy.ambiguous, policy.loss], [OnDoubt::Inconclusive; 2]);

    let [api, tiles, cast, clock] = manifest.endpoints.as_slice() else { panic!("four endpoints") };
    assert_eq!(api.talker, Talker::App);
    assert!(api.peer.covers_name("api.nucleus-u8.example"));
    assert_eq!(api.tls, Some(TlsVersion::V1_3));
    assert!(api.ech_forbidden && api.sni_required && api.encryption.is_some());
    assert_eq!(api.budgets.iter().map(|budget| budget.per).collect::<Vec<_>>(), [Span::Run, Span::Day]);
    assert_eq!((api.budgets[0].bytes, api.budgets[0].connections), (Some(65_536), Some(3)));
    assert_eq!(api.statement.period, Some(Duration::from_secs(86_400)));
    assert_eq!(api.statement.data.as_deref(), Some([Data::EmailAddress, Data::UserId].as_slice()));
    assert_eq!(api.statement.review_by.unwrap().0.to_string(), "2027-01-31");
    assert_eq!(
        api.text,
        "app → api.nucleus-u8.example tcp/443,8000-8010 tls, encrypted, TLS 1.3 at least, no ECH, with SNI, \
         in pairing idle, at most 64 KiB and 3 connections a run, at most 1 MB a day"
    );
    assert_eq!(tiles.evidence, Evidence::Cert);
    assert!(tiles.peer.covers_name("a.tiles.eu.b.maps.example.net"));
    assert_eq!((cast.opened_by, cast.evidence), (OpenedBy::Peer, Evidence::Ip));
    assert_eq!(clock.evidence, Evidence::Dns);
}

#[test]
fn what_can_be_read_keeps_to_the_schema_that_editors_use() {
    for (text, schema) in [(WHOLE, SchemaOf::Manifest), (PROFILE, SchemaOf::Ambient)] {
        let schema: serde_json::Value = serde_json::from_str(&schema::text(schema)).unwrap();
        let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let without_talker = text.replace("talker: app", "sdk: app");
        let value: serde_json::Value = serde_yaml::from_str(&without_talker).unwrap();
        assert_eq!(jsonschema::is_valid(&schema, &value), without_talker == text);
    }
}

#[test]
fn what_a_manifest_may_not_say_is_told_where_it_stands() {
    refused(
        "country: cn",
        "country: UK",
        &["8:47: `UK` is no country's code of two letters (ISO 3166-1): the"],
    );
    refused("1.4.*", "1.*.0", &["5:17: `1.*.0` is no version"]);
    refused("sha256: AAAA", "sha256: A", &["5:32: this is no SHA-256"]);
    refused("64 KiB", "65536", &["22:27: `65536` has no unit: write `65536 B`"]);
    refused("64 KiB", "64 parsecs", &["22:27: `64 parsecs` is no size"]);
    refused("connections: 3", "connections: 0", &["22:48: no connection at all: this could never match"]);
    refused("recipient: nucleus", "recipient: nuclaus", &["27:16: no controller is called `nuclaus`"]);
    refused("2027-01-31", "2027-02-30", &["31:16: `2027-02-30` is no date"]);
    refused("tls: 1.3", "tls: 1.4", &["18:10: `1.4` is no version of TLS: write \"1.2\" or \"1.3\""]);
    refused("period: 24h", "period: 24", &["24:13: "]);
    refused("[user-id, email", "[userid, email", &["26:12: "]);
    refused("{required-for: signing in}", "needed", &["29:16: expected `optional`, or `{required-for: …}`"]);
    refused(
        "class: lan",
        "host: a.example.net",
        &["35:92: whoever opens a flow shows an address and no name"],
    );
    refused("*.tiles.**.maps.example.net", "**.co.uk", &["33:36: `co.uk` is a public suffix"]);
    refused("[Nucleus-U8.example]", "[example]", &["2:49: `example` is a public suffix"]);
    refused(
        "class: lan",
        "class: lan, cidr: 192.0.2.0/24",
        &["35:5: a declaration has exactly one of host, "],
    );
    refused(
        "id: maps",
        "id: nucleus",
        &["9:10: a second controller has the id `nucleus`", "34:17: no contr"],
    );
}

#[test]
fn a_policy_may_only_tighten() {
    refused(
        "unknown: fail",
        "unknown: inconclusive",
        &["10:19: a policy may only tighten, and `unknown: inconclusive` doesn't"],
    );
    refused(
        "hidden-dns: fail",
        "hidden-dns: pass",
        &["10:80: a policy may only tighten, and `hidden-dns: pass`"],
    );
    refused("hidden-dns: fail", "loss: ignore", &["10:74: a policy may only tighten, and `loss: ignore`"]);
}

#[test]
fn a_profile_is_included_under_its_own_name_and_speaks_of_the_system_alone() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    let loaded = |include: &str| {
        write("m.yaml", &WHOLE.replace("policy:", &format!("include: {include}\npolicy:")));
        Manifest::load(&folder.path().join("m.yaml")).map(|(manifest, _)| manifest)
    };
    let problems = |include: &str| told(&loaded(include).unwrap_err().0);
    write("ambient/phone.yaml", PROFILE);
    let manifest = loaded("[ambient/phone.yaml, ./ambient/../ambient/phone.yaml]").unwrap();
    assert_eq!(manifest.ambient.len(), 1);
    let check = manifest.declarations().nth(4).unwrap();
    assert_eq!((check.id.as_str(), check.talker), ("phone/check", Talker::Os));
    let profile = manifest.profile_of(check).unwrap();
    assert_eq!((profile.version.as_str(), profile.written.as_str()), ("2026-11", "ambient/phone.yaml"));
    assert_eq!(manifest.sources().count(), 2);

    write("app.yaml", &PROFILE.replace("talker: os", "talker: app"));
    expect_told(
        &problems("[app.yaml]"),
        &["5:24: an ambient profile speaks of the phone's system, not of the app"],
    );
    write("required.yaml", &PROFILE.replace("talker: os", "required: true"));
    expect_told(&problems("[required.yaml]"), &["5:26: what a phone's system says anyway is never required"]);
    write("unversioned.yaml", &PROFILE.replace("version: \"2026-11\", ", ""));
    expect_told(&problems("[unversioned.yaml]"), &["2:10: the key `version` is missing here"]);
    write("twin.yaml", PROFILE);
    expect_told(&problems("[twin.yaml, ambient/phone.yaml]"), &["this profile is called `phone`"]);
    expect_told(&problems("[plan.yaml]"), &["10:11: the profile `plan.yaml` isn't there"]);
    write("m2.yaml", WHOLE);
    assert!(problems("[m2.yaml]").iter().any(|problem| problem.contains("`product` is not known here")));
}

#[test]
fn an_include_never_leads_out_of_the_project_and_ends() {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("project/product");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(outside.path().join("outside.yaml"), PROFILE).unwrap();
    std::fs::write(outside.path().join("project/beside.yaml"), PROFILE).unwrap();
    std::os::unix::fs::symlink(outside.path().join("outside.yaml"), folder.join("link.yaml")).unwrap();
    let load = |include: &str| {
        let file = folder.join("m.yaml");
        std::fs::write(&file, WHOLE.replace("policy:", &format!("include: [{include}]\npolicy:"))).unwrap();
        Manifest::load(&file).map(|(manifest, _)| manifest).map_err(|problems| told(&problems.0))
    };
    for out in ["../../outside.yaml", "../beside.yaml", "link.yaml"] {
        expect_told(&load(out).unwrap_err(), &[&format!("10:11: `{out}` leads out of the project")]);
    }
    for bad in ["/etc/hosts", "'ambient\\phone.yaml'"] {
        assert!(load(bad).unwrap_err()[0].contains("is no path from this file's folder"), "{bad}");
    }
    // A repository is a project as a whole.
    std::fs::create_dir(outside.path().join("project/.git")).unwrap();
    assert_eq!(load("../beside.yaml").unwrap().ambient[0].written, "../beside.yaml");
    assert!(load("../../outside.yaml").is_err());

    // Profiles that include themselves, one another, or too many.
    let chain = |number: usize, includes: &str| {
        let text = PROFILE.replace("id: phone", &format!("id: p{number}"));
        let text = text.replace("endpoints:", &format!("include: [{includes}]\nendpoints:"));
        std::fs::write(folder.join(format!("p{number}.yaml")), text).unwrap();
    };
    chain(0, "p0.yaml, p1.yaml");
    chain(1, "p0.yaml");
    assert_eq!(load("p0.yaml").unwrap().ambient.len(), 2);
    (0..6).for_each(|number| chain(number, &format!("p{}.yaml", number + 1)));
    assert!(load("p0.yaml").unwrap_err()[0].contains("more than 4 files include one another"));
    (0..40).for_each(|number| chain(number, ""));
    let many: Vec<String> = (0..40).map(|number| format!("p{number}.yaml")).collect();
    assert!(load(&many.join(", ")).unwrap_err()[0].contains("a manifest has 32 profiles at most"));
}

#[test]
fn a_lint_asks_what_a_person_should_look_at_again() {
    let text = WHOLE.replace("review-by: 2027-01-31", "review-by: 2026-11-21").replace(
        "  - {id: cast,",
        "  - {id: tele, talker: watch, cidr: 203.0.113.66, ports: 443}
  - {id: ads, talker: app, suffix: ads.example.org, ports: 443, purpose: advertising, recipient: maps}
  - {id: log, talker: app, host: log.nucleus-u8.example, ports: 80, protocol: http, encryption: required,
     purpose: analytics, recipient: nucleus}
  - {id: more, talker: app, host: a.tiles.b.maps.example.net, ports: 443, phases: [idle], purpose: content,
     recipient: maps}
  - {id: ntp, talker: app, host: time.nucleus-u8.example, transport: udp, ports: 123, protocol: ntp,
     purpose: time-sync, recipient: nucleus}
  - {id: cast,",
    );
    let manifest = manifest(&text);
    let today = |text: &str| Date::parse(text).unwrap();
    expect_told(
        &told(&lint(&manifest, today("2026-11-22"))),
        &[
            "31:16: [expired-review] `api` was to be looked at again by 2026-11-21",
            "35:5: [no-purpose] `tele`",
            "35:5: [no-recipient] `tele`",
            "35:37: [ip-literal] `tele` is declared by its address, 203.0.113.66/32",
            "36:36: [foreign-name] `ads`: ads.example.org is under no domain of the vendor or of maps",
            "37:5: [never-matches] `log` can't admit anything: http is never encrypted",
            "39:5: [shadowed] `more` is never used: `tiles`, in line 33, admits all of it before",
            "41:5: [never-matches] `ntp` can't admit anything: ntp carries no name",
        ],
    );
    let expired =
        |day: &str| told(&lint(&manifest, today(day))).iter().any(|line| line.contains("[expired-review]"));
    assert!(!expired("2026-11-21") && expired("2030-01-01"));
    assert_eq!(told(&lint(&read(WHOLE).unwrap(), today("2026-11-22"))), [""; 0]);
}

#[test]
fn a_difference_is_one_of_meaning_and_not_of_text() {
    let one = manifest(&endpoints(&[
        "id: a, talker: app, host: api.u8.example, ports: [443, 8443], phases: [pairing, idle]",
        "id: b, talker: app, suffix: cdn.u8.example, ports: 443",
    ]));
    let same = manifest(&endpoints(&[
        "id: x, talker: app, suffix: CDN.u8.example., ports: \"443-443\", transport: tcp",
        "id: y, talker: app, host: api.u8.example, ports: 443, phases: [idle, pairing]",
        "id: z, talker: app, host: api.u8.example, ports: 8443, phases: [pairing, idle]",
    ]));
    assert_eq!(diff(&one, &same), lab_runner::manifest::Difference::default());

    let more = manifest(&endpoints(&[
        "id: a, talker: app, host: api.u8.example, ports: [443, 8443, 80], phases: [pairing, idle]",
        "id: b, talker: app, suffix: u8.example, ports: 443",
        "id: c, talker: watch, cidr: 203.0.113.66, transport: udp, ports: 3478",
    ]));
    let difference = diff(&one, &more);
    let words: Vec<&str> = difference.more.iter().map(|change| change.words.as_str()).collect();
    assert!(words[0].starts_with("a: ") && words[0].ends_with("(on port 80)"), "{words:#?}");
    assert!(words[1].contains("to *.u8.example, and not only *.cdn.u8.example"), "{words:#?}");
    assert!(words[2].starts_with("c: watch → 203.0.113.66/32 udp/3478"), "{words:#?}");
    assert_eq!((words.len(), difference.less.len()), (3, 0));
    assert_eq!(diff(&more, &one).less.len(), 3);
}

#[test]
fn a_new_version_permits_more_where_it_asks_less_or_sends_more() {
    let changes: [(&str, &str, &str); 13] = [
        ("opened-by: peer", "opened-by: product", "opened by the product"),
        ("tls: 1.3", "tls: 1.2", "with TLS 1.2, and not 1.3 at least"),
        ("ech: forbidden", "ech: allowed", "hidden in an Encrypted Client Hello"),
        ("sni: required", "encryption: required", "without a server name"),
        ("bytes: 64 KiB", "bytes: 65 KiB", "up to 65 KiB, and not 64 KiB, for each run"),
        (", connections: 3", "", "without a limit of 3 connections"),
        ("evidence: cert", "evidence: sni", ""),
        ("    protocol: tls\n", "", "in any protocol, and not only tls"),
        ("[pairing, idle]", "[pairing, idle, baseline]", "in phase baseline"),
        ("purpose: account", "purpose: advertising", "for advertising, and not account"),
        ("[user-id, email-address, user-id]", "[user-id, email-address, health]", "with health"),
        ("unresolved: fail, ", "", "policy: unresolved leads to inconclusive"),
        ("version: 1.4.*", "version: 1.*", "it applies to firmware 1.*"),
    ];
    let old = manifest(WHOLE);
    for (from, to, words) in changes {
        let new = manifest(&WHOLE.replacen(from, to, 1));
        let difference = diff(&old, &new);
        if words.is_empty() {
            // Stronger evidence is asked for: less is permitted.
            assert!(difference.more.is_empty() && difference.less.len() == 1, "{to}: {difference:#?}");
            continue;
        }
        assert_eq!(difference.more.len(), 1, "{to}: {difference:#?}");
        assert!(difference.more[0].words.contains(words), "{to}: {difference:#?}");
    }
    assert_eq!(diff(&old, &old), lab_runner::manifest::Difference::default());
}

#[test]
fn a_requirement_that_is_dropped_is_told() {
    let old = manifest(&endpoints(&["id: a, talker: app, host: api.u8.example, ports: 443, required: true"]));
    let new = manifest(&endpoints(&["id: a, talker: app, host: api.u8.example, ports: 443"]));
    let difference = diff(&old, &new);
    assert_eq!(difference.more.len(), 1);
    assert!(difference.more[0].words.contains("need not show up"), "{difference:#?}");
    assert_eq!(diff(&new, &old).more, []);
}

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

//! What a privacy manifest can say, what it may not, and what is said about it.

#![allow(clippy::unwrap_used)] // a test: what can't be prepared ends it

mod bounds;
mod differences;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use lab_runner::cli::schema::{self, SchemaOf};
use lab_runner::manifest::{
    Applies, Data, Evidence, Manifest, OnDoubt, OpenedBy, Span, Talker, TlsVersion, applies,
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
    for number in [0, 1] {
        chain(number, "");
        let file = folder.join(format!("p{number}.yaml"));
        let text = std::fs::read_to_string(&file).unwrap() + "#" + &"x".repeat(3 << 20);
        std::fs::write(file, text).unwrap();
    }
    expect_told(
        &load("p0.yaml, p1.yaml").unwrap_err(),
        &["10:20: with `p1.yaml` the profiles of this manifest are"],
    );
}

use std::fs;
use std::path::Path;

use lab_observe::NameKind;

use super::*;
use crate::judge::tests::{MANIFEST, manifest, meant, verdict_of};
use crate::judge::{Finding, Outcome, Verdict};
use crate::observation::support::{With, tls};

fn set(flows: Vec<lab_observe::FlowRecord>) -> Snapshot {
    Snapshot::of(&verdict_of(flows), &manifest(MANIFEST))
}

fn with(flow: lab_observe::FlowRecord) -> Vec<lab_observe::FlowRecord> {
    let mut flows = meant();
    flows.push(flow);
    flows
}

#[test]
fn a_body_reads_back_as_the_same_set() {
    let set = set(with(tls(4_200, "203.0.113.66:443")));
    assert_eq!(Snapshot::parse(&set.body()).expect("ours"), set);
    assert!(set.body().contains("undeclared: app → 203.0.113.66:443 tcp\n"));
    assert_eq!(Snapshot::parse(&Snapshot::default().body()).expect("ours"), Snapshot::default());
}

#[test]
fn other_hosts_times_and_counts_inside_a_declaration_change_nothing() {
    let one = set(with(tls(4_200, "203.0.113.7:443").looked_up("a.cdn.example").sni("a.cdn.example")));
    let other = set(with(tls(5_900, "203.0.113.9:443").looked_up("b7.cdn.example").sni("b7.cdn.example")));
    assert_eq!(one.body(), other.body());
    assert!(!one.body().contains("203.0.113.7") && !one.body().contains("a.cdn.example"));
}

#[test]
fn weaker_evidence_or_another_phase_is_a_change() {
    let strong = set(with(tls(4_200, "203.0.113.7:443").looked_up("a.cdn.example").sni("a.cdn.example")));
    let weak = set(with(tls(4_200, "203.0.113.7:443").sni("a.cdn.example")));
    let told: Vec<String> = changes(Some(&strong), &weak).iter().map(Change::to_string).collect();
    let expected =
        "changed: app → *.cdn.example tcp/443, evidence sni; declared, evidence: corroborated → sni";
    assert_eq!(told, [expected]);
}

#[test]
fn an_optional_declaration_that_did_not_show_up_is_no_change() {
    let accepted = set(with(tls(4_200, "203.0.113.7:443").sni("a.cdn.example")));
    let keep = |manifest_text: &str| {
        let mut new = set(meant());
        new.keep_absent_optional(&accepted, &manifest(manifest_text));
        changes(Some(&accepted), &new).len()
    };
    assert_eq!(keep(MANIFEST), 0);
    assert_eq!(keep(&MANIFEST.replace("suffix: cdn.example", "suffix: cdn2.example")), 1);
    // Its first appearance is one.
    assert_eq!(changes(Some(&set(meant())), &accepted).len(), 1);
}

#[test]
fn an_undeclared_look_up_stands_in_the_set() {
    let question = lab_observe::FlowRecord { app: "dns".into(), ..meant().remove(0) }
        .named(NameKind::DnsQuery, "tracker.example");
    assert!(set(vec![question]).body().contains("undeclared: app asks DNS for tracker.example\n"));
}

#[test]
fn files_of_insta_are_read_and_line_endings_do_not_count() {
    let text = "---\r\nsource: tests/plans.rs\r\nassertion_line: 3\r\nexpression: \"a: b\"\r\n---\r\ndeclared: x\r\n\r\n";
    let file = SnapFile::parse(text).expect("a snapshot");
    assert_eq!((file.source.as_str(), file.expression.as_str()), ("tests/plans.rs", "a: b"));
    assert!(file.same_body(&SnapFile { body: "declared: x".into(), ..SnapFile::default() }));
    assert_eq!(
        SnapFile::parse(&file.render()).expect("ours"),
        SnapFile { body: "declared: x\n".into(), ..file }
    );
    assert!(SnapFile::parse("declared: x").is_err());
}

fn compare(plan: &Path, flows: Vec<lab_observe::FlowRecord>) -> Comparison {
    let store = Store::beside(plan);
    let comparison = store.compare(&verdict_of(flows), &manifest(MANIFEST)).expect("compared");
    store.settle(&comparison).expect("settled");
    comparison
}

#[test]
fn a_changed_set_waits_and_a_match_clears_what_waited() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("plan.yaml");
    let store = Store::beside(&plan);
    assert!(matches!(compare(&plan, meant()), Comparison::Different { first: true, .. }));
    store.accept().expect("accepted");
    assert_eq!(compare(&plan, meant()), Comparison::Same);
    assert_eq!(compare(&plan, with(tls(4_200, "203.0.113.66:443"))).exit_code(), Some(5));
    assert!(store.pending.exists());
    assert_eq!(compare(&plan, meant()), Comparison::Same);
    assert!(!store.pending.exists());
}

#[test]
fn a_run_that_shows_too_little_leaves_no_snapshot() {
    let folder = tempfile::tempdir().expect("a folder");
    let doubtful = tls(4_200, "198.51.100.20:443").looked_up("api.u8.example");
    let plan = folder.path().join("plan.yaml");
    assert_eq!(compare(&plan, with(doubtful)), Comparison::NotTaken);
    assert!(!folder.path().join("snapshots").exists());
}

#[test]
fn neither_doubt_nor_a_failed_expectation_leaves_a_snapshot_beside_an_undeclared_endpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::beside(&folder.path().join("plan.yaml"));
    let undeclared = verdict_of(with(tls(4_200, "203.0.113.66:443")));
    let taken = |verdict: &Verdict| {
        store.compare(verdict, &manifest(MANIFEST)).expect("compared") != Comparison::NotTaken
    };
    assert!(taken(&undeclared));
    for (rule, severity) in [
        ("interrupted", Outcome::Inconclusive),
        ("steps-not-run", Outcome::Inconclusive),
        ("bench-fault", Outcome::BenchFault),
        ("expectation-unmet", Outcome::Fail),
    ] {
        let mut verdict = undeclared.clone();
        verdict.findings.push(Finding::of_run(rule, severity, rule.into()));
        assert!(!taken(&verdict), "{rule}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_elsewhere_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let elsewhere = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("snapshots")).expect("linked");
    let store = Store::beside(&folder.path().join("plan.yaml"));
    let verdict = verdict_of(meant());
    assert!(matches!(store.compare(&verdict, &manifest(MANIFEST)), Err(StoreError::Link(_))));
    assert!(fs::read_dir(elsewhere.path()).expect("there").next().is_none());
}

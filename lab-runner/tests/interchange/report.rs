use lab_observe::{FlowRecord, L4, Name, NameKind, Observation, State, Summary};
use lab_runner::interchange::app_privacy_report::{self, AppPrivacyReport};
use lab_runner::interchange::foreign::Foreign;
use lab_runner::interchange::second_observer::compare;

use super::{data, foreign, manifest};

/// 2023-11-14T22:13:20Z
const START_NS: u64 = 1_700_000_000_000_000_000;

fn report() -> AppPrivacyReport {
    app_privacy_report::read(&Foreign::read(&data("app-privacy-report.ndjson")).unwrap()).unwrap()
}

fn observed(names: &[&str]) -> Vec<(String, Observation)> {
    let flow = |(index, name): (usize, &&str)| {
        let mut flow = FlowRecord::between(
            L4::Tcp,
            "192.0.2.7:40000".parse().unwrap(),
            "203.0.113.9:443".parse().unwrap(),
        );
        flow.first_ns = START_NS + index as u64;
        flow.last_ns = START_NS + 5_000_000_000;
        flow.state = State::Named;
        flow.names.push(Name::new(NameKind::Sni, *name, index as u64 + 1));
        flow
    };
    let flows = names.iter().enumerate().map(flow).collect();
    vec![("a.pcap".into(), Observation { flows, summary: Summary::default(), canaries: Vec::new() })]
}

#[test]
fn times_with_any_offset_and_lines_of_other_kinds_are_read() {
    let report = report();
    assert_eq!((report.contacts.len(), report.other_lines), (4, 1));
    assert_eq!(report.contacts[0].times_ns, (START_NS + 100_000_000, START_NS + 1_000_000_000));
    assert!(!report.contacts[3].by_app);
}

#[test]
fn each_observer_is_told_what_only_the_other_saw() {
    let captures = observed(&["api.nucleus-u8.example", "stealth.tracker.example", "news.other.example"]);
    let all = compare(&report(), &captures, &[], None);
    let nucleus = &all.apps[0];
    assert_eq!(nucleus.bundle, "example.nucleus.u8");
    assert_eq!(
        nucleus.both.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["api.nucleus-u8.example"]
    );
    let missing: Vec<&str> = nucleus.only_reported.iter().map(|one| one.domain.as_str()).collect();
    assert_eq!(missing, ["hidden.tracker.example"], "what is from another day is not missing");
    assert_eq!(nucleus.outside, 1);
    let unexplained: Vec<&str> = all.only_captured.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(unexplained, ["stealth.tracker.example"]);
    assert!(!all.agrees());
    // Another app's contacts still explain what the capture saw.
    let one = compare(&report(), &captures, &["example.nucleus.u8".into()], None);
    assert_eq!((one.apps.len(), one.only_captured.len()), (1, 1));
    let same = compare(
        &report(),
        &observed(&["api.nucleus-u8.example", "hidden.tracker.example", "news.other.example"]),
        &[],
        None,
    );
    assert!(same.agrees());
}

#[test]
fn with_a_manifest_what_the_phone_says_of_the_app_has_to_be_declared() {
    let declared = manifest(
        "format: 1\nproduct: {vendor: N, model: U8}\nendpoints:\n  - {id: own, talker: app, suffix: nucleus-u8.example, ports: 443}\n  - {id: os, talker: os, host: hidden.tracker.example, ports: 443}\n",
    );
    let found = compare(&report(), &observed(&[]), &["example.nucleus.u8".into()], Some(&declared));
    let undeclared: Vec<&str> = found.apps[0].undeclared.iter().map(|one| one.domain.as_str()).collect();
    assert_eq!(undeclared, ["hidden.tracker.example"], "what the system may do, the app may not");
}

#[test]
fn a_line_that_is_no_report_is_refused_with_its_place() {
    let good = std::fs::read_to_string(data("app-privacy-report.ndjson")).unwrap();
    for (text, place) in [
        (format!("{good}{{\"type\":}}\n"), "given:6:9: error: expected value"),
        (
            good.replace("\"domain\":\"hidden", "\"demain\":\"hidden"),
            "given:3:1: error: a line about the network lacks `domain`",
        ),
        (good.replace("2023-11-14T22:13:22.000Z", "yesterday"), "given:3:1: error: `yesterday` is no time"),
        ("{\"type\":\"access\"}\n".into(), "given: error: no line of the report is about the network"),
    ] {
        let refused = app_privacy_report::read(&foreign(text)).unwrap_err().to_string();
        assert!(refused.contains(place) && refused.contains("help:"), "{place}: {refused}");
    }
}

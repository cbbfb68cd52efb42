//! What is said about a manifest: what a person should look at again, and what another one permits.

use std::path::Path;
use std::process::Command;

use lab_runner::manifest::{Date, Difference, diff, lint};

use super::{WHOLE, endpoints, expect_told, manifest, read, told};

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
    assert_eq!(diff(&one, &same), Difference::default());

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
    assert_eq!(diff(&old, &old), Difference::default());
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

/// The command with its arguments: its exit status, and what it printed to both streams.
fn lab(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_lab")).current_dir(folder).args(args).output().unwrap();
    let printed = [ran.stdout, ran.stderr].concat();
    (ran.status.code(), String::from_utf8(printed).unwrap())
}

#[test]
fn the_exit_status_says_whether_more_is_permitted_and_whether_a_warning_counts() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("old.yaml"), WHOLE).unwrap();
    std::fs::write(folder.path().join("new.yaml"), WHOLE.replace("ports: 8009", "ports: 8009-8010")).unwrap();
    std::fs::write(folder.path().join("bad.yaml"), WHOLE.replace("ports: 8009", "ports: 0")).unwrap();
    let lab = |args: &[&str]| lab(folder.path(), args);
    let (code, printed) = lab(&["manifest", "diff", "old.yaml", "new.yaml"]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("  + new.yaml:35: cast: ") && printed.contains("(on port 8010)"), "{printed}");
    let (code, printed) = lab(&["manifest", "diff", "new.yaml", "old.yaml"]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("  - new.yaml:35: cast: "), "{printed}");
    assert_eq!(lab(&["manifest", "diff", "old.yaml", "bad.yaml"]).0, Some(2));

    assert_eq!(lab(&["check", "--today", "2026-11-22", "--deny-warnings", "old.yaml"]).0, Some(0));
    let (code, printed) = lab(&["check", "--today", "2028-01-01", "old.yaml"]);
    assert_eq!(code, Some(0));
    assert!(printed.contains("old.yaml:31:16: warning: [expired-review]"), "{printed}");
    assert_eq!(lab(&["check", "--today", "2028-01-01", "--deny-warnings", "old.yaml"]).0, Some(2));
}

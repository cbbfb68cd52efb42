//! What holds for any observation.

use lab_observe::{L4, NameKind, Reason};
use proptest::prelude::*;

use super::*;

/// Flows that a manifest may or may not admit, in any phase.
fn any_flow() -> impl Strategy<Value = FlowRecord> {
    let address = prop::sample::select(vec![
        "198.51.100.20:443",
        "198.51.100.123:123",
        "203.0.113.53:53",
        "203.0.113.66:443",
        "[2001:db8:66::66]:8443",
    ]);
    let name = || {
        prop::sample::select(vec![
            "api.u8.example",
            "a.cdn.example",
            "time.u8.example",
            "push.u8.example",
            "evil.example",
        ])
    };
    let names = prop::collection::vec((prop::sample::select(vec![0u8, 1, 2, 3]), name()), 0..3);
    let reason =
        prop::sample::select(vec![Reason::NeverQueried, Reason::HiddenDns, Reason::Ech, Reason::Loss]);
    let app = prop::sample::select(vec!["tls", "http", "dns", "ntp", "unknown", "quic"]);
    (1_100u64..7_400, address, any::<bool>(), app, names, reason, any::<(bool, bool)>()).prop_map(
        |(ms, address, tcp, app, names, reason, (answered, guessed))| {
            let l4 = if tcp { L4::Tcp } else { L4::Udp };
            let mut made = FlowRecord { answered, guessed, ..flow(ms, l4, address, app) }.because(reason);
            for (kind, name) in names {
                let kind =
                    [NameKind::Sni, NameKind::Dns, NameKind::HttpHost, NameKind::DnsQuery][usize::from(kind)];
                made = made.named(kind, name);
            }
            made
        },
    )
}

/// Flows that no declaration could admit.
fn undeclared() -> impl Strategy<Value = FlowRecord> {
    let moved = prop::sample::select(vec![
        (L4::Tcp, "203.0.113.66:443", "tls"),
        (L4::Udp, "203.0.113.66:443", "quic"),
        (L4::Tcp, "[2001:db8:66::66]:443", "tls"),
        (L4::Udp, "203.0.113.66:123", "ntp"),
        (L4::Icmp, "203.0.113.66:0", "icmp"),
        (L4::Tcp, "198.51.100.20:22", "ssh"),
    ]);
    (1_100u64..7_400, moved, any::<bool>())
        .prop_map(|(ms, (l4, server, app), answered)| FlowRecord { answered, ..flow(ms, l4, server, app) })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_an_undeclared_flow_never_leaves_a_run_passing(
        flows in prop::collection::vec(any_flow(), 0..6), covert in undeclared(),
    ) {
        let mut all = meant();
        all.extend(flows);
        all.push(covert);
        prop_assert_eq!(verdict_of(all).outcome, Outcome::Fail);
    }

    #[test]
    fn the_order_of_flows_does_not_change_the_verdict(
        (flows, shuffled) in prop::collection::vec(any_flow(), 1..8)
            .prop_flat_map(|flows| (Just(flows.clone()), Just(flows).prop_shuffle())),
    ) {
        prop_assert_eq!(verdict_of(flows), verdict_of(shuffled));
    }

    #[test]
    fn removing_a_declaration_never_shrinks_the_set_of_failing_flows(
        flows in prop::collection::vec(any_flow(), 1..6), removed in 3usize..8,
    ) {
        let fewer: Vec<&str> =
            MANIFEST.lines().enumerate().filter(|(at, _)| *at != removed).map(|(_, line)| line).collect();
        let fewer = fewer.join("\n") + "\n";
        for flow in &flows {
            let fails = |manifest: &str| {
                judged_by(PLAN, manifest, &[whole(vec![flow.clone()])]).outcome == Outcome::Fail
            };
            prop_assert!(!fails(MANIFEST) || fails(&fewer));
        }
        let outcome = |manifest: &str| judged_by(PLAN, manifest, &[whole(flows.clone())]).outcome;
        prop_assert!(outcome(&fewer) >= outcome(MANIFEST));
    }

    #[test]
    fn a_policy_never_loosens(
        flows in prop::collection::vec(any_flow(), 0..6), words in prop::collection::vec(any::<bool>(), 4),
        dropped in 0u64..2,
    ) {
        let keys = ["unresolved", "ambiguous", "hidden-dns", "loss"];
        let set = keys.iter().zip(&words).map(|(key, fails)| {
            format!("{key}: {}", if *fails { "fail" } else { "inconclusive" })
        });
        let policy = format!("policy: {{{}}}\nendpoints:", set.collect::<Vec<_>>().join(", "));
        let strict = MANIFEST.replace("endpoints:", &policy);
        let attempts = [attempt(run().teardown(7_100, FRAMES, dropped).end(7_500), flows)];
        let (before, after) =
            (judged_by(PLAN, MANIFEST, &attempts), judged_by(PLAN, &strict, &attempts));
        prop_assert!(after.outcome >= before.outcome);
        let failing = |verdict: &Verdict| -> Vec<String> {
            let fails = verdict.findings.iter().filter(|finding| finding.severity == Outcome::Fail);
            fails.map(|finding| finding.title.clone()).collect()
        };
        let after = failing(&after);
        prop_assert!(failing(&before).iter().all(|title| after.contains(title)));
    }

    #[test]
    fn the_order_of_repeats_does_not_change_the_verdict(
        repeats in prop::collection::vec(prop::collection::vec(any_flow(), 0..3), 1..4).prop_flat_map(|repeats| {
            let numbered: Vec<(u32, Vec<FlowRecord>)> = (1..).zip(repeats).collect();
            (Just(numbered.clone()), Just(numbered).prop_shuffle())
        }),
    ) {
        let (plan, manifest) = (plan(PLAN), manifest(MANIFEST));
        let judged = |repeats: Vec<(u32, Vec<FlowRecord>)>| {
            let count = repeats.len() as u32;
            let attempts: Vec<Attempt> = repeats
                .into_iter()
                .map(|(n, flows)| Attempt { number: n, repeat: n, ..whole(flows) })
                .collect();
            judge(&JudgeInput { plan: &plan, manifest: &manifest, attempts: &attempts, repeats: count })
        };
        prop_assert_eq!(judged(repeats.0), judged(repeats.1));
    }
}

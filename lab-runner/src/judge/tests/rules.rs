//! The eight rules of docs/verdict.md, as far as `endpoints` and `attempts` don't have them.

use lab_observe::{FlowRecord, L4, Name, NameKind, Reason, State};
use lab_protocol::{Action, AgentKind, BlobRef, Body, Event, Reply, Source};

use super::*;
use crate::manifest::Profile;
use crate::observation::support::{PHONE, SERVICES, facts};

/// The outcome of one flow by a manifest with this declaration alone, and the rules that it breaks.
fn by(declaration: &str, flow: FlowRecord) -> (Outcome, Vec<String>) {
    by_manifest(&format!("endpoints:\n  - {declaration}\n"), vec![flow])
}

fn by_manifest(rest: &str, flows: Vec<FlowRecord>) -> (Outcome, Vec<String>) {
    let text = format!("format: 1\nproduct: {{vendor: Nucleus, model: U8}}\n{rest}");
    let verdict = judged_by(PLAN, &text, &[whole(flows)]);
    (verdict.outcome, verdict.findings.iter().map(|finding| finding.rule.clone()).collect())
}

fn pass() -> (Outcome, Vec<String>) {
    (Outcome::Pass, vec![])
}

fn fail(rule: &str) -> (Outcome, Vec<String>) {
    (Outcome::Fail, vec![rule.into()])
}

fn doubt(rule: &str) -> (Outcome, Vec<String>) {
    (Outcome::Inconclusive, vec![rule.into()])
}

/// A TLS flow to the declared host, as it should be.
fn api() -> FlowRecord {
    tls(4_200, "198.51.100.20:443").looked_up("api.u8.example").sni("api.u8.example")
}

fn asked(ms: u64, name: &str) -> FlowRecord {
    flow(ms, L4::Udp, "203.0.113.53:53", "dns").named(NameKind::DnsQuery, name).because(Reason::Resolver)
}

const RESOLVER: &str = "{id: resolver, talker: app, cidr: 203.0.113.53/32, transport: udp, ports: 53}";

#[test]
fn rule_1_a_certificate_satisfies_only_a_declaration_that_asks_for_no_more() {
    let shown = || {
        tls(4_200, "198.51.100.20:443").named(NameKind::CertSan, "*.u8.example").because(Reason::NoDnsSeen)
    };
    assert_eq!(by("{id: a, talker: app, suffix: u8.example, ports: 443, evidence: cert}", shown()), pass());
    assert_eq!(
        by("{id: a, talker: app, suffix: u8.example, ports: 443, evidence: sni}", shown()),
        fail("undeclared-endpoint")
    );
    // A wildcard names no host.
    assert_eq!(
        by("{id: a, talker: app, host: api.u8.example, ports: 443, evidence: cert}", shown()),
        fail("undeclared-endpoint")
    );
}

#[test]
fn rule_1_names_that_a_host_gives_itself_satisfy_nothing() {
    for kind in [NameKind::Mdns, NameKind::Dhcp, NameKind::Netbios, NameKind::EchOuter, NameKind::StunMapped]
    {
        let mut flow = tls(4_200, "198.51.100.20:443").named(kind, "api.u8.example");
        (flow.state, flow.reason) = (State::Unresolved, Some(Reason::NeverQueried));
        let verdict = by("{id: a, talker: app, host: api.u8.example, ports: 443, evidence: sni}", flow);
        assert_eq!(verdict, fail("undeclared-endpoint"), "{kind:?}");
    }
}

#[test]
fn rule_2_neither_end_of_a_cname_satisfies_the_others_declaration() {
    let cname = |sni: Option<&str>| {
        let mut flow = tls(4_200, "198.51.100.20:443");
        let chain = vec!["edge.cdn.example".to_owned()];
        flow.names.push(Name { chain, ..Name::new(NameKind::Dns, "api.u8.example", 5) });
        (flow.state, flow.reason) = (State::Named, None);
        match sni {
            Some(name) => flow.sni(name),
            None => flow,
        }
    };
    let owner = "{id: a, talker: app, host: api.u8.example, ports: 443, evidence: dns}";
    let target = "{id: a, talker: app, suffix: cdn.example, ports: 443, evidence: dns}";
    assert_eq!(by(owner, cname(None)), pass());
    assert_eq!(by(owner, cname(Some("api.u8.example"))), pass());
    assert_eq!(by(owner, cname(Some("edge.cdn.example"))), fail("undeclared-endpoint"));
    assert_eq!(by(target, cname(None)), fail("undeclared-endpoint"));
    assert_eq!(by(target, cname(Some("api.u8.example"))), fail("undeclared-endpoint"));
}

#[test]
fn rule_2_patterns_cover_whole_labels() {
    let to = |name: &str| tls(4_200, "198.51.100.20:443").looked_up(name).sni(name);
    let one = "{id: a, talker: app, glob: \"*.u8.example\", ports: 443}";
    assert_eq!(by(one, to("API.u8.example.")), pass());
    for other in ["u8.example", "a.b.u8.example", "evilu8.example", "a.u8.example.evil.example"] {
        assert_eq!(by(one, to(other)), fail("undeclared-endpoint"), "{other}");
    }
}

#[test]
fn rule_3_a_resolver_that_the_network_did_not_name_is_foreign() {
    let class = "format: 1\nproduct: {vendor: Nucleus, model: U8}\nendpoints:\n  - {id: dns, talker: app, class: dns-resolver, transport: udp, ports: 53}\n";
    let dns = || flow(3_050, L4::Udp, "203.0.113.53:53", "dns").because(Reason::Resolver);
    assert_eq!(
        rules(&judged_by(PLAN, class, &[whole(vec![dns()])])),
        (Outcome::Fail, vec!["undeclared-endpoint"])
    );
    let mut named = whole(vec![dns()]);
    for entry in &mut named.entries {
        if let Body::Event(Event::Done { reply: Reply::Network { facts: known } }) = &mut entry.body {
            *known = lab_protocol::NetworkFacts { resolvers: vec!["203.0.113.53".into()], ..facts() };
        }
    }
    assert_eq!(rules(&judged_by(PLAN, class, &[named])), (Outcome::Pass, vec![]));
}

#[test]
fn rule_3_an_address_of_the_lan_is_not_the_internets() {
    let lan = "{id: a, talker: app, class: lan, ports: 8080}";
    assert_eq!(by(lan, flow(4_200, L4::Tcp, "192.168.7.9:8080", "http")), pass());
    assert_eq!(by(lan, flow(4_200, L4::Tcp, "198.51.100.9:8080", "http")), fail("undeclared-endpoint"));
}

#[test]
fn rule_5_the_phones_system_looks_up_for_the_app_once_it_is_launched() {
    let watch = format!(
        "endpoints:\n  - {RESOLVER}\n  - {{id: a, talker: watch, host: api.u8.example, ports: 443}}\n"
    );
    assert_eq!(by_manifest(&watch, vec![asked(3_050, "api.u8.example")]), fail("wrong-talker"));
    let os = "{id: resolver, talker: os, cidr: 203.0.113.53/32, transport: udp, ports: 53}";
    let app = format!("endpoints:\n  - {os}\n  - {{id: a, talker: app, host: api.u8.example, ports: 443}}\n");
    assert_eq!(by_manifest(&app, vec![asked(1_050, "api.u8.example")]), fail("wrong-talker"));
}

#[test]
fn rule_6_ambient_traffic_is_taken_out_by_rules_and_shown() {
    let check = || tls(1_100, "198.51.100.77:443").looked_up("check.os.example").sni("check.os.example");
    let (plan, mut manifest) = (plan(PLAN), manifest(MANIFEST));
    let judge_it = |manifest: &Manifest| {
        let attempts = [whole(meant_and(check()))];
        judge(&JudgeInput { plan: &plan, manifest, attempts: &attempts, repeats: 1 })
    };
    assert_eq!(rules(&judge_it(&manifest)), (Outcome::Fail, vec!["undeclared-endpoint"]));
    let text = "format: 1\nproduct: {vendor: Nucleus, model: U8}\nendpoints:\n  - {id: check, talker: os, host: check.os.example, ports: 443}\n";
    let mut endpoints = super::manifest(text).endpoints;
    endpoints[0].id = "phone/check".into();
    manifest.ambient.push(Profile {
        id: "phone".into(),
        version: "2026-11".into(),
        description: None,
        endpoints,
        written: "ambient/phone.yaml".into(),
        file: "ambient/phone.yaml".into(),
        source: text.into(),
    });
    let verdict = judge_it(&manifest);
    assert_eq!(rules(&verdict), (Outcome::Pass, vec![]));
    let [ambient] = verdict.ambient.as_slice() else { panic!("one profile") };
    assert_eq!((ambient.version.as_str(), ambient.endpoints, ambient.flows), ("2026-11", 1, 1));
    let of = verdict.endpoints.iter().filter_map(|row| row.declaration.as_ref());
    assert!(of.into_iter().any(|of| of.place == "ambient/phone.yaml:4"));
}

#[test]
fn rule_7_a_flow_counts_against_the_first_declaration_that_admits_it() {
    let two = |first: &str, second: &str| {
        format!(
            "endpoints:\n  - {{id: a, talker: app, host: api.u8.example, ports: 443{first}}}\n  - {{id: b, talker: app, suffix: u8.example, ports: 443{second}}}\n"
        )
    };
    let small = ", budget: {run: {connections: 1}}";
    let flows = || vec![api(), FlowRecord { flow: 9, ..api() }];
    assert_eq!(by_manifest(&two(small, ""), flows()), fail("over-budget"));
    assert_eq!(by_manifest(&two("", small), flows()), pass());
    assert_eq!(by_manifest(&two(", budget: {run: {bytes: 12 KiB}}", ""), flows()), fail("over-budget"));
    assert_eq!(by_manifest(&two(", budget: {run: {bytes: 13 KiB, connections: 2}}", ""), flows()), pass());
}

#[test]
fn rule_7_an_hours_budget_holds_for_any_hour() {
    let hourly = "{id: a, talker: app, host: api.u8.example, ports: 443, budget: {hour: {connections: 2}}}";
    let at = |minutes: u64| {
        let ms = minutes * 60_000;
        let flow = tls(4_200 + ms, "198.51.100.20:443").looked_up("api.u8.example").sni("api.u8.example");
        FlowRecord { frames: [ms, ms], ..flow }
    };
    let judged = |minutes: &[u64]| {
        let flows = minutes.iter().map(|minutes| at(*minutes)).collect();
        let text = format!("format: 1\nproduct: {{vendor: Nucleus, model: U8}}\nendpoints:\n  - {hourly}\n");
        let mut log = run();
        log = log.phase(5_000, "idle").idle(5_000, 9_000_000);
        let verdict =
            judged_by(PLAN, &text, &[attempt(log.teardown(9_000_100, FRAMES, 0).end(9_000_500), flows)]);
        verdict.outcome
    };
    assert_eq!(judged(&[0, 59, 61, 121]), Outcome::Pass);
    assert_eq!(judged(&[0, 30, 59]), Outcome::Fail);
    // Across the full hour.
    assert_eq!(judged(&[50, 61, 70]), Outcome::Fail);
}

#[test]
fn rule_7_conditions_are_never_put_together_from_several_declarations() {
    let two = "endpoints:\n  - {id: a, talker: watch, host: api.u8.example, ports: 443}\n  - {id: b, talker: app, host: api.u8.example, ports: 443, phases: [pairing]}\n";
    assert_eq!(by_manifest(two, vec![api()]).0, Outcome::Fail);
}

#[test]
fn tls_older_than_declared_fails_and_an_unseen_one_is_in_doubt() {
    let least = "{id: a, talker: app, host: api.u8.example, ports: 443, tls: \"1.2\"}";
    let of = |version: Option<&str>| FlowRecord {
        version: version.map(|version| version.to_owned().into()),
        ..api()
    };
    assert_eq!(by(least, of(Some("1.3"))), pass());
    for old in ["1.1", "ssl3", "1.3-draft-18"] {
        assert_eq!(by(least, of(Some(old))), fail("tls-too-old"), "{old}");
    }
    assert_eq!(by(least, of(None)), doubt("tls-unknown"));
}

#[test]
fn an_encrypted_client_hello_fails_where_it_is_forbidden() {
    let forbidden = "{id: a, talker: app, host: api.u8.example, ports: 443, ech: forbidden}";
    assert_eq!(by(forbidden, FlowRecord { ech: true, ..api() }), fail("ech-forbidden"));
    assert_eq!(by(forbidden, api()), pass());
}

#[test]
fn a_client_hello_without_the_required_name_fails() {
    let required = "{id: a, talker: app, host: api.u8.example, ports: 443, evidence: dns, sni: required}";
    let nameless = |ja4: Option<&str>| {
        let flow = tls(4_200, "198.51.100.20:443").looked_up("api.u8.example");
        FlowRecord { ja4: ja4.map(str::to_owned), ..flow }
    };
    assert_eq!(by(required, nameless(Some("t13i"))), fail("sni-missing"));
    assert_eq!(by(required, nameless(None)), doubt("tls-unknown"));
    assert_eq!(by(required, api()), pass());
}

#[test]
fn an_address_where_the_required_name_belongs_is_no_name_whichever_flow_comes_first() {
    let hello = |t_ms: u64, server: &str| FlowRecord {
        ja4: Some("t13i".into()),
        ..tls(t_ms, &format!("{server}:443")).because(Reason::NoDnsSeen)
    };
    let judged = |sni: &str, nameless_at: u64, address_at: u64| {
        let manifest = format!(
            "endpoints:\n  - {{id: a, talker: app, host: api.u8.example, ports: 443, evidence: sni{sni}}}\n"
        );
        let dns = tls(1_100, "203.0.113.53:853").because(Reason::HiddenDns);
        let mut address = hello(address_at, "198.51.100.21");
        address.names.push(Name::new(NameKind::Sni, "198.51.100.21", 4_200));
        by_manifest(&manifest, vec![dns, hello(nameless_at, "198.51.100.20"), address]).1
    };
    for (nameless_at, address_at) in [(4_200, 4_300), (4_300, 4_200)] {
        assert!(judged("", nameless_at, address_at).contains(&"hidden-name".to_owned()));
        let rules = judged(", sni: required", nameless_at, address_at);
        assert_eq!(rules, ["undeclared-endpoint"; 3], "{nameless_at} {address_at}");
    }
}

#[test]
fn what_the_peer_opens_is_admitted_only_where_it_is_declared_so() {
    let mut inbound = flow(4_200, L4::Udp, "192.0.2.10:5000", "unknown");
    inbound.client = "192.168.7.9:40000".parse().expect("an address");
    (inbound.client_mac, inbound.server_mac) = (Some(SERVICES), Some(PHONE));
    let product = "{id: a, talker: app, class: lan, transport: udp, ports: 5000}";
    assert_eq!(by(product, inbound.clone()), fail("undeclared-inbound"));
    let peer = "{id: a, talker: app, class: lan, transport: udp, ports: 5000, opened-by: peer}";
    // On a phone nothing tells who was called.
    assert_eq!(by(peer, inbound.clone()), doubt("talker-unknown"));
    let watch = "{id: a, talker: watch, class: lan, transport: udp, ports: 5000, opened-by: peer}";
    assert_eq!(by(watch, inbound), fail("wrong-talker"));
    assert_eq!(by(peer, flow(4_200, L4::Udp, "192.168.7.9:5000", "unknown")), fail("undeclared-endpoint"));
}

#[test]
fn a_look_up_out_of_its_phase_fails() {
    let pairing = format!(
        "endpoints:\n  - {RESOLVER}\n  - {{id: a, talker: app, host: api.u8.example, ports: 443, phases: [pairing]}}\n"
    );
    assert_eq!(by_manifest(&pairing, vec![asked(3_050, "api.u8.example")]), pass());
    assert_eq!(by_manifest(&pairing, vec![asked(4_200, "api.u8.example")]), fail("wrong-phase"));
}

#[test]
fn a_tunnel_under_a_declared_pattern_fails_and_ordinary_names_do_not() {
    let suffix =
        format!("endpoints:\n  - {RESOLVER}\n  - {{id: a, talker: app, suffix: cdn.example, ports: 443}}\n");
    let ask = |names: &[String]| by_manifest(&suffix, names.iter().map(|name| asked(4_200, name)).collect());
    let data: Vec<String> = (0..10).map(|n| format!("{n}mzxw6ytboi2dkq3ulmn4rq.cdn.example")).collect();
    assert_eq!(ask(&data), fail("dns-tunnel"));
    let ordinary: Vec<String> = (0..10).map(|n| format!("d{n}gjecg2uu2eaq.eu-west.cdn.example")).collect();
    assert_eq!(ask(&ordinary), pass());
    // Names that are declared one by one carry nothing.
    let mut exact =
        format!("endpoints:\n  - {RESOLVER}\n  - {{id: a, talker: app, suffix: cdn.example, ports: 443}}\n");
    for (n, name) in data.iter().enumerate() {
        exact.push_str(&format!("  - {{id: h{n}, talker: app, host: {name}, ports: 443}}\n"));
    }
    assert_eq!(by_manifest(&exact, data.iter().map(|name| asked(4_200, name)).collect()), pass());
}

#[test]
fn another_build_than_the_manifest_speaks_of_is_inconclusive() {
    let of = |version: &str| {
        MANIFEST.replace("endpoints:", &format!("builds: {{app: [{{version: {version}}}]}}\nendpoints:"))
    };
    let ran = |log: Log| {
        judged_by(PLAN, &of("2.3.*"), &[attempt(log.teardown(7_100, FRAMES, 0).end(7_500), meant())])
    };
    assert_eq!(rules(&ran(run())), (Outcome::Inconclusive, vec!["build-unknown"]));
    let told = |version: &str| {
        let companion = Source::new(AgentKind::Companion, "phone");
        let expect = Action::Launch { app: "companion".into() };
        let log = run().asked(7_010, companion.clone(), "expect companion", expect);
        let groups = [("version".to_owned(), version.to_owned())].into();
        let id = log.last_id();
        log.said(
            7_020,
            companion,
            Some(id),
            Event::Done { reply: Reply::Matched { text: String::new(), groups } },
        )
    };
    assert_eq!(rules(&ran(told("2.3.1"))), (Outcome::Pass, vec![]));
    assert_eq!(rules(&ran(told("2.4.0"))), (Outcome::Inconclusive, vec!["other-build"]));
}

#[test]
fn an_app_is_told_by_the_hash_of_its_program() {
    let program = BlobRef::of(b"the app");
    let of = |hash: &str| {
        MANIFEST.replace("endpoints:", &format!("builds: {{app: [{{sha256: {hash}}}]}}\nendpoints:"))
    };
    let ran = |manifest: &str| {
        let companion = Source::new(AgentKind::Companion, "phone");
        let launch = Action::Launch { app: "companion".into() };
        let log = run().asked(7_010, companion.clone(), "launch companion", launch);
        let (id, reply) = (log.last_id(), Reply::Started { program: program.clone() });
        let log = log.said(7_020, companion, Some(id), Event::Done { reply });
        judged_by(PLAN, manifest, &[attempt(log.teardown(7_100, FRAMES, 0).end(7_500), meant())])
    };
    assert_eq!(rules(&ran(&of(&program.sha256))), (Outcome::Pass, vec![]));
    let other = BlobRef::of(b"another").sha256;
    assert_eq!(rules(&ran(&of(&other))), (Outcome::Inconclusive, vec!["other-build"]));
}

#[test]
fn a_policy_makes_failures_of_doubts() {
    let with = |policy: &str| MANIFEST.replace("endpoints:", &format!("policy: {{{policy}}}\nendpoints:"));
    let judged =
        |policy: &str, flow: FlowRecord| judged_by(PLAN, &with(policy), &[whole(meant_and(flow))]).outcome;
    let hidden = || tls(4_200, "198.51.100.20:443").because(Reason::HiddenDns);
    assert_eq!(judged("unresolved: fail", hidden()), Outcome::Inconclusive);
    assert_eq!(judged("hidden-dns: fail", hidden()), Outcome::Fail);
    let weak = || tls(4_200, "198.51.100.20:443").looked_up("api.u8.example");
    assert_eq!(judged("unresolved: fail", weak()), Outcome::Fail);
    let lossy = attempt(run().teardown(7_100, FRAMES, 3).end(7_500), meant());
    assert_eq!(
        rules(&judged_by(PLAN, &with("loss: fail"), &[lossy])),
        (Outcome::Fail, vec!["packets-dropped"])
    );
}

#[test]
fn a_suggested_declaration_pasted_at_its_place_admits_the_flow() {
    let undeclared = [
        tls(4_200, "203.0.113.66:443"),
        tls(4_200, "[2001:db8:66::66]:8443").looked_up("new.u8.example").sni("new.u8.example"),
        flow(4_200, L4::Udp, "203.0.113.66:123", "ntp").looked_up("yes.example"),
        flow(4_200, L4::Icmp, "203.0.113.66:0", "icmp"),
        tls(4_200, "203.0.113.66:443").sni("only.said.example"),
        asked(4_200, "no.connection.example"),
    ];
    for (manifest, after) in
        [(MANIFEST.to_owned(), ""), (MANIFEST.to_owned() + "policy: {loss: fail}\n", "policy: ")]
    {
        for flow in &undeclared {
            let attempts = [whole(meant_and(flow.clone()))];
            let before = judged_by(PLAN, &manifest, &attempts);
            let finding = &before.findings[0];
            let suggestion = finding.suggestion.as_deref().expect("a suggestion");
            let line = finding.would_go.as_deref().and_then(|place| place.rsplit(':').next()?.parse().ok());
            let mut lines: Vec<&str> = manifest.lines().collect();
            let at: usize = line.expect("a line");
            assert!(lines.get(at - 1).is_none_or(|line| line.starts_with(after)));
            lines.insert(at - 1, suggestion.trim_end());
            let after = judged_by(PLAN, &(lines.join("\n") + "\n"), &attempts);
            assert_eq!(rules(&after), (Outcome::Pass, vec![]), "{suggestion}");
        }
    }
}

#[test]
fn a_finding_tells_which_declarations_came_near_and_what_stood_between() {
    let verdict = verdict_of(meant_and(
        tls(7_150, "198.51.100.20:8443").looked_up("api.u8.example").sni("api.u8.example"),
    ));
    let [near] = verdict.findings[0].considered.as_slice() else { panic!("one declaration") };
    assert_eq!(near.declaration.id, "api");
    assert_eq!(near.but.len(), 2, "{:?}", near.but);
    assert!(near.but[0].contains("port 443") && near.but[1].contains("pairing, idle"), "{:?}", near.but);
}

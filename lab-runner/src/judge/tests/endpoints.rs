//! Rules about flows.

use lab_observe::{Disagreement, FlowRecord, L4, NameKind, Reason};

use super::*;
use crate::observation::support::{PHONE, SERVICES};

fn fails_by(rule: &str, flow: FlowRecord) -> Verdict {
    let verdict = verdict_of(meant_and(flow));
    assert_eq!(rules(&verdict), (Outcome::Fail, vec![rule]));
    verdict
}

fn in_doubt_by(rule: &str, flow: FlowRecord) {
    assert_eq!(rules(&verdict_of(meant_and(flow))), (Outcome::Inconclusive, vec![rule]));
}

#[test]
fn what_is_declared_passes_and_what_was_not_used_is_listed() {
    let verdict = verdict_of(meant());
    assert_eq!(rules(&verdict), (Outcome::Pass, vec![]));
    let unused: Vec<&str> = verdict.unused.iter().map(|unused| unused.declaration.id.as_str()).collect();
    assert_eq!(unused, ["cdn", "push"]);
    assert_eq!(verdict.bench, "virtual");
}

#[test]
fn an_undeclared_endpoint_fails_and_its_finding_reads_as_a_sentence() {
    let verdict = fails_by("undeclared-endpoint", tls(4_200, "203.0.113.66:443"));
    let finding = &verdict.findings[0];
    assert_eq!(
        finding.title,
        "companion app → 203.0.113.66:443, TLS without SNI, address never looked up, 1.2 s after pairing, not declared"
    );
    assert_eq!((finding.phase.as_deref(), finding.step.as_deref()), (Some("idle"), Some("idle")));
    assert_eq!((finding.frames, finding.bytes), (Some([4_200, 4_216]), Some([1203, 5120])));
    assert_eq!((finding.seen_in, finding.manifest.as_deref()), ([1, 1], Some("no declaration")));
}

#[test]
fn the_same_endpoint_again_counts_up() {
    let mut flows = meant();
    flows.extend([tls(4_200, "203.0.113.66:443"), tls(5_200, "203.0.113.66:443")]);
    let verdict = verdict_of(flows);
    assert_eq!(verdict.findings.len(), 1);
    assert_eq!((verdict.findings[0].count, verdict.findings[0].bytes), (2, Some([2406, 10240])));
}

#[test]
fn the_channel_moved_elsewhere_is_still_undeclared() {
    for moved in [
        flow(4_200, L4::Udp, "203.0.113.66:443", "unknown"),
        tls(4_200, "203.0.113.66:8443"),
        tls(4_200, "[2001:db8:66::66]:443"),
        tls(2_250, "203.0.113.66:443"),
        flow(4_200, L4::Icmp, "203.0.113.66:0", "icmp"),
        flow(4_200, L4::Other(47), "203.0.113.66:0", "unknown"),
        FlowRecord { answered: false, app: "unknown".into(), ..tls(4_200, "203.0.113.66:443") },
        tls(4_200, "203.0.113.66:443").sni("api.u8.example.evil.example"),
        tls(4_200, "203.0.113.66:8443").because(Reason::Ech),
    ] {
        fails_by("undeclared-endpoint", moved);
    }
}

#[test]
fn a_declared_name_on_an_address_that_was_never_given_for_it_fails() {
    let pretends = || tls(4_200, "203.0.113.66:443").sni("api.u8.example");
    let verdict = fails_by("uncorroborated-name", pretends());
    assert!(
        verdict.findings[0].title.contains("no look-up gave this address"),
        "{}",
        verdict.findings[0].title
    );
    fails_by("uncorroborated-name", pretends().looked_up("www.other.example"));
}

#[test]
fn an_uncorroborated_name_is_in_doubt_where_the_look_up_may_have_been_missed() {
    let pretends = tls(4_200, "198.51.100.20:443").sni("api.u8.example");
    let dropped = attempt(run().teardown(7_100, FRAMES, 3).end(7_500), meant_and(pretends.clone()));
    let verdict = judged(&[dropped]);
    let expected = (Outcome::Inconclusive, vec!["uncorroborated-name", "packets-dropped"]);
    assert_eq!(rules(&verdict), expected);

    // The capture began only after the companion was launched.
    let mut late = whole(meant_and(pretends));
    for entry in &mut late.entries {
        if matches!(&entry.body, lab_protocol::Body::Command(c) if matches!(c.action, lab_protocol::Action::Launch { .. }))
        {
            entry.t = 1;
        }
    }
    assert_eq!(rules(&judged(&[late])).0, Outcome::Inconclusive);
}

#[test]
fn a_declaration_may_accept_weaker_evidence_in_so_many_words() {
    let verdict = verdict_of(meant_and(tls(4_200, "203.0.113.7:443").sni("a.cdn.example")));
    assert_eq!(rules(&verdict), (Outcome::Pass, vec![]));
    let cdn = verdict.endpoints.iter().find(|endpoint| endpoint.names == ["a.cdn.example"]).expect("listed");
    assert_eq!(cdn.evidence, Some(crate::manifest::Evidence::Sni));
}

#[test]
fn a_look_up_alone_is_weak_where_a_name_should_be_asserted() {
    in_doubt_by("weak-evidence", tls(4_200, "198.51.100.20:443").looked_up("api.u8.example"));
}

#[test]
fn an_address_of_several_names_is_in_doubt_only_if_one_of_them_is_declared() {
    let shared = |name| {
        let mut flow = tls(4_200, "198.51.100.9:443").looked_up("a.other.example").looked_up(name);
        (flow.state, flow.reason) = (lab_observe::State::Ambiguous, Some(Reason::SeveralNames));
        flow
    };
    in_doubt_by("ambiguous-name", shared("api.u8.example"));
    fails_by("undeclared-endpoint", shared("b.other.example"));
}

#[test]
fn a_name_hidden_by_encrypted_dns_is_in_doubt() {
    in_doubt_by("hidden-name", tls(4_200, "198.51.100.20:443").because(Reason::HiddenDns));
    fails_by("undeclared-endpoint", tls(4_200, "198.51.100.20:8443").because(Reason::HiddenDns));
}

#[test]
fn a_declared_endpoint_in_the_wrong_phase_fails() {
    // In teardown: the app is launched, and the phase is none that was declared.
    let verdict = fails_by(
        "wrong-phase",
        tls(7_150, "198.51.100.20:443").looked_up("api.u8.example").sni("api.u8.example"),
    );
    assert!(
        verdict.findings[0]
            .manifest
            .as_deref()
            .is_some_and(|place| place.starts_with("privacy-manifest.yaml:"))
    );
}

#[test]
fn a_declared_endpoint_from_the_wrong_talker_fails() {
    fails_by(
        "wrong-talker",
        tls(4_200, "198.51.100.5:5228").looked_up("push.u8.example").sni("push.u8.example"),
    );
    // Before the companion was launched, only the phone's system can have talked.
    fails_by(
        "wrong-talker",
        tls(2_050, "198.51.100.20:443").looked_up("api.u8.example").sni("api.u8.example"),
    );
}

#[test]
fn a_talker_that_nobody_knows_is_nobody_who_was_declared() {
    let mut flow = tls(4_200, "198.51.100.20:443").looked_up("api.u8.example").sni("api.u8.example");
    flow.client_mac = None;
    flow.client = "192.0.2.99:4000".parse().expect("an address");
    in_doubt_by("talker-unknown", flow);
}

#[test]
fn clear_text_where_encryption_is_required_fails() {
    let flow = flow(4_200, L4::Tcp, "198.51.100.20:443", "http").looked_up("api.u8.example");
    fails_by("clear-text", flow.named(NameKind::HttpHost, "api.u8.example"));
}

#[test]
fn a_question_for_an_undeclared_name_fails_though_no_connection_follows() {
    let question = flow(4_200, L4::Udp, "203.0.113.53:53", "dns")
        .named(NameKind::DnsQuery, "tracker.example")
        .named(NameKind::DnsQuery, "a.cdn.example");
    let verdict = fails_by("undeclared-look-up", question);
    let title = &verdict.findings[0].title;
    assert_eq!(title, "companion app asked DNS for tracker.example, 1.2 s after pairing, not declared");
}

#[test]
fn several_hosts_on_one_flow_are_admitted_together_or_not_at_all() {
    let kept_alive =
        tls(4_200, "203.0.113.7:443").sni("a.cdn.example").named(NameKind::HttpHost, "evil.example");
    fails_by("undeclared-endpoint", kept_alive);
}

#[test]
fn evidence_that_contradicts_itself_is_a_finding() {
    let mut odd = tls(4_200, "203.0.113.7:443").looked_up("other.example").sni("a.cdn.example");
    odd.disagreement = vec![Disagreement::SniDns];
    in_doubt_by("disagreeing-evidence", odd);
}

#[test]
fn what_is_opened_from_outside_is_undeclared() {
    let mut inbound = tls(4_200, "203.0.113.66:443");
    (inbound.client, inbound.server) =
        ("203.0.113.66:443".parse().unwrap(), "192.0.2.10:5000".parse().unwrap());
    (inbound.client_mac, inbound.server_mac) = (Some(SERVICES), Some(PHONE));
    let verdict = fails_by("undeclared-inbound", inbound);
    assert_eq!(verdict.findings[0].endpoint.as_deref(), Some("203.0.113.66 → phone:5000"));
}

#[test]
fn a_declared_flow_that_could_not_be_read_is_in_doubt() {
    let cut = tls(4_200, "198.51.100.20:443").looked_up("api.u8.example").sni("api.u8.example");
    in_doubt_by("flow-unreadable", FlowRecord { unread: true, ..cut });
    fails_by("undeclared-endpoint", FlowRecord { unread: true, ..tls(4_200, "203.0.113.66:443") });
}

#[test]
fn control_traffic_of_the_link_is_no_endpoint() {
    let nd = FlowRecord { link_control: true, ..flow(1_500, L4::Icmpv6, "[ff02::1]:0", "nd") };
    assert_eq!(rules(&verdict_of(meant_and(nd))), (Outcome::Pass, vec![]));
    // The router, which is on the link.
    let router = FlowRecord { link_control: true, ..flow(1_500, L4::Icmpv6, "[2001:db8:1::1]:0", "nd") };
    assert_eq!(rules(&verdict_of(meant_and(router))), (Outcome::Pass, vec![]));
}

#[test]
fn what_calls_itself_control_traffic_and_goes_further_is_judged() {
    // Nobody's, a service behind the link, and one that only shares the link's prefix.
    for server in ["[2001:db8:77::1]:0", "[2001:db8:66::66]:0", "[2001:db8:1::bad]:0", "[ff05::2]:0"] {
        let far = FlowRecord { link_control: true, ..flow(1_500, L4::Icmpv6, server, "nd") };
        fails_by("undeclared-endpoint", far);
    }
}

#[test]
fn without_an_assertion_endpoints_are_listed_and_not_judged() {
    let (mut plan, manifest) = (plan(PLAN), manifest(MANIFEST));
    plan.assertions.endpoints = None;
    let attempts = [whole(meant_and(tls(4_200, "203.0.113.66:443")))];
    let verdict = judge(&JudgeInput { plan: &plan, manifest: &manifest, attempts: &attempts, repeats: 1 });
    assert_eq!((verdict.outcome, verdict.endpoints_asserted), (Outcome::Pass, false));
    assert_eq!(verdict.endpoints.len(), 4);
}

#[test]
fn hostile_names_are_escaped() {
    let verdict = fails_by("undeclared-endpoint", tls(4_200, "203.0.113.66:443").sni("a\u{1b}[2J\u{202e}"));
    assert!(verdict.findings[0].title.contains("SNI a\\u{1b}[2J\\u{202e}"), "{}", verdict.findings[0].title);
}

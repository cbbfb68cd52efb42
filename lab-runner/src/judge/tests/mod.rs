//! The rules of docs/verdict.md, each under its name, on hand-made attempts.

mod attempts;
mod endpoints;
mod properties;
mod rules;

use std::path::Path;

use lab_observe::FlowRecord;

use super::{JudgeInput, Outcome, Verdict, judge};
use crate::manifest::Manifest;
use crate::observation::Attempt;
use crate::observation::support::{FRAMES, Log, With, attempt, flow, tls};
use crate::plan::Plan;
use crate::yaml::{Document, Source};

pub(crate) const PLAN: &str = "format: 1
name: U8 Nucleus pairs
product: {vendor: Nucleus, model: U8}
manifest: privacy-manifest.yaml
needs: {radio: ble, phone: companion, net: gateway}
phases:
  - {name: baseline, steps: [{idle: 1s}]}
  - {name: pairing, steps: [{scan: {name: U8}}, {launch: {app: companion}}, {pair: {method: just-works}}]}
  - {name: idle, steps: [{idle: 3s}]}
assert: {endpoints: declared, snapshot: true}
";

pub(crate) const MANIFEST: &str = "format: 1
product: {vendor: Nucleus, model: U8}
endpoints:
  - {id: resolver, talker: app, cidr: 203.0.113.53/32, transport: udp, ports: 53, protocol: dns}
  - {id: api, talker: app, host: api.u8.example, ports: 443, protocol: tls, encryption: required, phases: [pairing, idle]}
  - {id: cdn, talker: app, suffix: cdn.example, ports: 443, evidence: sni}
  - {id: time, talker: app, host: time.u8.example, transport: udp, ports: 123, evidence: dns}
  - {id: push, talker: watch, host: push.u8.example, ports: 5228}
";

fn document(file: &str, text: &str) -> Document {
    // The plan's own loader looks whether the manifest that it names is there.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-plans/u8-nucleus");
    let source = Source::from_bytes(&folder.join(file), text.as_bytes().to_vec()).expect("readable");
    Document::parse(source).expect("YAML")
}

pub(crate) fn plan(text: &str) -> Plan {
    Plan::from_document(document("plan.yaml", text)).expect("a plan").0
}

pub(crate) fn manifest(text: &str) -> Manifest {
    Manifest::from_document(document("privacy-manifest.yaml", text)).expect("a manifest").0
}

/// A run in order, up to its teardown: baseline from 1 s, pairing from 2 s (launch at 2.2 s, paired at 3 s), idle from
/// 4 s to 7 s.
fn run() -> Log {
    let scan =
        lab_protocol::Action::Scan { name: Some("U8".into()), address: None, service: None, within_ms: 1000 };
    Log::virtual_bench()
        .phase(1_000, "baseline")
        .idle(1_000, 1_999)
        .phase(2_000, "pairing")
        .step(2_010, 2_100, lab_protocol::AgentKind::Ble, "scan U8", scan)
        .launch(2_200)
        .pair(2_300, 3_000)
        .phase(4_000, "idle")
        .idle(4_000, 7_000)
}

fn whole(flows: Vec<FlowRecord>) -> Attempt {
    attempt(run().teardown(7_100, FRAMES, 0).end(7_500), flows)
}

/// What the product is meant to do: look up, and talk to its declared hosts.
pub(crate) fn meant() -> Vec<FlowRecord> {
    vec![
        flow(3_050, lab_observe::L4::Udp, "203.0.113.53:53", "dns")
            .named(lab_observe::NameKind::DnsQuery, "api.u8.example")
            .because(lab_observe::Reason::Resolver),
        tls(3_100, "198.51.100.20:443").looked_up("api.u8.example").sni("api.u8.example"),
        flow(4_200, lab_observe::L4::Udp, "198.51.100.123:123", "ntp").looked_up("time.u8.example"),
    ]
}

fn meant_and(more: FlowRecord) -> Vec<FlowRecord> {
    let mut flows = meant();
    flows.push(more);
    flows
}

fn judged(attempts: &[Attempt]) -> Verdict {
    judged_by(PLAN, MANIFEST, attempts)
}

pub(crate) fn judged_by(plan_text: &str, manifest_text: &str, attempts: &[Attempt]) -> Verdict {
    let (plan, manifest) = (plan(plan_text), manifest(manifest_text));
    judge(&JudgeInput { plan: &plan, manifest: &manifest, attempts, repeats: 1 })
}

pub(crate) fn verdict_of(flows: Vec<FlowRecord>) -> Verdict {
    judged(&[whole(flows)])
}

/// The outcome, and the rules of the findings.
fn rules(verdict: &Verdict) -> (Outcome, Vec<&str>) {
    (verdict.outcome, verdict.findings.iter().map(|finding| finding.rule.as_str()).collect())
}

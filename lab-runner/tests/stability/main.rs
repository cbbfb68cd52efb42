//! Drafts hold for what a product does again, and let nothing else in: on captures that nobody of this project made.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod corpus;
mod inject;
mod measure;
mod others;
#[path = "../../observe/tests/packets/mod.rs"]
mod packets;

use lab_runner::captured::Captured;
use lab_runner::draft::Accepted;
use lab_runner::judge::{Finding, Outcome};
use measure::{From, Injected, Tally};

/// Runs that fail falsely, in percent, over all devices.
const MOST_FALSE: f64 = 5.0;
/// Injections that fail, in percent; the others are in doubt.
const LEAST_FAILED: f64 = 95.0;
const TRAINING: usize = 5;

#[test]
fn a_draft_from_five_runs_holds_for_the_others() {
    let Some(devices) = corpus::devices() else { return };
    for from in [From::First, From::Everywhere] {
        let mut all = Tally::default();
        for device in &devices {
            let tally = measure::held_out(device, from, TRAINING, &Accepted::None);
            println!("{}: {tally}", device.name);
            for (why, count) in &tally.why {
                println!("  {count:3} {why}");
            }
            all.merge(&tally);
        }
        println!("all, {from:?}: {all}");
        assert!(all.failed() <= MOST_FALSE, "{from:?}: {all}");
    }
}

#[test]
fn no_injected_endpoint_passes_a_draft_and_nearly_all_fail() {
    let Some(devices) = corpus::devices() else { return };
    let mut all = Injected::default();
    for device in &devices {
        for (kind, injected) in measure::injections(device, TRAINING) {
            if injected.fail < injected.all() {
                println!("{} {kind:?}: {} of {} fail", device.name, injected.fail, injected.all());
            }
            all.merge(injected);
        }
    }
    println!(
        "{} injections: {} fail, {} in doubt, {} pass",
        all.all(),
        all.fail,
        all.inconclusive,
        all.passed.len()
    );
    for one in all.passed.iter().chain(&all.doubted) {
        println!("  {one}");
    }
    assert!(all.all() >= 500, "{} injections", all.all());
    assert!(all.passed.is_empty(), "{} injections pass", all.passed.len());
    let share = 100.0 * f64::from(all.fail) / f64::from(all.all());
    assert!(share >= LEAST_FAILED, "{share:.1} % of the injections fail");
}

/// Whatever a device does, what was drafted from it admits it: on captures of every protocol.
#[test]
fn a_draft_with_all_of_it_accepted_admits_what_it_was_drafted_from() {
    let Some(captures) = others::others() else { return };
    let mut failed = Vec::new();
    let mut judged = 0;
    for captured in &captures {
        let manifest = measure::drafted(&[captured], &Accepted::All);
        let verdict = measure::judged(&manifest, captured);
        judged += 1;
        let fails = verdict.findings.iter().filter(|finding| finding.severity == Outcome::Fail);
        for finding in fails.filter(|finding| has_words(captured, finding)) {
            failed.push(format!("{}: {}: {}", captured.file, finding.rule, finding.title));
        }
    }
    println!("{judged} captures judged by their own drafts");
    assert!(failed.is_empty(), "{} findings:\n{}", failed.len(), failed.join("\n"));
}

/// Captures in which an address stands where a host's name belongs.
const ADDRESSES_FOR_NAMES: [&str; 2] =
    ["ja3_lots_of_cipher_suites_2_anon.pcap", "tls_heur__vmess-websocket.pcapng"];

/// Whether a manifest could say anything that admits this. Nothing makes a tunnel right, nor a name that no host has, and
/// there are no words for other transports.
fn has_words(captured: &Captured, finding: &Finding) -> bool {
    let transport = finding.transport.as_deref().unwrap_or_default();
    !["dns-tunnel", "undeclared-look-up"].contains(&finding.rule.as_str())
        && ["tcp", "udp", "icmp", "icmpv6"].contains(&transport)
        && !ADDRESSES_FOR_NAMES.contains(&captured.file.as_str())
}

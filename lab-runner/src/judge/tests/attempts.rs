//! Rules about attempts: faults, gaps, repeats and retries.

use lab_protocol::{Action, AgentKind, Body, Entry, Event, Fault, Reply, Source};

use super::*;
use crate::observation::support::{PHONE, SERVICES};

fn companion() -> Source {
    Source::new(AgentKind::Companion, "phone")
}

fn covert() -> FlowRecord {
    tls(4_200, "203.0.113.66:443")
}

/// Such an attempt has this outcome by this rule; and fails where an undeclared flow was seen in it.
fn counts(log: Log, outcome: Outcome, rule: &str) {
    let verdict = judged(&[attempt(log.clone(), meant())]);
    assert_eq!(rules(&verdict), (outcome, vec![rule]), "{:#?}", verdict.findings);
    let verdict = judged(&[attempt(log, meant_and(covert()))]);
    assert_eq!(rules(&verdict), (Outcome::Fail, vec!["undeclared-endpoint", rule]));
}

fn ended(log: Log) -> Log {
    log.teardown(7_100, FRAMES, 0).end(7_500)
}

#[test]
fn an_unmet_expectation_fails() {
    let fault = Fault::product("expect-unmet", "no line matched");
    let log = ended(run().failing(7_010, 7_020, "expect console", fault));
    let verdict = judged(&[attempt(log, meant())]);
    assert_eq!(rules(&verdict), (Outcome::Fail, vec!["expectation-unmet"]));
    assert_eq!(verdict.findings[0].step.as_deref(), Some("expect console"));
}

#[test]
fn a_fault_of_the_bench_is_a_bench_fault() {
    let fault = Fault::bench("probe-gone", "the probe is gone");
    counts(ended(run().failing(7_010, 7_020, "reset", fault.clone())), Outcome::BenchFault, "bench-fault");
    counts(ended(run().happens(7_010, Event::Fault { fault })), Outcome::BenchFault, "bench-fault");
}

#[test]
fn a_companion_that_ended_by_itself_leaves_doubt() {
    // Whatever the app is called.
    for what in ["companion", "services"] {
        let event = Event::Exited { what: what.into(), status: "killed by signal 11".into() };
        let fault = Fault::doubt("app-ended", "the companion ended while it was waited for");
        let log = run().said(7_010, companion(), None, event);
        let log = log.failing(7_011, 7_020, "expect companion", fault);
        counts(ended(log), Outcome::Inconclusive, "companion-exited");
    }
}

#[test]
fn services_that_ended_by_themselves_are_a_bench_fault() {
    let event = Event::Exited { what: "services".into(), status: "exit status 1".into() };
    let log = run().said(7_010, Source::new(AgentKind::Network, "net"), None, event);
    counts(ended(log), Outcome::BenchFault, "bench-fault");
}

#[test]
fn a_forged_answer_moves_no_phase_and_leaves_doubt() {
    // Declared for phase pairing, which ends at 4 s.
    let late = || tls(4_200, "198.51.100.20:443").looked_up("api.u8.example").sni("api.u8.example");
    let pairing_only = MANIFEST.replace("phases: [pairing, idle]", "phases: [pairing]");
    let ok = || Event::Done { reply: Reply::Ok };
    let mut forged = whole(meant_and(late()));
    let idle = |entry: &Entry| matches!(&entry.body, Body::Command(c) if matches!(&c.action, Action::Phase { name } if name == "idle"));
    let at = forged.entries.iter().position(idle).expect("a phase");
    let id = forged.entries[at].id;
    // With this, it would end at 5 s.
    let entry = Entry { seq: 99, t: 5_000_000_000, source: companion(), id, body: Body::Event(ok()) };
    forged.entries.insert(at + 1, entry);
    let verdict = judged_by(PLAN, &pairing_only, &[forged]);
    assert_eq!(rules(&verdict), (Outcome::Fail, vec!["wrong-phase", "forged-event"]));

    counts(ended(run().said(7_010, companion(), None, ok())), Outcome::Inconclusive, "forged-event");
    let told = Event::Fault { fault: Fault::doubt("forged-event", "it answered for another") };
    counts(ended(run().said(7_010, companion(), None, told)), Outcome::Inconclusive, "forged-event");
}

#[test]
fn a_run_that_somebody_else_says_has_ended_was_cut_short() {
    let log = run().teardown(7_100, FRAMES, 0).said(7_500, companion(), None, Event::End);
    let verdict = judged(&[attempt(log, meant())]);
    assert_eq!(rules(&verdict), (Outcome::Inconclusive, vec!["forged-event", "run-cut-short"]));
}

#[test]
fn dropped_packets_leave_doubt() {
    counts(run().teardown(7_100, FRAMES, 1).end(7_500), Outcome::Inconclusive, "packets-dropped");
}

#[test]
fn frames_missing_from_the_file_leave_doubt() {
    counts(run().teardown(7_100, FRAMES + 1, 0).end(7_500), Outcome::Inconclusive, "frames-missing");
}

#[test]
fn a_run_that_was_killed_or_interrupted_leaves_doubt() {
    let killed = judged(&[attempt(run(), meant())]);
    assert_eq!(rules(&killed), (Outcome::Inconclusive, vec!["run-cut-short", "capture-not-ended"]));
    counts(ended(run().happens(7_050, Event::Interrupted)), Outcome::Inconclusive, "interrupted");
}

#[test]
fn steps_that_were_not_carried_out_leave_doubt() {
    let log = ended(Log::virtual_bench().phase(1_000, "baseline").idle(1_000, 1_999));
    assert_eq!(rules(&judged(&[attempt(log, vec![])])), (Outcome::Inconclusive, vec!["steps-not-run"]));
}

#[test]
fn a_canary_not_seen_both_ways_leaves_doubt() {
    let mut deaf = whole(meant());
    deaf.captures[0].observation.canaries.pop();
    ether_type(&mut deaf, "0x88b5", 3);
    assert_eq!(rules(&judged(&[deaf])), (Outcome::Inconclusive, vec!["no-canary"]));
    let mut from_one_end = whole(meant());
    let canaries = &mut from_one_end.captures[0].observation.canaries;
    canaries[1].src_mac = canaries[0].src_mac;
    let verdict = judged(&[from_one_end]);
    assert_eq!(rules(&verdict), (Outcome::Inconclusive, vec!["no-canary", "frames-unreadable"]));
}

fn ether_type(attempt: &mut Attempt, kind: &str, count: u64) {
    attempt.captures[0].observation.summary.ether_types.insert(kind.into(), count);
}

#[test]
fn a_canary_that_the_lab_did_not_send_may_carry_something() {
    let unreadable = (Outcome::Inconclusive, vec!["frames-unreadable"]);
    let with = |change: &dyn Fn(&mut lab_observe::LinkFrame)| {
        let mut attempt = whole(meant());
        let mut frame = attempt.captures[0].observation.canaries[0].clone();
        change(&mut frame);
        attempt.captures[0].observation.canaries.push(frame);
        ether_type(&mut attempt, "0x88b5", 5);
        rules(&judged(&[attempt])) == (Outcome::Inconclusive, vec!["frames-unreadable"])
    };
    assert!(with(&|frame| frame.payload[0] ^= 1), "another nonce");
    assert!(with(&|_| {}), "the same once more");
    assert!(with(&|frame| (frame.src_mac, frame.dst_mac) = (SERVICES, PHONE)), "from the other end");
    // More of them than are kept.
    let mut many = whole(meant());
    ether_type(&mut many, "0x88b5", 6);
    assert_eq!(rules(&judged(&[many])), unreadable);
    // Padding that is none.
    let mut padded = whole(meant());
    padded.captures[0].observation.canaries[0].payload[30] = 1;
    assert_eq!(rules(&judged(&[padded])).1, ["no-canary", "frames-unreadable"]);
}

#[test]
fn more_address_requests_than_a_link_needs_may_carry_something() {
    let with = |count| {
        let mut attempt = whole(meant());
        ether_type(&mut attempt, "0x0806", count);
        judged(&[attempt]).outcome
    };
    assert_eq!([with(64), with(65)], [Outcome::Pass, Outcome::Inconclusive]);
}

#[test]
fn what_could_not_be_parsed_leaves_doubt() {
    let mut odd = whole(meant());
    odd.captures[0].observation.summary.weird.insert("ip_malformed".into(), 2);
    let verdict = judged(&[odd]);
    assert_eq!(rules(&verdict), (Outcome::Inconclusive, vec!["observation-incomplete"]));
    assert!(verdict.findings[0].title.contains("ip_malformed (2)"), "{}", verdict.findings[0].title);
    let mut aside = whole(meant());
    let one = lab_observe::record::Aside { frames: 1, first_ns: 0, last_ns: 0 };
    aside.captures[0].observation.summary.aside.insert("wifi_protected".into(), one);
    assert_eq!(rules(&judged(&[aside])), (Outcome::Inconclusive, vec!["frames-unreadable"]));
    let mut harmless = whole(meant());
    harmless.captures[0].observation.summary.aside.insert("bluetooth_hci".into(), one);
    harmless.captures[0].observation.summary.weird.insert("dns_answer_unasked".into(), 1);
    assert_eq!(judged(&[harmless]).outcome, Outcome::Pass);
}

#[test]
fn no_capture_and_a_cut_one_leave_doubt() {
    let mut none = whole(vec![]);
    none.captures.clear();
    assert_eq!(rules(&judged(&[none])), (Outcome::Inconclusive, vec!["no-capture"]));
    let mut cut = whole(meant());
    cut.captures[0].observation.summary.cut = true;
    assert_eq!(rules(&judged(&[cut])), (Outcome::Inconclusive, vec!["capture-cut"]));
    let mut odd = whole(meant());
    odd.captures[0].observation.summary.ether_types.insert("0x9000".into(), 1);
    assert_eq!(rules(&judged(&[odd])), (Outcome::Inconclusive, vec!["frames-unreadable"]));
}

#[test]
fn a_side_of_the_product_that_nobody_watches_leaves_doubt() {
    let mut blind = whole(meant());
    for entry in &mut blind.entries {
        if let lab_protocol::Body::Event(Event::Done { reply: lab_protocol::Reply::Network { facts } }) =
            &mut entry.body
        {
            let watch = lab_protocol::Side { name: "watch".into(), ..facts.sides[0].clone() };
            facts.sides.push(watch);
        }
    }
    assert_eq!(rules(&judged(&[blind])), (Outcome::Inconclusive, vec!["side-unwatched"]));
}

#[test]
fn nothing_at_all_is_no_pass() {
    assert_eq!(rules(&judged(&[])), (Outcome::Inconclusive, vec!["repeat-missing"]));
    let empty = Attempt { number: 1, repeat: 1, entries: vec![], captures: vec![], retried: false };
    assert_eq!(judged(&[empty]).outcome, Outcome::Inconclusive);
}

#[test]
fn a_retry_takes_the_bench_fault_away_and_never_what_was_seen() {
    let fault = Fault::bench("probe-gone", "the probe is gone");
    let first = |flows| {
        let log = ended(run().failing(7_010, 7_020, "reset", fault.clone()));
        Attempt { retried: true, ..attempt(log, flows) }
    };
    let second = || Attempt { number: 2, ..whole(meant()) };
    let verdict = judged(&[first(meant()), second()]);
    assert_eq!(rules(&verdict), (Outcome::Pass, vec![]));
    assert_eq!(verdict.attempts[0].fault.as_deref(), Some("the probe is gone"));
    let verdict = judged(&[first(meant_and(covert())), second()]);
    assert_eq!(rules(&verdict), (Outcome::Fail, vec!["undeclared-endpoint"]));
}

#[test]
fn seen_in_one_of_n_repeats_is_seen() {
    let (plan, manifest) = (plan(PLAN), manifest(MANIFEST));
    let attempts: Vec<Attempt> = (1..=3)
        .map(|n| {
            let flows = if n == 2 { meant_and(covert()) } else { meant() };
            Attempt { number: n, repeat: n, ..whole(flows) }
        })
        .collect();
    let verdict = judge(&JudgeInput { plan: &plan, manifest: &manifest, attempts: &attempts, repeats: 3 });
    assert_eq!(verdict.outcome, Outcome::Fail);
    assert_eq!((verdict.findings[0].seen_in, &verdict.findings[0].attempts), ([1, 3], &vec![2]));
}

#[test]
fn a_required_declaration_that_never_shows_up_fails_only_where_all_was_seen() {
    let required = MANIFEST.replace("id: push,", "id: push, required: true,");
    let verdict = judged_by(PLAN, &required, &[whole(meant())]);
    assert_eq!(rules(&verdict), (Outcome::Fail, vec!["required-missing"]));
    let lossy = attempt(run().teardown(7_100, FRAMES, 1).end(7_500), meant());
    assert_eq!(
        rules(&judged_by(PLAN, &required, &[lossy])),
        (Outcome::Inconclusive, vec!["packets-dropped"])
    );
}

#[test]
fn exit_codes_are_those_of_the_command_line() {
    let codes =
        [Outcome::Pass, Outcome::Fail, Outcome::Inconclusive, Outcome::BenchFault].map(Outcome::exit_code);
    assert_eq!(codes, [0, 1, 3, 4]);
    assert!(Outcome::Fail > Outcome::BenchFault && Outcome::BenchFault > Outcome::Inconclusive);
}

//! Rules about attempts: faults, gaps, repeats and retries.

use lab_protocol::{Event, Fault};

use super::*;

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
    let event = Event::Exited { what: "companion".into(), status: "killed by signal 11".into() };
    let fault = Fault::doubt("app-ended", "the companion ended while it was waited for");
    let log = run().happens(7_010, event).failing(7_011, 7_020, "expect companion", fault);
    counts(ended(log), Outcome::Inconclusive, "companion-exited");
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
    assert_eq!(rules(&judged(&[deaf])), (Outcome::Inconclusive, vec!["no-canary"]));
    let mut from_one_end = whole(meant());
    let canaries = &mut from_one_end.captures[0].observation.canaries;
    canaries[1].src_mac = canaries[0].src_mac;
    assert_eq!(rules(&judged(&[from_one_end])).0, Outcome::Inconclusive);
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

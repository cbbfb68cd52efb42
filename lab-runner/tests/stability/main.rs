//! Drafts hold for what a product does again, and let nothing else in: on captures that nobody of this project made.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod corpus;
mod inject;
mod measure;
#[path = "../../observe/tests/packets/mod.rs"]
mod packets;

use lab_runner::draft::Accepted;
use measure::{Injected, Tally};

/// Runs that fail falsely, in percent, over all devices.
const MOST_FALSE: f64 = 5.0;
/// Injections that fail, in percent; the others are in doubt.
const LEAST_FAILED: f64 = 95.0;
const TRAINING: usize = 5;

#[test]
fn a_draft_from_five_runs_holds_for_the_others() {
    let Some(devices) = corpus::devices() else { return };
    let mut all = Tally::default();
    for device in &devices {
        let tally = measure::held_out(device, TRAINING, &Accepted::None);
        println!(
            "{}: {:.1} % of {} fail, {} inconclusive",
            device.name,
            tally.failed(),
            tally.all(),
            tally.inconclusive
        );
        for (why, count) in &tally.why {
            println!("  {count:3} {why}");
        }
        all.merge(&tally);
    }
    println!("all: {:.2} % of {} fail, {} inconclusive", all.failed(), all.all(), all.inconclusive);
    assert!(all.failed() <= MOST_FALSE, "{:.2} % of runs fail falsely", all.failed());
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

//! How far a drafted manifest can be trusted: by device, and by how many runs it was drafted from.
//!
//!     LAB_CORPUS=… cargo bench -p lab-runner --no-default-features --bench stability
//!
//! Runs that fail though the product did nothing new, as drafted and with everything suspicious accepted; and injected
//! endpoints that fail, are in doubt, or pass. Answers 1 where a figure for five runs is over its limit.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

#[path = "../tests/stability/corpus.rs"]
mod corpus;
#[path = "../tests/stability/inject.rs"]
mod inject;
#[path = "../tests/stability/measure.rs"]
mod measure;
#[path = "../observe/tests/packets/mod.rs"]
mod packets;

use std::process::ExitCode;

use lab_runner::draft::Accepted;
use measure::{From, Injected, Tally};

const TRAINING: [usize; 4] = [1, 3, 5, 10];
/// The figures that have limits are those for so many runs.
const JUDGED_BY: usize = 5;
/// Runs that may fail though the product did nothing new, in percent.
const MOST_FALSE: f64 = 5.0;
/// Injected endpoints that have to fail, in percent; none may pass.
const LEAST_CAUGHT: f64 = 95.0;

fn main() -> ExitCode {
    let Some(devices) = corpus::devices() else { return ExitCode::SUCCESS };
    let mut over = false;
    println!(
        "Runs judged by a draft from others: from the first runs, and from as many in a row everywhere; in percent."
    );
    println!(
        "                        first runs               everywhere                    all      injected endpoints"
    );
    println!(
        "device             from  runs   fail  inconcl.   runs   fail  inconcl.   pass  accepted: fail    fail  doubt   pass"
    );
    for training in TRAINING {
        let (mut first, mut drafted, mut accepted) = (Tally::default(), Tally::default(), Tally::default());
        let mut injected = Injected::default();
        let (mut weighed, mut weight) = (0.0, 0.0);
        for device in &devices {
            let of_device = Figures {
                first: measure::held_out(device, From::First, training, &Accepted::None),
                drafted: measure::held_out(device, From::Everywhere, training, &Accepted::None),
                accepted: measure::held_out(device, From::Everywhere, training, &Accepted::All),
                injected: measure::injections(device, training).into_values().fold(
                    Injected::default(),
                    |mut all, one| {
                        all.merge(one);
                        all
                    },
                ),
            };
            of_device.print(&device.name, training.min(device.captures.len() - 1));
            let held_out = f64::from(of_device.first.all());
            weighed += held_out * of_device.drafted.failed();
            weight += held_out;
            first.merge(&of_device.first);
            drafted.merge(&of_device.drafted);
            accepted.merge(&of_device.accepted);
            injected.merge(of_device.injected);
        }
        let all = Figures { first, drafted, accepted, injected };
        all.print("all", training);
        let by_run = weighed / weight;
        println!("everywhere, where a device weighs as much as it has held-out runs: {by_run:.1} % fail\n");
        over |= training == JUDGED_BY && !(all.hold() && by_run <= MOST_FALSE);
    }
    if over {
        println!(
            "a figure for {JUDGED_BY} runs is over its limit: {MOST_FALSE} % fail falsely, no injection passes, \
             {LEAST_CAUGHT} % of them fail"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

struct Figures {
    first: Tally,
    drafted: Tally,
    accepted: Tally,
    injected: Injected,
}

impl Figures {
    fn print(&self, name: &str, training: usize) {
        let share = |tally: &Tally, count: u32| 100.0 * f64::from(count) / f64::from(tally.all().max(1));
        let Self { first, drafted, accepted, injected } = self;
        println!(
            "{name:<18} {training:>4} {:>5} {:>6.1} {:>9.1} {:>6} {:>6.1} {:>9.1} {:>6.1} {:>14.1} {:>7} {:>6} {:>6}",
            first.all(),
            first.failed(),
            share(first, first.inconclusive),
            drafted.all(),
            drafted.failed(),
            share(drafted, drafted.inconclusive),
            share(drafted, drafted.pass),
            accepted.failed(),
            injected.fail,
            injected.inconclusive,
            injected.passed.len(),
        );
    }

    fn hold(&self) -> bool {
        let fail = 100.0 * f64::from(self.injected.fail) / f64::from(self.injected.all().max(1));
        self.first.failed() <= MOST_FALSE
            && self.drafted.failed() <= MOST_FALSE
            && self.injected.passed.is_empty()
            && fail >= LEAST_CAUGHT
    }
}

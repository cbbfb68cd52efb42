//! How stable drafts are: runs that fail though the product did nothing new, and injections that don't.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use lab_runner::captured::{self, Captured, PHASE};
use lab_runner::draft::{Accepted, Head, Run, draft, render};
use lab_runner::judge::{Finding, Outcome, Verdict};
use lab_runner::manifest::Manifest;
use lab_runner::observation::attribute;
use lab_runner::yaml::{Document, Source};

use super::corpus::Repeats;
use super::inject::{KINDS, Kind, inject};

/// What runs came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) pass: u32,
    pub(crate) inconclusive: u32,
    pub(crate) fail: u32,
    /// The findings that made runs fail, and how often each did.
    pub(crate) why: BTreeMap<String, u32>,
}

impl Tally {
    pub(crate) fn all(&self) -> u32 {
        self.pass + self.inconclusive + self.fail
    }

    pub(crate) fn add(&mut self, verdict: &Verdict) {
        match verdict.outcome {
            Outcome::Pass => self.pass += 1,
            Outcome::Fail => self.fail += 1,
            Outcome::Inconclusive | Outcome::BenchFault => self.inconclusive += 1,
        }
        for finding in verdict.findings.iter().filter(|finding| finding.severity == verdict.outcome) {
            *self.why.entry(format!("{}: {}", finding.rule, finding.title)).or_default() += 1;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.pass += other.pass;
        self.inconclusive += other.inconclusive;
        self.fail += other.fail;
        for (why, count) in &other.why {
            *self.why.entry(why.clone()).or_default() += count;
        }
    }

    /// Runs that failed, in percent.
    pub(crate) fn failed(&self) -> f64 {
        100.0 * f64::from(self.fail) / f64::from(self.all().max(1))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} % of {} fail, {} inconclusive", self.failed(), self.all(), self.inconclusive)
    }
}

/// The manifest that is drafted from these captures.
pub(crate) fn drafted(training: &[&Captured], accepted: &Accepted) -> Manifest {
    let runs: Vec<Run<'_>> = training
        .iter()
        .map(|captured| Run { name: captured.file.clone(), observed: attribute(&captured.attempt) })
        .collect();
    let text = render(&draft(&runs, |_| true), &Head::Manifest(None), accepted);
    let source = Source::from_bytes(Path::new("drafted.yaml"), text.clone().into_bytes()).unwrap();
    let document = Document::parse(source).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    Manifest::from_document(document).unwrap_or_else(|problems| panic!("{problems}\n{text}")).0
}

pub(crate) fn judged(manifest: &Manifest, captured: &Captured) -> Verdict {
    captured::judge(manifest, std::slice::from_ref(captured), None)
}

/// Which runs are drafted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// The first ones, as somebody would who has just begun; all but one in turn, where there are no more.
    First,
    /// As many in a row from everywhere, going round at the end.
    Everywhere,
}

/// Drafts from `training` runs, and judges all the others by it.
pub(crate) fn held_out(device: &Repeats, from: From, training: usize, accepted: &Accepted) -> Tally {
    let all: Vec<&Captured> = device.captures.iter().map(|repeat| &repeat.captured).collect();
    let few = all.len() <= training;
    let training = training.min(all.len() - 1);
    let begins = if from == From::First && !few { 1 } else { all.len() };
    let mut tally = Tally::default();
    for first in 0..begins {
        let mut turned = all.clone();
        turned.rotate_left(first);
        let (of, others) = turned.split_at(training);
        let manifest = drafted(of, accepted);
        for captured in others {
            tally.add(&judged(&manifest, captured));
        }
    }
    tally
}

/// What became of injections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Injected {
    pub(crate) fail: u32,
    pub(crate) inconclusive: u32,
    /// Those that nothing was said about.
    pub(crate) passed: Vec<String>,
    /// Those that were only doubted.
    pub(crate) doubted: Vec<String>,
}

impl Injected {
    pub(crate) fn all(&self) -> u32 {
        self.fail + self.inconclusive + self.passed.len() as u32
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.fail += other.fail;
        self.inconclusive += other.inconclusive;
        self.passed.extend(other.passed);
        self.doubted.extend(other.doubted);
    }
}

/// Injects everything into every run of a device, and judges it by what was drafted from `training` others.
pub(crate) fn injections(device: &Repeats, training: usize) -> BTreeMap<Kind, Injected> {
    let all: Vec<&Captured> = device.captures.iter().map(|repeat| &repeat.captured).collect();
    let training = training.min(all.len() - 1);
    let mut found: BTreeMap<Kind, Injected> = BTreeMap::new();
    for (place, repeat) in device.captures.iter().enumerate() {
        let mut turned = all.clone();
        turned.rotate_left(place);
        // What a person let into the manifest makes it no easier to get something else in.
        let manifest = drafted(&turned[1..=training], &Accepted::All);
        let clean = judged(&manifest, &repeat.captured);
        for (number, kind) in KINDS.into_iter().enumerate() {
            let seed = (place * KINDS.len() + number) as u8;
            let Some((bytes, first)) = inject(kind, seed, &repeat.bytes, &repeat.captured, device.device)
            else {
                continue;
            };
            let captured = captured::read(1, &repeat.captured.file, &bytes, device.device, PHASE).unwrap();
            let verdict = judged(&manifest, &captured);
            let what = || format!("{} {} {kind:?}: {:?}", device.name, repeat.captured.file, verdict.outcome);
            let tally = found.entry(kind).or_default();
            match caught(&clean, &verdict, first) {
                Some(Outcome::Fail) => tally.fail += 1,
                Some(_) => {
                    tally.inconclusive += 1;
                    tally.doubted.push(what());
                }
                None => tally.passed.push(what()),
            }
        }
    }
    found
}

/// The worst that is said of the injected frames: what is told of them, and what nobody said without them.
fn caught(clean: &Verdict, verdict: &Verdict, first: u64) -> Option<Outcome> {
    let known = |finding: &Finding| {
        let same = |other: &&Finding| other.rule == finding.rule && other.title == finding.title;
        clean.findings.iter().find(same).is_some_and(|other| other.count == finding.count)
    };
    let of_injected =
        |finding: &&Finding| finding.frames.is_some_and(|frames| frames[0] >= first) || !known(finding);
    verdict.findings.iter().filter(of_injected).map(|finding| finding.severity).max()
}

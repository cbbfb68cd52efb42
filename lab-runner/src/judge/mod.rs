//! Judgement: what was observed, held against the plan and the privacy manifest. The rules stand in docs/verdict.md.
//!
//! A pure function: it does no I/O, reads no clock and takes whatever it is given as evidence, never as truth. It is
//! built so that nothing unseen passes: every reason for doubt makes a run inconclusive.

mod admit;
mod budgets;
mod builds;
mod captures;
mod collect;
mod declared;
mod flows;
mod identity;
mod integrity;
mod look_ups;
mod near;
mod places;
mod policy;
mod rows;
mod rules;
mod suggest;
#[cfg(test)]
pub(crate) mod tests;
mod tunnel;
mod verdict;
mod wording;
mod words;

use crate::manifest::{Manifest, Profile};
use crate::observation::{Attempt, attribute};
use crate::plan::Plan;
use collect::{Collector, Draft};
use flows::Flows;
use integrity::Worth;
use verdict::REQUIRED_MISSING;

pub(crate) use admit::protection;
pub use rules::meaning;
pub(crate) use tunnel::Channel as DnsChannel;
pub use verdict::{
    Ambient, AttemptSummary, Considered, DeclarationRef, Endpoint, FORMAT, Finding, Outcome, Owner,
    Protection, Status, Unused, Verdict,
};
pub use words::{printable, when};

/// All that a verdict is made of.
#[derive(Debug, Clone, Copy)]
pub struct JudgeInput<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The manifest.
    pub manifest: &'a Manifest,
    /// Every attempt that was made, retried ones too.
    pub attempts: &'a [Attempt],
    /// How many repeats the run had to have: the plan's, or what the command line said instead.
    pub repeats: u32,
}

/// Where attempts come from, and so what has to prove that everything was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grounds {
    /// A bench's run: its event log, its counters and its canaries.
    Run,
    /// Captures that somebody else made: there is no event log, no counter and no canary, only what a file says itself.
    Captures,
}

/// Judges a run. The same input gives the same verdict, byte for byte, in whatever order attempts and flows come.
pub fn judge(input: &JudgeInput<'_>) -> Verdict {
    judge_on(Grounds::Run, input)
}

/// Judges on the grounds that there are.
pub fn judge_on(grounds: Grounds, input: &JudgeInput<'_>) -> Verdict {
    let JudgeInput { plan, manifest, repeats, .. } = *input;
    let mut attempts: Vec<&Attempt> = input.attempts.iter().collect();
    attempts.sort_by_key(|attempt| attempt.number);
    let endpoints_asserted = plan.assertions.endpoints.is_some();
    let captures_matter = endpoints_asserted || plan.assertions.snapshot;

    let mut collector = Collector::default();
    let mut flows = Flows::new(plan, manifest);
    let mut summaries = Vec::with_capacity(attempts.len());
    let mut bench = None;
    let mut whole = true;
    for attempt in &attempts {
        let observed = attribute(attempt);
        let judged = flows.judge(attempt, &observed, &mut collector);
        let worth = integrity::check(grounds, input, attempt, &observed, captures_matter, &mut collector);
        whole &= attempt.retried || worth == Worth::Whole;
        if endpoints_asserted && !attempt.retried {
            for draft in builds::check(manifest, &observed.heard, &printable(&plan.manifest.written)) {
                collector.add(attempt, draft);
            }
        }
        summaries.push(AttemptSummary {
            number: attempt.number,
            repeat: attempt.repeat,
            retried: attempt.retried,
            fault: integrity::bench_fault(&observed.heard),
            flows: judged,
        });
        bench = bench.or(observed.bench);
    }
    for repeat in 1..=repeats.max(1) {
        if !attempts.iter().any(|attempt| attempt.repeat == repeat && !attempt.retried) {
            whole = false;
            let title = format!("repeat {repeat} of {repeats} has no attempt that counts");
            collector.add_for_run(Draft::new("repeat-missing", Outcome::Inconclusive, title));
            break;
        }
    }
    let unused = unused(manifest, &flows);
    // What didn't show up proves something only where everything was seen to its end.
    if endpoints_asserted && whole {
        for missing in unused
            .iter()
            .filter(|unused| unused.required && !flows.touched.contains(unused.declaration.id.as_str()))
        {
            let text = printable(&missing.text);
            let title = format!("{} is required and never showed up: {text}", missing.declaration.id);
            let mut draft = Draft::new(REQUIRED_MISSING, Outcome::Fail, title);
            draft.manifest = Some(missing.declaration.place.clone());
            collector.add_for_run(draft);
        }
    }
    let findings = collector.finish(repeats);
    let endpoints = flows.endpoints(repeats);
    Verdict {
        format: FORMAT,
        outcome: findings.iter().map(|finding| finding.severity).max().unwrap_or(Outcome::Pass),
        plan: plan.name.clone(),
        product: plan.product.clone(),
        manifest: plan.manifest.written.clone(),
        bench: bench.unwrap_or_else(|| "unknown".into()),
        endpoints_asserted,
        repeats,
        attempts: summaries,
        findings,
        ambient: ambient(manifest, &endpoints),
        endpoints,
        unused,
    }
}

/// What each included profile took out of the judgement of the product itself.
fn ambient(manifest: &Manifest, endpoints: &[Endpoint]) -> Vec<Ambient> {
    let of = |profile: &Profile| {
        let own = |id: &str| id.split_once('/').is_some_and(|(of, _)| of == profile.id);
        let admitted = endpoints.iter().filter(|row| row.status == Status::Declared);
        let rows: Vec<&Endpoint> =
            admitted.filter(|row| row.declaration.as_ref().is_some_and(|of| own(&of.id))).collect();
        Ambient {
            profile: profile.id.clone(),
            version: printable(&profile.version),
            file: printable(&profile.written),
            endpoints: rows.len() as u64,
            flows: rows.iter().map(|row| row.flows).sum(),
            bytes: rows.iter().fold([0; 2], |all, row| collect::sum(all, row.bytes)),
        }
    };
    manifest.ambient.iter().map(of).collect()
}

fn unused(manifest: &Manifest, flows: &Flows<'_>) -> Vec<Unused> {
    let unused =
        manifest.endpoints.iter().filter(|declaration| !flows.used.contains(declaration.id.as_str()));
    unused
        .map(|declaration| Unused {
            declaration: flows.reference(declaration),
            talker: declaration.talker,
            text: declaration.text.clone(),
            required: declaration.required,
        })
        .collect()
}

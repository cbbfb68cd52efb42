//! The verdict on captures: the judge's, and what the captures themselves leave in doubt.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Captured, PHASE};
use crate::judge::{Finding, Grounds, JudgeInput, Outcome, Verdict, judge_on};
use crate::manifest::Manifest;
use crate::observation::Attempt;
use crate::plan::{Assertions, EndpointRule, Plan, PlanPath};

/// Judges captures of one device, each as a repeat. `phase` is the phase that they show, where somebody knows; otherwise a
/// declaration's phases can't be held against them, and one that is limited to some leaves the verdict in doubt.
pub fn judge(manifest: &Manifest, captures: &[Captured], phase: Option<&str>) -> Verdict {
    let mut manifest = manifest.clone();
    let mut limited: BTreeMap<String, String> = BTreeMap::new();
    if phase.is_none() {
        for declaration in &mut manifest.endpoints {
            if let Some(phases) = declaration.phases.take() {
                limited.insert(declaration.id.clone(), phases.join(", "));
            }
        }
    }
    let attempts: Vec<Attempt> = captures.iter().map(|captured| captured.attempt.clone()).collect();
    let repeats = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
    let plan = plan(&manifest, repeats);
    let input = JudgeInput { plan: &plan, manifest: &manifest, attempts: &attempts, repeats };
    let mut verdict = judge_on(Grounds::Captures, &input);
    for (rule, title) in captures.iter().flat_map(|captured| &captured.doubts) {
        verdict.findings.push(Finding::of_run(rule, Outcome::Inconclusive, title.clone()));
    }
    let used = verdict.endpoints.iter().filter_map(|endpoint| endpoint.declaration.as_ref());
    let unknown = used.filter_map(|used| limited.get_key_value(&used.id)).next();
    if let Some((id, phases)) = unknown {
        let title =
            format!("{id} is declared for {phases} only, and nothing tells which phase a capture shows");
        let mut finding = Finding::of_run("phase-unknown", Outcome::Inconclusive, title);
        finding.help = Some("say it with --phase".into());
        verdict.findings.push(finding);
    }
    verdict.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    verdict.outcome = verdict.findings.iter().map(|finding| finding.severity).max().unwrap_or(Outcome::Pass);
    verdict
}

/// The plan that a capture stands for: no steps, and endpoints are asserted.
fn plan(manifest: &Manifest, repeats: u32) -> Plan {
    let written = manifest.file.display().to_string();
    Plan {
        name: format!("{PHASE} against {}", file_name(&manifest.file)),
        product: manifest.product.clone(),
        manifest: PlanPath { written, resolved: manifest.file.clone() },
        needs: BTreeMap::new(),
        needs_at: BTreeMap::new(),
        repeat: repeats,
        phases: Vec::new(),
        assertions: Assertions { endpoints: Some(EndpointRule::Declared), snapshot: false },
        file: manifest.file.clone(),
        source: String::new(),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

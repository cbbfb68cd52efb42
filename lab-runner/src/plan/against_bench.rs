//! Whether a bench has what a plan needs. What a virtual bench has is known without starting it.

use std::collections::BTreeMap;

use super::{Kind, Plan, StepAction};
use crate::bench::file::{BenchFile, BenchKind, Resource, VIRTUAL_APPS, VIRTUAL_ROLES};
use crate::yaml::{Diagnostic, Position, nearest};

/// Everything that the plan asks for and the bench lacks, at the plan's places.
pub fn problems_on(plan: &Plan, bench: &BenchFile) -> Vec<Diagnostic> {
    let has: BTreeMap<&str, Kind> = match bench.kind {
        BenchKind::Virtual => VIRTUAL_ROLES.into_iter().collect(),
        BenchKind::Real => {
            bench.resources.0.iter().map(|(role, resource)| (role.as_str(), resource.kind())).collect()
        }
    };
    let name = bench.file.display();
    let error = |at: Position, message: String| Diagnostic::error(&plan.file, &plan.source, at, message);
    let mut problems = Vec::new();
    for (role, kind) in &plan.needs {
        let at = plan.needs_at.get(role).copied().unwrap_or_default();
        match has.get(role.as_str()) {
            Some(found) if found == kind => {}
            Some(found) => {
                problems.push(error(
                    at,
                    format!("the plan's `{role}` is a {kind}, and the bench's is a {found} ({name})"),
                ));
            }
            None => {
                let same_kind: Vec<&str> =
                    has.iter().filter(|(_, other)| *other == kind).map(|(role, _)| *role).collect();
                let help = match same_kind.as_slice() {
                    [] => format!("add a {kind} to the bench, or take another with `--bench FILE`"),
                    some => format!("this bench calls its {kind} `{}`", some.join("`, `")),
                };
                problems.push(error(at, format!("the bench has no `{role}` ({name})")).help(help));
            }
        }
    }
    for (_, step) in plan.steps() {
        let (StepAction::Launch(app) | StepAction::Stop(app)) = &step.action else { continue };
        let apps: Vec<&str> =
            match (bench.kind, step.on.as_ref().and_then(|role| bench.resources.0.get(role))) {
                (BenchKind::Virtual, _) => VIRTUAL_APPS.to_vec(),
                (BenchKind::Real, Some(Resource::Companion(companion))) => {
                    companion.apps.keys().map(String::as_str).collect()
                }
                // The role itself is missing; that was told above.
                (BenchKind::Real, _) => continue,
            };
        if !apps.contains(&app.app.as_str()) {
            let help = match nearest(&app.app, apps.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has: {}", apps.join(", ")),
            };
            let message = format!("the bench has no app `{}` ({name})", app.app);
            problems.push(error(step.at, message).help(help));
        }
    }
    problems.sort_by_key(|problem| problem.at);
    problems
}

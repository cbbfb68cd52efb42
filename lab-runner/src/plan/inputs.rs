//! The files of one run, read and checked against each other. Nothing is opened that isn't named here.

use std::path::{Path, PathBuf};

use super::{Plan, problems_on_bench};
use crate::bench::file::BenchFile;
use crate::manifest::{self, Manifest};
use crate::yaml::{Diagnostic, Problems, Severity};

/// The file name of the bench that is taken when none is named.
pub const BENCH_BESIDE: &str = "bench.yaml";

/// A plan with its manifest and, for a live run, its bench.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// The plan.
    pub plan: Plan,
    /// The manifest that it names.
    pub manifest: Manifest,
    /// The bench; `None` where none was asked for.
    pub bench: Option<BenchFile>,
    /// What is worth a look and stops nothing.
    pub warnings: Vec<Diagnostic>,
}

impl Inputs {
    /// Reads a plan, its manifest and, where one is named, the bench, and checks them against each other.
    /// Every file's problems are told, not only the first file's.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn load(plan: &Path, bench: Option<&Path>) -> Result<Inputs, Problems> {
        Inputs::check(Plan::load(plan), bench)
    }

    /// The same for a plan that was read already.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn check(
        plan: Result<(Plan, Vec<Diagnostic>), Problems>,
        bench: Option<&Path>,
    ) -> Result<Inputs, Problems> {
        let mut told = Vec::new();
        let plan = keep(plan, &mut told);
        let bench = match bench.map(|file| keep(BenchFile::load(file), &mut told)) {
            Some(None) => return Err(Problems(told)),
            Some(Some(bench)) => Some(bench),
            None => None,
        };
        let Some(plan) = plan else { return Err(Problems(told)) };
        let manifest = keep(Manifest::load(&plan.manifest.resolved), &mut told);
        if let Some(bench) = &bench {
            told.extend(problems_on_bench(&plan, bench));
        }
        let Some(manifest) = manifest else { return Err(Problems(told)) };
        told.extend(manifest::problems_with_plan(&manifest, &plan));
        if told.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(Problems(told));
        }
        Ok(Inputs { plan, manifest, bench, warnings: told })
    }

    /// The bench file beside a plan, if there is one.
    pub fn bench_beside(plan: &Path) -> Option<PathBuf> {
        let beside = plan.with_file_name(BENCH_BESIDE);
        beside.is_file().then_some(beside)
    }
}

fn keep<T>(read: Result<(T, Vec<Diagnostic>), Problems>, told: &mut Vec<Diagnostic>) -> Option<T> {
    match read {
        Ok((value, warnings)) => {
            told.extend(warnings);
            Some(value)
        }
        Err(Problems(problems)) => {
            told.extend(problems);
            None
        }
    }
}

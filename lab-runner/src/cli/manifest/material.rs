//! What drafting and checking work on: captures of a device, and the directories of runs.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::captured::{self, Captured, Device, PHASE};
use crate::draft::Run;
use crate::judge::printable;
use crate::observation::{Attempt, attribute};
use crate::plan::{Plan, Product};
use crate::record::{LARGEST_CAPTURE, RunDir, read_regular};
use crate::run::observe_attempts;

/// Runs, as they were named on the command line.
#[derive(Default)]
pub(super) struct Material {
    /// What each is called, and what was seen.
    pub(super) attempts: Vec<(String, Attempt)>,
    /// The product of the first run whose plan is still there.
    pub(super) product: Option<Product>,
}

impl Material {
    /// Reads them; what is worth a look goes to `err`. Errors are in words.
    pub(super) fn read(
        paths: &[PathBuf],
        device: Option<Device>,
        err: &mut impl Write,
    ) -> Result<Self, String> {
        let mut all = Self::default();
        for path in paths {
            if path.is_dir() {
                all.run(path)?;
            } else {
                let number = u32::try_from(all.attempts.len()).unwrap_or(u32::MAX).saturating_add(1);
                let captured = capture(number, path, device, PHASE, err)?;
                all.attempts.push((captured.file, captured.attempt));
            }
        }
        Ok(all)
    }

    /// The runs in the terms of drafting.
    pub(super) fn runs(&self) -> Vec<Run<'_>> {
        let attempts = self.attempts.iter();
        attempts.map(|(name, attempt)| Run { name: name.clone(), observed: attribute(attempt) }).collect()
    }

    fn run(&mut self, folder: &Path) -> Result<(), String> {
        let run = RunDir::at(folder);
        let meta = run.read_meta().map_err(|error| error.to_string())?;
        let logs = meta.attempts.iter().map(|attempt| run.read_log(attempt.number));
        let logs = logs.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        if self.product.is_none() {
            self.product = Plan::load(Path::new(&meta.plan.path)).ok().map(|(plan, _)| plan.product);
        }
        let name = folder.display().to_string();
        for attempt in observe_attempts(&run, &meta.attempts, logs) {
            // Its replacement shows the same.
            if !attempt.retried {
                self.attempts.push((format!("{name}, attempt {}", attempt.number), attempt));
            }
        }
        Ok(())
    }
}

/// Reads a capture of a device, and tells what it leaves out.
pub(super) fn capture(
    number: u32,
    file: &Path,
    device: Option<Device>,
    phase: &str,
    err: &mut impl Write,
) -> Result<Captured, String> {
    let name = file.display().to_string();
    let Some(device) = device else {
        return Err(format!(
            "{name}: say with --device which host of the capture is the product: its MAC or IP address"
        ));
    };
    let bytes = read_regular(file, LARGEST_CAPTURE).map_err(|error| format!("{name}: {error}"))?;
    let captured =
        captured::read(number, &name, &bytes, device, phase).map_err(|error| format!("{name}: {error}"))?;
    // Nobody is left to tell when stderr is closed.
    for note in &captured.notes {
        let _ = writeln!(err, "note: {}", printable(note));
    }
    for (_, doubt) in &captured.doubts {
        let _ = writeln!(err, "warning: {}", printable(doubt));
    }
    Ok(captured)
}

//! `lab manifest ambient RUN…`: an ambient profile proposed from what the phone's system said before the product was
//! there to say anything.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::draft::refuse;
use super::material::Material;
use crate::draft::{Accepted, Head, draft, render};
use crate::observation::Role;

/// Propose an ambient profile from the baseline phases of runs
#[derive(Debug, Args)]
#[command(
    after_help = "The profile goes to stdout; a manifest names it under `include`. What the companion or the watch did in \
the baseline is left out.\n\nExit status: 0 drafted · 2 invalid input, or runs without such a phase"
)]
pub struct AmbientArgs {
    /// Directories of runs
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// The phase in which the phone is alone
    #[arg(long, default_value = "baseline", value_name = "NAME")]
    pub phase: String,
    /// The profile's id
    #[arg(long, default_value = "phone", value_name = "ID")]
    pub id: String,
}

/// Drafts: the profile to stdout, everything else to stderr. Answers with the exit code.
pub fn run(args: &AmbientArgs) -> u8 {
    write(args, &mut io::stdout().lock(), &mut io::stderr().lock())
}

fn write(args: &AmbientArgs, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let material = match Material::read(&args.runs, None, err) {
        Ok(material) => material,
        Err(error) => return refuse(err, &error),
    };
    let runs = material.runs();
    let has_phase = |name: &str| {
        runs.iter().any(|run| run.observed.timeline.phases.iter().any(|phase| phase.name == name))
    };
    if !has_phase(&args.phase) {
        return refuse(
            err,
            &format!(
                "no run has a phase `{}`: name the one in which the phone is alone with --phase",
                args.phase
            ),
        );
    }
    let mut others = 0u32;
    for flow in runs.iter().flat_map(|run| &run.observed.flows) {
        others += u32::from(flow.phase == args.phase && flow.talker.role != Role::Os);
    }
    let mut draft = draft(&runs, |flow| flow.phase == args.phase && flow.talker.role == Role::Os);
    // A profile holds whenever the phone is there.
    draft.proposals.iter_mut().for_each(|proposal| proposal.phases.clear());
    if others > 0 {
        let _ =
            writeln!(err, "note: {others} flows of the phase are not the phone's system's, and are left out");
    }
    let text = render(&draft, &Head::Ambient(args.id.clone()), &Accepted::None);
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => 0,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => refuse(err, &format!("the profile can't be written: {error}")),
    }
}

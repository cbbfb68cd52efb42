//! `lab manifest compare REPORT CAPTURE…`: what a phone says that its apps contacted, beside what captures saw.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use lab_observe::{Observation, Options};

use crate::cli::INVALID;
use crate::interchange::app_privacy_report::{self, Contact};
use crate::interchange::foreign::Foreign;
use crate::interchange::second_observer::{AppView, Captured, Comparison, compare};
use crate::manifest::Manifest;
use crate::yaml::{Diagnostic, Problems};

/// Compare an App Privacy Report with captures: domains that only one of the two observers saw
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status, the first that applies: 2 invalid input · 1 an app contacted what --manifest doesn't \
declare · 3 only one of the two saw a domain, so that neither proves its absence · 0 they agree"
)]
pub struct CompareArgs {
    /// The report, as the phone exports it (NDJSON)
    #[arg(value_name = "REPORT")]
    pub report: PathBuf,
    /// pcap or pcapng files of the same time, or folders of runs
    #[arg(required = true, value_name = "CAPTURE|RUN")]
    pub captures: Vec<PathBuf>,
    /// Only this app, by its bundle identifier; may be repeated [default: all in the report]
    #[arg(long = "bundle", value_name = "ID")]
    pub bundles: Vec<String>,
    /// Hold the domains against the app's declarations of this manifest as well
    #[arg(long, value_name = "MANIFEST")]
    pub manifest: Option<PathBuf>,
}

const UNDECLARED: u8 = 1;
const DIFFERENT: u8 = 3;

/// Compares: the result to stdout, problems to stderr. Answers with the exit code.
pub fn run(args: &CompareArgs) -> u8 {
    let comparison = match compared(args) {
        Ok(comparison) => comparison,
        Err(problems) => {
            // Nobody is left to tell when stderr is closed; the exit code says it all the same.
            let _ = writeln!(io::stderr(), "{problems}");
            return INVALID;
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    if write(&comparison, &mut out).and_then(|()| out.flush()).is_err() {
        return INVALID;
    }
    if comparison.has_undeclared() {
        UNDECLARED
    } else if comparison.agrees() {
        0
    } else {
        DIFFERENT
    }
}

fn compared(args: &CompareArgs) -> Result<Comparison, Problems> {
    let manifest = match &args.manifest {
        Some(file) => Some(Manifest::load(file)?.0),
        None => None,
    };
    let report = app_privacy_report::read(&Foreign::read(&args.report)?)?;
    if let Some(missing) =
        args.bundles.iter().find(|id| !report.contacts.iter().any(|one| one.bundle == **id))
    {
        let mut known: Vec<&str> = report.contacts.iter().map(|one| one.bundle.as_str()).collect();
        known.sort_unstable();
        known.dedup();
        let message = format!("the report has no network activity of `{missing}`");
        let help = format!("it has that of: {}", known.join(", "));
        return Err(Diagnostic::whole_file(&args.report, message).help(help).into());
    }
    let mut captures: Vec<(String, Observation)> = Vec::new();
    for file in &files(&args.captures)? {
        let refused = |message: String| {
            Problems::from(Diagnostic::whole_file(file, message).help("name a pcap or pcapng file"))
        };
        let bytes =
            std::fs::read(file).map_err(|error| refused(format!("the capture can't be read: {error}")))?;
        let observation =
            lab_observe::observe(&bytes, Options::default()).map_err(|error| refused(error.to_string()))?;
        captures.push((file.display().to_string(), observation));
    }
    Ok(compare(&report, &captures, &args.bundles, manifest.as_ref()))
}

/// The captures that are meant: files as they are, and of a run those of all its attempts.
fn files(given: &[PathBuf]) -> Result<Vec<PathBuf>, Problems> {
    let mut files = Vec::new();
    for path in given {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut found: Vec<PathBuf> = children(&path.join("attempts"))
            .flat_map(|attempt| children(&attempt.join("captures")))
            .filter(|file| file.extension().is_some_and(|ending| ending == "pcapng" || ending == "pcap"))
            .collect();
        if found.is_empty() {
            return Err(Diagnostic::whole_file(
                path,
                "this folder has no captures under attempts/*/captures",
            )
            .help("name the folder of a run, or its captures")
            .into());
        }
        found.sort();
        files.append(&mut found);
    }
    Ok(files)
}

fn children(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

fn write(comparison: &Comparison, out: &mut impl Write) -> io::Result<()> {
    for AppView { bundle, both, only_reported, outside, undeclared } in &comparison.apps {
        writeln!(out, "{bundle}")?;
        for Captured { name, file, frame, .. } in both {
            writeln!(out, "  both            {name}  frame {frame} of {file}")?;
        }
        for contact in only_reported {
            writeln!(out, "  only the phone  {}", reported(contact))?;
        }
        for contact in undeclared {
            writeln!(out, "  not declared    {}", reported(contact))?;
        }
        if *outside > 0 {
            writeln!(out, "  {outside} contacts from before or after the captures were not compared")?;
        }
    }
    if !comparison.only_captured.is_empty() {
        writeln!(
            out,
            "of no app in the report: the phone's system, another device, or hidden from the report"
        )?;
    }
    for Captured { name, file, frame, flows } in &comparison.only_captured {
        let flows = if *flows == 1 { "1 flow".to_owned() } else { format!("{flows} flows") };
        writeln!(out, "  only captured   {name}  {flows}, frame {frame} of {file}")?;
    }
    match comparison.nameless_flows {
        0 => {}
        1 => writeln!(out, "1 flow without a name: a report of domains says nothing of it")?,
        count => writeln!(out, "{count} flows without a name: a report of domains says nothing of them")?,
    }
    Ok(())
}

fn reported(contact: &Contact) -> String {
    let often = if contact.hits == 1 { "once".to_owned() } else { format!("{} times", contact.hits) };
    let who = if contact.by_app { "by the app" } else { "by the person" };
    format!("{}  {often} {who}, line {} of the report", contact.domain, contact.at.line)
}

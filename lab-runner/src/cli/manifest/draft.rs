//! `lab manifest draft RUN|CAPTURE…`: a manifest proposed from what was seen.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::material::Material;
use crate::captured::Device;
use crate::cli::INVALID;
use crate::draft::{Accepted, Draft, Head, draft, render};
use crate::judge::printable;
use crate::plan::Product;

/// Propose a manifest from what runs or captures show
#[derive(Debug, Args)]
#[command(
    after_help = "The draft goes to stdout. What looks as if somebody wanted it unseen stands in it as a comment, until a \
person says --accept.\n\nExit status: 0 drafted · 2 invalid input"
)]
pub struct DraftArgs {
    /// Directories of runs, or pcap and pcapng files; each counts as one repeat
    #[arg(required = true, value_name = "RUN|CAPTURE")]
    pub runs: Vec<PathBuf>,
    /// Which host of a capture is the product: its MAC address, or its IP address
    #[arg(long, value_name = "MAC|IP")]
    pub device: Option<Device>,
    /// Declare this suspicious proposal all the same, by its id; `all` is all of them. May be repeated
    #[arg(long, value_name = "ID")]
    pub accept: Vec<String>,
    /// The product's vendor [default: that of the run's plan]
    #[arg(long, requires = "model")]
    pub vendor: Option<String>,
    /// The product's model
    #[arg(long, requires = "vendor")]
    pub model: Option<String>,
}

/// Drafts: the manifest to stdout, everything else to stderr. Answers with the exit code.
pub fn run(args: &DraftArgs) -> u8 {
    write(args, &mut io::stdout().lock(), &mut io::stderr().lock())
}

fn write(args: &DraftArgs, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let material = match Material::read(&args.runs, args.device, err) {
        Ok(material) => material,
        Err(error) => return refuse(err, &error),
    };
    let runs = material.runs();
    let draft = draft(&runs, |_| true);
    let accepted = accepted(&args.accept);
    if let Some(unknown) = unknown(&draft, &accepted) {
        return refuse(err, &unknown);
    }
    let said = args.vendor.clone().zip(args.model.clone()).map(|(vendor, model)| Product { vendor, model });
    let text = render(&draft, &Head::Manifest(said.or(material.product.clone())), &accepted);
    let waiting: Vec<&str> =
        draft.proposals.iter().filter(|one| !accepted.admits(one)).map(|one| one.id.as_str()).collect();
    if !waiting.is_empty() {
        let _ = writeln!(err, "suspicious, not declared: {} (--accept ID declares one)", waiting.join(", "));
    }
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => 0,
        // Whoever read has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => refuse(err, &format!("the draft can't be written: {error}")),
    }
}

pub(super) fn refuse(err: &mut impl Write, error: &str) -> u8 {
    let _ = writeln!(err, "error: {}", printable(error));
    INVALID
}

fn accepted(words: &[String]) -> Accepted {
    if words.is_empty() {
        Accepted::None
    } else if words.iter().any(|word| word == "all") {
        Accepted::All
    } else {
        Accepted::Some(words.to_vec())
    }
}

/// What is accepted has to be there: a word that misses its mark must not pass for one that was given.
fn unknown(draft: &Draft, accepted: &Accepted) -> Option<String> {
    let Accepted::Some(ids) = accepted else { return None };
    let suspicious: Vec<&str> = draft
        .proposals
        .iter()
        .filter(|proposal| !proposal.suspicions.is_empty())
        .map(|proposal| proposal.id.as_str())
        .collect();
    let missing = ids.iter().find(|id| !suspicious.contains(&id.as_str()))?;
    let help = match crate::yaml::nearest(missing, suspicious.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if suspicious.is_empty() => "nothing here is".to_owned(),
        None => format!("these are: {}", suspicious.join(", ")),
    };
    Some(format!("--accept {missing}: nothing suspicious has this id; {help}"))
}

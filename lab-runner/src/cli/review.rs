//! `lab review [PLAN…]`: decides on snapshots that are new or changed. It never changes a verdict: accepting a snapshot
//! says "this is what the product does now", and not "this is allowed".

use std::collections::BTreeMap;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use similar::{ChangeTag, TextDiff};

use super::INVALID;
use crate::judge::printable;
use crate::plan::Inputs;
use crate::report::{Style, render_snapshot};
use crate::run::Conclusion;
use crate::snapshot::{Pending, Store, StoreError, pending_under};

/// Decide on snapshots that are new or changed
#[derive(Debug, Args)]
pub struct ReviewArgs {
    /// Plans, or folders to look in [default: the current folder]
    #[arg(value_name = "PLAN")]
    pub plans: Vec<PathBuf>,
    /// Accept everything that waits
    #[arg(long, conflicts_with_all = ["reject", "list"])]
    pub accept: bool,
    /// Throw everything that waits away
    #[arg(long, conflicts_with = "list")]
    pub reject: bool,
    /// Only show what waits
    #[arg(long)]
    pub list: bool,
}

/// Lines of a diff that are shown of one snapshot; the whole is in the file.
const MOST_LINES: usize = 400;

enum Decision {
    Accept,
    Reject,
    Skip,
}

/// Reviews. Answers with the exit status: 0, whatever was decided.
pub fn run(args: &ReviewArgs) -> u8 {
    let (mut out, mut input) = (io::stdout().lock(), io::stdin().lock());
    let ask = input.is_terminal() && out.is_terminal();
    match review(args, ask, Style::for_stdout(), &mut input, &mut out) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("error: {}", printable(&error.to_string()));
            INVALID
        }
    }
}

/// Holds a run's endpoints against the accepted snapshot, where the plan asks for it, and leaves pending what changed.
/// Says so on stdout.
///
/// # Errors
/// The exit status that this asks for, where nothing worse happened: 5 for a snapshot that is new or changed, 2 for one
/// that can't be read.
pub fn hold(inputs: &Inputs, conclusion: &Conclusion) -> Result<(), u8> {
    if !inputs.plan.assertions.snapshot {
        return Ok(());
    }
    let store = Store::beside(&inputs.plan.file);
    let compared = store.compare(&conclusion.verdict, &inputs.manifest).and_then(|comparison| {
        store.settle(&comparison)?;
        Ok(comparison)
    });
    match compared {
        Ok(comparison) => {
            let mut out = io::stdout().lock();
            // A reader that went away changes nothing about the snapshot.
            let _ = render_snapshot(&comparison, &store, &inputs.plan.file, &mut out, Style::for_stdout());
            comparison.exit_code().map_or(Ok(()), Err)
        }
        Err(error) => {
            eprintln!("error: {}", printable(&error.to_string()));
            Err(INVALID)
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum ReviewError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the answer can't be read or the list not written: {0}")]
    Terminal(#[from] io::Error),
}

fn review(
    args: &ReviewArgs,
    ask: bool,
    style: Style,
    input: &mut impl BufRead,
    out: &mut impl Write,
) -> Result<(), ReviewError> {
    let groups = waiting(&args.plans)?;
    if groups.is_empty() {
        writeln!(out, "nothing waits for a review")?;
        return Ok(());
    }
    for group in &groups {
        show(group, style, out)?;
        let decision = match (args.accept, args.reject, args.list) {
            (true, _, _) => Decision::Accept,
            (_, true, _) => Decision::Reject,
            (_, _, false) if ask => prompt(input, out)?,
            _ => Decision::Skip,
        };
        for pending in group {
            let place = printable(&pending.store.accepted.display().to_string());
            match decision {
                Decision::Accept => {
                    pending.store.accept()?;
                    writeln!(out, "accepted: {place}")?;
                }
                Decision::Reject => {
                    pending.store.reject()?;
                    writeln!(out, "rejected: {place}")?;
                }
                Decision::Skip => {}
            }
        }
        writeln!(out)?;
    }
    if !ask && !args.accept && !args.reject {
        let plans: Vec<String> = args.plans.iter().map(|plan| format!(" {}", quoted(plan))).collect();
        let plans = plans.concat();
        writeln!(out, "decide with:\n  lab review --accept{plans}\n  lab review --reject{plans}")?;
    }
    Ok(())
}

/// What waits, identical changes together, in the order of the first place that has them.
fn waiting(plans: &[PathBuf]) -> Result<Vec<Vec<Pending>>, StoreError> {
    let here = [PathBuf::from(".")];
    let places: &[PathBuf] = if plans.is_empty() { &here } else { plans };
    let mut stores = Vec::new();
    for place in places {
        stores.extend(pending_under(place)?);
    }
    stores.sort();
    stores.dedup_by(|a, b| a.pending == b.pending);
    let mut groups: Vec<Vec<Pending>> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for store in stores {
        let Some(pending) = store.pending()? else { continue };
        let same = pending.changes.iter().map(|change| format!("{change}\n")).collect::<String>();
        let at = *known.entry(same).or_insert(groups.len());
        if at == groups.len() {
            groups.push(Vec::new());
        }
        groups[at].push(pending);
    }
    Ok(groups)
}

fn show(group: &[Pending], style: Style, out: &mut impl Write) -> io::Result<()> {
    for pending in group {
        let name = printable(&pending.new.expression);
        let place = printable(&pending.store.pending.display().to_string());
        let first = if pending.accepted.is_none() { " (nothing was accepted yet)" } else { "" };
        writeln!(out, "{} {}{first}", style.bold(&name), style.dim(&place))?;
    }
    let Some(pending) = group.first() else { return Ok(()) };
    // The description holds the changes with their time and frame. A file that somebody else wrote may not have one.
    let told =
        pending.new.description.as_deref().filter(|told| told.lines().count() == pending.changes.len());
    match told {
        Some(told) => {
            for line in told.lines() {
                writeln!(out, "  {}", printable(line))?;
            }
        }
        None => {
            for change in &pending.changes {
                writeln!(out, "  {}", printable(&change.to_string()))?;
            }
        }
    }
    writeln!(out)?;
    let before = pending.accepted.as_ref().map_or("", |file| file.body.as_str());
    let diff = TextDiff::from_lines(before, &pending.new.body);
    let mut left = MOST_LINES;
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        for change in hunk.iter_changes() {
            if left == 0 {
                return writeln!(
                    out,
                    "  … more in {}",
                    printable(&pending.store.pending.display().to_string())
                );
            }
            left -= 1;
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let line = format!("  {sign} {}", printable(change.value().trim_end_matches(['\n', '\r'])));
            writeln!(out, "{}", style.diff(sign, line.trim_end()))?;
        }
    }
    Ok(())
}

/// Asks until there is an answer; the end of the input leaves it as it is.
fn prompt(input: &mut impl BufRead, out: &mut impl Write) -> io::Result<Decision> {
    loop {
        write!(out, "accept, reject or skip? [a/r/s] ")?;
        out.flush()?;
        let mut answer = String::new();
        if input.read_line(&mut answer)? == 0 {
            writeln!(out)?;
            return Ok(Decision::Skip);
        }
        match answer.trim().to_ascii_lowercase().as_str() {
            "a" | "accept" => return Ok(Decision::Accept),
            "r" | "reject" => return Ok(Decision::Reject),
            "s" | "skip" | "" => return Ok(Decision::Skip),
            _ => {}
        }
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = printable(&path.display().to_string());
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=+@,".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::judge::tests::{MANIFEST, manifest, meant, verdict_of};
    use crate::observation::support::tls;

    fn waits(folder: &Path, plan: &str) -> Store {
        let plan = folder.join(plan);
        fs::create_dir_all(plan.parent().expect("a folder")).expect("made");
        fs::write(&plan, "").expect("written");
        let mut flows = meant();
        flows.push(tls(4_200, "203.0.113.66:443"));
        let store = Store::beside(&plan);
        let comparison = store.compare(&verdict_of(flows), &manifest(MANIFEST)).expect("compared");
        store.settle(&comparison).expect("settled");
        store
    }

    fn reviewed(args: &ReviewArgs, ask: bool, answers: &str) -> String {
        let mut out = Vec::new();
        review(args, ask, Style::PLAIN, &mut answers.as_bytes(), &mut out).expect("reviewed");
        String::from_utf8(out).expect("text")
    }

    fn args(folder: &Path) -> ReviewArgs {
        ReviewArgs { plans: vec![folder.to_owned()], accept: false, reject: false, list: false }
    }

    #[test]
    fn identical_changes_of_several_plans_are_decided_together() {
        let folder = tempfile::tempdir().expect("a folder");
        let stores = [waits(folder.path(), "a/plan.yaml"), waits(folder.path(), "b/plan.yaml")];
        let text = reviewed(&args(folder.path()), true, "what?\na\n");
        assert_eq!(text.matches("[a/r/s]").count(), 2, "{text}");
        assert_eq!(text.matches("accepted: ").count(), 2, "{text}");
        let first = "new: app → 203.0.113.66:443 tcp, TLS, no name, seen in idle, undeclared, 1.2 s after pairing, frame 4200";
        assert!(text.contains(first), "{text}");
        assert!(stores.iter().all(|store| store.accepted.exists() && !store.pending.exists()));
        assert_eq!(reviewed(&args(folder.path()), true, ""), "nothing waits for a review\n");
    }

    #[test]
    fn without_a_terminal_nothing_is_decided_and_the_commands_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = waits(folder.path(), "a/plan.yaml");
        let text = reviewed(&args(folder.path()), false, "a\n");
        assert!(text.contains("\n  lab review --accept "), "{text}");
        assert!(store.pending.exists() && !store.accepted.exists());
        let reject = ReviewArgs { reject: true, ..args(folder.path()) };
        assert!(reviewed(&reject, false, "").contains("rejected: "));
        assert!(!store.pending.exists() && !store.accepted.exists());
    }
}

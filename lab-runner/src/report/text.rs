//! The verdict as text: what it is, why, and what was seen, in this order.

use std::io::{self, Write};
use std::path::Path;

use lab_observe::Reason;

use crate::judge::{Endpoint, Finding, Outcome, Status, Verdict, printable, when};
use crate::snapshot::{Comparison, Store};

use super::{Style, table};

/// Writes the whole report.
///
/// # Errors
/// What `out` says.
pub fn render(verdict: &Verdict, out: &mut dyn Write, style: Style) -> io::Result<()> {
    let mut lines = headline(verdict, style);
    for (at, finding) in verdict.findings.iter().enumerate() {
        lines.push(String::new());
        lines.extend(of_finding(at + 1, finding, style));
    }
    lines.extend(endpoints(verdict, style));
    lines.extend(ambient(verdict, style));
    lines.extend(unused(verdict, style));
    lines.extend(attempts(verdict, style));
    lines.push(String::new());
    out.write_all(lines.join("\n").as_bytes())
}

/// Writes what became of the snapshot.
///
/// # Errors
/// What `out` says.
pub fn render_snapshot(
    comparison: &Comparison,
    store: &Store,
    plan: &Path,
    out: &mut dyn Write,
    style: Style,
) -> io::Result<()> {
    let (first, changes) = match comparison {
        Comparison::Same => return writeln!(out, "\nsnapshot: unchanged"),
        Comparison::NotTaken => {
            return writeln!(out, "\nsnapshot: not taken, because the run doesn't show enough");
        }
        Comparison::Different { first, changes, .. } => (*first, changes),
    };
    let state = if first { "snapshot: new, nothing was accepted yet" } else { "snapshot: changed" };
    writeln!(out, "\n{}", style.bold(state))?;
    for change in changes {
        writeln!(out, "  {}", printable(&change.to_string()))?;
    }
    let (pending, plan) = (store.pending.display().to_string(), plan.display().to_string());
    writeln!(out, "  it waits in {}; decide with: lab review {}", printable(&pending), printable(&plan))
}

fn headline(verdict: &Verdict, style: Style) -> Vec<String> {
    let word = spoken(verdict.outcome);
    let head = format!("{}  {}", style.outcome(verdict.outcome, word), style.bold(&printable(&verdict.plan)));
    let attempts = verdict.attempts.len();
    let mut about = vec![
        printable(&format!("{} {}", verdict.product.vendor, verdict.product.model)),
        printable(&format!("{} bench", verdict.bench)),
        count(attempts as u64, "attempt"),
    ];
    about.push(if verdict.endpoints_asserted {
        format!("judged against {}", printable(&verdict.manifest))
    } else {
        "endpoints not asserted".into()
    });
    let mut lines = vec![head, style.dim(&about.join(" · "))];
    let sum = match (verdict.outcome, verdict.findings.len() as u64) {
        (Outcome::Pass, _) if verdict.endpoints_asserted => {
            format!(
                "every endpoint that was seen is declared: {}",
                count(verdict.endpoints.len() as u64, "endpoint")
            )
        }
        (Outcome::Pass, _) => "every step went as the plan says".into(),
        (_, findings) => count(findings, "finding"),
    };
    lines.push(sum);
    lines
}

pub(super) fn spoken(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
        Outcome::Inconclusive => "INCONCLUSIVE",
        Outcome::BenchFault => "BENCH FAULT",
    }
}

fn of_finding(number: usize, finding: &Finding, style: Style) -> Vec<String> {
    let severity = style.outcome(finding.severity, spoken(finding.severity));
    let mut lines = vec![
        format!(
            "  {severity}  {}  {}",
            style.dim(&printable(&finding.rule)),
            style.dim(&format!("[{number}]"))
        ),
        format!("  {}", style.bold(&printable(&finding.title))),
    ];
    let mut facts = facts_of(finding, style);
    let mut fact = |name: &str, value: String| facts.push(line(name, &value, style));
    if finding.talker.is_some() {
        let names: Vec<String> = finding
            .names
            .iter()
            .take(6)
            .map(|name| printable(&format!("{} {} (frame {})", name.kind.as_str(), name.name, name.frame)))
            .collect();
        fact("names", if names.is_empty() { "none".into() } else { names.join(", ") });
    }
    for owner in &finding.owners {
        fact("owner", printable(&owner.to_string()));
    }
    if let Some(manifest) = &finding.manifest {
        let goes = finding.would_go.as_ref().map(|place| format!("; one would go before {place}"));
        fact("manifest", printable(&format!("{manifest}{}", goes.unwrap_or_default())));
    }
    for evidence in others_of(finding) {
        fact("evidence", evidence);
    }
    if let Some(help) = &finding.help {
        fact("help", printable(help));
    }
    lines.extend(facts.into_iter().map(|fact| format!("    {fact}")));
    lines
}

/// When, where and by whom: what every finding has in common.
pub(super) fn facts_of(finding: &Finding, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    let mut fact = |name: &str, value: String| lines.push(line(name, &value, style));
    if let Some(t) = finding.t {
        let mut at = vec![format!("{t:.3} s")];
        at.extend(finding.phase.as_deref().map(|phase| format!("phase {}", printable(phase))));
        at.extend(finding.step.as_deref().map(|step| format!("step {}", printable(step))));
        at.extend(finding.since.as_ref().map(when));
        fact("when", at.join(", "));
    }
    if let (Some([first, last]), Some(capture)) = (finding.frames, &finding.capture) {
        let frames = if first == last { format!("{first}") } else { format!("{first}–{last}") };
        fact("frames", format!("{frames} of {}", printable(capture)));
    }
    if let (Some([out, back]), Some([out_bytes, back_bytes])) = (finding.packets, finding.bytes) {
        let way = |packets, bytes| format!("{} in {}", count(bytes, "byte"), count(packets, "packet"));
        fact("traffic", format!("{} out, {} back", way(out, out_bytes), way(back, back_bytes)));
    }
    if let Some(talker) = &finding.talker {
        let confidence = serde_json::to_value(talker.confidence).ok();
        let confidence = confidence.as_ref().and_then(|word| word.as_str()).unwrap_or("none");
        fact("talker", printable(&format!("{} ({confidence}): {}", talker.role.word(), talker.evidence)));
    }
    if finding.count > 1 || finding.seen_in[1] > 1 {
        let [k, n] = finding.seen_in;
        let repeats = if n > 1 { format!(", in {k}/{n} repeats") } else { String::new() };
        fact("seen", format!("{}{repeats}", count(finding.count, "time")));
    }
    lines
}

/// What stands in words only, without what the facts tell already.
pub(super) fn others_of(finding: &Finding) -> impl Iterator<Item = String> {
    finding.evidence.iter().filter(|one| !one.starts_with("talker ")).map(|one| printable(one))
}

fn line(name: &str, value: &str, style: Style) -> String {
    format!("{} {value}", style.dim(&format!("{name:<9}")))
}

fn endpoints(verdict: &Verdict, style: Style) -> Vec<String> {
    if verdict.endpoints.is_empty() {
        return Vec::new();
    }
    let mut rows: Vec<&Endpoint> = verdict.endpoints.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.status));
    let repeats = verdict.repeats > 1;
    let mut head =
        vec!["talker", "endpoint", "name", "speaks", "evidence", "declared by", "phases", "bytes out/back"];
    if repeats {
        head.push("seen");
    }
    let cells = |row: &Endpoint| {
        let mut cells = vec![
            row.talker.word().to_owned(),
            printable(&format!("{} {}", row.endpoint, row.transport)),
            names(row),
            row.app.clone(),
            row.evidence.map_or_else(|| "–".into(), |evidence| evidence.word().into()),
            row.declaration.as_ref().map_or_else(|| "–".into(), |of| of.id.clone()),
            row.phases.join(" "),
            format!("{}/{}", row.bytes[0], row.bytes[1]),
        ];
        if repeats {
            cells.push(format!("{}/{}", row.seen_in[0], row.seen_in[1]));
        }
        cells.into_iter().map(|cell| printable(&cell)).collect()
    };
    let rows: Vec<(String, Vec<String>)> =
        rows.into_iter().map(|row| (mark(row, verdict, style), cells(row))).collect();
    let mut lines = vec![String::new(), style.bold(&format!("Endpoints ({})", rows.len()))];
    lines.extend(table::render(&head, &rows));
    lines
}

fn mark(row: &Endpoint, verdict: &Verdict, style: Style) -> String {
    match row.status {
        _ if !verdict.endpoints_asserted => " ".into(),
        Status::Declared => style.outcome(Outcome::Pass, "✓"),
        Status::Doubtful => style.outcome(Outcome::Inconclusive, "?"),
        Status::Undeclared => style.outcome(Outcome::Fail, "✗"),
    }
}

fn names(row: &Endpoint) -> String {
    match (row.names.as_slice(), row.reason) {
        ([], Some(Reason::NeverQueried)) => "– (never looked up)".into(),
        ([], Some(Reason::NoDnsSeen)) => "– (no look-up seen)".into(),
        ([], Some(reason)) => format!("– ({})", reason.as_str().replace('_', " ")),
        ([], None) => "–".into(),
        ([one], _) => one.clone(),
        ([one, rest @ ..], _) => format!("{one} +{}", rest.len()),
    }
}

/// What the phone's system says anyway is never left out in silence.
fn ambient(verdict: &Verdict, style: Style) -> Vec<String> {
    if verdict.ambient.is_empty() || !verdict.endpoints_asserted {
        return Vec::new();
    }
    let mut lines = vec![String::new(), style.bold("Taken for the phone's own by ambient profiles")];
    for of in &verdict.ambient {
        lines.push(printable(&format!(
            "    {} {} ({}): {} to {}, {}/{} bytes out/back",
            of.profile,
            of.version,
            of.file,
            count(of.flows, "flow"),
            count(of.endpoints, "endpoint"),
            of.bytes[0],
            of.bytes[1]
        )));
    }
    lines
}

fn unused(verdict: &Verdict, style: Style) -> Vec<String> {
    if verdict.unused.is_empty() || !verdict.endpoints_asserted {
        return Vec::new();
    }
    let mut lines = vec![String::new(), style.bold("Declared and not seen")];
    for unused in &verdict.unused {
        let of = &unused.declaration;
        lines.push(printable(&format!("    {} ({}): {}", of.id, of.place, unused.text)));
    }
    lines
}

/// Only where there is more to say than "one attempt".
fn attempts(verdict: &Verdict, style: Style) -> Vec<String> {
    if verdict.attempts.iter().all(|attempt| !attempt.retried) {
        return Vec::new();
    }
    let mut lines = vec![String::new(), style.bold("Attempts")];
    for attempt in &verdict.attempts {
        let why = attempt.fault.as_deref().unwrap_or("a fault of the bench");
        let end = if attempt.retried { format!("tried again: {}", printable(why)) } else { "counts".into() };
        lines.push(format!("    {} (repeat {}): {end}", attempt.number, attempt.repeat));
    }
    lines
}

fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{meant, verdict_of};
    use crate::observation::support::{With, tls};

    fn text_of(verdict: &Verdict) -> String {
        let mut text = Vec::new();
        render(verdict, &mut text, Style::PLAIN).expect("into memory");
        String::from_utf8(text).expect("text")
    }

    #[test]
    fn a_report_says_the_outcome_first_and_then_why() {
        let mut flows = meant();
        flows.push(tls(4_200, "203.0.113.66:443").named(lab_observe::NameKind::Sni, "a\u{1b}[2J"));
        let text = text_of(&verdict_of(flows));
        assert!(
            text.starts_with(
                "FAIL  U8 Nucleus pairs\nNucleus U8 · virtual bench · 1 attempt · judged against "
            ),
            "{text}"
        );
        assert!(text.contains("  companion app → 203.0.113.66:443, TLS with SNI a\\u{1b}[2J, address never looked up, 1.2 s after pairing, not declared\n"), "{text}");
        assert!(text.contains("frames    4200–4216 of captures/phone.pcapng"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_pass_is_told_in_a_line() {
        let text = text_of(&verdict_of(meant()));
        assert_eq!(text.lines().nth(2), Some("every endpoint that was seen is declared: 3 endpoints"));
        assert!(text.contains("Declared and not seen"), "{text}");
    }
}

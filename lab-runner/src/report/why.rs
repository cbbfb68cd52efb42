//! One finding explained, evidence by evidence, from the verdict alone: what the rule means, what was seen, what each
//! name is worth, what the manifest has for it, and what a person can do.

use std::io::{self, Write};

use lab_observe::{Name, NameKind};

use super::Style;
use super::text::{self, facts_of};
use crate::judge::{Finding, Verdict, meaning, printable};

/// Names that are shown of each kind; a flow may have thousands.
const MOST_NAMES: usize = 12;

/// The findings that a person means: by number from 1 as the report counts, or by the rule's word.
pub fn findings_called<'v>(verdict: &'v Verdict, called: &str) -> Vec<(usize, &'v Finding)> {
    let numbered = verdict.findings.iter().enumerate().map(|(at, finding)| (at + 1, finding));
    match called.parse::<usize>() {
        Ok(number) => numbered.filter(|(at, _)| *at == number).collect(),
        Err(_) => numbered.filter(|(_, finding)| finding.rule == called).collect(),
    }
}

/// Writes why a finding was made.
///
/// # Errors
/// What `out` says.
pub fn render_why(
    number: usize,
    finding: &Finding,
    verdict: &Verdict,
    out: &mut dyn Write,
    style: Style,
) -> io::Result<()> {
    let severity = style.outcome(finding.severity, text::spoken(finding.severity));
    let of = verdict.findings.len();
    writeln!(out, "{severity}  {}  (finding {number} of {of})", printable(&finding.rule))?;
    writeln!(out, "{}", style.bold(&printable(&finding.title)))?;
    let mut part = |title: &str, lines: Vec<String>| -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{}", style.bold(title))?;
        lines.iter().try_for_each(|line| writeln!(out, "  {line}"))
    };
    part("The rule", meaning(&finding.rule).into_iter().map(str::to_owned).collect())?;
    part("What was seen", facts_of(finding, style))?;
    if finding.frames.is_some() {
        part("What names it", names(finding))?;
    }
    part("Whose address it is", finding.owners.iter().map(|owner| printable(&owner.to_string())).collect())?;
    part("What the manifest says", manifest(finding))?;
    part("What else backs it", others(finding))?;
    let pasteable = finding.suggestion.iter().flat_map(|text| text.lines()).map(printable);
    part("If it is meant to happen, declare it", pasteable.collect())?;
    part("What to do", finding.help.iter().map(|help| printable(help)).collect())
}

/// Evidence for names, strongest first, each with the frame that shows it and what it is worth.
fn names(finding: &Finding) -> Vec<String> {
    let kinds: [(&str, fn(NameKind) -> bool); 4] = [
        ("the client asserts", |kind| kind.is_asserted() && kind != NameKind::EchOuter),
        ("DNS gave the address for", |kind| kind == NameKind::Dns),
        ("the certificate names", |kind| kind == NameKind::CertSan),
        ("DNS was asked for", |kind| kind == NameKind::DnsQuery),
    ];
    let mut lines = Vec::new();
    for (what, is) in kinds {
        let names: Vec<&Name> = finding.names.iter().filter(|name| is(name.kind)).collect();
        if names.is_empty() && what != "DNS was asked for" {
            lines.push(format!("{what}: nothing"));
        }
        lines.extend(names.iter().take(MOST_NAMES).map(|name| format!("{what}: {}", one(name))));
        if names.len() > MOST_NAMES {
            lines.push(format!("{what}: {} more", names.len() - MOST_NAMES));
        }
    }
    let others = finding.names.iter().filter(|name| !kinds.iter().any(|(_, is)| is(name.kind)));
    lines.extend(
        others.take(MOST_NAMES).map(|name| format!("beside that: {}, which names no server", one(name))),
    );
    lines
}

fn one(name: &Name) -> String {
    let by = match name.kind {
        NameKind::Dns | NameKind::DnsQuery => String::new(),
        kind => format!(" by {}", kind.as_str()),
    };
    let way = if name.chain.is_empty() {
        String::new()
    } else {
        format!(", by way of {}", name.chain.join(" and "))
    };
    printable(&format!("{}{by}{way}, in frame {}", name.name, name.frame))
}

fn manifest(finding: &Finding) -> Vec<String> {
    let mut lines: Vec<String> = finding.manifest.iter().map(|place| printable(place)).collect();
    if let Some(place) = &finding.would_go {
        lines.push(format!("a declaration would go before {}", printable(place)));
    }
    for considered in &finding.considered {
        let of = &considered.declaration;
        lines.push(printable(&format!("{} ({}): {}", of.id, of.place, considered.text)));
        lines.extend(considered.but.iter().map(|but| printable(&format!("  but {but}"))));
    }
    lines
}

/// What stands in words only, without what was told above.
fn others(finding: &Finding) -> Vec<String> {
    finding.evidence.iter().filter(|one| !one.starts_with("talker ")).map(|one| printable(one)).collect()
}

//! One finding explained, evidence by evidence, from the verdict alone: what the rule means, what was seen, what each
//! name is worth, what the manifest has for it, and what a person can do.

use std::io::{self, Write};

use lab_observe::{Name, NameKind};

use super::Style;
use super::text::{self, facts_of, others_of};
use crate::judge::{Finding, Verdict, meaning, printable};

/// Whether a name is of a group of kinds.
type IsKind = fn(NameKind) -> bool;

/// Names that are shown of each kind; a flow may have thousands.
const MOST_NAMES: usize = 12;

/// The findings that a person means: by number from 1 as the report counts, or by the rule's word.
pub fn findings_called<'v>(verdict: &'v Verdict, called: &str) -> Vec<(usize, &'v Finding)> {
    let numbered = verdict.findings.iter().enumerate().map(|(at, finding)| (at + 1, finding));
    match called.trim_matches(['[', ']']).parse::<usize>() {
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
    part("What else backs it", others_of(finding).collect())?;
    let pasteable = finding.suggestion.iter().flat_map(|text| text.lines()).map(printable);
    part("If it is meant to happen, declare it", pasteable.collect())?;
    part("What to do", finding.help.iter().map(|help| printable(help)).collect())
}

/// Evidence for names, strongest first, each with the frame that shows it and what it is worth.
fn names(finding: &Finding) -> Vec<String> {
    let kinds: [(&str, IsKind); 4] = [
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{meant, verdict_of};
    use crate::observation::support::{With, tls};

    fn verdict() -> Verdict {
        let mut flows = meant();
        let covert = tls(4_200, "203.0.113.66:443").looked_up("a\u{1b}[2J.other.example");
        flows.extend([
            covert,
            tls(7_150, "198.51.100.20:443").looked_up("api.u8.example").sni("api.u8.example"),
        ]);
        verdict_of(flows)
    }

    #[test]
    fn a_finding_is_explained_evidence_by_evidence() {
        let verdict = verdict();
        let text = |called: &str| {
            let mut text = Vec::new();
            for (number, finding) in findings_called(&verdict, called) {
                render_why(number, finding, &verdict, &mut text, Style::PLAIN).expect("into memory");
            }
            String::from_utf8(text).expect("text")
        };
        let why = text("1");
        assert!(why.starts_with("FAIL  undeclared-endpoint  (finding 1 of 2)\n"), "{why}");
        for part in [
            "No declaration could admit this flow",
            "4200–4216 of captures/phone.pcapng",
            "the client asserts: nothing",
            "DNS gave the address for: a\\u{1b}[2J.other.example, in frame 4200",
            "a declaration would go before privacy-manifest.yaml:",
            "the product has to stop",
        ] {
            assert!(why.contains(part), "{part} in {why}");
        }
        assert!(!why.contains('\u{1b}'));
        // By its rule; what came near is told with what stood between.
        let phase = text("wrong-phase");
        assert!(phase.contains("but it is declared for the phases pairing, idle"), "{phase}");
        assert!(text("3").is_empty() && text("no-such-rule").is_empty());
    }
}

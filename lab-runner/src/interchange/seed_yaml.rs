//! A seed as the text of a manifest. Every string from the source is quoted or made harmless here.

use std::fmt::Write;

use super::seed::{Said, Seed, SeedEndpoint, Statement, short};
use crate::manifest::Transport;

/// The most characters of one remark.
const LONGEST_REMARK: usize = 400;

/// The manifest's text.
pub(super) fn render(seed: &Seed) -> String {
    let mut out = String::new();
    let title = if seed.title.is_empty() { String::new() } else { format!(" {}", seed.title) };
    remark(&mut out, "", &format!("A seed from {}{title}, not a finished manifest.", seed.format.name()));
    remark(
        &mut out,
        "",
        "`# ?` marks what the source doesn't say, and what was guessed: decide it, then remove the mark.",
    );
    out.push_str("format: 1\n");
    let (vendor, model) = (said(&seed.vendor), said(&seed.model));
    // Writing into a string can't fail, here and below.
    let _ = write!(out, "product: {{vendor: {vendor}, model: {model}}}");
    if [&seed.vendor, &seed.model].contains(&&Said::Unknown) {
        out.push_str("  # ? the source doesn't say; --vendor and --model do");
    }
    out.push('\n');
    statements(&mut out, seed);
    for (index, note) in seed.notes.all().enumerate() {
        if index == 0 {
            out.push('\n');
            remark(
                &mut out,
                "",
                "? Not imported, since a manifest has no place for it or it is not understood:",
            );
        }
        remark(&mut out, "", &format!("?   {note}"));
    }
    if !seed.controllers.is_empty() {
        out.push_str("\ncontrollers:\n");
    }
    for controller in &seed.controllers {
        let _ = writeln!(out, "  - id: {}", plain(&controller.id));
        key(&mut out, "name", &quoted(&controller.name), None);
        for (word, value) in [("country", &controller.country), ("contact", &controller.contact)] {
            if let Some(value) = value {
                key(&mut out, word, &plain(value), None);
            }
        }
    }
    out.push('\n');
    if seed.endpoints.is_empty() {
        out.push_str(
            "endpoints: []  # ? the source names none: this declares that nobody talks to anybody\n",
        );
        return out;
    }
    out.push_str("endpoints:\n");
    for (index, one) in seed.endpoints.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        endpoint(&mut out, one);
    }
    out
}

/// One endpoint as an item of `endpoints`.
pub(super) fn endpoint(out: &mut String, one: &SeedEndpoint) {
    remark(out, "  ", &format!("from {}", one.origin));
    let _ = writeln!(out, "  - id: {}", plain(&one.id));
    key(out, "talker", one.talker.word(), one.talker_mark.as_deref());
    let (peer, value) = one.peer.key_and_value();
    key(out, peer, &plain(&value), None);
    if one.transport != Transport::Tcp {
        key(out, "transport", one.transport.word(), None);
    }
    if !one.ports.is_empty() {
        let ports: Vec<String> = one.ports.iter().map(|range| plain(&range.to_string())).collect();
        let ports = match ports.as_slice() {
            [single] => single.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        key(out, "ports", &ports, one.ports_mark.as_deref());
    }
    for further in &one.keys {
        key(out, further.key, &further.value, further.mark.as_deref());
    }
    if !one.unsaid.is_empty() {
        remark(out, "    ", &format!("? not said: {}", one.unsaid.join(", ")));
    }
}

fn key(out: &mut String, key: &str, value: &str, mark: Option<&str>) {
    let _ = write!(out, "    {key}: {value}");
    if let Some(mark) = mark {
        let _ = write!(out, "  # ? {}", shown(mark));
    }
    out.push('\n');
}

fn statements(out: &mut String, seed: &Seed) {
    if seed.statements.is_empty() {
        return;
    }
    out.push('\n');
    remark(out, "", "? The source says as well; put it into the declarations that it concerns:");
    for statement in &seed.statements {
        let line = match statement {
            Statement::ClearText { domain, permitted, .. } => {
                let to =
                    domain.as_ref().map_or("whatever nothing else names".to_owned(), ToString::to_string);
                let may = if *permitted { "is permitted" } else { "is forbidden (`encryption: required`)" };
                format!("clear text to {to} {may}")
            }
            Statement::Collects { kind, purposes, .. } if purposes.is_empty() => format!("collects {kind}"),
            Statement::Collects { kind, purposes, .. } => {
                format!("collects {kind} for {}", purposes.join(", "))
            }
            Statement::Tracks { domain, .. } => format!("tracks people through {domain}"),
        };
        remark(out, "", &format!("?   {line}"));
    }
}

fn said(said: &Said) -> String {
    match said {
        Said::Source(text) | Said::Told(text) => quoted(text),
        Said::Unknown => quoted("unknown"),
    }
}

fn remark(out: &mut String, indent: &str, text: &str) {
    let _ = writeln!(out, "{indent}# {}", shown(text));
}

/// A scalar as it is, where YAML reads it as that very text; else quoted.
pub(super) fn plain(text: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | ':');
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    // What YAML reads as something else than text.
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
    );
    // A port is meant as a number, and written plain; `1-2`, `1.2` and `1e2` are texts.
    let number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() && text.len() <= 5;
    let numeric = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'e' | b'E' | b':' | b'_'));
    if number || starts && text.chars().all(harmless) && !word && !numeric && !text.ends_with(':') {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// A scalar in double quotes (YAML 1.2, section 7.3.1): letters and digits of any script stay, what doesn't print or
/// turns the text's direction is escaped.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            c if u32::from(c) <= 0xffff => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// Text that may stand in a comment: one line, nothing that doesn't print, its beginning alone where it is long.
pub(super) fn shown(text: &str) -> String {
    harmless(&short(text, LONGEST_REMARK))
}

/// The whole text in one line, nothing in it that doesn't print.
pub(super) fn harmless(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            ' '..='~' | '→' => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            c => out.extend(c.escape_unicode()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_source_says_stays_one_scalar_and_one_comment() {
        for hostile in
            ["a\nformat: 2", "\u{1b}[2J", "\"", "\u{202e}x", "null", "1e3", "a: b", "# x", "\u{85}", "ü 🕐"]
        {
            let document = format!("# {}\nkey: {}\n", shown(hostile), plain(hostile));
            let read: std::collections::BTreeMap<String, String> = serde_yaml::from_str(&document).unwrap();
            assert_eq!(read["key"], hostile, "{document:?}");
            assert_eq!(document.lines().count(), 2);
        }
    }
}

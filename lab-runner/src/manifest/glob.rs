//! Patterns of host names: `*` stands for one label, `**` for one or more. Matching is linear in the name for each
//! label of the pattern, whatever the pattern.

use std::fmt;

use super::name::{LONGEST_NAME, canonical_host};

/// One label of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Label {
    /// This one.
    Exact(String),
    /// `*`: any one.
    One,
    /// `**`: one or more.
    Many,
}

/// A pattern of host names. Two patterns that differ only in how a row of wildcards is written are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    labels: Vec<Label>,
}

impl Glob {
    /// Reads a pattern. Its last label is always fixed.
    ///
    /// # Errors
    /// In words: no wildcard, one that is only part of a label, one at the end, or no host name around them.
    pub fn parse(written: &str) -> Result<Glob, String> {
        let cut = written.strip_suffix('.').unwrap_or(written);
        let shown = || written.chars().take(LONGEST_NAME).collect::<String>().escape_debug().to_string();
        if !cut.contains('*') {
            return Err(format!("`{}` has no `*`: declare one name as `host`", shown()));
        }
        // A wildcard counts as the shortest label that it can stand for.
        let sample: Vec<&str> =
            cut.split('.').map(|label| if matches!(label, "*" | "**") { "x" } else { label }).collect();
        if sample.iter().any(|label| label.contains('*')) {
            return Err(format!("in `{}` a `*` is part of a label: it stands for a whole one", shown()));
        }
        // The name is normalised as a whole, so that IDNA sees the same labels as in a name that is compared with it.
        let sample = canonical_host(&sample.join("."))
            .map_err(|_| format!("`{}` is not a pattern of host names", shown()))?;
        // IDNA reads other full stops than `.` as well.
        if sample.split('.').count() != cut.split('.').count() {
            return Err(format!("`{}` is not a pattern of host names: write its dots as `.`", shown()));
        }
        let labels: Vec<Label> = cut
            .split('.')
            .zip(sample.split('.'))
            .map(|(label, canonical)| match label {
                "*" => Label::One,
                "**" => Label::Many,
                _ => Label::Exact(canonical.to_owned()),
            })
            .collect();
        if !matches!(labels.last(), Some(Label::Exact(_))) {
            return Err(format!("`{}` ends with a `*`: anybody's domain would match", shown()));
        }
        Ok(Glob { labels: normal(labels) })
    }

    /// Its labels, first to last.
    pub(super) fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The fixed labels after its last wildcard, as a name.
    pub fn tail(&self) -> String {
        let fixed = self.labels.iter().rev().map_while(|label| match label {
            Label::Exact(label) => Some(label.as_str()),
            Label::One | Label::Many => None,
        });
        let mut fixed: Vec<&str> = fixed.collect();
        fixed.reverse();
        fixed.join(".")
    }

    /// Whether the pattern covers a name in its canonical form.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<Label> = name.split('.').map(|label| Label::Exact(label.to_owned())).collect();
        self.covers(&name)
    }

    /// Whether every name that `other` stands for is one that this pattern covers. Says no where it can't tell.
    pub(super) fn covers(&self, other: &[Label]) -> bool {
        // The last `**` that was met takes one more label whenever the rest doesn't fit: no other choice can help.
        let (mut own, mut theirs) = (0, 0);
        let mut again: Option<(usize, usize)> = None;
        while let Some(their) = other.get(theirs) {
            let fits = match self.labels.get(own) {
                Some(exact @ Label::Exact(_)) => their == exact,
                Some(Label::One) => *their != Label::Many,
                Some(Label::Many) => {
                    again = Some((own + 1, theirs + 1));
                    true
                }
                None => false,
            };
            if fits {
                (own, theirs) = (own + 1, theirs + 1);
            } else if let Some((after, from)) = &mut again {
                *from += 1;
                (own, theirs) = (*after, *from);
            } else {
                return false;
            }
        }
        own == self.labels.len()
    }
}

/// A row of wildcards in one order, at most one `**` before the `*`: `**.*` and `*.**` both are two labels or more.
fn normal(labels: Vec<Label>) -> Vec<Label> {
    let mut out: Vec<Label> = Vec::with_capacity(labels.len());
    let (mut row, mut open) = (0, false);
    for label in labels {
        match label {
            Label::One => row += 1,
            Label::Many => (row, open) = (row + 1, true),
            Label::Exact(_) => {
                out.extend(open.then_some(Label::Many));
                out.extend((usize::from(open)..row).map(|_| Label::One));
                (row, open) = (0, false);
                out.push(label);
            }
        }
    }
    out
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, label) in self.labels.iter().enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            f.write_str(match label {
                Label::Exact(label) => label,
                Label::One => "*",
                Label::Many => "**",
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_star_is_one_label_and_two_are_one_or_more() {
        for (pattern, yes, no) in [
            (
                "*.u8.example",
                &["a.u8.example"][..],
                &["u8.example", "a.b.u8.example", "a.evilu8.example"][..],
            ),
            ("**.u8.example", &["a.u8.example", "a.b.u8.example"], &["u8.example", "a.u8.example.x"]),
            ("api.*.u8.example", &["api.eu.u8.example"], &["api.u8.example", "api.a.b.u8.example"]),
            (
                "**.cdn.**.u8.example",
                &["a.cdn.b.u8.example", "cdn.cdn.cdn.u8.example"],
                &["a.cdn.u8.example"],
            ),
            ("*.**.u8.example", &["a.b.u8.example", "a.b.c.u8.example"], &["a.u8.example"]),
        ] {
            let glob = Glob::parse(pattern).unwrap();
            assert!(yes.iter().all(|name| glob.matches(name)), "{pattern}");
            assert!(!no.iter().any(|name| glob.matches(name)), "{pattern}");
        }
    }

    #[test]
    fn a_row_of_wildcards_is_the_same_in_every_order() {
        assert_eq!(Glob::parse("**.*.U8.example").unwrap(), Glob::parse("*.**.u8.example.").unwrap());
        assert_eq!(Glob::parse("**.**.u8.example").unwrap().to_string(), "**.*.u8.example");
    }

    #[test]
    fn a_pattern_without_a_fixed_end_or_with_half_a_label_is_refused() {
        for bad in
            ["u8.example", "*", "u8.**", "api-*.u8.example", "***.u8.example", "*..example", "*.a b.example"]
        {
            assert!(Glob::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_made_to_backtrack_costs_no_more_than_its_length() {
        let pattern = format!("{}z.example", "**.a.".repeat(40));
        let glob = Glob::parse(&pattern).unwrap();
        let name = format!("{}example", "a.".repeat(120));
        let begun = std::time::Instant::now();
        assert!((0..1_000).all(|_| !glob.matches(&name)));
        assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    }
}

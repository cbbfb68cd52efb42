//! Text with variables: `${name}` stands for what an earlier step captured. It never runs a match itself.

use std::collections::BTreeMap;

use regex::Regex;

/// What earlier steps captured: name to value.
pub type Variables = BTreeMap<String, String>;

/// A variable that no earlier step has set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable `${{{0}}}` has no value: no earlier step captured it")]
pub struct MissingVariable(
    /// The variable's name.
    pub String,
);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

/// A text in which `${name}` is replaced; `$${` stands for `${` itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    written: String,
    parts: Vec<Part>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// In words: an open `${`, or a name that is no name.
    pub fn parse(written: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = written;
        while let Some(at) = rest.find("${") {
            if let Some(before) = rest[..at].strip_suffix('$') {
                text.push_str(before);
                text.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            text.push_str(&rest[..at]);
            let after = &rest[at + 2..];
            let Some(end) = after.find('}') else {
                return Err(
                    "`${` is never closed: write `${name}`, or `$${` for the characters themselves".into()
                );
            };
            let name = &after[..end];
            if !is_name(name) {
                return Err(format!(
                    "`${{{}}}` is not a variable: a name has letters, digits and `_`, and starts with a letter",
                    name.escape_debug()
                ));
            }
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(Part::Variable(name.to_owned()));
            rest = &after[end + 1..];
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Template { written: written.to_owned(), parts })
    }

    /// As the plan has it.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// The variables that it uses, in order, maybe several times.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with its variables filled in.
    ///
    /// # Errors
    /// The first variable without a value.
    pub fn fill(&self, variables: &Variables) -> Result<String, MissingVariable> {
        self.fill_with(|name| variables.get(name).cloned())
    }

    fn fill_with(&self, value: impl Fn(&str) -> Option<String>) -> Result<String, MissingVariable> {
        let mut filled = String::with_capacity(self.written.len());
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Variable(name) => {
                    filled.push_str(&value(name).ok_or_else(|| MissingVariable(name.clone()))?);
                }
            }
        }
        Ok(filled)
    }
}

/// A regular expression that may hold variables; their values are matched literally.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    template: Template,
    groups: Vec<String>,
}

/// The largest compiled pattern, in bytes: what a plan from a fork may cost.
const LARGEST_PATTERN: usize = 1 << 20;

impl Pattern {
    /// Reads and compiles a pattern.
    ///
    /// # Errors
    /// In words: a broken template or a broken regular expression.
    pub fn parse(written: &str) -> Result<Pattern, String> {
        let template = Template::parse(written)?;
        // A variable may stand wherever one literal character may.
        let sample = template.fill_with(|_| Some("x".to_owned())).map_err(|missing| missing.to_string())?;
        let regex =
            regex::RegexBuilder::new(&sample).size_limit(LARGEST_PATTERN).build().map_err(|error| {
                match error {
                    regex::Error::CompiledTooBig(_) => {
                        "the regular expression needs more than 1 MiB: make its repetitions smaller"
                            .to_owned()
                    }
                    // The crate draws the expression over several lines; its last line says what is wrong.
                    other => {
                        let text = other.to_string();
                        let reason = text.lines().last().unwrap_or_default().trim();
                        format!(
                            "not a regular expression: {}",
                            reason.strip_prefix("error: ").unwrap_or(reason)
                        )
                    }
                }
            })?;
        let groups = named_groups(&regex);
        Ok(Pattern { template, groups })
    }

    /// As the plan has it.
    pub fn written(&self) -> &str {
        self.template.written()
    }

    /// The variables that it uses.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.template.variables()
    }

    /// The named groups, which become variables once it matched.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The regular expression with the variables' values in it, escaped.
    ///
    /// # Errors
    /// The first variable without a value.
    pub fn fill(&self, variables: &Variables) -> Result<String, MissingVariable> {
        self.template.fill_with(|name| variables.get(name).map(|value| regex::escape(value)))
    }
}

fn named_groups(regex: &Regex) -> Vec<String> {
    regex.capture_names().flatten().map(str::to_owned).collect()
}

/// Whether this can be a variable's, a role's or an id's first part: letters, digits, `_`; a letter first.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        Variables::from([("code".to_owned(), "1.4+".to_owned())])
    }

    #[test]
    fn a_template_is_filled_and_a_doubled_dollar_is_literal() {
        let template = Template::parse("a ${code} $${code} $5").unwrap();
        assert_eq!(template.fill(&variables()).unwrap(), "a 1.4+ ${code} $5");
        assert_eq!(template.fill(&Variables::new()), Err(MissingVariable("code".into())));
        assert!(Template::parse("${code").is_err());
        assert!(Template::parse("${1x}").is_err());
    }

    #[test]
    fn a_patterns_variables_are_matched_literally() {
        let pattern = Pattern::parse(r"^fw ${code} (?<build>\d+)$").unwrap();
        assert_eq!(pattern.groups(), ["build"]);
        let regex = Regex::new(&pattern.fill(&variables()).unwrap()).unwrap();
        assert!(regex.is_match("fw 1.4+ 7"));
        assert!(!regex.is_match("fw 1x44 7"));
    }

    #[test]
    fn a_broken_or_huge_pattern_is_refused_in_one_line() {
        for bad in ["(", "(?<a", r"\w{100}{100}{100}"] {
            let message = Pattern::parse(bad).unwrap_err();
            assert!(!message.contains('\n'), "{message}");
        }
    }
}

//! What could be told through the look-ups under one declared pattern.
//!
//! Whoever runs a domain reads every name that is asked under it, so that a pattern declares a channel as well as hosts.
//! An exact host carries nothing: its name is always the same. The bounds lie between what was measured on ordinary
//! captures and on tunnels; docs/verdict.md has both figures.

use std::collections::BTreeSet;

/// Distinct names in an hour.
const MOST_NAMES: usize = 64;
/// Bytes of distinct names, as far as the pattern leaves them open, in an hour.
const MOST_BYTES: usize = 512;
/// Bytes of one name that the pattern leaves open.
const LONGEST_NAME: usize = 80;
/// A run of letters and digits of this length that mixes both, or of twice the length without, is taken for encoded data:
/// longer than the names that content networks make up, and within reach of any encoding.
const ENCODED: usize = 20;
/// Bytes of encoded data in one name: more than a key or a hash of 20 bytes in hexadecimal.
const MOST_ENCODED: usize = 48;
/// Names with encoded data, in an hour. One device has one number.
const MOST_ENCODED_NAMES: usize = 2;
/// Names asked for a type that can answer with anything (RFC 1035 section 3.3.10 and 3.3.14), in an hour.
const MOST_OPEN_ANSWERS: usize = 4;

/// The look-ups of an attempt under one pattern.
#[derive(Debug, Default)]
pub(crate) struct Channel<'n> {
    names: BTreeSet<&'n str>,
    bytes: usize,
    longest: usize,
    most_encoded: usize,
    encoded: usize,
    open_answers: BTreeSet<&'n str>,
}

impl<'n> Channel<'n> {
    /// Adds a question: the name, what of it the pattern leaves open, and the type that was asked for where it is none of
    /// addresses.
    pub(crate) fn asked(&mut self, name: &'n str, open: &str, qtype: Option<&str>) {
        if matches!(qtype, Some("TXT" | "NULL")) {
            self.open_answers.insert(name);
        }
        if !self.names.insert(name) {
            return;
        }
        let length = open.bytes().filter(|byte| *byte != b'.').count();
        let encoded: usize = runs(open).filter(|run| is_encoded(run)).map(str::len).sum();
        self.bytes += length;
        self.longest = self.longest.max(length);
        self.most_encoded = self.most_encoded.max(encoded);
        self.encoded += usize::from(encoded > 0);
    }

    /// What is more than ordinary look-ups need, in words; `None` where nothing is. `hours` is how long there
    /// was traffic, begun ones counted whole.
    pub(crate) fn excess(&self, hours: u64) -> Option<String> {
        let hours = usize::try_from(hours).unwrap_or(usize::MAX).max(1);
        let within = |most: usize| most.saturating_mul(hours);
        let names = self.names.len();
        if self.longest > LONGEST_NAME {
            Some(format!(
                "one name has {} bytes of its own; {LONGEST_NAME} are taken for ordinary",
                self.longest
            ))
        } else if self.most_encoded > MOST_ENCODED {
            Some(format!("one name holds {} bytes that look like encoded data", self.most_encoded))
        } else if self.encoded > within(MOST_ENCODED_NAMES) {
            Some(format!("{} of {names} names hold what looks like encoded data", self.encoded))
        } else if self.open_answers.len() > within(MOST_OPEN_ANSWERS) {
            Some(format!(
                "{} names were asked for TXT or NULL, which answer with anything",
                self.open_answers.len()
            ))
        } else if self.bytes > within(MOST_BYTES) {
            Some(format!(
                "{names} names hold {} bytes of their own; {MOST_BYTES} an hour are taken for ordinary",
                self.bytes
            ))
        } else if names > within(MOST_NAMES) {
            Some(format!("{names} different names; {MOST_NAMES} an hour are taken for ordinary"))
        } else {
            None
        }
    }
}

/// The stretches of letters and digits: words are put together with hyphens, data isn't.
fn runs(open: &str) -> impl Iterator<Item = &str> {
    open.split(|character: char| !character.is_ascii_alphanumeric())
}

fn is_encoded(run: &str) -> bool {
    if run.len() < ENCODED {
        return false;
    }
    let bytes = run.as_bytes();
    let turns = bytes.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
    turns >= 2 || run.len() >= 2 * ENCODED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excess(names: &[&str]) -> Option<String> {
        let mut channel = Channel::default();
        for name in names {
            channel.asked(name, name, None);
        }
        channel.excess(1)
    }

    #[test]
    fn names_of_content_networks_are_no_tunnel() {
        let ordinary = [
            "d3gjecg2uu2eaq",
            "wd-prod-cp-eu-north-2-fe.northeurope.cloudapp",
            "c-flightproxy-euno-01-teams",
            "a1b2c3d4e5f6g7-ats.iot.us-east-1",
            "rr4---sn-4g5e6nsz",
            "connectivitycheck",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
        ];
        assert_eq!(excess(&ordinary), None);
    }

    #[test]
    fn data_in_names_is_a_tunnel() {
        // One long question, a few middling ones, and many short ones.
        let long = "ab".repeat(45);
        assert!(excess(&[&long]).is_some());
        let hexadecimal = "0123456789abcdef0123456789abcdef0123456789abcdef01";
        assert!(excess(&[hexadecimal]).is_some());
        let parts: Vec<String> = (0..3).map(|n| format!("mzxw6ytboi2dk{n}q3ulmn4r")).collect();
        assert!(excess(&parts.iter().map(String::as_str).collect::<Vec<_>>()).is_some());
        let short: Vec<String> = (0..65).map(|n| format!("x{n}")).collect();
        assert!(excess(&short.iter().map(String::as_str).collect::<Vec<_>>()).is_some());
    }

    #[test]
    fn questions_that_can_be_answered_with_anything_are_counted() {
        let mut channel = Channel::default();
        let names: Vec<String> = (0..5).map(|n| format!("c{n}")).collect();
        for name in &names {
            channel.asked(name, name, Some("TXT"));
        }
        assert!(channel.excess(1).is_some() && channel.excess(2).is_none());
    }
}

//! How much a declaration admits: bytes and connections a run, an hour or a day.

use std::fmt;
use std::time::Duration;

use super::words::words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

words! {
    /// What a budget is counted over.
    Span {
        /// One repeat of the plan, whole.
        Run = "run",
        /// Any hour of it.
        Hour = "hour",
        /// Any day of it.
        Day = "day",
    }
}

impl Span {
    /// How long it is; `None` for a run, which is as long as it is.
    pub fn length(self) -> Option<Duration> {
        match self {
            Span::Run => None,
            Span::Hour => Some(Duration::from_secs(3600)),
            Span::Day => Some(Duration::from_secs(24 * 3600)),
        }
    }
}

/// The most that a declaration admits within a span. At least one of the two is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The span.
    pub per: Span,
    /// Bytes of IP packets, both directions together, as flows count them.
    pub bytes: Option<u64>,
    /// Flows.
    pub connections: Option<u64>,
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.map(size_text);
        let connections = self.connections.map(|count| match count {
            1 => "1 connection".to_owned(),
            count => format!("{count} connections"),
        });
        let parts: Vec<String> = bytes.into_iter().chain(connections).collect();
        let span = if self.per == Span::Hour { "an hour" } else { &format!("a {}", self.per.word()) };
        write!(f, "{} {span}", parts.join(" and "))
    }
}

/// Units of sizes: SI (1000) and IEC 80000-13 (1024).
const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Reads a size: `64 KiB`, `1.5 MB`, `512 B`. Never a bare number, whose unit one would have to guess.
///
/// # Errors
/// In words.
pub(super) fn size(written: &str) -> Result<u64, String> {
    let shown = written.chars().take(64).collect::<String>().escape_debug().to_string();
    let refused = || {
        format!("`{shown}` is no size: write a number and B, kB, MB, GB, KiB, MiB or GiB, such as `64 KiB`")
    };
    let split = written.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(written.len());
    let (number, unit) = written.split_at(split);
    let unit = unit.trim();
    if unit.is_empty() && !number.is_empty() {
        return Err(format!("`{shown}` has no unit: write `{shown} B`, or kB, MB, GB, KiB, MiB, GiB"));
    }
    let (_, factor) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(refused)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || part.len() > 9 || (number.contains('.') && part.is_empty()) {
        return Err(refused());
    }
    // In whole numbers, so that a size is exactly what is written.
    let scale = 10_u64.pow(part.len() as u32);
    let number: u64 = format!("{whole}{part}").parse().map_err(|_| refused())?;
    let bytes = u128::from(number) * u128::from(*factor);
    if bytes % u128::from(scale) != 0 {
        return Err(format!("`{shown}` is no whole number of bytes"));
    }
    match u64::try_from(bytes / u128::from(scale)) {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        _ => Err(refused()),
    }
}

/// A size in the largest unit that leaves a whole number; powers of 1024 go first.
pub fn size_text(bytes: u64) -> String {
    let fits = |(_, factor): &&(&str, u64)| bytes > 0 && bytes.is_multiple_of(*factor);
    let iec = UNITS[4..].iter().rev().find(fits);
    let (name, factor) = iec.or_else(|| UNITS[..4].iter().rev().find(fits)).unwrap_or(&UNITS[0]);
    format!("{} {name}", bytes / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_number_and_a_unit() {
        assert_eq!(size("64 KiB"), Ok(65_536));
        assert_eq!(size("64kib"), Ok(65_536));
        assert_eq!(size("1.5 MB"), Ok(1_500_000));
        assert_eq!(size("1 B"), Ok(1));
        for bad in [
            "64",
            "",
            "KiB",
            "0 B",
            "-1 B",
            "1.2.3 B",
            "0.5 B",
            "1. B",
            "5 parsecs",
            "99999999999 GiB",
            "1.0000000001 GB",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_size_is_written_the_same_however_it_was_read() {
        for (written, text) in
            [("65536 B", "64 KiB"), ("1 GB", "1 GB"), ("1024 KiB", "1 MiB"), ("1023 B", "1023 B")]
        {
            assert_eq!(size_text(size(written).unwrap()), text);
        }
    }
}

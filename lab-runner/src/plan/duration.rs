//! Durations as plans write them: `300ms`, `5s`, `1.5m`. Never a bare number, whose unit one would have to guess.

use std::time::Duration;

/// The longest duration that a plan may ask for.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Reads `<number><unit>`, the unit one of ms, s, m, h.
///
/// # Errors
/// What is wrong and how to write it, in words.
pub fn parse(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.trim();
    if unit.is_empty() && !number.is_empty() {
        return Err(format!("`{number}` has no unit: write `{number}s` for seconds, or ms, m, h"));
    }
    let seconds_a_unit = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => {
            return Err(format!(
                "`{}` is not a duration: write a number and ms, s, m or h, such as `5s`",
                text.escape_debug()
            ));
        }
    };
    let number: f64 = number.parse().map_err(|_| {
        format!("`{}` is not a duration: write a number and ms, s, m or h, such as `5s`", text.escape_debug())
    })?;
    let seconds = number * seconds_a_unit;
    if !seconds.is_finite() || seconds > LONGEST.as_secs_f64() {
        return Err(format!(
            "`{}` is longer than a day, the longest that a plan may wait",
            text.escape_debug()
        ));
    }
    // Whole milliseconds, so that 0.3s and 300ms are the same command in a recording.
    Ok(Duration::from_millis((seconds * 1000.0).round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_number_and_a_unit() {
        assert_eq!(parse("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(parse("0.3s"), Ok(Duration::from_millis(300)));
        assert_eq!(parse("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("24h"), Ok(LONGEST));
        for bad in ["5", "s", "", "-1s", "1.2.3s", "5 parsecs", "25h", "9999999999999999999999h"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}

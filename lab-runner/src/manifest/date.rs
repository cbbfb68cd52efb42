//! Calendar dates, `2027-01-31`. It reads no clock: whoever asks what is past says what today is.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A day of the Gregorian calendar (RFC 3339 `full-date`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// Reads `YYYY-MM-DD`.
    ///
    /// # Errors
    /// In words, also for a day that no calendar has.
    pub fn parse(written: &str) -> Result<Date, String> {
        let refused = || {
            let shown: String = written.chars().take(32).collect();
            format!("`{}` is no date: write year, month and day, such as 2027-01-31", shown.escape_debug())
        };
        let mut parts = written.split('-');
        let mut next = |digits: usize| {
            let part =
                parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()));
            part.and_then(|part| part.parse::<u16>().ok()).ok_or_else(refused)
        };
        let (year, month, day) = (next(4)?, next(2)?, next(2)?);
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return Err(refused()),
        };
        if parts.next().is_some() || !(1..=days).contains(&day) {
            return Err(refused());
        }
        Ok(Date { year, month: month as u8, day: day as u8 })
    }

    /// The day, in UTC, of a moment; the last one that can be written for those after it.
    pub fn of(moment: SystemTime) -> Date {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        // Days since 1970-01-01 to a date, with March as a year's first month so that the leap day is its last:
        // era of 400 years, year of era, day of year (Howard Hinnant, "chrono-compatible low-level date algorithms").
        let days = since.as_secs() / 86_400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        match u16::try_from(year) {
            Ok(year) if year <= 9_999 => Date { year, month: month as u8, day: day as u8 },
            _ => Date { year: 9_999, month: 12, day: 31 },
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl std::str::FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Date, String> {
        Date::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_one_that_the_calendar_has() {
        assert!(["2027-01-31", "2028-02-29", "2000-02-29"].iter().all(|good| Date::parse(good).is_ok()));
        for bad in [
            "2027-02-29",
            "1900-02-29",
            "2027-13-01",
            "2027-00-01",
            "2027-1-1",
            "27-01-01",
            "2027-01-01-",
            "+027-01-01",
            "",
        ] {
            assert!(Date::parse(bad).is_err(), "{bad}");
        }
        assert!(Date::parse("2026-12-31").unwrap() < Date::parse("2027-01-01").unwrap());
    }

    #[test]
    fn a_moment_is_of_its_day_in_utc() {
        for (seconds, date) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_868_799, "2000-02-29"),
            (4_102_444_800, "2100-01-01"),
        ] {
            assert_eq!(Date::of(UNIX_EPOCH + Duration::from_secs(seconds)).to_string(), date);
        }
    }
}

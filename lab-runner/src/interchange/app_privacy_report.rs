//! Apple's App Privacy Report: which domains each app on a phone contacted, as the phone itself recorded it.
//!
//! The format is lines of JSON (Apple, "Inspecting app activity data", developer.apple.com/documentation/network). It
//! says nothing of addresses, ports, bytes, or of the system's own traffic.

use std::net::IpAddr;

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::foreign::Foreign;
use crate::manifest::canonical_host;
use crate::yaml::{Diagnostic, Position};

/// The most contacts that are kept.
const MOST_CONTACTS: usize = 100_000;
/// The longest line, in bytes.
const LONGEST_LINE: usize = 64 << 10;

/// A report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppPrivacyReport {
    /// The contacts, in the order of the report.
    pub contacts: Vec<Contact>,
    /// Lines that are about something else than the network.
    pub other_lines: usize,
}

/// An app contacted a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The app's bundle identifier.
    pub bundle: String,
    /// The domain, as names compare; where it is no host name, as the report has it, escaped.
    pub domain: String,
    /// When the first and the last time, Unix nanoseconds.
    pub times_ns: (u64, u64),
    /// How often.
    pub hits: u64,
    /// Whether the app did it, not the person (who followed a link, say).
    pub by_app: bool,
    /// Where the report says so.
    pub at: Position,
}

impl Contact {
    /// The address that the app contacted without a name.
    pub fn address(&self) -> Option<IpAddr> {
        self.domain.parse::<IpAddr>().ok().map(|address| address.to_canonical())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(rename = "bundleID")]
    bundle_id: Option<String>,
    domain: Option<String>,
    first_time_stamp: Option<String>,
    time_stamp: Option<String>,
    #[serde(default)]
    hits: u64,
    initiated_type: Option<String>,
}

/// Reads a report.
///
/// # Errors
/// A line is no JSON object, or a line about the network lacks what such a line has; or nothing in it is about the
/// network.
pub fn read(foreign: &Foreign) -> Result<AppPrivacyReport, Diagnostic> {
    let text = foreign.text()?;
    let mut report = AppPrivacyReport::default();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = Position { line: index as u32 + 1, column: 1 };
        let refused = |message: String| Diagnostic::error(&foreign.file, text, at, message);
        if line.len() > LONGEST_LINE {
            return Err(refused("the line is longer than 64 KiB, the longest that is read".into())
                .help("an App Privacy Report is one short JSON object a line (NDJSON), not one document"));
        }
        let parsed: Line = serde_json::from_str(line).map_err(|error| {
            foreign
                .json_error(line, &error, index)
                .help("this is read as an App Privacy Report: one JSON object a line (NDJSON)")
        })?;
        if parsed.kind.as_deref() != Some("networkActivity") {
            report.other_lines += 1;
            continue;
        }
        if report.contacts.len() == MOST_CONTACTS {
            return Err(refused("the report has more than 100,000 contacts, the most that are read".into())
                .help("export a report of fewer days, or cut it to the apps that matter"));
        }
        report.contacts.push(contact(parsed, at).map_err(|what| {
            refused(what)
                .help("export the report anew: Settings, Privacy & Security, App Privacy Report, share")
        })?);
    }
    if report.contacts.is_empty() {
        return Err(Diagnostic::whole_file(
            &foreign.file,
            "no line of the report is about the network (`\"type\":\"networkActivity\"`)",
        )
        .help("turn App Privacy Report on, use the app, and export the report afterwards"));
    }
    Ok(report)
}

fn contact(line: Line, at: Position) -> Result<Contact, String> {
    let lacks = |key: &str| format!("a line about the network lacks `{key}`");
    let domain = line.domain.ok_or_else(|| lacks("domain"))?;
    let last = moment(&line.time_stamp.ok_or_else(|| lacks("timeStamp"))?)?;
    let first = line.first_time_stamp.as_deref().map(moment).transpose()?.unwrap_or(last);
    Ok(Contact {
        bundle: lab_observe::escape::text(line.bundle_id.ok_or_else(|| lacks("bundleID"))?.as_bytes(), 255),
        domain: canonical_host(&domain).unwrap_or_else(|_| lab_observe::escape::name(domain.as_bytes(), 255)),
        times_ns: (first.min(last), last.max(first)),
        hits: line.hits,
        by_app: line.initiated_type.as_deref() != Some("NonAppInitiated"),
        at,
    })
}

fn moment(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{}` is no time of RFC 3339", text.chars().take(64).collect::<String>());
    let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| wrong())?;
    u64::try_from(moment.unix_timestamp_nanos()).map_err(|_| wrong())
}

//! `lab manifest export FORMAT MANIFEST`: a manifest in another format, and what that format can't say.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Args, Subcommand};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::import::TalkerWord;
use crate::cli::INVALID;
use crate::interchange::loss::Loss;
use crate::interchange::{cyclonedx, mud};
use crate::manifest::Manifest;
use crate::yaml::{Diagnostic, Problems};

/// Write a manifest in another format: the file to stdout, what is lost to stderr
#[derive(Debug, Args)]
#[command(after_help = "Exit status: 0 exported, with or without losses · 2 invalid input")]
pub struct ExportArgs {
    /// The format
    #[command(subcommand)]
    pub format: ExportFormat,
}

/// The formats.
#[derive(Debug, Subcommand)]
pub enum ExportFormat {
    /// Manufacturer Usage Description, RFC 8520
    Mud {
        /// The manifest
        #[arg(value_name = "MANIFEST")]
        manifest: PathBuf,
        /// Whose declarations: a MUD file speaks of one device
        #[arg(long, value_enum, default_value = "watch")]
        talker: TalkerWord,
        /// Where the MUD file will stand, an https URL
        #[arg(long, value_name = "URL")]
        mud_url: String,
        /// When it was made, RFC 3339 [default: now]
        #[arg(long, value_name = "TIME")]
        last_update: Option<String>,
        /// How many hours networks may keep it
        #[arg(long, value_name = "HOURS", default_value_t = 48, value_parser = clap::value_parser!(u8).range(1..=168))]
        cache_validity: u8,
    },
    /// CycloneDX 1.6 services, JSON
    Cyclonedx {
        /// The manifest
        #[arg(value_name = "MANIFEST")]
        manifest: PathBuf,
    },
}

impl ExportFormat {
    fn manifest(&self) -> &Path {
        match self {
            ExportFormat::Mud { manifest, .. } | ExportFormat::Cyclonedx { manifest } => manifest,
        }
    }
}

/// Exports: the file to stdout, what is lost to stderr. Answers with the exit code.
pub fn run(args: &ExportArgs) -> u8 {
    let err = &mut io::stderr().lock();
    match export(&args.format) {
        Ok((text, losses)) => {
            // Nobody is left to tell when stderr is closed.
            for loss in &losses {
                let _ = writeln!(
                    err,
                    "lost: {}{}{loss}",
                    args.format.manifest().display(),
                    if loss.at.is_some() { ":" } else { ": " }
                );
            }
            match io::stdout().lock().write_all(text.as_bytes()) {
                Ok(()) => 0,
                Err(error) => {
                    let _ = writeln!(err, "error: the file can't be written: {error}");
                    INVALID
                }
            }
        }
        Err(problems) => {
            let _ = writeln!(err, "{problems}");
            INVALID
        }
    }
}

fn export(format: &ExportFormat) -> Result<(String, Vec<Loss>), Problems> {
    match format {
        ExportFormat::Cyclonedx { manifest } => Ok(cyclonedx::export::export(&Manifest::load(manifest)?.0)),
        ExportFormat::Mud { manifest: file, talker, mud_url, last_update, cache_validity } => {
            let (manifest, _) = Manifest::load(file)?;
            let refused = |message: String, help: &str| {
                Problems::from(Diagnostic::whole_file(file, message).help(help))
            };
            let is_https =
                url::Url::parse(mud_url).is_ok_and(|url| url.scheme() == "https" && url.has_host());
            if !is_https {
                let help = "write --mud-url https://vendor.example/product.json (RFC 8520, section 3.2)";
                return Err(refused(format!("`{mud_url}` is no https URL"), help));
            }
            let last_update = match last_update {
                Some(text) if OffsetDateTime::parse(text, &Rfc3339).is_ok() => text.clone(),
                Some(text) => {
                    let help = "write --last-update 2027-01-31T12:00:00Z (RFC 3339)";
                    return Err(refused(format!("`{text}` is no date and time"), help));
                }
                None => now(),
            };
            let about = mud::export::About {
                talker: (*talker).into(),
                url: mud_url,
                last_update: &last_update,
                cache_validity: *cache_validity,
            };
            let export = mud::export::export(&manifest, &about);
            if export.exported == 0 {
                let who = about.talker.word();
                let help = "choose another with --talker: the manifest's own declarations say whose they are";
                return Err(refused(format!("nothing that the {who} may talk to can be said in MUD"), help));
            }
            Ok((export.text, export.losses))
        }
    }
}

fn now() -> String {
    let now = OffsetDateTime::from(SystemTime::now());
    let (date, hour, minute, second) = (now.date(), now.hour(), now.minute(), now.second());
    format!("{date}T{hour:02}:{minute:02}:{second:02}Z")
}

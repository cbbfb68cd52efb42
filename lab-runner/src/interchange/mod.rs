//! What others write about a product's traffic, read into the manifest's words, and the manifest written in theirs.
//!
//! Each format has a module that reads it into types of its own, bounded and with the place of what is wrong, and maps
//! them. What a format can't say is never filled in: it is marked in the [`seed`], or listed as a [`loss`]. Nothing
//! here judges a run, and nothing writes a file.

pub mod against;
pub mod app_privacy_report;
pub mod cyclonedx;
mod declared;
pub mod foreign;
pub mod loss;
pub mod mud;
pub mod network_security_config;
pub mod second_observer;
pub mod seed;
mod seed_yaml;
pub mod xcprivacy;

use crate::yaml::Diagnostic;
use foreign::Foreign;
use seed::{Seed, Told};

/// A format that a manifest can be seeded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Manufacturer Usage Description, RFC 8520.
    Mud,
    /// Apple's PrivacyInfo.xcprivacy.
    XcPrivacy,
    /// Android's network security configuration.
    NetworkSecurityConfig,
    /// The services of a CycloneDX bill of materials.
    CycloneDx,
}

impl Format {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Format::Mud => "MUD",
            Format::XcPrivacy => "PrivacyInfo.xcprivacy",
            Format::NetworkSecurityConfig => "network_security_config",
            Format::CycloneDx => "CycloneDX",
        }
    }

    /// The format of a file, by the words that each of them must contain.
    ///
    /// # Errors
    /// It is none of them.
    pub fn of(foreign: &Foreign) -> Result<Format, Diagnostic> {
        let has = |needle: &str| foreign.contains(needle.as_bytes());
        let format = match foreign.bytes.trim_ascii_start().first() {
            _ if foreign.bytes.starts_with(b"bplist") => Some(Format::XcPrivacy),
            Some(b'{') if has("\"ietf-mud:mud\"") => Some(Format::Mud),
            Some(b'{') if has("\"bomFormat\"") => Some(Format::CycloneDx),
            Some(b'<') if has("<network-security-config") => Some(Format::NetworkSecurityConfig),
            Some(b'<') if has("<plist") => Some(Format::XcPrivacy),
            _ => None,
        };
        format.ok_or_else(|| {
            Diagnostic::whole_file(&foreign.file, "this is none of the formats that are imported").help(
                "they are a MUD file, PrivacyInfo.xcprivacy, network_security_config.xml, and CycloneDX as JSON; \
                 --format says which it is meant to be",
            )
        })
    }
}

/// Reads a file of a known format.
///
/// # Errors
/// It isn't of that format, with the place where that shows; or it doesn't say who talks, and neither did the person.
pub fn import(foreign: &Foreign, format: Format, told: &Told) -> Result<Seed, Diagnostic> {
    match format {
        Format::Mud => {
            let file = mud::read(foreign)?;
            let talker = told.talker.ok_or_else(|| {
                Diagnostic::whole_file(&foreign.file, "a MUD file doesn't say who talks")
                    .help("say whose device it is, with --talker watch, --talker app or --talker os")
            })?;
            Ok(mud::import::seed(&file, talker, told))
        }
        Format::XcPrivacy => Ok(xcprivacy::read(foreign)?.seed(told)),
        Format::NetworkSecurityConfig => Ok(network_security_config::read(foreign)?.seed(told)),
        Format::CycloneDx => cyclonedx::import::seed(&cyclonedx::read(foreign)?, told)
            .map_err(|what| Diagnostic::whole_file(&foreign.file, what)),
    }
}

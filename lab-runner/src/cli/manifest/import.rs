//! `lab manifest import FILE`: a manifest's beginning from a file of another format, or what that file says and a
//! manifest doesn't.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::INVALID;
use crate::interchange::against::{Difference, differences};
use crate::interchange::foreign::Foreign;
use crate::interchange::seed::{Seed, Told};
use crate::interchange::{self, Format};
use crate::manifest::{Manifest, Talker};
use crate::yaml::{Diagnostic, Document, Problems, Source};

/// Begin a manifest from a MUD file, PrivacyInfo.xcprivacy, network_security_config.xml or CycloneDX services
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 imported, or no difference · 1 --against found differences · 2 invalid input"
)]
pub struct ImportArgs {
    /// The file to read
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Its format [default: told by its content]
    #[arg(long, value_enum)]
    pub format: Option<ImportFormat>,
    /// Who talks, for formats that don't say (MUD, CycloneDX)
    #[arg(long, value_enum)]
    pub talker: Option<TalkerWord>,
    /// The vendor's name, for formats that don't say
    #[arg(long, value_name = "NAME")]
    pub vendor: Option<String>,
    /// The product's name, for formats that don't say
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Write what the file says and this manifest doesn't, instead of a manifest
    #[arg(long, value_name = "MANIFEST")]
    pub against: Option<PathBuf>,
}

/// The formats that can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// Manufacturer Usage Description, RFC 8520
    Mud,
    /// Apple's PrivacyInfo.xcprivacy, XML or binary
    Xcprivacy,
    /// Android's network_security_config.xml
    NetworkSecurityConfig,
    /// CycloneDX 1.4 to 1.6, JSON
    Cyclonedx,
}

impl From<ImportFormat> for Format {
    fn from(format: ImportFormat) -> Format {
        match format {
            ImportFormat::Mud => Format::Mud,
            ImportFormat::Xcprivacy => Format::XcPrivacy,
            ImportFormat::NetworkSecurityConfig => Format::NetworkSecurityConfig,
            ImportFormat::Cyclonedx => Format::CycloneDx,
        }
    }
}

/// The talkers, as an option's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TalkerWord {
    /// The watch itself
    Watch,
    /// The companion app
    App,
    /// The phone's operating system
    Os,
}

impl From<TalkerWord> for Talker {
    fn from(word: TalkerWord) -> Talker {
        match word {
            TalkerWord::Watch => Talker::Watch,
            TalkerWord::App => Talker::App,
            TalkerWord::Os => Talker::Os,
        }
    }
}

/// What `import` answers with where the file and the manifest differ.
const DIFFERENT: u8 = 1;

/// Imports: the manifest or the differences to stdout, problems to stderr. Answers with the exit code.
pub fn run(args: &ImportArgs) -> u8 {
    let (out, err) = (&mut io::stdout().lock(), &mut io::stderr().lock());
    let written = match import(args) {
        Ok((seed, None)) => checked(&seed, &args.file)
            .map_err(Problems::from)
            .map(|text| out.write_all(text.as_bytes()).map(|()| 0)),
        Ok((seed, Some(manifest))) => Ok(compare(args, &seed, &manifest, out)),
        Err(problems) => Err(problems),
    };
    // Nobody is left to tell when a stream is closed; the exit code says it all the same.
    match written {
        Ok(code) => code.unwrap_or(INVALID),
        Err(problems) => {
            let _ = writeln!(err, "{problems}");
            INVALID
        }
    }
}

fn import(args: &ImportArgs) -> Result<(Seed, Option<Manifest>), Problems> {
    let manifest = match &args.against {
        Some(file) => Some(Manifest::load(file)?.0),
        None => None,
    };
    let foreign = Foreign::read(&args.file)?;
    let format = match args.format {
        Some(format) => format.into(),
        None => Format::of(&foreign)?,
    };
    let told = Told {
        talker: args.talker.map(Talker::from),
        vendor: args.vendor.clone(),
        model: args.model.clone(),
    };
    Ok((interchange::import(&foreign, format, &told)?, manifest))
}

/// The manifest's text, once it was read as a manifest.
fn checked(seed: &Seed, file: &Path) -> Result<String, Diagnostic> {
    let text = seed.to_yaml();
    let read = Source::from_bytes(file, text.clone().into_bytes())
        .map_err(Problems::from)
        .and_then(Document::parse)
        .and_then(Manifest::from_document);
    match read {
        Ok(_) => Ok(text),
        Err(problems) => {
            let first = problems.0.into_iter().next().map_or(String::new(), |one| one.message);
            Err(Diagnostic::whole_file(file, format!("no manifest can say what this file says: {first}"))
                .help("correct it in the file, or write that declaration by hand"))
        }
    }
}

fn compare(args: &ImportArgs, seed: &Seed, manifest: &Manifest, out: &mut impl Write) -> io::Result<u8> {
    let differences = differences(seed, manifest);
    for Difference { word, source_at, manifest_at, message, paste } in &differences {
        let place = source_at.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
        write!(out, "{}{place}: {word}: {message}", args.file.display())?;
        match manifest_at {
            Some(at) => writeln!(out, " ({}:{}:{})", manifest.file.display(), at.line, at.column)?,
            None => writeln!(out)?,
        }
        if let Some(paste) = paste {
            writeln!(out, "{paste}")?;
        }
    }
    if differences.is_empty() {
        writeln!(out, "{} says nothing that {} doesn't", args.file.display(), manifest.file.display())?;
    }
    Ok(if differences.is_empty() { 0 } else { DIFFERENT })
}

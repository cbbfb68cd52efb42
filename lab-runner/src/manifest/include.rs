//! Ambient profiles: versioned files of declarations, named by a manifest's `include`. Bounded in number and depth,
//! and never outside the project.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::args::AmbientArgs;
use super::declaration::Of;
use super::read::endpoints;
use super::{FORMAT, Profile};
use crate::yaml::{Diagnostic, Document, Entry, LARGEST_FILE, Position, Problems, Reading, Source};

/// The most profiles of one manifest.
const MOST_PROFILES: usize = 32;
/// The deepest chain of profiles that include profiles.
const DEEPEST: usize = 4;

/// The keys of a profile.
pub(super) const KEYS: [&str; 4] = ["format", "ambient", "include", "endpoints"];

/// A file that another one includes, and where it says so.
#[derive(Debug, Clone)]
pub(super) struct Include {
    /// As it is written.
    pub(super) written: String,
    /// Where.
    pub(super) at: Position,
}

/// The parts of an `include` list.
pub(super) fn list<'d>(reading: &mut Reading<'d>, entry: Entry<'d>) -> Vec<Include> {
    let Some(items) = entry.sequence() else {
        let help = "such as `include: [ambient/phone.yaml]`".to_owned();
        reading.error(entry.at(), "expected a list of files", Some(help));
        return Vec::new();
    };
    let read = |item: Entry<'d>| Some(Include { written: reading.decode::<String>(item)?, at: item.at() });
    items.into_iter().filter_map(read).collect()
}

/// The included files of a manifest, read one after another.
pub(super) struct Profiles {
    /// Everything outside this folder is refused.
    project: Option<PathBuf>,
    manifest_folder: PathBuf,
    /// Files that were read, by where they really are.
    known: Vec<PathBuf>,
    /// How many bytes they have.
    bytes: u64,
    read: Vec<Profile>,
    problems: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Profiles {
    /// Reads what a manifest includes.
    ///
    /// # Errors
    /// Every problem that was found, in whichever file.
    pub(super) fn load(
        manifest: &Path,
        text: &str,
        includes: &[Include],
    ) -> Result<(Vec<Profile>, Vec<Diagnostic>), Problems> {
        let folder = folder_of(manifest);
        let mut profiles = Profiles {
            project: project(&folder),
            manifest_folder: folder,
            known: Vec::new(),
            bytes: 0,
            read: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        profiles.include(manifest, text, includes, 1);
        let mut ids = BTreeMap::new();
        for profile in &profiles.read {
            if let Some(first) = ids.insert(profile.id.as_str(), &profile.written) {
                let message = format!("this profile is called `{}`, as the one in {first}", profile.id);
                profiles
                    .problems
                    .push(Diagnostic::whole_file(&profile.file, message).help("include one of them"));
            }
        }
        if profiles.problems.is_empty() {
            Ok((profiles.read, profiles.warnings))
        } else {
            Err(Problems(profiles.problems))
        }
    }

    fn include(&mut self, by: &Path, text: &str, includes: &[Include], depth: usize) {
        for include in includes {
            if let Err(problem) = self.one(by, text, include, depth) {
                self.problems.extend(problem.0);
                // Nobody reads more, and each may have cost a file.
                if self.problems.len() > 100 {
                    return;
                }
            }
        }
    }

    fn one(&mut self, by: &Path, text: &str, include: &Include, depth: usize) -> Result<(), Problems> {
        let refused = |message: String, help: &str| {
            Problems::from(Diagnostic::error(by, text, include.at, message).help(help))
        };
        let written = &include.written;
        let relative = Path::new(written);
        let plain = |part: Component<'_>| {
            matches!(part, Component::Normal(_) | Component::CurDir | Component::ParentDir)
        };
        if written.is_empty() || written.contains('\\') || !relative.components().all(plain) {
            return Err(refused(
                format!("`{written}` is no path from this file's folder"),
                "write one with `/`, such as ambient/phone.yaml",
            ));
        }
        if depth > DEEPEST {
            return Err(refused(
                format!("more than {DEEPEST} files include one another here"),
                "include the profile in the manifest itself",
            ));
        }
        let file = folder_of(by).join(relative);
        let Ok(real) = file.canonicalize() else {
            return Err(refused(
                format!("the profile `{written}` isn't there"),
                &format!("paths start at this file's folder; this one leads to {}", file.display()),
            ));
        };
        // Links are followed before this is asked.
        if !self.project.as_ref().is_some_and(|project| real.starts_with(project)) {
            return Err(refused(
                format!("`{written}` leads out of the project"),
                "a project is the folder with `.git` in it, or else the manifest's own folder: copy the profile there",
            ));
        }
        if self.known.contains(&real) {
            return Ok(());
        }
        if self.known.len() >= MOST_PROFILES {
            return Err(refused(
                format!("a manifest has {MOST_PROFILES} profiles at most"),
                "put several into one file",
            ));
        }
        self.known.push(real);
        let source = Source::read(&file)?;
        self.bytes += source.text.len() as u64;
        if self.bytes > LARGEST_FILE {
            return Err(refused(
                format!(
                    "with `{written}` the profiles of this manifest are larger than 4 MiB, the most that is read"
                ),
                "include fewer of them",
            ));
        }
        let (profile, includes, warnings) = read(Document::parse(source)?, self.written(&file))?;
        self.warnings.extend(warnings);
        let source = profile.source.clone();
        self.read.push(profile);
        self.include(&file, &source, &includes, depth + 1);
        Ok(())
    }

    /// A file's path from the manifest's folder, with `/` and without detours.
    fn written(&self, file: &Path) -> String {
        let mut parts: Vec<String> = Vec::new();
        let below = file.strip_prefix(&self.manifest_folder).unwrap_or(file);
        for part in below.components() {
            match part {
                Component::ParentDir if parts.last().is_some_and(|last| last != "..") => drop(parts.pop()),
                Component::ParentDir => parts.push("..".to_owned()),
                Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
                _ => {}
            }
        }
        parts.join("/")
    }
}

/// Reads a profile alone, without what it includes.
pub(super) fn read(
    document: Document,
    written: String,
) -> Result<(Profile, Vec<Include>, Vec<Diagnostic>), Problems> {
    let mut reading = Reading::new(&document);
    let read = if reading.format(FORMAT) { profile(&mut reading, &document, written) } else { None };
    let ((mut profile, includes), warnings) = reading.finish(read)?;
    profile.source = document.into_source().text;
    Ok((profile, includes, warnings))
}

fn profile<'d>(
    reading: &mut Reading<'d>,
    document: &'d Document,
    written: String,
) -> Option<(Profile, Vec<Include>)> {
    let root = document.root();
    let fields = reading.fields(root, "an ambient profile", &KEYS)?;
    let about = reading.required::<AmbientArgs>(root, &fields, "ambient");
    if let (Some(about), Some(entry)) = (&about, fields.get("ambient")) {
        if !crate::plan::is_role(&about.id) {
            let message = "an id has letters, digits, `-` and `_`, and starts with a letter";
            reading.error(entry.get("id").map_or(entry.at(), |id| id.at()), message, None);
        }
        if about.version.trim().is_empty() {
            let help = Some("such as `version: \"2026-11\"`".to_owned());
            reading.error(entry.at(), "a profile without a version can't be told from its next one", help);
        }
    }
    let includes = fields.get("include").map_or_else(Vec::new, |entry| list(reading, *entry));
    let id = about.as_ref().map_or("", |about| about.id.as_str());
    let endpoints = endpoints(reading, root, &fields, &Of::Profile(id))?;
    let AmbientArgs { id, version, description } = about?;
    let file = document.source().file.clone();
    Some((Profile { id, version, description, endpoints, written, file, source: String::new() }, includes))
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The project that a folder belongs to: the nearest one upward that is a repository, else the folder itself.
fn project(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    let repository = folder.ancestors().find(|ancestor| ancestor.join(".git").exists());
    Some(repository.unwrap_or(&folder).to_owned())
}

//! Where snapshots are kept: `snapshots/<plan>.snap` beside the plan, and `.snap.new` for what waits for a review.
//!
//! It writes nowhere else, and follows no link that a plan from a fork may have laid.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::{BadBody, BadSnap, Change, SnapFile, Snapshot, changes};
use crate::judge::{Status, Verdict, printable, when};
use crate::manifest::Manifest;

/// The largest snapshot that is read, in bytes.
const LARGEST: u64 = 16 << 20;
/// Folders deeper than this are not searched for pending snapshots, and no more files than `MOST_FILES` are looked at.
const DEEPEST: usize = 12;
const MOST_FILES: usize = 200_000;

/// What can go wrong with snapshot files.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file can't be read or written.
    #[error("{}: {source}", file.display())]
    Io {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no `.snap` file.
    #[error("{}: {source}; delete it, or restore it from version control", file.display())]
    Format {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: BadSnap,
    },
    /// Its body is none that the lab wrote.
    #[error("{}: {source}; restore it from version control, or accept a new one", file.display())]
    Body {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: BadBody,
    },
    /// `snapshots` or the file is a link that leads elsewhere.
    #[error("{} is a link or no regular file: snapshots are kept beside their plan only", .0.display())]
    Link(PathBuf),
    /// There is nothing to accept or reject.
    #[error("{} is not there: nothing is pending", .0.display())]
    NothingPending(PathBuf),
}

/// Where one plan's snapshot is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Store {
    /// The accepted snapshot.
    pub accepted: PathBuf,
    /// The one that waits for a review.
    pub pending: PathBuf,
    /// The plan's folder and file name, for the header.
    source: String,
}

/// A run's set of endpoints, against the accepted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// The run doesn't show enough to take a snapshot from it ([`Verdict::shows_everything`]).
    NotTaken,
    /// Nothing changed.
    Same,
    /// It is different from what was accepted, or nothing was accepted yet.
    Different {
        /// Nothing was accepted yet.
        first: bool,
        /// What changed.
        changes: Vec<Change>,
        /// What would be pending.
        file: SnapFile,
    },
}

impl Comparison {
    /// The exit status that it asks for, where nothing worse happened: 5 for a snapshot that is new or changed.
    pub fn exit_code(&self) -> Option<u8> {
        matches!(self, Comparison::Different { .. }).then_some(5)
    }
}

/// A snapshot that waits for a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Where.
    pub store: Store,
    /// What was accepted before.
    pub accepted: Option<SnapFile>,
    /// What waits.
    pub new: SnapFile,
    /// What changed.
    pub changes: Vec<Change>,
}

impl Store {
    /// The place for a plan's snapshot.
    pub fn beside(plan: &Path) -> Self {
        let stem = plan.file_stem().unwrap_or_default();
        let folder = plan.parent().unwrap_or(Path::new(""));
        let mut accepted = folder.join("snapshots").join(stem).into_os_string();
        accepted.push(".snap");
        // The folder's own name, also where the plan was named from within it.
        let whole = fs::canonicalize(plan).unwrap_or_else(|_| plan.to_owned());
        let folder =
            whole.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let name = plan.file_name().unwrap_or_default().to_string_lossy();
        Self::at(PathBuf::from(accepted), format!("{folder}/{name}"))
    }

    fn at(accepted: PathBuf, source: String) -> Self {
        let mut pending = accepted.clone().into_os_string();
        pending.push(".new");
        Self { accepted, pending: PathBuf::from(pending), source }
    }

    /// Compares a run with what was accepted. It writes nothing.
    ///
    /// # Errors
    /// When the accepted file is there and can't be read.
    pub fn compare(&self, verdict: &Verdict, manifest: &Manifest) -> Result<Comparison, StoreError> {
        if !verdict.shows_everything() {
            return Ok(Comparison::NotTaken);
        }
        let accepted = read(&self.accepted)?;
        let known = accepted.as_ref().map(|file| body_of(&self.accepted, file)).transpose()?;
        let mut new = Snapshot::of(verdict, manifest);
        if let Some(known) = &known {
            new.keep_absent_optional(known, manifest);
        }
        let mut file = SnapFile {
            source: printable(&self.source),
            expression: printable(&verdict.plan),
            description: None,
            body: new.body(),
        };
        if accepted.as_ref().is_some_and(|accepted| accepted.same_body(&file)) {
            return Ok(Comparison::Same);
        }
        let changes = changes(known.as_ref(), &new);
        file.description = Some(described(&changes, verdict));
        Ok(Comparison::Different { first: accepted.is_none(), changes, file })
    }

    /// Writes what a comparison leaves pending, and deletes what isn't pending any more.
    ///
    /// # Errors
    /// When a file can't be written or deleted.
    pub fn settle(&self, comparison: &Comparison) -> Result<(), StoreError> {
        match comparison {
            Comparison::NotTaken => Ok(()),
            Comparison::Same => self.remove_pending().map(drop),
            Comparison::Different { file, .. } => write(&self.pending, &file.render()),
        }
    }

    /// What waits for a review, if anything does.
    ///
    /// # Errors
    /// When a file is there and can't be read.
    pub fn pending(&self) -> Result<Option<Pending>, StoreError> {
        let Some(new) = read(&self.pending)? else { return Ok(None) };
        let accepted = read(&self.accepted)?;
        let known = accepted.as_ref().map(|file| body_of(&self.accepted, file)).transpose()?;
        let changes = changes(known.as_ref(), &body_of(&self.pending, &new)?);
        Ok(Some(Pending { store: self.clone(), accepted, new, changes }))
    }

    /// Makes the pending snapshot the accepted one.
    ///
    /// # Errors
    /// When nothing is pending, or a file can't be written.
    pub fn accept(&self) -> Result<(), StoreError> {
        let new = read(&self.pending)?.ok_or_else(|| StoreError::NothingPending(self.pending.clone()))?;
        body_of(&self.pending, &new)?;
        write(&self.accepted, &SnapFile { description: None, ..new }.render())?;
        self.remove_pending().map(drop)
    }

    /// Throws the pending snapshot away.
    ///
    /// # Errors
    /// When nothing is pending, or the file can't be deleted.
    pub fn reject(&self) -> Result<(), StoreError> {
        match self.remove_pending()? {
            true => Ok(()),
            false => Err(StoreError::NothingPending(self.pending.clone())),
        }
    }

    fn remove_pending(&self) -> Result<bool, StoreError> {
        guard(&self.pending)?;
        match fs::remove_file(&self.pending) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StoreError::Io { file: self.pending.clone(), source }),
        }
    }
}

/// What is pending under a folder, or beside a plan, sorted by place.
///
/// # Errors
/// When a file or folder can't be read.
pub fn pending_under(place: &Path) -> Result<Vec<Store>, StoreError> {
    let at = |source| StoreError::Io { file: place.to_owned(), source };
    if fs::metadata(place).map_err(at)?.is_file() {
        let store = Store::beside(place);
        return Ok(if store.pending.exists() { vec![store] } else { Vec::new() });
    }
    let mut found = Vec::new();
    let mut left = MOST_FILES;
    search(place, DEEPEST, &mut left, &mut found)?;
    found.sort();
    Ok(found)
}

fn search(folder: &Path, depth: usize, left: &mut usize, found: &mut Vec<Store>) -> Result<(), StoreError> {
    let at = |source| StoreError::Io { file: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(at)? {
        let entry = entry.map_err(at)?;
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        // Neither follows links nor looks into what is built or hidden.
        let kind = entry.file_type().map_err(at)?;
        if kind.is_dir() {
            if depth > 0 && !name.starts_with('.') && name != "target" {
                search(&path, depth - 1, left, found)?;
            }
        } else if kind.is_file() && name.ends_with(".snap.new") && folder.ends_with("snapshots") {
            let accepted = path.with_extension("");
            let plan =
                folder.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
            found.push(Store::at(accepted, plan));
        }
    }
    Ok(())
}

fn body_of(file: &Path, snap: &SnapFile) -> Result<Snapshot, StoreError> {
    Snapshot::parse(&snap.body).map_err(|source| StoreError::Body { file: file.to_owned(), source })
}

/// The folder and the file must be what they seem.
fn guard(file: &Path) -> Result<(), StoreError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    for (path, fits) in
        [(folder, fs::Metadata::is_dir as fn(&fs::Metadata) -> bool), (file, fs::Metadata::is_file)]
    {
        match fs::symlink_metadata(path) {
            Ok(meta) if !fits(&meta) => return Err(StoreError::Link(path.to_owned())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(StoreError::Io { file: path.to_owned(), source }),
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Option<SnapFile>, StoreError> {
    guard(file)?;
    let at = |source| StoreError::Io { file: file.to_owned(), source };
    let opened = match fs::File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(error)),
    };
    let mut text = String::new();
    let read = opened.take(LARGEST + 1).read_to_string(&mut text).map_err(at)?;
    if read as u64 > LARGEST {
        return Err(at(io::Error::other("it is larger than 16 MiB, and no snapshot is")));
    }
    SnapFile::parse(&text).map(Some).map_err(|source| StoreError::Format { file: file.to_owned(), source })
}

/// Whole or not at all: through a file beside it that then takes its place.
fn write(file: &Path, text: &str) -> Result<(), StoreError> {
    guard(file)?;
    let at = |source| StoreError::Io { file: file.to_owned(), source };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(at)?;
    }
    let mut beside = file.to_owned().into_os_string();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = fs::OpenOptions::new().write(true).create_new(true).open(&beside).and_then(|mut part| {
        part.write_all(text.as_bytes())?;
        part.sync_all()
    });
    written.and_then(|()| fs::rename(&beside, file)).map_err(|error| {
        let _ = fs::remove_file(&beside);
        at(error)
    })
}

/// For the reviewer: each change, and when an undeclared endpoint was first seen.
fn described(changes: &[Change], verdict: &Verdict) -> String {
    let lines = changes.iter().map(|change| {
        let row = verdict.endpoints.iter().find(|row| {
            row.status != Status::Declared
                && change.head.contains(&format!(" → {} {}", row.endpoint, row.transport))
        });
        match row {
            Some(row) => {
                let since = row.since.as_ref().map(|since| format!("{}, ", when(since))).unwrap_or_default();
                format!("{change}, {since}frame {}", row.frame)
            }
            None => change.to_string(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

//! The files that agents send while an attempt runs. What is appended is on its way to the disk at once, so that a
//! killed run leaves what it saw.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use lab_protocol::{AgentKind, BlobRef};

/// The folders of an attempt in which agents may grow files, each kind in its own: nobody adds to another's evidence.
const FOLDERS: [(AgentKind, &str); 4] = [
    (AgentKind::Capture, "captures"),
    (AgentKind::Console, "console"),
    (AgentKind::Ble, "ble"),
    (AgentKind::Companion, "screens"),
];
/// Largest capture that is read, in bytes.
pub(crate) const LARGEST_CAPTURE: u64 = 4 << 30;
/// The most that one attempt may store, in bytes.
const LARGEST: u64 = 8 << 30;

/// Files under one attempt's directory.
#[derive(Debug)]
pub struct AttemptFiles {
    folder: PathBuf,
    open: BTreeMap<String, File>,
    stored: u64,
}

impl AttemptFiles {
    /// Files of the attempt in this directory.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), open: BTreeMap::new(), stored: 0 }
    }

    /// Appends to a file, which is created by its first bytes.
    ///
    /// # Errors
    /// For a name that leads out of the folder of this kind of agent, for too many bytes, and what the disk says.
    pub fn append(&mut self, kind: AgentKind, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.stored += bytes.len() as u64;
        if self.stored > LARGEST {
            return Err(io::Error::other(format!("an attempt may store {} GiB at most", LARGEST >> 30)));
        }
        let own = FOLDERS.iter().any(|(of, folder)| *of == kind && name.starts_with(folder));
        if !own {
            let text = format!("{name:?} is no file of a {} agent", kind.word());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        if !self.open.contains_key(name) {
            if !is_agents(name) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("{name:?} is no file of an agent"),
                ));
            }
            let path = self.folder.join(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            let file = OpenOptions::new().create_new(true).append(true).open(path)?;
            self.open.insert(name.to_owned(), file);
        }
        self.open.get_mut(name).map_or(Ok(()), |file| file.write_all(bytes))
    }

    /// Closes the files and tells what is in each.
    ///
    /// # Errors
    /// When one can't be read back.
    pub fn finish(&mut self) -> io::Result<Vec<(String, BlobRef)>> {
        let open = std::mem::take(&mut self.open);
        open.into_keys()
            .map(|name| {
                let blob = blob_of_file(&self.folder.join(&name))?;
                Ok((name, blob))
            })
            .collect()
    }
}

/// Whether the name is `folder/file` with plain characters.
pub(super) fn is_agents(name: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    name.split_once('/')
        .is_some_and(|(folder, file)| FOLDERS.iter().any(|(_, of)| *of == folder) && plain(file))
}

/// The reference to what a file holds.
pub(super) fn blob_of_file(path: &Path) -> io::Result<BlobRef> {
    Ok(BlobRef::of(&read_regular(path, LARGEST_CAPTURE)?))
}

/// Opens a file of a run: a plain one. What comes from elsewhere may hold links and devices, which are not followed.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file"));
    }
    File::open(path)
}

/// Reads a plain file of at most `limit` bytes.
pub(crate) fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("larger than {limit} bytes")));
    }
    Ok(bytes)
}

/// Writes a file so that it is whole or not there at any moment.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    std::fs::write(&new, bytes)?;
    std::fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_grows_files_only_in_its_own_folders() {
        for good in ["captures/phone.pcapng", "console/console.log"] {
            assert!(is_agents(good), "{good}");
        }
        for bad in [
            "run.json",
            "../captures/x",
            "captures/../x",
            "captures/.x",
            "/etc/x",
            "captures/a/b",
            "captures/",
        ] {
            assert!(!is_agents(bad), "{bad}");
        }
    }
}

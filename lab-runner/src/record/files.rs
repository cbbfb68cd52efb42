//! The files that agents send while an attempt runs. What is appended is on its way to the disk at once, so that a
//! killed run leaves what it saw.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use lab_protocol::BlobRef;

/// The folders of an attempt in which agents may grow files.
const FOLDERS: [&str; 4] = ["captures", "console", "ble", "screens"];
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
    /// For a name that leads out of the agents' folders, for too many bytes, and what the disk says.
    pub fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.stored += bytes.len() as u64;
        if self.stored > LARGEST {
            return Err(io::Error::other(format!("an attempt may store {} GiB at most", LARGEST >> 30)));
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
    name.split_once('/').is_some_and(|(folder, file)| FOLDERS.contains(&folder) && plain(file))
}

/// The reference to what a file holds.
pub(super) fn blob_of_file(path: &Path) -> io::Result<BlobRef> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(BlobRef::of(&bytes))
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

//! Devices that were set up again and again, as the corpus has them.
//!
//! It is no part of the repository: `LAB_CORPUS` names its folder, or it lies in `../shared/corpus` beside the workspace.

use std::path::{Path, PathBuf};

use lab_runner::captured::{Captured, Device, PHASE, read};

/// A device and its captures, in the order in which they were made.
pub(crate) struct Repeats {
    pub(crate) name: String,
    pub(crate) device: Device,
    pub(crate) captures: Vec<Repeat>,
}

pub(crate) struct Repeat {
    pub(crate) bytes: Vec<u8>,
    pub(crate) captured: Captured,
}

/// All devices of the corpus; `None`, said on stdout, where there is none.
pub(crate) fn devices() -> Option<Vec<Repeats>> {
    let listing = std::fs::read_dir(folder("repeats")?).unwrap();
    let mut folders: Vec<PathBuf> =
        listing.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    Some(folders.iter().map(|folder| repeats(folder)).collect())
}

/// A folder of the corpus.
pub(crate) fn folder(part: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let folder = std::env::var_os("LAB_CORPUS").map_or(beside, PathBuf::from).join(part);
    if !folder.is_dir() {
        println!("skipped: no corpus at {} (set LAB_CORPUS)", folder.display());
        return None;
    }
    Some(folder)
}

fn repeats(folder: &Path) -> Repeats {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let device: Device = std::fs::read_to_string(folder.join("_iotdevice-mac.txt")).unwrap().parse().unwrap();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "pcap"));
    files.sort_by_key(|file| in_numeric_order(file));
    let capture = |file: &PathBuf| {
        let bytes = std::fs::read(file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let captured = read(1, &name, &bytes, device, PHASE).unwrap();
        Repeat { bytes, captured }
    };
    Repeats { name, device, captures: files.iter().map(capture).collect() }
}

/// `Setup-A-10` comes after `Setup-A-9`.
fn in_numeric_order(file: &Path) -> Vec<String> {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    name.split(|sign: char| !sign.is_ascii_alphanumeric()).map(|part| format!("{part:0>8}")).collect()
}

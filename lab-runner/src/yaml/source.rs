//! A file's bytes as text: bounded, UTF-8, and refused in plain words where it is something else.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Diagnostic, LARGEST_FILE, Position, nearest};

/// A file and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file's path, as it was given.
    pub file: PathBuf,
    /// Its text, without a byte order mark.
    pub text: String,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// It is missing, unreadable, no regular file, too large, empty, or not UTF-8 text.
    pub fn read(file: &Path) -> Result<Source, Diagnostic> {
        let refused = |message: &str| Diagnostic::whole_file(file, message);
        // Before opening: opening a named pipe waits for its writer.
        let metadata = std::fs::metadata(file).map_err(|error| unreadable(file, &error))?;
        if metadata.is_dir() {
            return Err(
                refused("this is a directory, not a file").help("name a file in it, such as its plan.yaml")
            );
        }
        if !metadata.is_file() {
            return Err(refused("this is not a regular file").help("name a YAML file"));
        }
        let mut bytes = Vec::new();
        File::open(file)
            .and_then(|opened| opened.take(LARGEST_FILE + 1).read_to_end(&mut bytes))
            .map_err(|error| unreadable(file, &error))?;
        Source::from_bytes(file, bytes)
    }

    /// Takes bytes as a file's content.
    ///
    /// # Errors
    /// It is too large, empty, or not UTF-8 text.
    pub fn from_bytes(file: &Path, mut bytes: Vec<u8>) -> Result<Source, Diagnostic> {
        let refused = |message: &str| Diagnostic::whole_file(file, message);
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(refused("the file is larger than 4 MiB, the most that is read")
                .help("is this really a plan, a manifest or a bench file?"));
        }
        if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
            bytes.drain(..3);
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(refused("the file is empty").help("`lab schema` shows what goes into one"));
        }
        if is_utf16(&bytes) {
            return Err(refused("the file is UTF-16, and YAML is read as UTF-8")
                .help("save it as UTF-8 (`iconv -f UTF-16 -t UTF-8`)"));
        }
        if let Some(at) = bytes.iter().take(8192).position(|byte| *byte == 0) {
            return Err(refused(&format!(
                "this is a binary file{} (byte {at} is zero)",
                known_binary(&bytes)
            ))
            .help("name a YAML file"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Source { file: file.to_owned(), text }),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let bytes = error.as_bytes();
                let before = String::from_utf8_lossy(&bytes[..valid]);
                let line = before.matches('\n').count() as u32 + 1;
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1;
                let lossy = String::from_utf8_lossy(bytes);
                let message = format!("the byte 0x{:02x} here is not UTF-8 text", bytes[valid]);
                Err(Diagnostic::error(file, &lossy, Position { line, column }, message)
                    .help("save the file as UTF-8"))
            }
        }
    }
}

fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe])
        || bytes.starts_with(&[0xfe, 0xff])
        // Without a mark: ASCII text has a zero in every other byte.
        || bytes.len() >= 8
            && bytes.chunks_exact(2).take(8).all(|pair| (pair[0] == 0) != (pair[1] == 0))
}

fn known_binary(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x7f, b'E', b'L', b'F', ..] => ": an ELF executable",
        [0x0a, 0x0d, 0x0d, 0x0a, ..] => ": a pcapng capture",
        [0xd4, 0xc3, 0xb2, 0xa1, ..] | [0xa1, 0xb2, 0xc3, 0xd4, ..] => ": a pcap capture",
        _ => "",
    }
}

fn unreadable(file: &Path, error: &std::io::Error) -> Diagnostic {
    let problem = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission to read the file is denied".to_owned(),
        _ => format!("the file can't be read: {error}"),
    };
    Diagnostic::whole_file(file, problem).maybe_help(similar_file(file))
}

/// A file beside the missing one with nearly its name.
fn similar_file(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .take(1000)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    nearest(name, names.iter().map(String::as_str))
        .filter(|near| *near != name)
        .map(|near| format!("did you mean `{}`?", file.with_file_name(near).display()))
}

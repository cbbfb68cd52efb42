//! Artifacts travel as bytes under their hash, never as a path of another host.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Names a blob by what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlobRef {
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// Length in bytes.
    pub bytes: u64,
}

impl BlobRef {
    /// The reference to these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { sha256: sha256_hex(bytes), bytes: bytes.len() as u64 }
    }

    /// The reference to what a source gives until its end, which is not kept.
    ///
    /// # Errors
    /// What the source reports.
    pub fn of_all(mut source: impl std::io::Read) -> std::io::Result<Self> {
        let mut hash = Sha256::new();
        let bytes = std::io::copy(&mut source, &mut hash)?;
        Ok(Self { sha256: hex(&hash.finalize()), bytes })
    }

    /// Whether these bytes are what the reference names.
    pub fn names(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.bytes && sha256_hex(bytes) == self.sha256
    }
}

/// SHA-256 (FIPS 180-4) in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

//! The firmware images that a plan names, read once before the run: their bytes and the reference that commands carry.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use lab_protocol::{BlobRef, ImageFormat};

use super::{Flash, Plan, StepAction};

/// Largest image that is read. The largest flash of a microcontroller today is far below it.
const LARGEST_IMAGE: u64 = 32 << 20;

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What commands carry.
    pub blob: BlobRef,
    /// How to read it.
    pub format: ImageFormat,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The images of a plan, by the path that it writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Images(BTreeMap<String, Image>);

/// Why an image can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct ImageError {
    path: String,
    reason: String,
}

impl Images {
    /// Reads every image of the plan.
    ///
    /// # Errors
    /// The first that can't be read or that has no known format.
    pub fn load(plan: &Plan) -> Result<Self, ImageError> {
        let mut images = BTreeMap::new();
        for step in plan.phases.iter().flat_map(|phase| &phase.steps) {
            if let StepAction::Flash(flash) = &step.action
                && !images.contains_key(&flash.image.written)
            {
                images.insert(flash.image.written.clone(), load(flash)?);
            }
        }
        Ok(Self(images))
    }

    /// The image that the plan writes so.
    pub fn get(&self, written: &str) -> Option<&Image> {
        self.0.get(written)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Image)> {
        self.0.iter().map(|(written, image)| (written.as_str(), image))
    }
}

fn load(flash: &Flash) -> Result<Image, ImageError> {
    let path = &flash.image.resolved;
    let refused = |reason: String| ImageError { path: path.display().to_string(), reason };
    let bytes = read(path).map_err(|error| refused(error.to_string()))?;
    let format = match flash.format {
        Some(super::ImageFormat::Elf) => ImageFormat::Elf,
        Some(super::ImageFormat::Hex) => ImageFormat::Hex,
        Some(super::ImageFormat::Bin) => ImageFormat::Bin { base: flash.address.unwrap_or(0) },
        // ELF: gABI, e_ident. Intel HEX: every record starts with a colon.
        None if bytes.starts_with(b"\x7fELF") => ImageFormat::Elf,
        None if bytes.starts_with(b":") => ImageFormat::Hex,
        None => {
            return Err(refused(
                "neither ELF nor Intel HEX; for raw bytes say `format: bin` and `address:` in the step"
                    .into(),
            ));
        }
    };
    Ok(Image { blob: BlobRef::of(&bytes), format, bytes })
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)?.take(LARGEST_IMAGE + 1).read_to_end(&mut bytes)?;
    if read as u64 > LARGEST_IMAGE {
        return Err(std::io::Error::other(format!(
            "larger than {} MiB, no firmware image",
            LARGEST_IMAGE >> 20
        )));
    }
    Ok(bytes)
}

//! The other formats: what is read from them, what is written in them, and what is refused.

#![allow(clippy::unwrap_used, reason = "every unwrap here is an assertion")]

mod android;
mod apple;
mod command;
mod cyclonedx;
mod hostile;
mod mud;
mod report;

use std::path::{Path, PathBuf};

use lab_runner::interchange::foreign::Foreign;
use lab_runner::interchange::seed::{Seed, Told};
use lab_runner::interchange::{self, Format};
use lab_runner::manifest::{Manifest, Talker};
use lab_runner::yaml::{Document, Source};
use serde_json::Value;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/interchange").join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(data(name)).unwrap()).unwrap()
}

fn foreign(text: impl Into<Vec<u8>>) -> Foreign {
    Foreign::from_bytes(Path::new("given"), text.into()).unwrap()
}

/// A manifest's text, read as `lab` reads it.
fn manifest(text: &str) -> Manifest {
    let source = Source::from_bytes(Path::new("manifest.yaml"), text.as_bytes().to_vec()).unwrap();
    let read = Document::parse(source).and_then(Manifest::from_document);
    read.unwrap_or_else(|problems| panic!("{problems}\n{text}")).0
}

fn full_manifest() -> Manifest {
    manifest(&std::fs::read_to_string(data("full-manifest.yaml")).unwrap())
}

fn import(foreign: &Foreign, talker: Option<Talker>) -> Seed {
    let format = Format::of(foreign).unwrap();
    interchange::import(foreign, format, &Told { talker, ..Told::default() })
        .unwrap_or_else(|error| panic!("{error}"))
}

/// What the refusal of a file says.
fn refusal(text: &[u8], format: Format) -> String {
    let told = Told { talker: Some(Talker::Watch), ..Told::default() };
    interchange::import(&foreign(text), format, &told).unwrap_err().to_string()
}

fn valid(schema: &Value, document: &Value) -> Vec<String> {
    validator(schema).iter_errors(document).map(|error| format!("{}: {error}", error.instance_path)).collect()
}

/// Other files that the schema refers to are taken as allowing anything.
fn validator(schema: &Value) -> jsonschema::Validator {
    struct Anything;
    impl jsonschema::Retrieve for Anything {
        fn retrieve(
            &self,
            _: &jsonschema::Uri<String>,
        ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
            Ok(serde_json::json!({"definitions": {"signature": {}}}))
        }
    }
    jsonschema::options().with_retriever(Anything).build(schema).unwrap()
}

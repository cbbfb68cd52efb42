//! A bench file to a `BenchFile`: each resource read as its kind, so that a problem has its place.

use std::path::Path;

use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::file::{
    BenchFile, BenchKind, CaptureOptions, FORMAT, Resource, Resources, VIRTUAL_ROLES, VirtualCompanion,
};
use crate::plan::{Kind, is_role};
use crate::yaml::{Diagnostic, Document, Entry, Problems, Reading, json_schema};

const KEYS: [&str; 6] = ["format", "kind", "resources", "companion", "faults", "capture"];

impl BenchFile {
    /// Reads and checks a bench file. It opens no device.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn load(file: &Path) -> Result<(BenchFile, Vec<Diagnostic>), Problems> {
        BenchFile::from_document(Document::read(file)?)
    }

    /// Checks a bench file that was read.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn from_document(document: Document) -> Result<(BenchFile, Vec<Diagnostic>), Problems> {
        let mut reading = Reading::new(&document);
        let bench = if reading.format(FORMAT) { bench(&mut reading, &document) } else { None };
        let (mut bench, warnings) = reading.finish(bench)?;
        bench.source = document.into_source().text;
        Ok((bench, warnings))
    }
}

/// The JSON Schema of a bench file.
pub fn schema() -> Value {
    let mut schemas = SchemaGenerator::default();
    let kind = schemas.subschema_for::<BenchKind>();
    let resources = schemas.subschema_for::<Resources>();
    let companion = schemas.subschema_for::<VirtualCompanion>();
    let capture = schemas.subschema_for::<CaptureOptions>();
    let properties = json!({
        "format": {"const": FORMAT},
        "kind": kind,
        "resources": resources,
        "companion": companion,
        "faults": {"type": "object", "description": "what the virtual bench does wrong on purpose"},
        "capture": capture,
    });
    json_schema("A bench file of the lab", &mut schemas, properties, &["format", "kind"], [])
}

fn bench<'d>(reading: &mut Reading<'d>, document: &'d Document) -> Option<BenchFile> {
    let root = document.root();
    let fields = reading.fields(root, "a bench file", &KEYS)?;
    let kind = reading.required::<BenchKind>(root, &fields, "kind");
    let companion = reading.optional::<VirtualCompanion>(&fields, "companion");
    let faults = reading.optional::<serde_json::Map<String, Value>>(&fields, "faults");
    let capture = reading.optional::<CaptureOptions>(&fields, "capture");
    let resources = match fields.get("resources") {
        Some(entry) => resources(reading, *entry),
        None => Some(Resources::default()),
    };
    match kind {
        Some(BenchKind::Virtual) => {
            if let Some(part) = fields.get("resources") {
                let roles: Vec<&str> = VIRTUAL_ROLES.iter().map(|(role, _)| *role).collect();
                let help =
                    format!("remove it (the virtual bench has {}), or say `kind: real`", roles.join(", "));
                reading.error(part.key_at(), "a virtual bench brings its own resources", Some(help));
            }
        }
        Some(BenchKind::Real) => {
            if !fields.contains_key("resources") {
                let help = "such as `resources: {console: {kind: serial, port: /dev/ttyACM0}}`".to_owned();
                reading.error(root.at(), "the key `resources` is missing here", Some(help));
            }
            for key in ["companion", "faults"] {
                if let Some(part) = fields.get(key) {
                    let message = format!("`{key}` belongs to `kind: virtual` only");
                    reading.error(part.key_at(), message, None);
                }
            }
        }
        None => {}
    }
    Some(BenchFile {
        kind: kind?,
        resources: resources?,
        companion: companion?,
        faults: faults?.unwrap_or_default(),
        capture: capture?.unwrap_or_default(),
        file: document.source().file.clone(),
        source: String::new(),
    })
}

fn resources<'d>(reading: &mut Reading<'d>, entry: Entry<'d>) -> Option<Resources> {
    let Some(parts) = entry.mapping() else {
        let help = "such as `console: {kind: serial, port: /dev/ttyACM0}`".to_owned();
        reading.error(entry.at(), "expected roles and what fills them", Some(help));
        return None;
    };
    let mut resources = Resources::default();
    let mut whole = true;
    for (role, part) in parts {
        if !is_role(role) {
            let message =
                format!("`{role}` can't be a role: write letters, digits, `-` and `_`, a letter first");
            reading.error(part.key_at(), message, None);
        }
        match resource(reading, part) {
            Some(resource) => {
                resources.0.insert(role.to_owned(), resource);
            }
            None => whole = false,
        }
    }
    whole.then_some(resources)
}

/// A tagged enum would forget where its parts stand, so the kind is read first and the rest as that kind.
fn resource<'d>(reading: &mut Reading<'d>, entry: Entry<'d>) -> Option<Resource> {
    let Some(kind) = entry.get("kind") else {
        let help = "one of board, serial, ble, companion, gateway".to_owned();
        reading.error(entry.at(), "the key `kind` is missing here", Some(help));
        return None;
    };
    let kind: Kind = reading.decode(kind)?;
    match kind {
        Kind::Board => reading.decode_without(entry, "kind").map(Resource::Board),
        Kind::Serial => reading.decode_without(entry, "kind").map(Resource::Serial),
        Kind::Ble => reading.decode_without(entry, "kind").map(Resource::Ble),
        Kind::Companion => reading.decode_without(entry, "kind").map(Resource::Companion),
        Kind::Gateway => reading.decode_without(entry, "kind").map(Resource::Gateway),
    }
}

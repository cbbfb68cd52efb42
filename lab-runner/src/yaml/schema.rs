//! The frame of a JSON Schema: title, draft, definitions. What goes into it is each file type's own.

use schemars::SchemaGenerator;
use serde_json::{Value, json};

/// A schema of a file: an object with these properties and no other.
pub fn json_schema<const N: usize>(
    title: &str,
    schemas: &mut SchemaGenerator,
    properties: Value,
    required: &[&str],
    definitions: [(&str, Value); N],
) -> Value {
    let mut defs = schemas.take_definitions(true);
    defs.extend(definitions.into_iter().map(|(name, definition)| (name.to_owned(), definition)));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
        "$defs": defs,
    })
}

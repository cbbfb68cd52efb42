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
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
        "$defs": defs,
    });
    without_null(&mut schema);
    schema
}

/// A key that may be missing may not be there without a value: the readers refuse it, and so does the schema.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice["type"] != "null");
                if let [only] = choices.as_slice()
                    && let Some(only) = only.as_object().cloned()
                {
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
            object.remove("default");
            object.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

//! The plan's JSON Schema, for editors. The check says more than a schema can; it never says less.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::action::ACTIONS;
use super::scalar::DurationText;
use super::{EndpointRule, FORMAT, Kind, Product};
use crate::yaml::json_schema;

/// The JSON Schema of a plan.
pub fn schema() -> Value {
    let mut schemas = SchemaGenerator::default();
    let name = json!({"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"});
    let mut step = Map::from_iter([
        ("id".to_owned(), name.clone()),
        ("timeout".to_owned(), schemas.subschema_for::<DurationText>().to_value()),
        (
            "retry".to_owned(),
            json!({"type": "integer", "minimum": 0, "maximum": 10,
                "description": "more attempts after a fault of the bench; a failed expectation is never tried again"}),
        ),
        (
            "on".to_owned(),
            json!({"type": "string", "description": "the role it goes to, where several could"}),
        ),
    ]);
    let mut one_action = Vec::new();
    for (action, arguments) in ACTIONS {
        step.insert(action.to_owned(), arguments(&mut schemas).to_value());
        one_action.push(json!({"required": [action]}));
    }
    let product = schemas.subschema_for::<Product>();
    let kind = schemas.subschema_for::<Kind>();
    let rule = schemas.subschema_for::<EndpointRule>();
    let properties = json!({
        "format": {"const": FORMAT},
        "name": {"type": "string", "description": "what this plan shows"},
        "product": product,
        "manifest": {"type": "string", "description": "the privacy manifest, from the plan's folder"},
        "needs": {"type": "object", "additionalProperties": kind, "description": "role: kind of resource"},
        "repeat": {"type": "integer", "minimum": 1, "maximum": 1000},
        "phases": {"type": "array", "minItems": 1, "items": {
            "type": "object", "additionalProperties": false, "required": ["name", "steps"],
            "properties": {"name": name, "steps": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Step"}}},
        }},
        "assert": {"type": "object", "additionalProperties": false, "properties": {
            "endpoints": rule, "snapshot": {"type": "boolean"},
        }},
    });
    let step = json!({
        "type": "object", "additionalProperties": false, "properties": step, "oneOf": one_action,
        "description": "common keys and exactly one action",
    });
    let required = ["format", "name", "product", "manifest", "phases"];
    json_schema("A test plan of the lab", &mut schemas, properties, &required, [("Step", step)])
}

#[cfg(test)]
mod tests {
    use super::super::read::{ASSERT_KEYS, KEYS, PHASE_KEYS, STEP_KEYS};
    use super::*;

    fn keys(value: &Value) -> Vec<&str> {
        let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn the_schema_knows_the_keys_that_the_reader_knows() {
        fn sorted<'k>(known: impl IntoIterator<Item = &'k str>) -> Vec<&'k str> {
            let mut known: Vec<&str> = known.into_iter().collect();
            known.sort_unstable();
            known
        }
        let schema = schema();
        let properties = &schema["properties"];
        assert_eq!(keys(properties), sorted(KEYS));
        assert_eq!(keys(&properties["phases"]["items"]["properties"]), sorted(PHASE_KEYS));
        assert_eq!(keys(&properties["assert"]["properties"]), sorted(ASSERT_KEYS));
        let steps = STEP_KEYS.into_iter().chain(ACTIONS.iter().map(|(action, _)| *action));
        assert_eq!(keys(&schema["$defs"]["Step"]["properties"]), sorted(steps));
    }
}

//! What a declaration says beside whom it names: the keys of a manifest with their values, as they could be written.

use std::time::Duration;

use serde_json::{Value, json};

use crate::manifest::{Budget, Data, Declaration, Necessity, OpenedBy, default_evidence, size_text};

/// The keys that hold something else than one text; in properties of other formats they are written as JSON.
const STRUCTURED: [&str; 6] = ["phases", "required", "budget", "data", "necessity", "ports"];

/// Every key that a declaration sets, but its id, talker, peer, transport and ports; in a manifest's order.
pub(super) fn keys(declaration: &Declaration) -> Vec<(&'static str, Value)> {
    let mut keys: Vec<(&'static str, Value)> = Vec::new();
    let mut set = |key: &'static str, value: Option<Value>| keys.extend(value.map(|value| (key, value)));
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    let statement = &declaration.statement;
    set("sdk", text(&declaration.sdk));
    set("protocol", text(&declaration.protocol));
    set("phases", declaration.phases.as_ref().map(|phases| json!(phases)));
    set("required", declaration.required.then_some(Value::Bool(true)));
    let unusual = declaration.evidence != default_evidence(&declaration.peer);
    set("evidence", unusual.then(|| json!(declaration.evidence.word())));
    set("encryption", declaration.encryption.map(|encryption| json!(encryption.word())));
    set("tls", declaration.tls.map(|tls| json!(tls.word())));
    set("ech", declaration.ech_forbidden.then(|| json!("forbidden")));
    set("sni", declaration.sni_required.then(|| json!("required")));
    set(
        "opened-by",
        (declaration.opened_by != OpenedBy::default()).then(|| json!(declaration.opened_by.word())),
    );
    set("budget", (!declaration.budgets.is_empty()).then(|| budget(&declaration.budgets)));
    set("trigger", text(&statement.trigger));
    set("period", statement.period.map(|period| json!(period_text(period))));
    set("purpose", declaration.purpose.map(|purpose| json!(purpose.word())));
    let data = |data: &Vec<Data>| json!(data.iter().map(|one| one.word()).collect::<Vec<_>>());
    set("data", statement.data.as_ref().map(data));
    set("recipient", text(&statement.recipient));
    set("country", text(&statement.country));
    set(
        "necessity",
        statement.necessity.as_ref().map(|necessity| match necessity {
            Necessity::Optional => json!("optional"),
            Necessity::RequiredFor(what) => json!({"required-for": what}),
        }),
    );
    set("justification", text(&statement.justification));
    set("review-by", statement.review_by.map(|(date, _)| json!(date.to_string())));
    set("reference", text(&statement.reference));
    keys
}

fn budget(budgets: &[Budget]) -> Value {
    let mut spans = serde_json::Map::new();
    for budget in budgets {
        let mut allowance = serde_json::Map::new();
        allowance.extend(budget.bytes.map(|bytes| ("bytes".to_owned(), json!(size_text(bytes)))));
        allowance.extend(budget.connections.map(|count| ("connections".to_owned(), json!(count))));
        spans.insert(budget.per.word().to_owned(), Value::Object(allowance));
    }
    Value::Object(spans)
}

/// A duration in its largest whole unit.
fn period_text(period: Duration) -> String {
    let millis = period.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let whole = units.iter().find(|(_, unit)| millis > 0 && millis.is_multiple_of(*unit));
    whole.map_or(format!("{millis}ms"), |(name, unit)| format!("{}{name}", millis / unit))
}

/// A key's value as one text.
pub(super) fn to_property(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text that `to_property` made, as YAML in one line. Whether the manifest accepts it is the manifest's to say.
pub(super) fn yaml_of_property(key: &str, text: &str) -> String {
    match STRUCTURED.contains(&key).then(|| serde_json::from_str::<Value>(text)) {
        Some(Ok(value)) => flow(&value),
        _ => super::seed_yaml::plain(text),
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => super::seed_yaml::plain(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("{}: {}", super::seed_yaml::plain(key), flow(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

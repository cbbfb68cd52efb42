use lab_runner::interchange::cyclonedx::export::export;
use lab_runner::manifest::Talker;
use serde_json::Value;

use super::{foreign, full_manifest, import, json, manifest, valid};

#[test]
fn an_export_is_valid_cyclonedx_1_6() {
    let (text, _) = export(&full_manifest());
    let bom: Value = serde_json::from_str(&text).unwrap();
    let schema = json("bom-1.6.schema.json");
    assert_eq!(valid(&schema, &bom), Vec::<String>::new());
    let broken = text.replace("\"x-trust-boundary\": true", "\"x-trust-boundary\": \"yes\"");
    assert!(!valid(&schema, &serde_json::from_str(&broken).unwrap()).is_empty());
}

#[test]
fn a_service_says_whom_it_serves_what_flows_and_whether_a_boundary_is_crossed() {
    let (text, losses) = export(&full_manifest());
    let bom: Value = serde_json::from_str(&text).unwrap();
    let service =
        |id: &str| bom["services"].as_array().unwrap().iter().find(|one| one["name"] == id).unwrap().clone();
    let api = service("api");
    assert_eq!(api["provider"]["name"], "Nucleus GmbH");
    assert_eq!(api["data"][0], serde_json::json!({"flow": "inbound", "classification": "health"}));
    assert_eq!(service("metrics")["endpoints"][0], "tcp://metrics.partner.example:443");
    assert_eq!(
        (&api["x-trust-boundary"], &service("discovery")["x-trust-boundary"]),
        (&true.into(), &false.into())
    );
    assert!(api.get("authenticated").is_none());
    assert!(losses.iter().any(|loss| loss.to_string().contains("`authenticated`")), "{losses:?}");
}

#[test]
fn what_was_exported_is_imported_whole() {
    let original = full_manifest();
    let (text, _) = export(&original);
    let yaml = import(&foreign(text.clone()), None).to_yaml();
    let again = manifest(&yaml);
    let say = |manifest: &lab_runner::manifest::Manifest| -> Vec<String> {
        manifest.endpoints.iter().map(|one| format!("{} {} {:?}", one.id, one.text, one.purpose)).collect()
    };
    assert_eq!(say(&again), say(&original), "{yaml}");
    for (one, other) in original.endpoints.iter().zip(&again.endpoints) {
        let key = |statement: &lab_runner::manifest::Statement| {
            let mut statement = statement.clone();
            statement.review_by = statement.review_by.map(|(date, _)| (date, Default::default()));
            statement
        };
        assert_eq!(key(&one.statement), key(&other.statement), "{}", one.id);
    }
    assert_eq!(export(&again).0, text);
}

#[test]
fn a_service_of_another_tool_is_imported_by_its_uris_with_its_gaps_marked() {
    let bom = serde_json::json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "services": [{
            "name": "Cloud sync", "authenticated": true, "x-trust-boundary": true,
            "provider": {"name": "Sync Inc.", "url": ["https://sync.example"]},
            "endpoints": ["https://sync.example/v1", "mqtts://[2001:db8::9]:8884", "ftp://old.sync.example", "gopher"],
            "data": [{"flow": "inbound", "classification": "PII"}, {"flow": "inbound", "classification": "health"}],
        }],
    });
    let yaml = import(&foreign(bom.to_string()), Some(Talker::App)).to_yaml();
    let read = manifest(&yaml);
    let texts: Vec<&str> = read.endpoints.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(texts, ["app → sync.example tcp/443, encrypted", "app → 2001:db8::9/128 tcp/8884, encrypted"]);
    assert_eq!(read.controllers[0].name, "Sync Inc.");
    for mark in [
        "authenticated: true",
        "data PII",
        "the scheme ftp is not known",
        "gopher: it is no URI",
        "not said: purpose",
    ] {
        assert!(yaml.contains(mark), "{mark} in {yaml}");
    }
}

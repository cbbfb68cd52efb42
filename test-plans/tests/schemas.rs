//! The shipped schemas are those of this build, every shipped file keeps to them, and the check agrees.
#![allow(clippy::unwrap_used, reason = "every unwrap here is an assertion")]

use std::path::{Path, PathBuf};

use lab_runner::bench::file::{BenchFile, Resources};
use lab_runner::cli::schema::{SchemaOf, text};
use lab_runner::plan::Inputs;
use serde_json::Value;

const TYPES: [(SchemaOf, &str); 4] = [
    (SchemaOf::Plan, "plan"),
    (SchemaOf::Manifest, "manifest"),
    (SchemaOf::Ambient, "ambient"),
    (SchemaOf::Bench, "bench"),
];

fn shipped() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = std::fs::read_dir(here).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.filter(|path| path.is_dir()).flat_map(|folder| {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    });
    let yaml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml");
    let mut files: Vec<PathBuf> = files.filter(yaml).collect();
    files.sort();
    files
}

#[test]
fn the_shipped_schemas_are_up_to_date() {
    for (of, name) in TYPES {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.schema.json"));
        let shipped = std::fs::read_to_string(&file).unwrap();
        assert!(shipped == text(of), "run: lab schema {name} > test-plans/schemas/{name}.schema.json");
    }
}

#[test]
fn every_shipped_file_keeps_to_the_schema_that_its_first_line_names() {
    let files = shipped();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let first = text.lines().next().unwrap();
        let named = first
            .strip_prefix("# yaml-language-server: $schema=")
            .unwrap_or_else(|| panic!("{}: no schema in the first line", file.display()));
        let schema = std::fs::read_to_string(file.parent().unwrap().join(named)).unwrap();
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let value: Value = serde_yaml::from_str(&text).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", file.display());
    }
}

#[test]
fn every_shipped_plan_fits_its_manifest_and_its_bench_without_a_warning() {
    for plan in shipped().into_iter().filter(|file| file.ends_with("plan.yaml")) {
        let bench = Inputs::bench_beside(&plan).expect("a bench.yaml beside the plan");
        let inputs = Inputs::load(&plan, Some(&bench)).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(inputs.warnings, []);
    }
}

#[test]
fn every_shipped_plan_has_an_expected_exit_code() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(here.join("expected.yaml")).unwrap();
    let expected: std::collections::BTreeMap<PathBuf, u8> = serde_yaml::from_str(&text).unwrap();
    let plans: Vec<PathBuf> = shipped()
        .into_iter()
        .filter(|file| file.ends_with("plan.yaml"))
        .map(|file| file.strip_prefix(here).unwrap().to_owned())
        .collect();
    assert_eq!(plans, expected.keys().cloned().collect::<Vec<_>>());
}

#[test]
fn a_bench_described_in_json_is_the_bench_written_in_yaml() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/desk.example.yaml");
    let (bench, warnings) = BenchFile::load(&file).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(warnings, []);
    assert_eq!(bench.resources.0.len(), 5);
    let described = serde_json::to_string(&bench.resources).unwrap();
    let understood: Resources = serde_json::from_str(&described).unwrap();
    assert_eq!(understood, bench.resources);
    // What is described in JSON keeps to the same schema as what is written by hand.
    let whole = serde_json::json!({"format": 1, "kind": "real", "resources": understood});
    let schema: Value = serde_json::from_str(&text(SchemaOf::Bench)).unwrap();
    assert!(jsonschema::is_valid(&schema, &whole));
}

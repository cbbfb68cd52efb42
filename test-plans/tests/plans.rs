//! Every shipped plan, played from its fixture, ends as expected.yaml says and shows what its accepted snapshot holds.
#![allow(clippy::unwrap_used, reason = "a test that can't read its own files has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lab_runner::judge::Outcome;
use lab_runner::plan::{Images, Inputs};
use lab_runner::record::{RunDir, default_fixture};
use lab_runner::run::replay;
use lab_runner::snapshot::Store;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Plan to exit code. No plan can declare its own outcome.
fn expected() -> BTreeMap<PathBuf, u8> {
    let text = std::fs::read_to_string(folder().join("expected.yaml")).unwrap();
    let codes: BTreeMap<String, u8> = serde_yaml::from_str(&text).unwrap();
    codes.into_iter().map(|(plan, code)| (folder().join(plan), code)).collect()
}

#[test]
fn every_plan_ends_on_its_fixture_as_expected_with_its_accepted_snapshot() {
    for (plan, code) in expected() {
        let shown = plan.display();
        let inputs = Inputs::load(&plan, None).unwrap_or_else(|problems| panic!("{problems}"));
        let images = Images::load(&inputs.plan).unwrap();
        let fixture = RunDir::at(&default_fixture(&plan).unwrap());
        let (conclusion, interrupted) =
            replay(&inputs, &images, &fixture).unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert!(!interrupted);
        assert_eq!(
            conclusion.verdict.outcome.exit_code(),
            code,
            "{shown}: {:#?}",
            conclusion.verdict.findings
        );
        assert!(conclusion.verdict.outcome != Outcome::Inconclusive);

        let compared = Store::beside(&plan).compare(&conclusion.verdict, &inputs.manifest).unwrap();
        assert_eq!(compared.exit_code(), None, "{shown}: the snapshot is new or changed: lab review {shown}");
    }
}

#[test]
fn a_replay_comes_to_the_same_bytes_again() {
    for plan in expected().into_keys() {
        let play = || {
            let inputs = Inputs::load(&plan, None).unwrap_or_else(|problems| panic!("{problems}"));
            let images = Images::load(&inputs.plan).unwrap();
            let fixture = RunDir::at(&default_fixture(&plan).unwrap());
            replay(&inputs, &images, &fixture).unwrap_or_else(|error| panic!("{error}")).0
        };
        assert!(play().same_as(&play()).unwrap());
    }
}

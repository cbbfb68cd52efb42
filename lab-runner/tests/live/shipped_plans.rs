//! The plans that are shipped, live, end as test-plans/expected.yaml says.

use std::process::Command;

use crate::bench::{is_there, root};

#[test]
fn every_shipped_plan_ends_live_as_expected() {
    if !is_there() {
        return;
    }
    let expected = std::fs::read_to_string(root().join("test-plans/expected.yaml")).unwrap();
    let runs = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for line in expected.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let (plan, code) = line.split_once(':').unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_lab"))
            .current_dir(root())
            .args(["run", "--runs"])
            .arg(runs.path())
            .arg(format!("test-plans/{plan}"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code().unwrap().to_string(), code.trim(), "{plan}\n{said}");
        seen += 1;
    }
    assert!(seen >= 2);
}

//! What was run can be played again, and comes to the very same.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::bench::{Desk, PLAN, is_there};

/// Every derived file below a directory.
fn derived(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(here) = folders.pop() {
        for entry in std::fs::read_dir(here).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name == "verdict.json" || name.ends_with("observation.jsonl") {
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    files
}

#[test]
fn a_live_run_and_the_replay_of_its_recording_are_the_same_byte_for_byte() {
    if !is_there() {
        return;
    }
    let faults = json!({"covert": {"transport": "tls", "address": "203.0.113.66"}});
    let desk = Desk::new(PLAN, "u8-1.4.0.elf", &faults);
    let live = desk.run(&["--record", "fixture", "--repeat", "2"]).ended_with(1);
    let pending = desk.path().join("snapshots");
    let snapshots = |folder: &Path| -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(folder).unwrap().flatten();
        entries
            .map(|entry| {
                (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap())
            })
            .collect()
    };
    let live_snapshots = snapshots(&pending);
    assert!(!live_snapshots.is_empty());
    std::fs::remove_dir_all(&pending).unwrap();

    let replay = desk.command(&["--replay", "fixture", "--out", "again"]).output().unwrap();
    assert_eq!(replay.status.code(), Some(1), "{replay:?}");
    let (one, other) = (derived(&live.run), derived(&desk.path().join("again")));
    assert_eq!(one.len(), 3);
    assert!(one == other, "the replay differs from the run");
    assert_eq!(live_snapshots, snapshots(&pending));
    assert_eq!(live.output.stdout, replay.stdout);
}

#[test]
fn twenty_live_runs_in_a_row_give_the_same_snapshot() {
    if !is_there() {
        return;
    }
    let faults = json!({"covert": {"transport": "tls", "address": "203.0.113.66"}});
    let desk = Desk::new(PLAN, "u8-1.4.0.elf", &faults);
    desk.run(&[]).ended_with(1);
    let accept = Command::new(env!("CARGO_BIN_EXE_lab"))
        .current_dir(desk.path())
        .args(["review", "plan.yaml", "--accept"])
        .status()
        .unwrap();
    assert!(accept.success());
    let snapshots = desk.path().join("snapshots");
    for run in 1..20 {
        desk.run(&[]).ended_with(1);
        let pending = std::fs::read_dir(&snapshots)
            .unwrap()
            .flatten()
            .find(|entry| entry.path().extension().is_some_and(|extension| extension == "new"));
        assert!(
            pending.is_none(),
            "run {run} saw something else: {:?}",
            pending.map(|new| std::fs::read_to_string(new.path()))
        );
    }
}

#[test]
fn a_manifest_that_changed_is_judged_on_the_old_recording() {
    if !is_there() {
        return;
    }
    let desk = Desk::new(PLAN, "u8-1.4.0.elf", &json!({}));
    desk.run(&["--record", "fixture"]);
    let manifest = desk.path().join("privacy-manifest.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("host: fw.", "host: firmware.")).unwrap();
    let replay = desk.command(&["--replay", "fixture"]).output().unwrap();
    assert_eq!(replay.status.code(), Some(1), "{replay:?}");
    assert!(String::from_utf8_lossy(&replay.stdout).contains("fw.nucleus-u8.example"));
}

#[test]
fn a_damaged_or_newer_recording_and_a_changed_plan_are_invalid_input() {
    if !is_there() {
        return;
    }
    let desk = Desk::new(PLAN, "u8-1.4.0.elf", &json!({}));
    desk.run(&["--record", "fixture"]);
    let invalid = |words: &str| {
        let replay = desk.command(&["--replay", "fixture"]).output().unwrap();
        let said = String::from_utf8_lossy(&replay.stderr).into_owned();
        assert_eq!(replay.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
        assert!(replay.stdout.is_empty());
    };
    let spoil = |file: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>, words: &str| {
        let path = desk.path().join("fixture").join(file);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, change(whole.clone())).unwrap();
        invalid(words);
        std::fs::write(&path, whole).unwrap();
    };
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    spoil("attempts/1/events.jsonl", &half, "damaged");
    spoil("attempts/1/captures/phone.pcapng", &half, "damaged");
    spoil("run.json", &half, "run.json");
    let newer = |bytes: Vec<u8>| {
        String::from_utf8(bytes).unwrap().replacen("\"format\": 1", "\"format\": 2", 1).into_bytes()
    };
    spoil("run.json", &newer, "newer");
    let newer_log = |bytes: Vec<u8>| {
        String::from_utf8(bytes).unwrap().replacen("\"format\":1", "\"format\":2", 1).into_bytes()
    };
    spoil("attempts/1/events.jsonl", &newer_log, "newer");

    // Nothing of what was recorded can be left out, or told twice.
    let without_artifacts = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap().replace("captures/phone.pcapng", "console/phone.pcapng");
        text.into_bytes()
    };
    spoil("attempts/1/events.jsonl", &without_artifacts, "does not say");
    let twice = |bytes: Vec<u8>| {
        let mut meta: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let attempts = meta["attempts"].as_array_mut().unwrap();
        attempts.push(attempts[0].clone());
        meta.to_string().into_bytes()
    };
    spoil("run.json", &twice, "not in order");
    let none = |bytes: Vec<u8>| {
        let mut meta: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        meta["attempts"] = json!([]);
        meta.to_string().into_bytes()
    };
    spoil("run.json", &none, "no attempt");
    let capture = desk.path().join("fixture/attempts/1/captures/phone.pcapng");
    let aside = desk.path().join("aside");
    std::fs::rename(&capture, &aside).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &capture).unwrap();
    invalid("plain file");
    std::fs::remove_file(&capture).unwrap();
    std::fs::rename(&aside, &capture).unwrap();

    let plan = desk.path().join("plan.yaml");
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, text.replace("idle: 300ms", "idle: 301ms")).unwrap();
    invalid("--record");
    std::fs::write(&plan, text.replace("product:", "repeat: 2\nproduct:")).unwrap();
    invalid("2 repeats");
    std::fs::write(&plan, text.replace("privacy-manifest.yaml", "/etc/passwd")).unwrap();
    invalid("outside of the plan's project");
}

#[test]
fn a_recording_never_takes_the_place_of_anything_else() {
    if !is_there() {
        return;
    }
    let desk = Desk::new(PLAN, "u8-1.4.0.elf", &json!({}));
    let precious = desk.path().join("docs");
    std::fs::create_dir(&precious).unwrap();
    std::fs::write(precious.join("chapter.md"), "words").unwrap();
    desk.run(&["--record", "docs"]).ended_with(2);
    assert!(precious.join("chapter.md").is_file());
    assert!(desk.runs().is_empty(), "a run was begun that could not be recorded");
}

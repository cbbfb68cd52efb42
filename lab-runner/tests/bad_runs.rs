//! `lab run` on bad input, through the front door: exit 2, words that help, and nothing written.
#![cfg(feature = "hardware")]
#![allow(clippy::unwrap_used, reason = "every unwrap here is an assertion")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

const PLAN: &str = "format: 1
name: a plan
product: {vendor: Nucleus, model: U8}
manifest: manifest.yaml
needs: {net: gateway, phone: companion}
phases:
  - {name: idle, steps: [{idle: 1s}]}
assert: {endpoints: declared}
";
const MANIFEST: &str = "format: 1
product: {vendor: Nucleus, model: U8}
endpoints:
  - {id: a, talker: app, host: a.example, ports: 443, purpose: account}
";
const REAL_BENCH: &str = "format: 1
kind: real
resources:
  console: {kind: serial, port: /dev/null}
";

fn files(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn lab(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lab")).current_dir(folder).args(args).output().unwrap()
}

/// Runs `lab` beside these files, and wants exit 2, these words on stderr, nothing on stdout and nothing new on disk.
#[track_caller]
fn refused(plan: &[u8], args: &[&str], words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("plan.yaml", plan);
    write("manifest.yaml", MANIFEST.as_bytes());
    write("desk.yaml", REAL_BENCH.as_bytes());
    let before = files(folder.path());
    let output = lab(folder.path(), args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(words), "{words:?} is not in: {said}");
    assert!(output.stdout.is_empty());
    assert_eq!(files(folder.path()), before, "something was written");
}

const LIVE: [&str; 4] = ["run", "plan.yaml", "--bench", "desk.yaml"];
const REPLAY: [&str; 4] = ["run", "plan.yaml", "--replay", "recording"];

#[test]
fn a_file_that_is_no_plan() {
    refused(PLAN.as_bytes(), &["run", "absent.yaml"], "absent.yaml");
    refused(PLAN.as_bytes(), &["run", "."], "directory");
    refused(b"", &LIVE, "empty");
    refused(b"\x7fELF\x02\x01\x01\0\0\0\0\0", &LIVE, "plan.yaml");
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain(PLAN.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    refused(&utf16, &LIVE, "UTF-16");
}

#[test]
fn a_plan_with_a_slip_is_told_its_line_and_a_near_word() {
    let unknown = PLAN.replace("idle: 1s", "idel: 1s");
    refused(unknown.as_bytes(), &LIVE, "plan.yaml:7:");
    refused(unknown.as_bytes(), &LIVE, "idle");
    let double = PLAN.replace("manifest: manifest.yaml", "manifest: manifest.yaml\nname: again");
    refused(double.as_bytes(), &LIVE, "plan.yaml:5:1");
    let newer = PLAN.replace("format: 1", "format: 2");
    refused(newer.as_bytes(), &LIVE, "newer");
    let no_manifest = PLAN.replace("manifest.yaml", "absent.yaml");
    refused(no_manifest.as_bytes(), &LIVE, "absent.yaml");
}

#[test]
fn an_alias_bomb_is_refused_at_once() {
    let mut bomb = String::from("format: 1\na: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (name, of) in [("b", "a"), ("c", "b"), ("d", "c"), ("e", "d"), ("f", "e"), ("g", "f"), ("h", "g")] {
        bomb.push_str(&format!("{name}: &{name} [{}]\n", [format!("*{of}").as_str(); 10].join(", ")));
    }
    let begun = std::time::Instant::now();
    refused(bomb.as_bytes(), &LIVE, "plan.yaml");
    assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
#[cfg(feature = "hardware")]
fn a_plan_that_needs_what_the_bench_lacks_is_told_the_place() {
    refused(PLAN.as_bytes(), &LIVE, "plan.yaml:5:");
    refused(PLAN.as_bytes(), &["run", "plan.yaml"], "no bench");
    refused(PLAN.as_bytes(), &["run", "plan.yaml", "--bench", "absent.yaml"], "absent.yaml");
    let plan = PLAN.replace("needs: {net: gateway, phone: companion}\n", "needs: {console: serial}\n");
    let plan = plan.replace("assert: {endpoints: declared}\n", "");
    refused(plan.as_bytes(), &[&LIVE[..], &["--until", "no-such-step"]].concat(), "no-such-step");
}

#[test]
fn a_recording_that_is_none() {
    refused(PLAN.as_bytes(), &REPLAY, "recording");
    refused(PLAN.as_bytes(), &["run", "plan.yaml", "--replay"], "fixtures");
}

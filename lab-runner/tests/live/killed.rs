//! `lab` killed at any moment leaves a run that reads back as inconclusive, and nothing that runs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bench::{Desk, PLAN, is_there};

/// Processes of the system by number, with their command lines.
fn processes() -> Vec<(u32, String)> {
    let numbers = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let with_line = numbers.filter_map(|pid: u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&line).replace('\0', " ")))
    });
    with_line.collect()
}

/// Every process below this one, by walking up from each.
fn descendants(ancestor: u32) -> BTreeSet<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let is_below = |mut pid: u32| {
        while let Some(above) = parent(pid) {
            if above == ancestor {
                return true;
            }
            if above <= 1 {
                return false;
            }
            pid = above;
        }
        false
    };
    processes().into_iter().map(|(pid, _)| pid).filter(|pid| is_below(*pid)).collect()
}

fn is_alive(pid: u32) -> bool {
    // A zombie holds nothing any more.
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')))
}

#[test]
fn at_ten_moments_of_a_run_the_directory_reads_back_and_nothing_is_left() {
    if !is_there() {
        return;
    }
    let desk = Desk::new(&PLAN.replace("idle: 300ms", "idle: 1s"), "u8-1.4.0.elf", &json!({}));
    let begun = Instant::now();
    desk.run(&[]).ended_with(5);
    let whole = begun.elapsed();

    let mut killed = 0;
    for moment in 1..=10 {
        let before = desk.runs().len();
        let mut lab = desk.start();
        std::thread::sleep(whole * moment / 11);
        if lab.try_wait().unwrap().is_some() {
            // A run that was quicker than the first one has ended in order.
            continue;
        }
        killed += 1;
        // All of them at the moment before, so that none is missed that outlives its parent.
        let below = descendants(lab.id());
        lab.kill().unwrap();
        lab.wait().unwrap();

        let patience = Instant::now() + Duration::from_secs(5);
        loop {
            let left: Vec<u32> = below.iter().copied().filter(|pid| is_alive(*pid)).collect();
            if left.is_empty() {
                break;
            }
            assert!(Instant::now() < patience, "moment {moment}: still there: {:?}", lines_of(&left));
            std::thread::sleep(Duration::from_millis(20));
        }

        let runs = desk.runs();
        if runs.len() == before {
            // It was killed before it had made a directory.
            continue;
        }
        let run = runs.last().unwrap();
        let report = Command::new(env!("CARGO_BIN_EXE_lab")).arg("report").arg(run).output().unwrap();
        let said = String::from_utf8_lossy(&report.stdout);
        assert_eq!(
            report.status.code(),
            Some(3),
            "moment {moment}: {said}{}",
            String::from_utf8_lossy(&report.stderr)
        );
        assert!(said.to_lowercase().contains("inconclusive"), "moment {moment}: {said}");
    }

    assert!(killed >= 8, "only {killed} runs were there to be killed");
    desk.run(&[]).ended_with(5);
    let left: Vec<_> = std::fs::read_dir(std::env::temp_dir())
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("lab-desk-")?.parse::<u32>().ok())
        .filter(|pid| !Path::new(&format!("/proc/{pid}")).exists())
        // One of another test may have ended in order since it was listed.
        .filter(|pid| std::env::temp_dir().join(format!("lab-desk-{pid}")).exists())
        .collect();
    assert!(left.is_empty(), "directories of desks that are gone: {left:?}");
}

fn lines_of(pids: &[u32]) -> Vec<String> {
    processes()
        .into_iter()
        .filter(|(pid, _)| pids.contains(pid))
        .map(|(pid, line)| format!("{pid} {line}"))
        .collect()
}

#[test]
fn ctrl_c_ends_in_order_with_130() {
    if !is_there() {
        return;
    }
    let desk = Desk::new(&PLAN.replace("idle: 300ms", "idle: 30s"), "u8-1.4.0.elf", &json!({}));
    let lab = desk.start();
    std::thread::sleep(Duration::from_secs(3));
    let below = descendants(lab.id());
    Command::new("kill").args(["-INT", &lab.id().to_string()]).status().unwrap();
    let ended = lab.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    assert!(
        below.iter().all(|pid| !is_alive(*pid)),
        "{:?}",
        lines_of(&below.into_iter().collect::<Vec<_>>())
    );
}

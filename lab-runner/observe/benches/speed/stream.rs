//! A stream without an end, piped into `lab observe -`: its memory must not grow with what went through.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::input::HEADER;
use crate::made;

const GIGABYTE: u64 = 1_000_000_000;
const TCP: u8 = 6;
const SYN: u8 = 2;
const FIN: u8 = 1;

/// Pipes so many gigabytes of conversations that go on and on, and gives by how many MB memory grew after the first tenth.
pub(crate) fn growth(lab: &Path, gigabytes: u64) -> f64 {
    let (mut opening, mut going_on) = (HEADER.to_vec(), Vec::new());
    for frame in made::captures().into_iter().flatten() {
        let length = (frame.data.len() as u32).to_le_bytes();
        let record = [&1_700_000_000u32.to_le_bytes()[..], &[0; 4], &length, &length, &frame.data].concat();
        // Another SYN or FIN would begin another flow, which may take memory.
        if frame.data.get(23) == Some(&TCP)
            && frame.data.get(47).is_some_and(|flags| flags & (SYN | FIN) != 0)
        {
            opening.extend(record);
        } else {
            going_on.extend(record);
        }
    }
    let mut child = Command::new(lab)
        .args(["observe", "--format", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let begun = Instant::now();
    pipe.write_all(&opening).unwrap();
    let (mut written, mut early) = (0, None);
    let all = gigabytes * GIGABYTE;
    while written < all {
        pipe.write_all(&going_on).unwrap();
        written += going_on.len() as u64;
        if early.is_none() && written >= all / 10 {
            early = Some(resident_kib(child.id()));
        }
    }
    let late = resident_kib(child.id());
    drop(pipe);
    let status = child.wait().unwrap();
    assert!(status.success(), "lab observe - ended with {status}");
    let early = early.unwrap_or(late);
    println!(
        "\n{gigabytes} GB through stdin in {:.1} s: {early} KiB resident after a tenth, {late} KiB at the end",
        begun.elapsed().as_secs_f64()
    );
    late.saturating_sub(early) as f64 * 1024.0 / 1e6
}

/// Memory of a process, from the kernel's own account.
fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

//! One link of the chain broken at a time: the outcome says which.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::bench::{Desk, PLAN, is_there};

const GOOD: &str = "u8-1.4.0.elf";

/// A channel that is open before anything else happens, so that it was seen when the link breaks.
fn covert_at_start() -> serde_json::Value {
    json!({"transport": "udp", "address": "203.0.113.66", "port": 3478, "when": "start"})
}

#[test]
fn nothing_broken_passes() {
    if is_there() {
        let desk = Desk::new(PLAN, GOOD, &json!({}));
        desk.run(&[]).ended_with(5);
        // Its first snapshot is new; once accepted, nothing is left to say.
        let accept = std::process::Command::new(env!("CARGO_BIN_EXE_lab"))
            .current_dir(desk.path())
            .args(["review", "plan.yaml", "--accept"])
            .output()
            .unwrap();
        assert!(accept.status.success(), "{accept:?}");
        desk.run(&[]).ended_with(0);
    }
}

#[test]
fn wrong_firmware_fails() {
    if is_there() {
        let ran = Desk::new(PLAN, "u8-1.5.0.elf", &json!({})).run(&[]).ended_with(1);
        assert!(ran.rules().contains(&"expectation-unmet"), "{:?}", ran.rules());
    }
}

#[test]
fn firmware_that_does_not_advertise_is_not_found_by_the_scan() {
    if is_there() {
        let pairing_code = "      - expect: {console: 'pairing code (?<passkey>\\d{6})', within: 3s}\n";
        assert!(PLAN.contains(pairing_code));
        let plan = PLAN.replace(pairing_code, "").replace("${passkey}", "000000");
        Desk::new(&plan, "u8-1.4.0-noradio.elf", &json!({})).run(&[]).ended_with(1).found(&["scan"]);
    }
}

#[test]
fn a_wrong_passkey_fails() {
    if is_there() {
        // The passkey is random; this one is wrong all but once in a million runs.
        let plan = PLAN.replace("${passkey}", "000000");
        Desk::new(&plan, GOOD, &json!({})).run(&[]).ended_with(1).found(&["pair"]);
    }
}

#[test]
fn a_companion_that_crashes_is_inconclusive() {
    if is_there() {
        Desk::new(PLAN, GOOD, &json!({"companion_crashes_after": "registered"})).run(&[]).ended_with(3);
    }
}

#[test]
fn a_companion_that_crashes_after_an_undeclared_flow_fails() {
    if is_there() {
        let faults = json!({"companion_crashes_after": "registered", "covert": covert_at_start()});
        Desk::new(PLAN, GOOD, &faults).run(&[]).ended_with(1).found(&["203.0.113.66"]);
    }
}

#[test]
fn dropped_packets_are_inconclusive() {
    if is_there() {
        let bench = |faults: serde_json::Value| json!({"format": 1, "kind": "virtual", "capture": {"buffer": 4096}, "faults": faults});
        let flood = json!({"companion_floods": 200_000});
        let ran = Desk::with_bench(PLAN, GOOD, &bench(flood)).run(&[]).ended_with(3);
        assert!(ran.rules().contains(&"packets-dropped"), "{:?}", ran.rules());
        let with_covert = json!({"companion_floods": 200_000, "covert": covert_at_start()});
        Desk::with_bench(PLAN, GOOD, &bench(with_covert)).run(&[]).ended_with(1).found(&["203.0.113.66"]);
    }
}

#[test]
fn a_vantage_point_that_sees_no_canary_is_inconclusive() {
    if is_there() {
        let bench = |faults: serde_json::Value| json!({"format": 1, "kind": "virtual", "capture": {"interface": "lo"}, "faults": faults});
        let ran = Desk::with_bench(PLAN, GOOD, &bench(json!({}))).run(&[]).ended_with(3);
        assert!(ran.rules().contains(&"no-canary"), "{:?}", ran.rules());
        // What it does see counts all the same.
        let local = json!({"transport": "udp", "address": "127.0.0.1", "port": 3478, "when": "start"});
        Desk::with_bench(PLAN, GOOD, &bench(json!({"covert": local})))
            .run(&[])
            .ended_with(1)
            .found(&["127.0.0.1"]);
    }
}

#[test]
fn dead_services_are_a_bench_fault() {
    if is_there() {
        let dead = json!({"services_die_at_first_query": true});
        Desk::new(PLAN, GOOD, &dead).run(&[]).ended_with(4).found(&["services"]);
        let with_covert = json!({"services_die_at_first_query": true, "covert": covert_at_start()});
        Desk::new(PLAN, GOOD, &with_covert).run(&[]).ended_with(1).found(&["203.0.113.66"]);
    }
}

#[test]
fn a_capture_interface_that_goes_away_is_a_bench_fault() {
    if is_there() {
        let idle = PLAN.replace("idle: 300ms", "idle: 5s");
        let unplugged = json!({"link_unplugged_after_ms": 4_000});
        Desk::new(&idle, GOOD, &unplugged).run(&[]).ended_with(4);
        let with_covert = json!({"link_unplugged_after_ms": 4_000, "covert": covert_at_start()});
        Desk::new(&idle, GOOD, &with_covert).run(&[]).ended_with(1).found(&["203.0.113.66"]);
    }
}

#[test]
fn a_probe_that_falls_silent_in_mid_flash_is_a_bench_fault_within_the_deadline() {
    if is_there() {
        let plan = PLAN.replace("timeout: 10s", "timeout: 3s");
        let silent = json!({"board": {"silent_after_flash_bytes": 512}});
        let begun = Instant::now();
        Desk::new(&plan, GOOD, &silent).run(&[]).ended_with(4).found(&["flash"]);
        assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());

        let launch_first =
            "  - name: before\n    steps:\n      - launch: {app: companion}\n      - idle: 500ms\n";
        let plan = plan.replace("phases:\n", &format!("phases:\n{launch_first}"));
        let plan = plan.replacen("      - launch: {app: companion}\n      - pair", "      - pair", 1);
        let faults = json!({"board": {"silent_after_flash_bytes": 512}, "covert": covert_at_start()});
        Desk::new(&plan, GOOD, &faults).run(&[]).ended_with(1).found(&["203.0.113.66"]);
    }
}

#[test]
fn a_bench_fault_is_tried_again_where_the_step_says_so_and_every_attempt_is_kept() {
    if is_there() {
        let plan = PLAN.replace("timeout: 10s", "timeout: 2s\n        retry: 1");
        let desk = Desk::new(&plan, GOOD, &json!({"board": {"silent_after_flash_bytes": 512}}));
        let ran = desk.run(&[]).ended_with(4);
        assert!(ran.run.join("attempts/1/events.jsonl").is_file());
        assert!(ran.run.join("attempts/2/events.jsonl").is_file());
    }
}

//! Every kind of step that a plan can have, live, with what it reads and saves.

use serde_json::json;

use crate::bench::{Desk, is_there};

/// The lab host is the phone here: no companion, the plan itself talks to the watch.
const PLAN: &str = r#"
format: 1
name: every step
product: {vendor: Nucleus, model: U8}
manifest: privacy-manifest.yaml
needs: {watch: board, console: serial, radio: ble, phone: companion, net: gateway}
phases:
  - name: provisioning
    steps:
      - flash: {image: IMAGE}
      - expect: {console: 'fw (?<version>1\.4\.\d+) ready', within: 3s}
      - expect: {console: 'pairing code (?<passkey>\d{6})', within: 3s}
      # An image that is there already is not written again, but the watch starts anew all the same.
      - {id: again, flash: {image: IMAGE}}
      - expect: {console: 'pairing code (?<passkey>\d{6})', within: 3s}
      - reset: {}
      - expect: {console: 'pairing code (?<passkey>\d{6})', within: 3s}
      - send: {console: ver}
      - expect: {console: '^fw ${version}$', within: 3s}
  - name: pairing
    steps:
      - note: "this watch has fw ${version}"
      - scan: {name: U8 Nucleus, within: 3s}
      - pair: {method: passkey, passkey: "${passkey}"}
      - connect: {}
      - expect: {console: bonded, within: 3s}
      - read: {characteristic: 2a26, matches: '^(?<revision>\d+\.\d+\.\d+)$', save: whole}
      - subscribe: {characteristic: 2a19}
      - send: {console: batt 41}
      - expect: {notification: 2a19, matches: '^29$', within: 3s}
      - write: {characteristic: fe01, hex: "0165920080"}
      - expect: {console: 'time set 1704067200', within: 3s}
      - read: {characteristic: 2a19, as: hex, matches: '^29$'}
      - launch: {app: companion}
      - stop: {app: companion}
  - name: idle
    steps:
      - idle: 50ms
assert: {endpoints: declared, snapshot: false}
"#;

#[test]
fn a_plan_may_flash_reset_send_expect_scan_pair_connect_read_write_subscribe_launch_stop_idle_and_note() {
    if !is_there() {
        return;
    }
    let desk = Desk::new(&PLAN.replace("[pairing, idle]", "[pairing]"), "u8-1.4.0.elf", &json!({}));
    let ran = desk.run(&[]);
    let log = std::fs::read_to_string(ran.run.join("attempts/1/events.jsonl")).unwrap();
    // Nothing is wrong but that the app, stopped at once, never got to what the manifest requires of it.
    let ran = ran.ended_with(1);
    assert_eq!(ran.rules(), ["required-missing"]);
    for words in [
        "\"written\":true",
        "\"written\":false",
        "this watch has fw 1.4.",
        "\"revision\":\"1.4.0\"",
        "\"value\":\"29\"",
    ] {
        assert!(log.contains(words), "{words}");
    }
}

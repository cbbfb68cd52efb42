//! The covert channel moved to wherever one might hide it: caught all the same.

use serde_json::{Value, json};

use crate::bench::{Desk, PLAN, is_there};

fn caught(covert: &Value, words: &[&str]) {
    if is_there() {
        let faults = json!({"covert": covert});
        Desk::new(PLAN, "u8-1.4.0.elf", &faults).run(&[]).ended_with(1).found(words);
    }
}

#[test]
fn over_udp() {
    caught(
        &json!({"transport": "udp", "address": "203.0.113.66", "port": 3478}),
        &["203.0.113.66:3478", "not declared"],
    );
}

#[test]
fn on_another_port() {
    caught(
        &json!({"transport": "tls", "address": "203.0.113.66", "port": 8443}),
        &["203.0.113.66:8443", "not declared"],
    );
}

#[test]
fn over_ipv6() {
    caught(
        &json!({"transport": "tls", "address": "2001:db8:66::66", "port": 443}),
        &["[2001:db8:66::66]:443", "not declared"],
    );
}

#[test]
fn before_pairing() {
    caught(
        &json!({"transport": "tls", "address": "203.0.113.66", "port": 443, "when": "start"}),
        &["203.0.113.66:443", "not declared"],
    );
}

#[test]
fn over_icmp() {
    caught(&json!({"transport": "icmp", "address": "203.0.113.66"}), &["203.0.113.66", "not declared"]);
}

#[test]
fn behind_a_declared_name_in_its_client_hello() {
    caught(
        &json!({"transport": "tls", "address": "203.0.113.66", "port": 443, "sni": "api.nucleus-u8.example"}),
        &["203.0.113.66:443", "api.nucleus-u8.example"],
    );
}

use lab_observe::{FlowRecord, L4, NameKind};

use super::support::{FRAMES, Log, SERVICES, With, attempt, flow, tls};
use super::*;

fn log() -> Log {
    Log::virtual_bench().phase(1_000, "baseline").phase(2_000, "pairing").launch(2_200).pair(2_300, 3_000)
}

fn observed(flows: Vec<FlowRecord>) -> Attempt {
    attempt(log().teardown(7_000, FRAMES, 0).end(8_000), flows)
}

fn talker(flow: FlowRecord) -> (Role, Confidence) {
    let attempt = observed(vec![flow]);
    let talker = attribute(&attempt).flows[0].talker.clone();
    (talker.role, talker.confidence)
}

#[test]
fn a_line_has_the_fields_of_lab_observe_in_their_order_and_roles_for_the_products_own_ends() {
    let attempt =
        observed(vec![tls(4_200, "203.0.113.66:443").named(NameKind::StunMapped, "192.0.2.10:40112")]);
    let text = render_jsonl(&attribute(&attempt));
    let start = r#"{"file":"captures/phone.pcapng","flow":4200,"l4":"tcp","client":"phone:44200","server":"203.0.113.66:443","vlan":null,"first_ns":4200000000,"last_ns":4200900000,"packets":[9,8],"bytes":[1203,5120],"app":"tls","names":[{"kind":"stun_mapped","name":"phone:40112","frame":4200}],"state":"named","reason":null,"corroborated":false,"alpn":[],"ech":false,"#;
    assert!(text.starts_with(start), "{text}");
    assert!(!text.contains("192.0.2.10") && text.ends_with("}\n"), "{text}");
    let line: serde_json::Value = serde_json::from_str(text.trim_end()).expect("JSON");
    assert_eq!((&line["phase"], &line["step"]), (&"pairing".into(), &"pair".into()));
    assert_eq!(line["since"], serde_json::json!({"stimulus": "pairing", "seconds": 1.2}));
}

#[test]
fn the_lines_do_not_depend_on_the_order_of_flows_or_on_link_addresses_of_local_ones() {
    let (one, other) = (tls(4_200, "203.0.113.66:443"), tls(5_200, "203.0.113.66:443"));
    let lines = |flows| render_jsonl(&attribute(&observed(flows)));
    assert_eq!(lines(vec![one.clone(), other.clone()]), lines(vec![other, one]));
    let mut local = flow(1_500, L4::Udp, "[ff02::fb]:5353", "mdns");
    local.client = "[fe80::a8bb:ccff:fedd:eeff]:5353".parse().expect("an address");
    assert!(lines(vec![local]).contains(r#""client":"phone:5353""#));
}

#[test]
fn only_what_comes_after_the_launch_is_the_apps() {
    assert_eq!(talker(tls(2_100, "203.0.113.66:443")), (Role::Os, Confidence::Likely));
    assert_eq!(talker(tls(2_200, "203.0.113.66:443")), (Role::App, Confidence::Certain));
}

#[test]
fn a_link_address_decides_over_an_ip_address_and_a_foreign_one_is_nobodys() {
    let from = |mac, ip: &str| {
        let mut flow = tls(4_200, "203.0.113.66:443");
        (flow.client_mac, flow.client) = (mac, ip.parse().expect("an address"));
        talker(flow)
    };
    let phone = tls(0, "203.0.113.66:443").client_mac;
    assert_eq!(from(phone, "198.51.100.77:4000"), (Role::App, Confidence::Certain));
    assert_eq!(from(None, "192.0.2.10:4000"), (Role::App, Confidence::Likely));
    assert_eq!(from(Some(SERVICES), "192.0.2.10:4000").0, Role::Services);
    assert_eq!(from(None, "198.51.100.77:4000"), (Role::Unknown, Confidence::None));
}

#[test]
fn look_ups_are_only_known_to_be_whole_if_the_capture_came_first() {
    let attempt = observed(vec![tls(4_200, "203.0.113.66:443")]);
    assert!(attribute(&attempt).flows[0].whole_life);
    let mut late = attempt.clone();
    // The capture's acknowledgement comes last.
    let at = late.entries.iter().position(|entry| entry.t == 150_000_000).expect("acknowledged");
    late.entries[at].t = 3_500_000_000;
    assert!(!attribute(&late).flows[0].whole_life);
}

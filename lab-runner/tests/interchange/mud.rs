use lab_runner::interchange::foreign::Foreign;
use lab_runner::interchange::mud::export::{About, Export, export};
use lab_runner::manifest::{Manifest, OpenedBy, Talker, Transport};

use proptest::prelude::*;

use super::{data, foreign, full_manifest, import, json, manifest, valid};

fn exported(manifest: &Manifest) -> Export {
    let about = About {
        talker: Talker::Watch,
        url: "https://nucleus-u8.example/u8.json",
        last_update: "2027-01-31T12:00:00Z",
        cache_validity: 48,
    };
    export(manifest, &about)
}

#[test]
fn the_example_of_the_rfc_is_one_declaration_and_says_what_mud_cannot() {
    let file = Foreign::read(&data("rfc8520-lightbulb.json")).unwrap();
    let yaml = import(&file, Some(Talker::Watch)).to_yaml();
    let read = manifest(&yaml);
    let [one] = read.endpoints.as_slice() else { panic!("{yaml}") };
    assert_eq!(one.text, "watch → test.example.com tcp/443");
    assert_eq!((one.id.as_str(), one.opened_by), ("cl0", OpenedBy::Product));
    assert!(one.purpose.is_none() && one.encryption.is_none() && one.statement.data.is_none());
    for mark in
        ["# ? not said: purpose, data, recipient, country, phases, encryption", "# ? said by --talker"]
    {
        assert!(yaml.contains(mark), "{mark} in {yaml}");
    }
    assert!(yaml.contains("systeminfo: The BMS Example Light Bulb"), "{yaml}");
}

#[test]
fn both_names_of_the_container_are_read_and_unknown_keys_are_listed() {
    let mut file = json("rfc8520-lightbulb.json");
    let acls = file.as_object_mut().unwrap().remove("ietf-access-control-list:acls").unwrap();
    file["ietf-access-control-list:access-lists"] = acls;
    file["ietf-mud:mud"]["vendor:mood"] = "bright".into();
    // As the example of RFC 9761 (section 7) has it, with its own names and the actions in the wrong place.
    file["ietf-mud:mud"]["extensions"] = serde_json::json!(["ietf-mud-tls"]);
    file["ietf-mud:mud"]["ietf-mud-tls:is-tls-dtls-profile-supported"] = "true".into();
    let ace = file.pointer_mut("/ietf-access-control-list:access-lists/acl/1/aces/ace/0").unwrap();
    ace["matches"]["actions"] = ace.as_object_mut().unwrap().remove("actions").unwrap();
    ace["matches"]["ietf-acl-tls:client-profile"] = serde_json::json!({"tls-dtls-profiles": [
        {"name": "profile1", "supported-tls-versions": ["tls13"], "cipher-suite": [4865, 4866], "extension-types": [10]},
    ]});
    let yaml = import(&foreign(file.to_string()), Some(Talker::Watch)).to_yaml();
    assert!(yaml.contains("not understood: ietf-mud:mud.vendor:mood"), "{yaml}");
    assert!(yaml.contains("the extension `ietf-mud-tls`"), "{yaml}");
    assert_eq!(
        manifest(&yaml).endpoints[0].text,
        "watch → test.example.com tcp/443, encrypted, TLS 1.3 at least"
    );
}

#[test]
fn peers_that_only_the_network_knows_are_not_made_up() {
    let mut file = json("rfc8520-lightbulb.json");
    let matches = "/ietf-access-control-list:acls/acl/1/aces/ace/0/matches";
    for (mud, declared) in [
        (serde_json::json!({"my-controller": [null]}), None),
        (serde_json::json!({"same-manufacturer": [null]}), None),
        (serde_json::json!({"controller": "https://vendor.example/hub"}), None),
        (
            serde_json::json!({"controller": "urn:ietf:params:mud:dns"}),
            Some("watch → class dns-resolver tcp/443"),
        ),
        (serde_json::json!({"local-networks": [null]}), Some("watch → class lan tcp/443")),
    ] {
        *file.pointer_mut(matches).unwrap() = serde_json::json!({
            "ietf-mud:mud": mud, "ipv6": {"protocol": 6},
            "tcp": {"ietf-mud:direction-initiated": "from-device", "destination-port": {"operator": "eq", "port": 443}},
        });
        file["ietf-access-control-list:acls"]["acl"][0]["aces"]["ace"] = serde_json::json!([]);
        let yaml = import(&foreign(file.to_string()), Some(Talker::Watch)).to_yaml();
        let texts: Vec<String> = manifest(&yaml).endpoints.into_iter().map(|one| one.text).collect();
        assert_eq!(texts.first().map(String::as_str), declared, "{yaml}");
        assert_eq!(declared.is_none(), yaml.contains("the network knows who that is"), "{yaml}");
    }
}

#[test]
fn what_carries_no_name_is_told_by_dns_as_mud_means_it() {
    let evidence = |port: u16| {
        let mut text = json("rfc8520-lightbulb.json").to_string();
        for (from, to) in
            [("\"tcp\"", "\"udp\""), ("\"protocol\":6", "\"protocol\":17"), ("443", &port.to_string())]
        {
            text = text.replace(from, to);
        }
        let text = text.replace("\"ietf-mud:direction-initiated\":\"from-device\",", "");
        let yaml = import(&foreign(text), Some(Talker::Watch)).to_yaml();
        manifest(&yaml).endpoints[0].text.clone()
    };
    assert_eq!(evidence(123), "watch → test.example.com udp/123, evidence dns");
    assert_eq!(evidence(443), "watch → test.example.com udp/443");
}

#[test]
fn a_name_that_opens_towards_the_device_is_not_imported_as_something_else() {
    let text = json("rfc8520-lightbulb.json").to_string().replace("\"from-device\"", "\"to-device\"");
    let yaml = import(&foreign(text), Some(Talker::Watch)).to_yaml();
    assert!(manifest(&yaml).endpoints.is_empty());
    assert!(yaml.contains("# ?   ace `cl0-frdev` of `mud-76100-v6fr`: test.example.com opens"), "{yaml}");
}

#[test]
fn an_export_is_what_the_yang_modules_allow() {
    let export = exported(&full_manifest());
    let file = serde_json::from_str(&export.text).unwrap();
    assert_eq!(valid(&json("mud.schema.json"), &file), Vec::<String>::new());
    assert_eq!(valid(&json("mud.schema.json"), &json("rfc8520-lightbulb.json")), Vec::<String>::new());
    // A check that can't fail would prove nothing.
    let broken = export.text.replace("\"destination-port\"", "\"destination-ports\"");
    assert!(!valid(&json("mud.schema.json"), &serde_json::from_str(&broken).unwrap()).is_empty());
}

#[test]
fn names_of_entries_are_unique_and_no_longer_than_the_modules_allow() {
    let long = "x".repeat(63);
    let text = format!(
        "format: 1\nproduct: {{vendor: N, model: U8}}\nendpoints:\n\
         \x20 - {{id: api, talker: watch, host: a.u8.example, ports: [1, 3]}}\n\
         \x20 - {{id: api-2, talker: watch, host: b.u8.example, ports: 1}}\n\
         \x20 - {{id: {long}a, talker: watch, host: c.u8.example, ports: 1}}\n\
         \x20 - {{id: {long}b, talker: watch, host: d.u8.example, ports: 1}}\n"
    );
    let first = exported(&manifest(&text)).text;
    let file: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(valid(&json("mud.schema.json"), &file), Vec::<String>::new());
    for list in file["ietf-access-control-list:acls"]["acl"].as_array().unwrap() {
        let names: Vec<&str> =
            list["aces"]["ace"].as_array().unwrap().iter().map(|ace| ace["name"].as_str().unwrap()).collect();
        let unique: std::collections::BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!((names.len(), unique.len()), (5, 5), "{names:?}");
    }
    let again = manifest(&import(&foreign(first.clone()), Some(Talker::Watch)).to_yaml());
    assert_eq!(exported(&again).text, first);
}

#[test]
fn an_export_lists_what_mud_cannot_say() {
    let export = exported(&full_manifest());
    let losses: Vec<String> = export.losses.iter().map(ToString::to_string).collect();
    let lists = |id: &str, what: &str| {
        losses.iter().any(|loss| loss.contains(&format!("`{id}`")) && loss.contains(what))
    };
    for what in [
        "purpose account",
        "tls 1.2",
        "budget",
        "phases",
        "data",
        "recipient nucleus",
        "review-by 2030-01-31",
    ] {
        assert!(lists("api", what), "{what}: {losses:#?}");
    }
    assert!(lists("api-again", "made one with `api`"), "{losses:#?}");
    for id in ["cdn", "shards", "metrics"] {
        assert!(lists(id, "the whole declaration"), "{id}: {losses:#?}");
    }
    assert!(losses.iter().any(|loss| loss == "the controllers"), "{losses:#?}");
    assert!(!export.text.contains("cdn.nucleus") && !export.text.contains("partner"), "{}", export.text);
    assert_eq!(export.exported, 8);
}

#[test]
fn export_import_export_gives_the_same_bytes() {
    let first = exported(&full_manifest()).text;
    let yaml = import(&foreign(first.clone()), Some(Talker::Watch)).to_yaml();
    let again = manifest(&yaml);
    let second = exported(&again).text;
    let differs = first.lines().zip(second.lines()).find(|(one, other)| one != other);
    assert_eq!((differs, second.len()), (None, first.len()));
    // And what MUD can say came through.
    let texts: Vec<&str> = again.endpoints.iter().map(|one| one.text.as_str()).collect();
    for text in [
        "watch → api.nucleus-u8.example tcp/443,8000-8010,8883",
        "watch → 203.0.113.0/24 tcp/2222, opened by the peer",
        "watch → 2001:db8::/32 icmp",
        "watch → class ntp-pool udp/123",
    ] {
        assert!(texts.contains(&text), "{text} in {texts:#?}");
    }
    assert!(
        again
            .endpoints
            .iter()
            .all(|one| one.transport != Transport::Udp || one.opened_by == OpenedBy::Product)
    );
}

/// One declaration in one line, and whether MUD can say it.
fn declaration() -> impl Strategy<Value = String> {
    let peer = prop_oneof![
        "[a-c]\\.u8\\.example".prop_map(|name| format!("host: {name}")),
        (0..3_u8).prop_map(|net| format!("cidr: 203.0.{net}.0/24")),
        (0..3_u8).prop_map(|net| format!("cidr: 2001:db8:{net}::/48")),
        prop_oneof![Just("lan"), Just("dns-resolver"), Just("ntp-pool")]
            .prop_map(|class| format!("class: {class}")),
        "[a-c]\\.u8\\.example".prop_map(|name| format!("suffix: {name}")),
    ];
    let range =
        (1..40_000_u16, 0..25_000_u16).prop_map(|(first, more)| format!("\"{first}-{}\"", first + more));
    let ports = prop_oneof![
        Just("1-65535".to_owned()),
        prop::collection::vec(range, 1..4).prop_map(|all| format!("[{}]", all.join(", ")))
    ];
    let l4 = prop_oneof![
        Just("transport: icmp".to_owned()),
        (prop_oneof![Just("tcp"), Just("udp")], ports)
            .prop_map(|(l4, ports)| format!("transport: {l4}, ports: {ports}")),
    ];
    let opener = prop_oneof![Just(""), Just(", opened-by: peer")];
    (peer, l4, opener).prop_map(|(peer, l4, opener)| {
        // Whoever opens shows no name.
        let named = ["host:", "suffix:", "class: ntp-pool"].iter().any(|named| peer.starts_with(named));
        format!("talker: watch, {peer}, {l4}{}", if named { "" } else { opener })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_exported_is_what_the_modules_allow_and_comes_back_the_same(
        declarations in prop::collection::vec(declaration(), 1..12)
    ) {
        let mut text = "format: 1\nproduct: {vendor: N, model: U8}\nendpoints:\n".to_owned();
        for (index, one) in declarations.iter().enumerate() {
            text.push_str(&format!("  - {{id: e{index}, {one}}}\n"));
        }
        let first = exported(&manifest(&text)).text;
        let file = serde_json::from_str(&first).unwrap();
        prop_assert_eq!(valid(&json("mud.schema.json"), &file), Vec::<String>::new());
        let again = manifest(&import(&foreign(first.clone()), Some(Talker::Watch)).to_yaml());
        prop_assert_eq!(exported(&again).text, first);
    }
}

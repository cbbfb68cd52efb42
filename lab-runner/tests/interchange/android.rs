use lab_runner::interchange::against::differences;
use lab_runner::interchange::foreign::Foreign;
use lab_runner::interchange::{Format, network_security_config};

use super::{data, import, manifest, refusal};

fn file() -> Foreign {
    Foreign::read(&data("network_security_config.xml")).unwrap()
}

#[test]
fn clear_text_and_pins_are_read_by_domain_and_debug_overrides_are_not() {
    let config = network_security_config::read(&file()).unwrap();
    assert_eq!(config.base.map(|(permitted, at)| (permitted, at.line)), Some((false, 3)));
    let domains: Vec<(String, Option<bool>, usize, u32)> = config
        .domains
        .iter()
        .map(|one| (one.domain.to_string(), one.clear_text, one.pins, one.at.line))
        .collect();
    assert_eq!(
        domains,
        [
            ("legacy.nucleus-u8.example and everything under it".into(), Some(true), 0, 7),
            ("secure.legacy.nucleus-u8.example".into(), Some(false), 0, 9),
            ("api.nucleus-u8.example".into(), None, 2, 13),
        ]
    );
    assert_eq!(config.notes.all().count(), 0, "the user's certificates are trusted in debug builds alone");
}

#[test]
fn the_seed_requires_encryption_only_where_the_app_does() {
    let yaml = import(&file(), None).to_yaml();
    let read = manifest(&yaml);
    let mut texts: Vec<&str> = read.endpoints.iter().map(|one| one.text.as_str()).collect();
    texts.sort_unstable();
    assert_eq!(
        texts,
        [
            "app → *.legacy.nucleus-u8.example tcp/443",
            "app → api.nucleus-u8.example tcp/443, encrypted",
            "app → secure.legacy.nucleus-u8.example tcp/443, encrypted",
        ]
    );
    assert!(yaml.contains("2 certificates are pinned for api.nucleus-u8.example until 2030-01-01"), "{yaml}");
}

#[test]
fn addresses_the_phone_itself_and_public_suffixes_are_told_apart() {
    let text = "<network-security-config><domain-config cleartextTrafficPermitted='true'>\n\
        <domain includeSubdomains='true'>10.0.2.2</domain><domain>localhost</domain>\n\
        <domain includeSubdomains='true'>co.uk</domain><domain>a.example</domain></domain-config></network-security-config>";
    let yaml = import(&super::foreign(text), None).to_yaml();
    let texts: Vec<String> = manifest(&yaml).endpoints.into_iter().map(|one| one.text).collect();
    assert_eq!(texts, ["app → 10.0.2.2/32 tcp/443", "app → a.example tcp/443"]);
    for note in ["localhost is the device itself", "co.uk is a public suffix"] {
        assert!(yaml.contains(note), "{note} in {yaml}");
    }
}

#[test]
fn an_app_that_may_speak_clear_text_contradicts_a_manifest_that_forbids_it() {
    let of = |host: &str, more: &str| {
        manifest(&format!(
            "format: 1\nproduct: {{vendor: N, model: U8}}\nendpoints:\n  - {{id: one, talker: app, host: {host}, ports: 443{more}}}\n"
        ))
    };
    let words = |host: &str, more: &str| -> Vec<&str> {
        let found = differences(&import(&file(), None), &of(host, more));
        found.iter().map(|one| one.word).filter(|word| *word != "undeclared-endpoint").collect()
    };
    assert_eq!(words("old.legacy.nucleus-u8.example", ", encryption: required"), ["clear-text-permitted"]);
    assert_eq!(words("old.legacy.nucleus-u8.example", ""), Vec::<&str>::new());
    assert_eq!(words("secure.legacy.nucleus-u8.example", ", encryption: required"), Vec::<&str>::new());
    assert_eq!(words("secure.legacy.nucleus-u8.example", ""), ["clear-text-forbidden"]);
    assert_eq!(words("elsewhere.example", ""), ["clear-text-forbidden"]);
}

#[test]
fn a_broken_configuration_is_refused_with_its_place() {
    let text = String::from_utf8(file().bytes).unwrap();
    for (from, to, place) in [
        (
            "cleartextTrafficPermitted=\"true\"",
            "cleartextTrafficPermitted=\"maybe\"",
            "given:6:5: error: cleartextTrafficPermitted is `maybe`",
        ),
        ("secure.legacy.nucleus-u8.example", "a b", "given:9:13: error: `a b` is not a host name"),
        ("</network-security-config>", "", "error: the file ends inside <network-security-config>"),
        (
            "<network-security-config>",
            "<!DOCTYPE x [<!ENTITY a \"b\">]><network-security-config>",
            "given:2:1: error: the file has a document type",
        ),
    ] {
        let refused = refusal(text.replacen(from, to, 1).as_bytes(), Format::NetworkSecurityConfig);
        assert!(refused.contains(place) && refused.contains("help:"), "{place}: {refused}");
    }
}

use std::time::{Duration, Instant};

use std::path::Path;

use lab_runner::interchange::foreign::Foreign;
use lab_runner::interchange::seed::Told;
use lab_runner::interchange::{self, Format};
use lab_runner::manifest::Talker;

use super::{data, json, refusal};

fn quickly(text: &[u8], format: Format) -> String {
    let began = Instant::now();
    let refused = refusal(text, format);
    // Builds without optimisation, on a busy machine.
    assert!(began.elapsed() < Duration::from_secs(20), "{refused} took {:?}", began.elapsed());
    refused
}

#[test]
fn bad_json_is_refused_at_its_place_with_advice() {
    let good = std::fs::read_to_string(data("rfc8520-lightbulb.json")).unwrap();
    for (from, to, place) in [
        ("\"port\": 443", "\"port\": 70000", "invalid value: integer `70000`"),
        ("\"port\": 443", "\"port\": 0", "0 is no port"),
        ("\"operator\": \"eq\"", "\"operator\": \"is\"", "unknown variant `is`"),
        ("test.example.com", "test example", "`test example` is not a host name"),
        ("\"mud-version\": 1", "\"mud-version\": 2", "a MUD file of version 2"),
        ("\"mud-version\": 1,", "", "missing field `mud-version`"),
        ("\"protocol\": 6", "\"protocol\": 6,, ", "key must be a string"),
    ] {
        let refused = refusal(good.replacen(from, to, 1).as_bytes(), Format::Mud);
        assert!(refused.contains(place) && refused.contains("help:"), "{place}: {refused}");
        assert!(to.contains(": 2") || refused.starts_with("given:"), "{refused}");
        let position: Vec<&str> = refused.split(':').take(3).collect();
        assert!(to.contains(": 2") || position[1].parse::<u32>().unwrap() > 1, "{refused}");
    }
}

#[test]
fn lists_depth_and_size_are_bounded() {
    let ace = r#"{"name":"x","actions":{"forwarding":"accept"}},"#;
    let many = format!(
        r#"{{"ietf-mud:mud":{{"mud-version":1,"mud-url":"u"}},"ietf-access-control-list:acls":{{"acl":[{{"name":"l","aces":{{"ace":[{}]}}}}]}}}}"#,
        ace.repeat(10_001).trim_end_matches(',')
    );
    assert!(quickly(many.as_bytes(), Format::Mud).contains("more than 10000 elements"));
    let deep = format!("{{\"ietf-mud:mud\":{}", "[".repeat(1_000_000));
    assert!(quickly(deep.as_bytes(), Format::Mud).contains("given:1:"));
    let services = format!(
        "{}{}",
        r#"{"bomFormat":"CycloneDX","specVersion":"1.6","services":["#,
        r#"{"name":"x","services":["#.repeat(100_000)
    );
    quickly(services.as_bytes(), Format::CycloneDx);
    let nested = "<dict><key>a</key>".repeat(100);
    assert!(quickly(format!("<plist>{nested}").as_bytes(), Format::XcPrivacy).contains("more than 8 levels"));
    let nested = "<domain-config>".repeat(100);
    let text = format!("<network-security-config>{nested}");
    assert!(quickly(text.as_bytes(), Format::NetworkSecurityConfig).contains("more than 16 deep"));
    let large = vec![b' '; (16 << 20) + 1];
    let refused = Foreign::from_bytes(Path::new("x"), large).unwrap_err();
    assert!(refused.to_string().contains("larger than 16 MiB"));
}

/// A binary property list in which each array names the next one twice: thirty objects, a thousand million values.
#[test]
fn a_binary_list_that_unfolds_without_end_is_refused() {
    let mut bytes = b"bplist00".to_vec();
    let mut offsets = Vec::new();
    for level in 0..6_u8 {
        offsets.push(bytes.len() as u8);
        bytes.push(0xa0 | 14);
        bytes.extend([level + 1; 14]);
    }
    offsets.push(bytes.len() as u8);
    bytes.push(0x09);
    let table = bytes.len() as u64;
    bytes.extend(&offsets);
    bytes.extend([0; 6]);
    bytes.extend([1, 1]);
    bytes.extend((offsets.len() as u64).to_be_bytes());
    bytes.extend(0_u64.to_be_bytes());
    bytes.extend(table.to_be_bytes());
    assert!(quickly(&bytes, Format::XcPrivacy).contains("more than 100,000 values"));
}

#[test]
fn a_length_that_the_file_does_not_have_takes_no_memory() {
    // An ASCII string of 2^62 bytes.
    let mut bytes = b"bplist00".to_vec();
    bytes.extend([0x5f, 0x13]);
    bytes.extend((1_u64 << 62).to_be_bytes());
    let table = bytes.len() as u64;
    bytes.push(8);
    bytes.extend([0; 6]);
    bytes.extend([1, 1]);
    bytes.extend(1_u64.to_be_bytes());
    bytes.extend(0_u64.to_be_bytes());
    bytes.extend(table.to_be_bytes());
    assert!(quickly(&bytes, Format::XcPrivacy).contains("no property list"));
}

#[test]
fn text_of_a_source_never_becomes_yaml_of_the_manifest() {
    let mut file = json("rfc8520-lightbulb.json");
    let hostile = "x\n\u{85}\u{2028}endpoints: []\n# \u{1b}[2J\u{202e}";
    for key in ["systeminfo", "mfg-name", "model-name", "documentation", "mud-url"] {
        file["ietf-mud:mud"][key] = hostile.into();
    }
    file["ietf-access-control-list:acls"]["acl"][1]["aces"]["ace"][0]["name"] = hostile.into();
    file[hostile] = 1.into();
    let yaml = super::import(&super::foreign(file.to_string()), Some(Talker::Watch)).to_yaml();
    let read = super::manifest(&yaml);
    assert_eq!((read.endpoints.len(), read.product.vendor.as_str()), (1, hostile));
    assert!(yaml.chars().all(|c| c == '\n' || !c.is_control() && !"\u{2028}\u{202e}".contains(c)), "{yaml}");
}

/// What is cut, doubled or changed anywhere is refused or read, and never more than that.
#[test]
fn no_change_of_a_good_file_is_more_than_refused() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below.max(1)
    };
    let mut binary = Vec::new();
    let xml = std::fs::read(data("PrivacyInfo.xcprivacy")).unwrap();
    plist::Value::from_reader_xml(xml.as_slice()).unwrap().to_writer_binary(&mut binary).unwrap();
    let (bom, _) = lab_runner::interchange::cyclonedx::export::export(&super::full_manifest());
    let files = [
        (std::fs::read(data("rfc8520-lightbulb.json")).unwrap(), Format::Mud),
        (std::fs::read(data("network_security_config.xml")).unwrap(), Format::NetworkSecurityConfig),
        (xml, Format::XcPrivacy),
        (binary, Format::XcPrivacy),
        (bom.into_bytes(), Format::CycloneDx),
    ];
    let told = Told { talker: Some(Talker::Watch), ..Told::default() };
    let (mut read, mut refused) = (0, 0);
    for (good, format) in files {
        for _ in 0..300 {
            let mut bytes = good.clone();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, random(256) as u8),
                    2 => bytes.splice(at..at, good[random(good.len())..].iter().copied()).for_each(drop),
                    _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = random(256) as u8),
                }
            }
            let Ok(file) = Foreign::from_bytes(Path::new("given"), bytes) else { continue };
            match interchange::import(&file, format, &told) {
                Ok(seed) => {
                    read += 1;
                    assert!(seed.to_yaml().chars().all(|c| c == '\n' || !c.is_control()));
                }
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains("help:"), "{error}");
                }
            }
            let _ = lab_runner::interchange::app_privacy_report::read(&file);
        }
    }
    assert!(read > 50 && refused > 500, "{read} read, {refused} refused");
}

use lab_runner::interchange::against::differences;
use lab_runner::interchange::foreign::Foreign;
use lab_runner::interchange::{Format, xcprivacy};
use lab_runner::manifest::Data;

use super::{data, foreign, full_manifest, import, manifest, refusal};

#[test]
fn a_privacy_info_says_tracking_domains_and_data_as_xml_and_binary_alike() {
    let xml = Foreign::read(&data("PrivacyInfo.xcprivacy")).unwrap();
    let info = xcprivacy::read(&xml).unwrap();
    assert_eq!(info.tracking, Some(true));
    let domains: Vec<(&str, u32)> = info.domains.iter().map(|(name, at)| (name.as_str(), at.line)).collect();
    assert_eq!(domains, [("metrics.partner.example", 9), ("ads.tracker.example", 10)]);
    assert_eq!((info.collected[0].data, info.collected[0].at.line), (Some(Data::PreciseLocation), 16));
    assert_eq!(info.collected[0].purposes, ["AppFunctionality"]);

    let mut binary = Vec::new();
    plist::Value::from_reader_xml(xml.bytes.as_slice()).unwrap().to_writer_binary(&mut binary).unwrap();
    let again = xcprivacy::read(&foreign(binary)).unwrap();
    let names =
        |info: &xcprivacy::PrivacyInfo| info.domains.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&again), names(&info));
    assert_eq!(again.collected[0].data, info.collected[0].data);
}

#[test]
fn a_seed_of_a_privacy_info_marks_what_apple_does_not_ask_for() {
    let yaml = import(&Foreign::read(&data("PrivacyInfo.xcprivacy")).unwrap(), None).to_yaml();
    let read = manifest(&yaml);
    assert_eq!(read.endpoints[1].text, "app → ads.tracker.example tcp/443");
    assert!(read.endpoints.iter().all(|one| one.purpose.is_none()));
    for mark in
        ["443  # ? guessed", "collects precise-location, linked to the person", "--vendor and --model do"]
    {
        assert!(yaml.contains(mark), "{mark} in {yaml}");
    }
}

#[test]
fn what_apple_is_told_and_the_manifest_is_not_is_a_difference() {
    let seed = import(&Foreign::read(&data("PrivacyInfo.xcprivacy")).unwrap(), None);
    let found = differences(&seed, &full_manifest());
    let words: Vec<(&str, bool)> = found.iter().map(|one| (one.word, one.paste.is_some())).collect();
    assert_eq!(
        words,
        [
            ("undeclared-endpoint", true), // ads.tracker.example
            ("undeclared-data", false),    // precise location
            ("other-purpose", false),      // metrics is core-function, and tracks
            ("uncollected-data", false),   // crash data
        ],
        "{found:#?}"
    );
    // What it offers to paste settles it.
    let mut text = std::fs::read_to_string(data("full-manifest.yaml")).unwrap();
    text.push('\n');
    text.push_str(found[0].paste.as_ref().unwrap());
    assert!(!differences(&seed, &manifest(&text)).iter().any(|one| one.word == "undeclared-endpoint"));
}

#[test]
fn a_broken_privacy_info_is_refused_with_its_place() {
    let xml = std::fs::read_to_string(data("PrivacyInfo.xcprivacy")).unwrap();
    let wrong_type =
        xml.replace("<true/>\n\t<key>NSPrivacyTrackingD", "<string>yes</string>\n\t<key>NSPrivacyTrackingD");
    let refused = refusal(wrong_type.as_bytes(), Format::XcPrivacy);
    assert!(refused.starts_with("given:5:7: error: NSPrivacyTracking is a string"), "{refused}");
    let unclosed = refusal(xml.replace("</dict>\n</plist>", "").as_bytes(), Format::XcPrivacy);
    assert!(unclosed.contains("help:"), "{unclosed}");
    let crossed = refusal(
        xml.replace(
            "</array>\n\t<key>NSPrivacyCollectedDataTypes",
            "</dict>\n\t<key>NSPrivacyCollectedDataTypes",
        )
        .as_bytes(),
        Format::XcPrivacy,
    );
    assert!(crossed.starts_with("given:11:"), "{crossed}");
}

//! The commands as a person types them: what goes where, and the exit status.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::data;

fn lab(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lab")).arg("manifest").args(args).output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn path(name: &str) -> String {
    data(name).display().to_string()
}

fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(name)
}

#[test]
fn a_mud_file_needs_somebody_to_say_whose_it_is() {
    let (code, out, err) = said(&lab(&["import", &path("rfc8520-lightbulb.json")]));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("a MUD file doesn't say who talks") && err.contains("--talker watch"), "{err}");
    let (code, out, _) = said(&lab(&["import", &path("rfc8520-lightbulb.json"), "--talker", "watch"]));
    assert_eq!(code, Some(0));
    assert!(out.contains("host: test.example.com"), "{out}");
}

#[test]
fn import_against_a_manifest_answers_1_where_it_says_less() {
    let config = path("network_security_config.xml");
    let (code, out, _) = said(&lab(&["import", &config, "--against", &path("full-manifest.yaml")]));
    assert_eq!(code, Some(1));
    assert!(out.contains("network_security_config.xml:7:9: undeclared-endpoint: "), "{out}");
    let folder = tempfile::tempdir().unwrap();
    let seed = folder.path().join("seed.yaml");
    let (_, yaml, _) = said(&lab(&["import", &config]));
    std::fs::write(&seed, yaml).unwrap();
    let (code, out, err) = said(&lab(&["import", &config, "--against", seed.to_str().unwrap()]));
    assert_eq!(code, Some(0), "{out}{err}");
}

#[test]
fn what_an_export_loses_goes_to_stderr_with_its_line() {
    let manifest = path("full-manifest.yaml");
    let export = ["export", "mud", &manifest, "--mud-url", "https://nucleus-u8.example/u8.json"];
    let (code, out, err) = said(&lab(&export));
    assert_eq!(code, Some(0));
    assert!(out.starts_with('{') && err.contains("full-manifest.yaml:22:5: `api`: protocol tls; "), "{err}");
    for wrong in [&["--last-update", "yesterday"][..], &["--cache-validity", "0"], &["--talker", "os"]] {
        let (code, out, _) = said(&lab(&[&export[..], wrong].concat()));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{wrong:?}");
    }
}

#[test]
fn the_phones_report_and_the_capture_of_a_run_are_compared() {
    let run = repository("fixtures/u8-nucleus");
    let capture = run.join("attempts/1/captures/phone.pcapng");
    let manifest = repository("test-plans/u8-nucleus/privacy-manifest.yaml");
    let bytes = std::fs::read(&capture).unwrap();
    let observation = lab_observe::observe(&bytes, lab_observe::Options::default()).unwrap();
    let began = observation.flows.iter().map(|flow| flow.first_ns).min().unwrap();
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(began.into()).unwrap();
    let stamp = format!("{}T{:02}:{:02}:{:02}Z", at.date(), at.hour(), at.minute(), at.second());
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.ndjson");
    let compare = |domains: &[&str], more: &[&str]| {
        let line = |domain: &&str| {
            let contact = serde_json::json!({
                "type": "networkActivity", "bundleID": "example.u8", "domain": domain, "timeStamp": stamp, "hits": 1,
            });
            format!("{contact}\n")
        };
        std::fs::write(&report, domains.iter().map(line).collect::<String>()).unwrap();
        let given = ["compare", report.to_str().unwrap(), capture.to_str().unwrap()];
        said(&lab(&[&given[..], more].concat()))
    };
    let declared = ["api.nucleus-u8.example", "fw.nucleus-u8.example", "time.nucleus-u8.example"];
    let judged = ["--manifest", manifest.to_str().unwrap()];
    let (code, out, err) = compare(&declared, &judged);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("1 flow without a name"), "the bare address: {out}");
    let (code, of_run, _) = said(&lab(&["compare", report.to_str().unwrap(), run.to_str().unwrap()]));
    assert_eq!((code, of_run), (Some(0), out));
    // The phone has the address: then the two agree on it, and the manifest doesn't.
    let with_address = [&declared[..], &["203.0.113.66"]].concat();
    assert_eq!(compare(&with_address, &[]).0, Some(0));
    let (code, out, _) = compare(&with_address, &judged);
    assert_eq!(code, Some(1));
    assert!(out.contains("not declared    203.0.113.66"), "{out}");
    // One of the two was blind.
    let (code, out, _) = compare(&declared[1..], &judged);
    assert_eq!(code, Some(3));
    assert!(out.contains("only captured   api.nucleus-u8.example"), "{out}");
    let (code, out, _) = compare(&[&declared[..], &["hidden.tracker.example"]].concat(), &[]);
    assert_eq!(code, Some(3));
    assert!(out.contains("only the phone  hidden.tracker.example"), "{out}");
    assert_eq!(compare(&declared, &["--bundle", "example.other"]).0, Some(2));
    assert_eq!(said(&lab(&["compare", report.to_str().unwrap(), report.to_str().unwrap()])).0, Some(2));
}

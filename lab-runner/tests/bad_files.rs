//! Bad input gets a place, a reason and advice; a hostile file is refused before it costs anything.

#![allow(clippy::unwrap_used)] // a test: what can't be prepared ends it

use std::path::Path;
use std::time::{Duration, Instant};

use lab_runner::bench::file::BenchFile;
use lab_runner::manifest::Manifest;
use lab_runner::plan::{Inputs, Plan};
use lab_runner::yaml::{Document, Problems, Source};

/// A plan that is right, in a folder with the files that it names.
const PLAN: &str = r#"format: 1
name: A plan
product: {vendor: Nucleus, model: U8}
manifest: m.yaml
needs: {watch: board, console: serial, radio: ble, phone: companion, net: gateway}
phases:
  - name: provisioning
    steps:
      - flash: {image: fw.elf}
      - expect: {console: 'code (?<passkey>\d{6})', within: 5s}
  - name: pairing
    steps:
      - scan: {name: U8 Nucleus}
      - pair: {method: passkey, passkey: "${passkey}"}
      - launch: {app: companion}
"#;

const MANIFEST: &str = r#"format: 1
product: {vendor: Nucleus, model: U8}
endpoints:
  - id: api
    talker: app
    host: api.nucleus-u8.example
    ports: 443
    phases: [pairing]
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("fw.elf"), "firmware").unwrap();
    std::fs::write(folder.path().join("m.yaml"), MANIFEST).unwrap();
    folder
}

fn load(folder: &Path, plan: &str) -> Result<(), Problems> {
    let file = folder.join("plan.yaml");
    std::fs::write(&file, plan).unwrap();
    Plan::load(&file).map(|_| ())
}

/// The problems of a plan, as `line:column: message` and the help.
fn problems_of(plan: &str) -> Vec<String> {
    told(load(folder().path(), plan))
}

fn told(result: Result<(), Problems>) -> Vec<String> {
    let Err(Problems(problems)) = result else { return Vec::new() };
    problems
        .iter()
        .map(|problem| {
            let at = problem.at.map(|at| format!("{}:{}: ", at.line, at.column)).unwrap_or_default();
            let help = problem.help.as_ref().map(|help| format!(" [{help}]")).unwrap_or_default();
            format!("{at}{}{help}", problem.message)
        })
        .collect()
}

#[track_caller]
fn expect_told(told: &[String], wanted: &[&str]) {
    assert_eq!(told.len(), wanted.len(), "{told:#?}");
    for (told, wanted) in told.iter().zip(wanted) {
        assert!(told.starts_with(wanted), "{told}\n  is not\n{wanted}");
    }
}

#[test]
fn the_plan_that_the_others_are_made_of_is_right() {
    expect_told(&problems_of(PLAN), &[]);
}

#[test]
fn every_problem_of_a_file_is_told_at_once_where_it_stands() {
    let plan = PLAN
        .replace("name: A plan", "nmae: A plan")
        .replace("within: 5s", "within: 5")
        .replace("scan: {name: U8 Nucleus}", "scna: {name: U8 Nucleus}")
        .replace("launch: {app: companion}", "launch: {ap: companion, foo: 1}");
    expect_told(
        &problems_of(&plan),
        &[
            "2:1: the key `nmae` is not known here [did you mean `name`?]",
            "10:61: expected a duration such as `5s` or `300ms`, found integer `5`",
            "13:9: the key `scna` is not known here [did you mean `scan`?]",
            "15:18: the key `ap` is not known here [did you mean `app`?]",
            "15:33: the key `foo` is not known here [known here: app]",
        ],
    );
}

#[test]
fn a_step_has_exactly_one_action_and_a_resource_for_it() {
    let plan = PLAN
        .replace(
            "      - scan: {name: U8 Nucleus}\n",
            "      - scan: {name: U8}\n        idle: 1s\n      - id: x\n",
        )
        .replace("console: serial, ", "");
    expect_told(
        &problems_of(&plan),
        &[
            "10:9: `expect` needs a serial, and the plan's `needs` has none [add `console: serial` to `needs`]",
            "14:9: a step has exactly one action, and this one has `scan` and `idle`",
            "15:9: this step has no action",
        ],
    );
}

#[test]
fn the_labs_own_phases_and_a_second_network_or_phone_are_refused() {
    let plan = PLAN
        .replace("name: provisioning", "name: setup")
        .replace("name: pairing", "name: teardown")
        .replace("net: gateway}", "net: gateway, net2: gateway, tablet: companion}");
    expect_told(
        &problems_of(&plan),
        &[
            "5:84: a plan has one gateway at most, and `net` is one already",
            "5:99: a plan has one companion at most, and `phone` is one already",
            "7:11: `setup` is the lab's own phase",
            "11:11: `teardown` is the lab's own phase",
        ],
    );
}

#[test]
fn variables_and_patterns_are_checked_before_anything_runs() {
    expect_told(
        &problems_of(&PLAN.replace("\"${passkey}\"", "\"${paskey}\"")),
        &["14:42: no earlier step captures `paskey` [did you mean `${passkey}`?]"],
    );
    expect_told(
        &problems_of(&PLAN.replace("(?<passkey>", "(?<passkey")),
        &["10:27: not a regular expression: "],
    );
    expect_told(&problems_of(&PLAN.replace("\"${passkey}\"", "${passkey}")), &["14:"]);
}

#[test]
fn a_path_that_leads_nowhere_is_told_with_where_it_leads() {
    expect_told(
        &problems_of(&PLAN.replace("fw.elf", "fv.elf")),
        &["9:24: the image `fv.elf` isn't there [paths start at the plan's folder; this one leads to "],
    );
}

#[test]
fn a_newer_format_is_refused_in_so_many_words_and_nothing_else_is_said() {
    expect_told(
        &problems_of(&PLAN.replace("format: 1", "format: 2").replace("name:", "title:")),
        &["1:9: format 2 is newer than this lab understands (1) [update lab]"],
    );
    expect_told(
        &problems_of(&PLAN.replace("format: 1\n", "")),
        &["1:1: the key `format` is missing: it says how the file is to be read"],
    );
}

#[test]
fn a_key_twice_is_an_error_at_the_second() {
    expect_told(
        &problems_of(&PLAN.replace("name: A plan", "name: A plan\nname: B")),
        &["3:1: the key `name` stands here twice [the first is in line 2; keep one of them]"],
    );
}

#[test]
fn a_key_without_a_value_is_never_taken_for_a_rule_that_isnt_there() {
    let text = MANIFEST.replace("phases: [pairing]", "phases:");
    let source = Source::from_bytes(Path::new("m.yaml"), text.into_bytes()).unwrap();
    let read = Document::parse(source).and_then(Manifest::from_document).map(|_| ());
    expect_told(&told(read), &["8:5: nothing stands here: write a value, or remove the key"]);
}

#[test]
fn a_declaration_names_one_peer_that_can_be_told() {
    for (written, wanted) in [
        ("host: 203.0.113.5", "6:11: `203.0.113.5` is an address, not a name [an address is declared as"),
        ("suffix: co.uk", "6:13: `co.uk` is a public suffix"),
        ("suffix: example", "6:13: `example` is a public suffix"),
        ("cidr: 203.0.113.5/24", "6:11: `203.0.113.5/24` has bits set after its prefix"),
        (
            "host: a.example\n    cidr: 203.0.113.5",
            "4:5: a declaration has exactly one of host, suffix, glob, cidr and class",
        ),
    ] {
        let text = MANIFEST.replace("host: api.nucleus-u8.example", written);
        let source = Source::from_bytes(Path::new("m.yaml"), text.into_bytes()).unwrap();
        let read = Document::parse(source).and_then(Manifest::from_document).map(|_| ());
        expect_told(&told(read), &[wanted]);
    }
}

#[test]
fn a_plan_that_names_what_the_bench_lacks_is_told_at_the_plans_place() {
    let folder = folder();
    let bench = folder.path().join("bench.yaml");
    std::fs::write(
        &bench,
        "format: 1\nkind: real\nresources:\n  watch: {kind: board, probe: '1366:1015:1', chip: nRF51822_xxAA}\n  uart: {kind: serial, port: /dev/ttyACM0}\n",
    )
    .unwrap();
    load(folder.path(), PLAN).unwrap();
    let checked = Inputs::load(&folder.path().join("plan.yaml"), Some(&bench)).map(|_| ());
    let told = told(checked);
    assert!(told[0].starts_with("5:23: the bench has no `console`"), "{told:#?}");
    assert!(told[0].ends_with("[this bench calls its serial `uart`]"), "{told:#?}");
    assert_eq!(told.len(), 4, "{told:#?}");
}

#[test]
fn a_bench_resource_is_read_as_its_kind() {
    let text =
        "format: 1\nkind: real\nresources:\n  console: {kind: serial, prot: /dev/ttyACM0, baud: fast}\n";
    let source = Source::from_bytes(Path::new("bench.yaml"), text.into()).unwrap();
    let read = Document::parse(source).and_then(BenchFile::from_document).map(|_| ());
    expect_told(
        &told(read),
        &[
            "4:27: the key `prot` is not known here [did you mean `port`?]",
            "4:53: expected u32, found string",
        ],
    );
}

#[test]
fn what_is_no_text_file_is_called_by_its_name() {
    let folder = folder();
    let file = folder.path().join("plan.yaml");
    let utf16: Vec<u8> = "format: 1".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, wanted) in [
        (b"".to_vec(), "the file is empty"),
        (b" \n\n".to_vec(), "the file is empty"),
        (b"# only a comment\n".to_vec(), "the file holds nothing but comments"),
        (b"\x7fELF\x01\x01\x01\0\0\0".to_vec(), "this is a binary file: an ELF executable"),
        ([b"\xff\xfe".to_vec(), utf16.clone()].concat(), "the file is UTF-16"),
        (utf16, "the file is UTF-16"),
        (b"format: 1\nname: caf\xe9\n".to_vec(), "2:10: the byte 0xe9 here is not UTF-8 text"),
        (vec![b'#'; 5 << 20], "the file is larger than 4 MiB"),
        (b"a: 1\n---\nb: 2\n".to_vec(), "2:1: a second document starts here"),
        (b"- just\n- a list\n".to_vec(), "1:1: the key `format` is missing"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let told = told(Plan::load(&file).map(|_| ()));
        assert!(told[0].starts_with(wanted), "{told:?} is not {wanted}");
    }
    let told_of = |path: &Path| told(Plan::load(path).map(|_| ()));
    expect_told(&told_of(folder.path()), &["this is a directory, not a file"]);
    expect_told(&told_of(&folder.path().join("plam.yaml")), &["there is no such file [did you mean `"]);
}

#[test]
fn a_hostile_file_is_refused_in_no_time() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..60 {
        let before = level - 1;
        let items = format!("*a{before}, ").repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    let mut tower = String::from("a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n");
    for level in 1..60 {
        tower.push_str(&format!("a{level}: &a{level} [[[[[[[[[[*a{}]]]]]]]]]]\n", level - 1));
    }
    for (name, text) in [
        ("alias bomb", bomb),
        ("tower of aliases", tower),
        ("brackets", "[".repeat(100_000)),
        ("braces", "{".repeat(100_000)),
        ("nested maps", (0..2_000).map(|level| format!("{}a:\n", " ".repeat(level))).collect()),
        ("dashes", "- ".repeat(100_000)),
        ("question marks", "? ".repeat(100_000)),
        ("two million items", format!("[{}]", "1,".repeat(2_000_000))),
        ("own anchor", "a: &a [*a]\n".to_owned()),
        ("one long key", format!("{}: 1\n", "k".repeat(3 << 20))),
        ("many duplicates", "a: 1\n".repeat(200_000)),
        ("many keys", (0..190_000).map(|key| format!("k{key}: 1\n")).collect()),
        ("colons", ": ".repeat(100_000)),
        ("quotes", "\"\\".repeat(100_000)),
        ("anchors", "&a ".repeat(100_000)),
        ("tags", "!a ".repeat(100_000)),
    ] {
        let begun = Instant::now();
        let source = Source::from_bytes(Path::new("plan.yaml"), text.into_bytes()).unwrap();
        let result = Document::parse(source).and_then(Plan::from_document);
        let took = begun.elapsed();
        println!("{name}: {took:?}");
        let shown = result.unwrap_err().to_string();
        assert!(shown.len() < 20_000, "{name}: {} bytes of words", shown.len());
        // A debug build on a busy machine is many times slower; what would not end is caught all the same.
        let limit = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 1 });
        assert!(took < limit, "{name} took {took:?}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_damage_to_a_file_makes_the_reader_panic(
        damage in proptest::collection::vec((0usize..1_000, "[ \\PC\n\t:{}\\[\\]&*!|>'\"-]{0,4}", 0usize..6), 1..5)
    ) {
        for (whole, of) in [(PLAN, 0), (MANIFEST, 1)] {
            let mut text: Vec<char> = whole.chars().collect();
            for (at, put, cut) in &damage {
                let at = at % text.len();
                let end = (at + cut).min(text.len());
                text.splice(at..end, put.chars());
            }
            let bytes = text.into_iter().collect::<String>().into_bytes();
            let Ok(source) = Source::from_bytes(Path::new("plan.yaml"), bytes) else { continue };
            let read = Document::parse(source);
            let problems = match of {
                0 => read.and_then(Plan::from_document).err(),
                _ => read.and_then(Manifest::from_document).err(),
            };
            if let Some(problems) = problems {
                let shown = problems.to_string();
                assert!(shown.contains("plan.yaml"));
            }
        }
    }
}

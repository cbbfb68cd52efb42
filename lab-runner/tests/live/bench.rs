//! A plan of one's own in a temporary folder, and `lab` on it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("lab-runner lies in the workspace").to_owned()
}

/// Whether this machine can run the virtual bench. In CI it has to.
pub(crate) fn is_there() -> bool {
    for (program, package) in [("qemu-system-arm", "qemu-system-arm"), ("dbus-daemon", "dbus-daemon")] {
        let found = std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
        if !found {
            assert!(std::env::var_os("CI").is_none(), "{package} is missing, which ci/setup installs");
            println!("skipped: the virtual bench needs {program} (Debian: apt-get install {package})");
            return false;
        }
    }
    true
}

/// A folder with a plan, the U8's manifest, and a bench file.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

/// Everything that the shipped plan does, with little waiting.
pub(crate) const PLAN: &str = r#"
format: 1
name: U8 on a test desk
product: {vendor: Nucleus, model: U8}
manifest: privacy-manifest.yaml
needs: {watch: board, console: serial, radio: ble, phone: companion, net: gateway}
phases:
  - name: provisioning
    steps:
      - flash: {image: IMAGE}
        timeout: 10s
      - expect: {console: 'U8 Nucleus fw (?<version>1\.4\.\d+) ready', within: 3s}
      - expect: {console: 'pairing code (?<passkey>\d{6})', within: 3s}
  - name: pairing
    steps:
      - scan: {name: U8 Nucleus, within: 3s}
      - launch: {app: companion}
      - pair: {method: passkey, passkey: "${passkey}"}
      - expect: {companion: 'paired U8 Nucleus fw ${version}', within: 10s}
      - expect: {companion: 'time synchronised', within: 10s}
  - name: idle
    steps:
      - idle: 300ms
assert: {endpoints: declared, snapshot: true}
"#;

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) output: Output,
    pub(crate) verdict: Value,
    pub(crate) run: PathBuf,
}

impl Ran {
    /// The rules of the findings.
    pub(crate) fn rules(&self) -> Vec<&str> {
        let findings = self.verdict["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
        findings.iter().filter_map(|finding| finding["rule"].as_str()).collect()
    }

    /// Fails the test unless the run ended so, showing all that it said.
    #[track_caller]
    pub(crate) fn ended_with(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            code,
            "{}\n{}",
            String::from_utf8_lossy(&self.output.stdout),
            String::from_utf8_lossy(&self.output.stderr)
        );
        self
    }

    /// Fails the test unless a finding's title has all of these words.
    #[track_caller]
    pub(crate) fn found(self, words: &[&str]) -> Self {
        let findings = self.verdict["findings"].as_array().cloned().unwrap_or_default();
        let titles: Vec<&str> = findings.iter().filter_map(|finding| finding["title"].as_str()).collect();
        assert!(
            titles.iter().any(|title| words.iter().all(|word| title.contains(word))),
            "no finding with {words:?} among {titles:#?}"
        );
        self
    }
}

impl Desk {
    /// With this plan (`IMAGE` stands for the firmware) and these faults of the virtual bench.
    pub(crate) fn new(plan: &str, firmware: &str, faults: &Value) -> Self {
        Self::with_bench(plan, firmware, &json!({"format": 1, "kind": "virtual", "faults": faults}))
    }

    /// With a whole bench file.
    pub(crate) fn with_bench(plan: &str, firmware: &str, bench: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Beside the plan, since a replay reads nothing from elsewhere.
        let image = root().join("fixtures/firmware").join(firmware);
        std::fs::copy(image, folder.path().join(firmware)).expect("the firmware");
        let plan = plan.replace("IMAGE", firmware);
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
        write("plan.yaml", &plan);
        write("bench.yaml", &bench.to_string());
        let manifest = root().join("test-plans/u8-nucleus/privacy-manifest.yaml");
        let manifest = std::fs::read_to_string(manifest).expect("the U8's manifest");
        // The short plan has no phase but these.
        write("privacy-manifest.yaml", &manifest);
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.current_dir(self.path()).args(["run", "plan.yaml"]).args(args).stdin(Stdio::null());
        command
    }

    /// Runs the plan to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let before = self.runs();
        let output = self.command(args).output().expect("lab runs");
        let run = self.runs().into_iter().find(|run| !before.contains(run)).unwrap_or_default();
        let verdict = std::fs::read(run.join("verdict.json")).unwrap_or_default();
        let verdict = serde_json::from_slice(&verdict).unwrap_or_default();
        Ran { code: output.status.code().unwrap_or(-1), output, verdict, run }
    }

    /// Starts the plan.
    pub(crate) fn start(&self) -> Child {
        self.command(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("lab runs")
    }

    /// The run directories, oldest first.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let mut runs: Vec<PathBuf> = std::fs::read_dir(self.path().join("runs"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|run| run.path())
            .collect();
        runs.sort();
        runs
    }
}

//! Whole processes, timed: each tool once to warm up, then all of them in turns, so that what else the machine does hits
//! all alike.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// A command line that is measured; its output goes nowhere.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// Cores that it may use, as `taskset` wants them; those of this process by default.
    cores: Option<String>,
    command: Vec<String>,
}

/// Seconds of every run, sorted, and the largest memory of any.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    wall: Vec<f64>,
    cpu: Vec<f64>,
    /// On more cores than one, what it costs is the time that passes.
    by_the_clock: bool,
    pub(crate) peak_kib: u64,
}

impl Measured {
    /// Of runs within this process, where processor time is not told apart.
    pub(crate) fn of_wall(mut wall: Vec<f64>) -> Self {
        wall.sort_by(f64::total_cmp);
        Self { wall, ..Self::default() }
    }

    /// Median of the seconds that passed.
    pub(crate) fn wall(&self) -> f64 {
        self.wall[self.wall.len() / 2]
    }

    /// Median of the seconds of processor time, user and system: on a core of one's own, the same as those that passed.
    pub(crate) fn cpu(&self) -> f64 {
        self.cpu.get(self.cpu.len() / 2).copied().unwrap_or_else(|| self.wall())
    }

    fn seconds(&self) -> f64 {
        if self.by_the_clock { self.wall() } else { self.cpu() }
    }
}

impl Tool {
    pub(crate) fn new(name: &'static str, program: &str, arguments: &[&str]) -> Self {
        let words = std::iter::once(&program).chain(arguments);
        Self { name, cores: None, command: words.map(|word| (*word).to_owned()).collect() }
    }

    /// The same, on other cores than this process has.
    pub(crate) fn on(self, cores: String) -> Self {
        Self { cores: Some(cores), ..self }
    }

    pub(crate) fn program(&self) -> &str {
        &self.command[0]
    }

    fn is_there(&self) -> bool {
        let name = Path::new(self.program());
        let path = std::env::var_os("PATH").unwrap_or_default();
        name.is_file() || std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
    }

    /// Runs it once, under GNU time, which tells its memory.
    fn run(&self, into: &mut Measured) {
        let told = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("speed-time-{}", std::process::id()));
        let mut command = Command::new("/usr/bin/time");
        command.args(["-f", "%M", "-o"]).arg(&told);
        if let Some(cores) = &self.cores {
            command.args(["taskset", "-c", cores]);
        }
        command.args(&self.command);
        let null = || File::options().read(true).write(true).open("/dev/null").unwrap();
        command.stdin(Stdio::null()).stdout(null()).stderr(null());
        let (used, begun) = (processor_seconds(), Instant::now());
        let status = command.status().expect("/usr/bin/time is needed (Debian: apt-get install time)");
        into.wall.push(begun.elapsed().as_secs_f64());
        into.cpu.push(processor_seconds() - used);
        let text = std::fs::read_to_string(&told).unwrap();
        // `lab observe` says 3 where a capture is incomplete: still a measurement.
        assert!(matches!(status.code(), Some(0 | 3)), "{:?} ended with {status}: {text}", self.command);
        // A line above the figure tells a status that is not 0.
        into.peak_kib = into.peak_kib.max(text.lines().last().unwrap().parse().unwrap());
        let _ = std::fs::remove_file(told);
    }
}

/// What the processes that have ended used, GNU time itself among them.
fn processor_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6
}

/// Measures the tools in turns; `None` for one that is not installed.
pub(crate) fn in_turns(tools: &[Tool], runs: usize) -> Vec<Option<Measured>> {
    let by_the_clock = |tool: &Tool| Measured { by_the_clock: tool.cores.is_some(), ..Measured::default() };
    let mut measured: Vec<_> = tools.iter().map(|tool| tool.is_there().then(|| by_the_clock(tool))).collect();
    for turn in 0..=runs {
        for (tool, measured) in tools.iter().zip(&mut measured) {
            let Some(into) = measured else { continue };
            let mut warm_up = Measured::default();
            tool.run(if turn == 0 { &mut warm_up } else { into });
        }
    }
    for measured in measured.iter_mut().flatten() {
        measured.wall.sort_by(f64::total_cmp);
        measured.cpu.sort_by(f64::total_cmp);
    }
    measured
}

/// Compiles the loop that does nothing with packets; `None`, with a word, where there is no compiler or no libpcap.
pub(crate) fn empty_loop(folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/speed/empty_loop.c");
    let program = folder.join("speed-empty-loop");
    let built = Command::new("cc").arg("-O2").arg("-o").arg(&program).arg(source).arg("-lpcap").status();
    let made = built.as_ref().is_ok_and(std::process::ExitStatus::success);
    if !made {
        println!("no empty loop: {built:?} (ci/setup installs gcc and libpcap-dev)");
    }
    made.then_some(program)
}

pub(crate) fn heading() {
    println!(
        "{:<40} {:>8} {:>8} {:>8} {:>8} {:>9}",
        "median of runs", "wall s", "cpu s", "MB/s", "M pkt/s", "peak MiB"
    );
}

pub(crate) fn row(name: &str, measured: &Measured, bytes: u64, frames: u64) {
    let seconds = measured.seconds();
    println!(
        "{name:<40} {:>8.3} {:>8.3} {:>8.0} {:>8.3} {:>9}",
        measured.wall(),
        measured.cpu(),
        bytes as f64 / 1e6 / seconds,
        frames as f64 / 1e6 / seconds,
        match measured.peak_kib {
            0 => "–".to_owned(),
            kib => format!("{:.1}", kib as f64 / 1024.0),
        }
    );
}

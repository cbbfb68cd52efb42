//! Where `tracing` goes: to stderr as far as the person asks for it, to the run's `lab.log` always.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;

/// The variable that says what is logged to stderr, in tracing's own words (`lab=debug`).
const VARIABLE: &str = "LAB_LOG";

static RUN_LOG: OnceLock<File> = OnceLock::new();

/// What goes into the run's log, whatever is asked for on stderr.
const TO_RUN: &str = "warn,lab_runner=debug,lab_agents=debug,lab_virtual_bench=debug,probe_rs=warn";

/// Sets logging up for a command that a person gave. `verbose` counts the `-v`s.
pub fn init(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let to_stderr =
        EnvFilter::builder().with_default_directive(level.into()).with_env_var(VARIABLE).from_env_lossy();
    let stderr = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .with_filter(to_stderr);
    let file = tracing_subscriber::fmt::layer()
        .with_writer(|| RunLog)
        .with_ansi(false)
        .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
        .with_filter(EnvFilter::new(TO_RUN));
    // A second call would be a mistake of ours that costs nothing.
    let _ = tracing_subscriber::registry().with(stderr).with(file).try_init();
}

/// Sets logging up for a process that the lab started itself: its stderr is the run's log.
pub fn init_child() {
    let stderr = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
        .with_filter(EnvFilter::new(TO_RUN));
    let _ = tracing_subscriber::registry().with(stderr).try_init();
}

/// From now on what is logged also goes to this file.
///
/// # Errors
/// When it can't be opened.
pub fn to_run(path: &std::path::Path) -> io::Result<()> {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    let _ = RUN_LOG.set(file);
    Ok(())
}

struct RunLog;

impl Write for RunLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        RUN_LOG.get().map_or(Ok(bytes.len()), |mut file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

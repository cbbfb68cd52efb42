//! The processes behind a live bench: this executable, started again for each agent and for virtual hardware.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lab_agents::carrier::{ChildCarrier, describe, die_with_parent};
use lab_protocol::{Carrier, Incoming, Source};
use serde_json::json;

use super::file::{BenchFile, CaptureOptions, Resource, Resources};
use super::live::Spawner;

/// The emulator and the private bus take well under a second.
const START_WITHIN: Duration = Duration::from_secs(20);
/// How long the virtual hardware may take to switch itself off.
const END_WITHIN: Duration = Duration::from_secs(3);
/// Longest description that is read, in bytes.
const LONGEST_DESCRIPTION: u64 = 1 << 20;

/// Starts agents as `lab agent KIND`.
#[derive(Debug)]
pub struct AgentProcesses<'a> {
    /// This executable.
    pub lab: &'a Path,
    /// Where what they log goes.
    pub log: PathBuf,
}

impl Spawner for AgentProcesses<'_> {
    fn spawn(&self, source: &Source, inbox: Sender<Incoming>) -> io::Result<Box<dyn Carrier>> {
        let log = append(&self.log).ok();
        let carrier = ChildCarrier::start(self.lab, &["agent", source.kind.word()], source, inbox, log)?;
        Ok(Box::new(carrier))
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Why there is no virtual bench.
#[derive(Debug, thiserror::Error)]
pub enum VirtualBenchError {
    /// It could not be started.
    #[error("the virtual bench could not be started: {0}")]
    Start(#[from] io::Error),
    /// It ended, or said something else than what it has.
    #[error("the virtual bench did not come up: {0}")]
    Silent(String),
}

/// Virtual hardware that is switched on, in a process of its own.
#[derive(Debug)]
pub struct VirtualBench {
    child: Arc<Mutex<Child>>,
    /// Its end of file tells the hardware to switch off.
    switch: Option<ChildStdin>,
}

impl VirtualBench {
    /// Switches virtual hardware on; answers with what it has.
    ///
    /// # Errors
    /// [`VirtualBenchError`].
    pub fn start(bench: &BenchFile, lab: &Path, log: &Path) -> Result<(Self, Resources), VirtualBenchError> {
        let mut config = json!({"faults": bench.faults});
        if let Some(companion) = &bench.companion {
            config["companion"] = json!(companion);
        }
        let mut command = Command::new(lab);
        command.args(["virtual-bench", "hardware", "--config"]).arg(config.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(append(log)?);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        die_with_parent(&mut command);
        let mut child = command.spawn()?;
        let (switch, stdout) = (child.stdin.take(), child.stdout.take());
        let desk = Self { child: Arc::new(Mutex::new(child)), switch };
        let stdout = stdout.ok_or_else(|| VirtualBenchError::Silent("it has no output".into()))?;

        let (sender, line) = channel();
        std::thread::Builder::new().name("virtual bench".into()).spawn(move || {
            let mut text = String::new();
            let read = BufReader::new(stdout.take(LONGEST_DESCRIPTION)).read_line(&mut text);
            // The one who waits may have given up.
            let _ = sender.send(read.map(|_| text));
        })?;
        let text = match line.recv_timeout(START_WITHIN) {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => return Err(error.into()),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err(VirtualBenchError::Silent(format!("no answer within {START_WITHIN:?}")));
            }
        };
        let silent = |what: String| VirtualBenchError::Silent(what);
        let said: serde_json::Value = serde_json::from_str(&text)
            .map_err(|_| silent("it ended at once; its last words are in lab.log of the run".into()))?;
        if let Some(error) = said.get("error").and_then(serde_json::Value::as_str) {
            return Err(silent(error.to_owned()));
        }
        let mut resources: Resources =
            serde_json::from_value(said).map_err(|error| silent(error.to_string()))?;
        for resource in resources.0.values_mut() {
            if let Resource::Gateway(gateway) = resource {
                override_capture(&mut gateway.capture, &bench.capture);
            }
        }
        Ok((desk, resources))
    }

    /// Tells the inbox when the hardware ends by itself.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn watch(&mut self, inbox: Sender<Incoming>) -> io::Result<()> {
        let child = Arc::clone(&self.child);
        std::thread::Builder::new().name("virtual bench".into()).spawn(move || {
            loop {
                let status = child.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
                let how = match status {
                    Ok(None) => {
                        std::thread::sleep(Duration::from_millis(20));
                        continue;
                    }
                    Ok(Some(status)) => describe(status),
                    Err(error) => error.to_string(),
                };
                let _ = inbox.send(Incoming::Gone { source: Source::lab(), how });
                return;
            }
        })?;
        Ok(())
    }
}

fn override_capture(own: &mut CaptureOptions, over: &CaptureOptions) {
    if over.interface.is_some() {
        own.interface.clone_from(&over.interface);
    }
    own.buffer = over.buffer.or(own.buffer);
}

impl Drop for VirtualBench {
    fn drop(&mut self) {
        drop(self.switch.take());
        let until = std::time::Instant::now() + END_WITHIN;
        loop {
            let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
            match child.try_wait() {
                Ok(None) if std::time::Instant::now() < until => {}
                Ok(None) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return;
                }
                _ => return,
            }
            drop(child);
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

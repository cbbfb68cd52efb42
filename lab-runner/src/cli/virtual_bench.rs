//! `lab virtual-bench PART`: virtual hardware in a process of its own, as a real one stands on a desk.

use std::io::{Read, Write};

use clap::{Args, Subcommand};
use lab_virtual_bench::companion::CompanionArgs;
use lab_virtual_bench::desk::{Desk, DeskConfig};
use lab_virtual_bench::services::ServicesArgs;

/// Virtual hardware: board, watch, companion and services
#[derive(Debug, Args)]
pub struct VirtualBenchArgs {
    /// Which part
    #[command(subcommand)]
    pub part: Part,
}

/// Parts of the virtual bench.
#[derive(Debug, Subcommand)]
pub enum Part {
    /// Switch board and radio on, and print what to point tools at
    Start {
        /// What the bench is to be, as in a bench file: {"companion": {"version": "2.3.0"}, "faults": {}}
        #[arg(long, value_name = "JSON", default_value = "{}")]
        config: String,
    },
    /// The same for the lab itself: one line of JSON, until standard input ends
    #[command(hide = true)]
    Hardware {
        /// The bench's configuration
        #[arg(long, value_name = "JSON", default_value = "{}")]
        config: String,
    },
    /// The U8's companion app
    Companion(CompanionArgs),
    /// The services that the U8 talks to
    Services(ServicesArgs),
}

/// Runs a part until it ends.
pub fn run(args: VirtualBenchArgs) -> u8 {
    match args.part {
        Part::Start { config } => start(&config),
        Part::Hardware { config } => hardware(&config),
        Part::Companion(args) => match lab_virtual_bench::companion::run(args.into(), std::io::stdout()) {
            Ok(()) => 0,
            Err(error) => complain("companion", &error),
        },
        Part::Services(args) => match lab_virtual_bench::services::run(args.into(), std::io::stdout()) {
            Ok(never) => match never {},
            Err(error) => complain("services", &error),
        },
    }
}

fn complain(part: &str, error: &dyn std::error::Error) -> u8 {
    eprintln!("{part}: {error}");
    1
}

fn desk(config: &str) -> Result<(Desk, serde_json::Value), String> {
    let config: DeskConfig = serde_json::from_str(config)
        .map_err(|error| format!("the virtual bench can't be like this: {error}"))?;
    let lab = std::env::current_exe().map_err(|error| error.to_string())?;
    Desk::start(&config, &lab).map_err(|error| error.to_string())
}

/// Prints the description, or why there is none, and keeps the hardware on until standard input ends.
fn hardware(config: &str) -> u8 {
    let (said, desk) = match desk(config) {
        Ok((desk, description)) => (description, Some(desk)),
        Err(error) => (serde_json::json!({"error": error}), None),
    };
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{said}").and_then(|()| out.flush()).is_err() || desk.is_none() {
        return 1;
    }
    // The lab writes nothing; it closes the pipe, by will or by dying.
    let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
    0
}

fn start(config: &str) -> u8 {
    let (desk, description) = match desk(config) {
        Ok(up) => up,
        Err(error) => {
            eprintln!("lab virtual-bench: {error}");
            return 4;
        }
    };
    let text =
        |pointer: &str| description.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or("?");
    println!("The virtual bench is up. Point tools at it:");
    println!("  probe     {}  (chip {})", text("/watch/probe"), text("/watch/chip"));
    println!("  console   {}", text("/console/port"));
    println!(
        "  radio     DBUS_SYSTEM_BUS_ADDRESS={}  (adapter {})",
        text("/radio/bus"),
        text("/radio/adapter")
    );
    println!("The watch has no firmware yet: flash one, such as fixtures/firmware/u8-1.4.0.elf.");
    println!("It ends with Ctrl-C, or when standard input ends.");
    let signals =
        signal_hook::iterator::Signals::new([signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM]);
    let (ended, end) = std::sync::mpsc::channel();
    if let Ok(mut signals) = signals {
        let ended = ended.clone();
        std::thread::spawn(move || {
            signals.forever().next();
            let _ = ended.send(());
        });
    }
    std::thread::spawn(move || {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        let _ = ended.send(());
    });
    let _ = end.recv();
    drop(desk);
    0
}

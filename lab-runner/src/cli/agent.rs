//! `lab agent KIND`: serves one agent on a file descriptor. The lab starts itself again like this; nobody types it.

use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use clap::Args;
use lab_agents::carrier::{PROTOCOL_FD, taken_fd};
use lab_agents::{Start, serve};
use lab_protocol::AgentKind;

/// Serve one agent on file descriptor 3 (the lab starts this itself)
#[derive(Debug, Args)]
pub struct AgentArgs {
    /// flash, console, ble, companion, network, capture; or namespace-holder, which holds the namespaces
    pub kind: String,
}

/// Serves until the line ends.
pub fn run(args: &AgentArgs) -> ExitCode {
    if args.kind == lab_agents::network::HOLDER_ARGS[1] {
        return lab_agents::network::holder::main();
    }
    let Ok(line) = taken_fd() else {
        eprintln!(
            "lab agent: nothing is open on file descriptor {PROTOCOL_FD}: the lab starts agents itself"
        );
        return ExitCode::from(2);
    };
    let stream = UnixStream::from(line);
    let start: Start = match AgentKind::from_word(&args.kind) {
        Some(AgentKind::Flash) => lab_agents::flash::start,
        Some(AgentKind::Console) => lab_agents::console::start,
        Some(AgentKind::Ble) => lab_agents::ble::start,
        Some(AgentKind::Companion) => lab_agents::companion::start,
        Some(AgentKind::Network) => lab_agents::network::start,
        Some(AgentKind::Capture) => lab_agents::capture::start,
        Some(AgentKind::Lab) | None => {
            eprintln!("lab agent: there is no agent {:?}", args.kind);
            return ExitCode::from(2);
        }
    };
    let served = stream.try_clone().and_then(|writing| {
        // The engine is gone, and with it the reason to be here: what the agent holds dies with this process.
        serve(stream, Box::new(writing), start, || std::process::exit(0))
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(agent = %args.kind, %error, "the agent ended");
            ExitCode::FAILURE
        }
    }
}

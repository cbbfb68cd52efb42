//! The messages on the wire, around commands and events.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BlobRef, ClockPair, Command, Epoch, Event, Source};

/// From the engine's side to an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum ToAgent {
    /// First of all. The agent answers with its own hello or goes away.
    Hello {
        /// The protocol spoken.
        version: u32,
        /// Who the agent is in this run.
        you: Source,
        /// Where times count from.
        epoch: Epoch,
        /// Where the role is on this bench, as the bench file says; only this agent understands it.
        binding: Value,
    },
    /// Bytes that a later command refers to; they follow the message.
    Blob {
        /// What they are.
        blob: BlobRef,
        /// The bytes; carried behind the message.
        #[serde(skip)]
        bytes: Vec<u8>,
    },
    /// Do this.
    Command {
        /// What.
        command: Command,
    },
    /// Give up on a command.
    Cancel {
        /// Its id.
        id: u64,
    },
    /// Release everything and go.
    Shutdown,
}

/// From an agent to the engine's side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum FromAgent {
    /// Answer to the hello.
    Hello {
        /// The protocol spoken.
        version: u32,
        /// Both clocks.
        clock: ClockPair,
    },
    /// Something happened.
    Event {
        /// The command that it belongs to.
        id: Option<u64>,
        /// When, in nanoseconds since the epoch.
        t: u64,
        /// What.
        event: Event,
    },
    /// More bytes of a file that grows; they follow the message.
    Chunk {
        /// The file's place in the attempt's directory, with `/` between the parts.
        name: String,
        /// The bytes; carried behind the message.
        #[serde(skip)]
        bytes: Vec<u8>,
    },
    /// Something of this host that another agent's binding needs (a namespace to enter). Never logged.
    Attach {
        /// Its name; it appears in later bindings under `attached`.
        name: String,
        /// What only agents of the same host understand.
        handle: Value,
    },
}

//! Commands: what the engine asks an agent to do.
//!
//! An [`Action`] is canonical: it holds what the plan says, in roles, and nothing of this desk (no path, port, address
//! of hardware, process id or time). Replay matches it word for word. Where a role is on this bench is told to the
//! agent in its hello (`binding`), never here.

use serde::{Deserialize, Serialize};

use crate::BlobRef;

/// Which agent a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentKind {
    /// The bench itself: phases, waiting, notes. Carried out by the carrier's side, by no process of its own.
    Lab,
    /// Writes firmware through a debug probe.
    Flash,
    /// Reads and writes a serial console.
    Console,
    /// Plays the operating system's Bluetooth: scan, bond, GATT.
    Ble,
    /// Starts and watches the companion app.
    Companion,
    /// Makes the isolated network.
    Network,
    /// Records packets at a vantage point.
    Capture,
}

impl AgentKind {
    /// The word used in logs and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lab => "lab",
            Self::Flash => "flash",
            Self::Console => "console",
            Self::Ble => "ble",
            Self::Companion => "companion",
            Self::Network => "network",
            Self::Capture => "capture",
        }
    }

    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Lab, Self::Flash, Self::Console, Self::Ble, Self::Companion, Self::Network, Self::Capture]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

/// Who an agent is in this run: its kind, and the role in the plan that it serves. Written `kind:role`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// What it does.
    pub kind: AgentKind,
    /// Which of the plan's `needs` it stands for; empty for the lab itself.
    pub role: String,
}

impl Source {
    /// The agent of this kind that serves this role.
    pub fn new(kind: AgentKind, role: impl Into<String>) -> Self {
        Self { kind, role: role.into() }
    }

    /// The lab itself.
    pub fn lab() -> Self {
        Self::new(AgentKind::Lab, "")
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.role.is_empty() {
            f.write_str(self.kind.word())
        } else {
            write!(f, "{}:{}", self.kind.word(), self.role)
        }
    }
}

impl Serialize for Source {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (kind, role) = text.split_once(':').unwrap_or((&text, ""));
        let kind = AgentKind::from_word(kind)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown agent {kind:?}")))?;
        Ok(Self::new(kind, role))
    }
}

/// The step of the plan that a command belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRef {
    /// Name of the phase; `setup` and `teardown` are the lab's own.
    pub phase: String,
    /// Place of the step in its phase, from 0.
    pub index: u32,
    /// The step's `id`, or its action and main argument (`expect console`).
    pub label: String,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Counts from 1 in an attempt.
    pub id: u64,
    /// Who is to do it.
    pub to: Source,
    /// The plan's step.
    pub step: StepRef,
    /// After this many milliseconds the carrier gives up and kills the agent.
    pub deadline_ms: u64,
    /// What to do.
    pub action: Action,
}

/// The format of a firmware image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageFormat {
    /// ELF, as a linker writes it.
    Elf,
    /// Intel HEX.
    Hex,
    /// Raw bytes for the address given.
    Bin {
        /// Where the first byte goes.
        base: u64,
    },
}

/// How the watch and the phone prove to each other who they are (Bluetooth Core 5.4, Vol 3 Part H, 2.3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairingMethod {
    /// Nobody checks anything.
    JustWorks,
    /// The watch shows six digits, the phone enters them.
    Passkey,
    /// Both show six digits and the person compares.
    NumericComparison,
}

/// What can be asked of an agent. Which agent answers to what stands beside each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// lab: a phase begins now.
    Phase {
        /// Its name in the plan.
        name: String,
    },
    /// lab: let time pass.
    Idle {
        /// How long, in milliseconds.
        ms: u64,
    },
    /// lab: fail this step as the product's fault, because it can't be asked for with the values captured before it.
    Unfit {
        /// What doesn't fit.
        message: String,
    },
    /// lab: put a text into the log.
    Note {
        /// The text.
        text: String,
    },

    /// flash: write the image, then let it run from reset. Replies [`crate::Reply::Flashed`].
    Flash {
        /// What to write.
        image: BlobRef,
        /// How to read it.
        format: ImageFormat,
        /// Read back and compare.
        verify: bool,
    },
    /// flash: reset the target and let it run.
    Reset,

    /// console: open the port and log every line from now on.
    OpenConsole,
    /// console, companion: wait for a line that matches, among those since the last match. Replies [`crate::Reply::Matched`].
    ExpectLine {
        /// A regular expression; its named groups become variables.
        pattern: String,
        /// How long to wait, in milliseconds.
        within_ms: u64,
    },
    /// console: write a line.
    SendLine {
        /// The line, without its end.
        text: String,
    },

    /// ble: adapter on; forget bonds with devices of these names, so that the run starts unpaired.
    PrepareRadio {
        /// Advertised names.
        forget: Vec<String>,
    },
    /// ble: wait until one device that fits advertises; it is the target of what follows. Replies [`crate::Reply::Found`].
    Scan {
        /// Advertised name.
        name: Option<String>,
        /// Device address.
        address: Option<String>,
        /// UUID of an advertised service.
        service: Option<String>,
        /// How long to wait, in milliseconds.
        within_ms: u64,
    },
    /// ble: bond with the target, as the phone's system would.
    Pair {
        /// By which method.
        method: PairingMethod,
        /// What the person types in, for [`PairingMethod::Passkey`].
        passkey: Option<String>,
        /// What the person says to the comparison, for [`PairingMethod::NumericComparison`].
        confirm: bool,
        /// How long to wait, in milliseconds.
        within_ms: u64,
    },
    /// ble: connect to the target and discover its services.
    Connect {
        /// How long to wait, in milliseconds.
        within_ms: u64,
    },
    /// ble: read a characteristic. Replies [`crate::Reply::Matched`]; a value that doesn't match is the product's fault.
    Read {
        /// Its UUID, in the 36 characters of the long form.
        characteristic: String,
        /// Whether the value is taken as UTF-8 (else as lower-case hexadecimal).
        as_text: bool,
        /// A regular expression that the value has to match; its named groups become variables.
        pattern: Option<String>,
    },
    /// ble: write a characteristic.
    Write {
        /// Its UUID.
        characteristic: String,
        /// Bytes in hexadecimal.
        value: String,
        /// Whether the watch must acknowledge.
        response: bool,
    },
    /// ble: subscribe to a characteristic's notifications.
    Subscribe {
        /// Its UUID.
        characteristic: String,
    },
    /// ble: wait for a notification whose bytes, in hexadecimal, match. Replies [`crate::Reply::Matched`].
    ExpectNotification {
        /// UUID of the characteristic.
        characteristic: String,
        /// A regular expression over lower-case hexadecimal; absent: any.
        pattern: Option<String>,
        /// How long to wait, in milliseconds.
        within_ms: u64,
    },
    /// ble: disconnect, remove the bond that this run made.
    ReleaseRadio,

    /// companion: start the app. Replies [`crate::Reply::Started`] where the bench names its program by a path.
    Launch {
        /// Its name on the bench.
        app: String,
    },
    /// companion: end the app.
    Stop {
        /// Its name on the bench.
        app: String,
    },

    /// network: make the network and start what stands behind it. Replies [`crate::Reply::Network`].
    NetworkUp,
    /// network: send one canary frame from each end of every link. Replies [`crate::Reply::CanarySent`].
    Canary,
    /// network: fail with a bench fault unless everything behind the link still runs.
    CheckNetwork,
    /// network: take the network down.
    NetworkDown,

    /// capture: record at this vantage point; answers once packets are being received.
    StartCapture {
        /// Its name on the bench.
        vantage: String,
    },
    /// capture: wait until this many canaries were seen in both directions.
    AwaitCanary {
        /// Its name on the bench.
        vantage: String,
        /// How many, since the start.
        count: u32,
    },
    /// capture: end the recording once all that was received is written. Replies [`crate::Reply::Captured`].
    StopCapture {
        /// Its name on the bench.
        vantage: String,
    },
}

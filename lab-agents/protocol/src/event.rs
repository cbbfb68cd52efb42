//! Events: what agents report. Times stand on the envelope ([`crate::FromAgent::Event`]), not in here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{BlobRef, ClockPair, Epoch, Fault};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// lab: an attempt begins.
    Begin {
        /// Version of the log.
        format: u32,
        /// Counts from 1 in a run.
        attempt: u32,
        /// Which of the plan's repeats it belongs to, from 1.
        repeat: u32,
        /// `virtual` or `real`; every verdict names it.
        bench: String,
        /// Where times count from.
        epoch: Epoch,
    },
    /// An agent is there.
    Hello {
        /// The protocol it speaks.
        version: u32,
        /// Both clocks as it reads them.
        clock: ClockPair,
    },
    /// Both clocks again, so that a step of the wall clock can be seen.
    Clock {
        /// The pair.
        clock: ClockPair,
    },
    /// A command goes on.
    Progress {
        /// What is being done (`erase`, `program`, `verify`).
        what: String,
        /// How far, in the unit of `total`.
        done: u64,
        /// Of how much; 0 where unknown.
        total: u64,
    },
    /// A line on a console or from a program. Bytes that don't print are escaped as `\xNN`.
    Line {
        /// `console`, `stdout` or `stderr`.
        stream: String,
        /// The line without its end.
        text: String,
    },
    /// A program ended that was not asked to.
    Exited {
        /// Which: the app's name, or `services`.
        what: String,
        /// How: `exit status 1`, `killed by signal 9`.
        status: String,
    },
    /// A notification came in.
    Notified {
        /// UUID of the characteristic.
        characteristic: String,
        /// Bytes in lower-case hexadecimal.
        value: String,
    },
    /// A canary frame was captured.
    CanarySeen {
        /// At which vantage point.
        vantage: String,
        /// In which direction.
        way: CanaryWay,
        /// Number of the frame in the capture, from 1.
        frame: u64,
    },
    /// Counters of a capture.
    CaptureStats {
        /// At which vantage point.
        vantage: String,
        /// Packets that the filter passed (pcap_stats ps_recv).
        received: u64,
        /// Dropped for want of buffer (ps_drop).
        dropped: u64,
        /// Dropped by the interface (ps_ifdrop).
        if_dropped: u64,
        /// Frames written.
        written: u64,
    },
    /// A file is complete.
    Artifact {
        /// Its place in the attempt's directory, with `/` between the parts.
        name: String,
        /// What is in it.
        blob: BlobRef,
    },
    /// A fault that no command asked for.
    Fault {
        /// The fault.
        fault: Fault,
    },
    /// A command succeeded.
    Done {
        /// What it gave.
        reply: Reply,
    },
    /// A command failed.
    Failed {
        /// Why.
        fault: Fault,
    },
    /// A command was cancelled before it ended.
    Cancelled,
    /// lab: the person interrupted the run.
    Interrupted,
    /// lab: the attempt ended in order; nothing follows.
    End,
}

/// Which way a canary crossed the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CanaryWay {
    /// From the phone's side.
    Out,
    /// Towards the phone's side.
    In,
}

/// What a command gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Reply {
    /// Nothing beyond success.
    Ok,
    /// Firmware is on the target and runs.
    Flashed {
        /// Bytes of the image.
        bytes: u64,
        /// False where it was there already.
        written: bool,
    },
    /// An app was started.
    Started {
        /// Its program, as it was then; of a script the script.
        program: BlobRef,
    },
    /// An expectation was met.
    Matched {
        /// The line, the value read, or the notification's bytes in hexadecimal.
        text: String,
        /// Named groups.
        groups: BTreeMap<String, String>,
    },
    /// A device was found.
    Found {
        /// Its advertised name.
        name: Option<String>,
        /// Its address.
        address: String,
        /// Signal strength in dBm.
        rssi: Option<i16>,
    },
    /// The network is up.
    Network {
        /// Who is where on it.
        facts: NetworkFacts,
    },
    /// Canary frames were sent, one from each end.
    CanarySent {
        /// What they carry, in lower-case hexadecimal. Random, so that nothing else can pass for one.
        nonce: String,
    },
    /// A capture is complete.
    Captured {
        /// At which vantage point.
        vantage: String,
        /// Packets that the filter passed.
        received: u64,
        /// Dropped for want of buffer.
        dropped: u64,
        /// Dropped by the interface.
        if_dropped: u64,
        /// Frames written.
        written: u64,
    },
}

/// Who is where on the bench's network: what tells talkers apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkFacts {
    /// Those whose traffic is judged.
    pub sides: Vec<Side>,
    /// Where packets are seen.
    pub vantages: Vec<Vantage>,
    /// IP addresses of the routers that the network gives its hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<String>,
    /// IP addresses of the resolvers that the network gives its hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolvers: Vec<String>,
    /// The network's own prefixes (`192.0.2.0/24`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
}

/// One side of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// `phone`, `watch` or `services`.
    pub name: String,
    /// Hardware addresses, `aa:bb:…`.
    pub macs: Vec<String>,
    /// IP addresses.
    pub addresses: Vec<String>,
    /// True where nothing but the companion runs there, so that its packets are the app's.
    pub only_companion: bool,
}

/// A place where packets are captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vantage {
    /// Its name; captures are named after it.
    pub name: String,
    /// The side whose link it watches.
    pub side: String,
}

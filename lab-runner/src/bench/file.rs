//! The bench file, and the description that the virtual bench emits in the very same shape.
//!
//! It names what may be executed on this desk. It opens and starts nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::Kind;

/// The newest `format` of a bench file that this lab reads.
pub const FORMAT: u64 = 1;

/// The roles that the virtual bench fills, and with what.
pub const VIRTUAL_ROLES: [(&str, Kind); 5] = [
    ("watch", Kind::Board),
    ("console", Kind::Serial),
    ("radio", Kind::Ble),
    ("phone", Kind::Companion),
    ("net", Kind::Gateway),
];

/// The app that the virtual bench's phone has.
pub const VIRTUAL_APPS: [&str; 1] = ["companion"];

/// A bench file that passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchFile {
    /// Real hardware or the virtual bench; every verdict names it.
    pub kind: BenchKind,
    /// What a real bench has. Empty for a virtual one, which describes itself once it runs.
    pub resources: Resources,
    /// Which companion the virtual bench has. `None`: the virtual bench's own default.
    pub companion: Option<VirtualCompanion>,
    /// What the virtual bench does wrong on purpose, handed on to it as it is.
    pub faults: serde_json::Map<String, serde_json::Value>,
    /// How packets are captured, over the gateway's own settings.
    pub capture: CaptureOptions,
    /// The file's path, as it was given.
    pub file: PathBuf,
    /// The file's text, for diagnostics and for its hash.
    pub source: String,
}

/// What stands behind a bench's resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BenchKind {
    /// Emulated hardware that the lab starts itself.
    Virtual,
    /// Hardware on a desk.
    Real,
}

/// Role to resource. Serialised, this is what the virtual bench prints and what a bench file has under `resources`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Resources(pub BTreeMap<String, Resource>);

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Resource {
    /// A dev board behind a debug probe.
    Board(Board),
    /// A serial console.
    Serial(Serial),
    /// A Bluetooth LE adapter.
    Ble(Ble),
    /// The companion app and what it runs on.
    Companion(Companion),
    /// The network between phone and services.
    Gateway(Gateway),
}

impl Resource {
    /// The resource's kind.
    pub fn kind(&self) -> Kind {
        match self {
            Resource::Board(_) => Kind::Board,
            Resource::Serial(_) => Kind::Serial,
            Resource::Ble(_) => Kind::Ble,
            Resource::Companion(_) => Kind::Companion,
            Resource::Gateway(_) => Kind::Gateway,
        }
    }
}

/// A dev board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// The debug probe, `VID:PID:serial` with VID and PID in hex, or `VID:PID:host:port` for one on the network.
    pub probe: String,
    /// The chip's name as probe-rs has it, such as `nRF51822_xxAA`.
    pub chip: String,
}

/// A serial port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Serial {
    /// The device's path; one under `/dev/serial/by-id` stays the same when cables move.
    pub port: String,
    /// Bits a second, 8N1. Default: 115200.
    #[serde(default = "default_baud")]
    pub baud: u32,
}

fn default_baud() -> u32 {
    115_200
}

/// A Bluetooth LE adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ble {
    /// The adapter's name, such as `hci0`.
    pub adapter: String,
    /// The D-Bus address on which BlueZ is. Default: the system bus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<String>,
}

/// The companion app and what it runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    /// How apps are started.
    pub driver: CompanionDriver,
    /// The apps by the names that plans use.
    pub apps: BTreeMap<String, Program>,
}

/// How a companion's apps are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CompanionDriver {
    /// A program on the lab host, inside the phone's network namespace.
    Program,
}

/// A program that the bench may run. No shell reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The executable; relative ones start at the bench file's folder, bare names are looked up on PATH.
    pub program: String,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// What is set in its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// The network between phone and services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// What the network is made of.
    pub driver: GatewayDriver,
    /// The phone's end of the link.
    pub phone: PhoneEnd,
    /// The services' end of the link.
    pub services: ServicesEnd,
    /// How packets are captured.
    #[serde(default, skip_serializing_if = "CaptureOptions::is_default")]
    pub capture: CaptureOptions,
}

/// What a gateway's network is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GatewayDriver {
    /// Two network namespaces on this host, joined by one link.
    Namespaces,
}

/// The phone's end of the link, `eth0`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhoneEnd {
    /// Its addresses with prefix length, such as `192.0.2.10/24`.
    #[schemars(with = "Vec<String>")]
    pub addresses: Vec<ipnet::IpNet>,
    /// The next hops of its default routes, one an address family.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub routes: Vec<std::net::IpAddr>,
    /// The resolvers that it is given: what a manifest's `class: dns-resolver` means here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub resolvers: Vec<std::net::IpAddr>,
}

/// The services' end of the link, `eth0`, and the addresses behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServicesEnd {
    /// The link's addresses with prefix length.
    #[schemars(with = "Vec<String>")]
    pub addresses: Vec<ipnet::IpNet>,
    /// The addresses on which the services answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub services: Vec<std::net::IpAddr>,
    /// The program that answers there. It prints the line `ready` once it does, or `ready alive` where it also
    /// answers `alive?` on standard input with `alive`. Without one nothing answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
}

/// How packets are captured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaptureOptions {
    /// The interface. Default: the phone's end of the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The kernel's buffer in bytes. Default: 32 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer: Option<u32>,
}

impl CaptureOptions {
    /// Whether nothing is asked for.
    pub fn is_default(&self) -> bool {
        *self == CaptureOptions::default()
    }
}

/// Which companion the virtual bench has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VirtualCompanion {
    /// Its version, in quotes.
    pub version: String,
}

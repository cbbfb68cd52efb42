//! The test plan: what to do with the product, in phases and steps, checked before anything runs.
//!
//! A `Plan` in hand is valid in itself: its roles are resolved, its patterns compile, its variables are defined
//! before they are used and its files exist. It never says what a bench may execute; that is the bench file's part.

mod action;
mod against_bench;
mod args;
mod duration;
mod images;
mod inputs;
mod read;
mod scalar;
mod schema;
mod text;
mod uuid;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::yaml::Position;
pub use against_bench::problems_on as problems_on_bench;
pub use duration::{LONGEST as LONGEST_DURATION, parse as parse_duration};
pub use images::{Image, ImageError, Images};
pub use inputs::{BENCH_BESIDE, Inputs};
pub(crate) use read::is_role;
pub use schema::schema;
pub use text::{MissingVariable, Pattern, Template, Variables};
pub use uuid::Uuid;

/// The newest `format` of a plan that this lab reads.
pub const FORMAT: u64 = 1;

/// The lab's own phase before the plan's first: networks and captures come up.
pub const SETUP: &str = "setup";
/// The lab's own phase after the plan's last: everything is put away.
pub const TEARDOWN: &str = "teardown";

/// How long an `expect`, a `scan` waits when the step doesn't say `within`.
pub const DEFAULT_WITHIN: Duration = Duration::from_secs(10);

/// How long pairing may take when the step doesn't say `within`: a person may have to type on a real phone.
pub const DEFAULT_PAIRING: Duration = Duration::from_secs(30);

/// A test plan that passed every check that needs no bench.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What this plan shows, for people.
    pub name: String,
    /// The product under test.
    pub product: Product,
    /// The privacy manifest that the run is judged against.
    pub manifest: PlanPath,
    /// The resources that a bench must have: role to kind.
    pub needs: BTreeMap<String, Kind>,
    /// Where the plan names each of them.
    pub needs_at: BTreeMap<String, Position>,
    /// How often the whole plan runs (1–1000).
    pub repeat: u32,
    /// What traffic is attributed to, in the order of the file. Never empty; names are unique.
    pub phases: Vec<Phase>,
    /// What is asserted once everything ran (`assert:`).
    pub assertions: Assertions,
    /// The plan's own path, as it was given.
    pub file: PathBuf,
    /// The plan's text, for diagnostics and for its hash.
    pub source: String,
}

/// Who made the product, and which one it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// The vendor's name.
    pub vendor: String,
    /// The model's name.
    pub model: String,
}

/// A path in a plan: relative ones start at the plan's folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanPath {
    /// As the plan has it; this is what goes into commands and records.
    pub written: String,
    /// Where it is from the current folder.
    pub resolved: PathBuf,
}

/// The kinds of resource that a bench can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A dev board behind a debug probe.
    Board,
    /// A serial console.
    Serial,
    /// A Bluetooth LE adapter.
    Ble,
    /// The companion app and what it runs on.
    Companion,
    /// The network between phone and services, where packets are captured.
    Gateway,
}

impl Kind {
    /// The word for it in plans and bench files.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Board => "board",
            Kind::Serial => "serial",
            Kind::Ble => "ble",
            Kind::Companion => "companion",
            Kind::Gateway => "gateway",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A named span of a run that traffic is attributed to.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Unique within the plan.
    pub name: String,
    /// In the order of the file; never empty.
    pub steps: Vec<Step>,
    /// Where the phase stands in the plan.
    pub at: Position,
}

/// One action with its common keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The step's own name, unique within the plan; `--until` and reports use it.
    pub id: Option<String>,
    /// The longest that the step may take, over the action's own default.
    pub timeout: Option<Duration>,
    /// How many more attempts a bench fault may have (0–10). A failed expectation is never tried again.
    pub retry: u32,
    /// The role that the action goes to. Resolved: an action that needs a resource always has one here.
    pub on: Option<String>,
    /// What to do.
    pub action: StepAction,
    /// Where the step stands in the plan.
    pub at: Position,
}

/// What a step does. The variants' fields are checked; templates still hold their variables.
#[derive(Debug, Clone, PartialEq)]
pub enum StepAction {
    /// Write a firmware image to the board and let it run.
    Flash(Flash),
    /// Reset the board and let it run.
    Reset,
    /// Wait until a source says something.
    Expect(Expect),
    /// Send a line to the serial console.
    Send(Send),
    /// Wait until a Bluetooth device advertises.
    Scan(Scan),
    /// Bond with the device that the last scan found.
    Pair(Pair),
    /// Connect to the device that the last scan found.
    Connect,
    /// Read a characteristic.
    Read(Read),
    /// Write a characteristic.
    Write(Write),
    /// Ask for a characteristic's notifications; a later `expect` waits for them.
    Subscribe(Subscribe),
    /// Start an app that the bench names.
    Launch(App),
    /// Stop an app that was launched.
    Stop(App),
    /// Do nothing and watch, for this long.
    Idle(Duration),
    /// Write a remark into the event log.
    Note(Template),
}

impl StepAction {
    /// The action's key in a plan.
    pub fn word(&self) -> &'static str {
        match self {
            StepAction::Flash(_) => "flash",
            StepAction::Reset => "reset",
            StepAction::Expect(_) => "expect",
            StepAction::Send(_) => "send",
            StepAction::Scan(_) => "scan",
            StepAction::Pair(_) => "pair",
            StepAction::Connect => "connect",
            StepAction::Read(_) => "read",
            StepAction::Write(_) => "write",
            StepAction::Subscribe(_) => "subscribe",
            StepAction::Launch(_) => "launch",
            StepAction::Stop(_) => "stop",
            StepAction::Idle(_) => "idle",
            StepAction::Note(_) => "note",
        }
    }

    /// The kind of resource that the action goes to, if any.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            StepAction::Flash(_) | StepAction::Reset => Some(Kind::Board),
            StepAction::Send(_) => Some(Kind::Serial),
            StepAction::Expect(expect) => Some(match expect.source {
                ExpectSource::Console => Kind::Serial,
                ExpectSource::Companion => Kind::Companion,
                ExpectSource::Notification(_) => Kind::Ble,
            }),
            StepAction::Scan(_)
            | StepAction::Pair(_)
            | StepAction::Connect
            | StepAction::Read(_)
            | StepAction::Write(_)
            | StepAction::Subscribe(_) => Some(Kind::Ble),
            StepAction::Launch(_) | StepAction::Stop(_) => Some(Kind::Companion),
            StepAction::Idle(_) | StepAction::Note(_) => None,
        }
    }
}

/// `flash`: a firmware image onto the board.
#[derive(Debug, Clone, PartialEq)]
pub struct Flash {
    /// The image; it exists and is not empty.
    pub image: PlanPath,
    /// Its format; without one it is told by content.
    pub format: Option<ImageFormat>,
    /// Where a `bin` image goes: the first address. Only with `bin`, and always with it.
    pub address: Option<u64>,
    /// Read back and compare after writing. Default: true.
    pub verify: bool,
}

/// What a firmware image is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImageFormat {
    /// An ELF executable.
    Elf,
    /// Intel HEX.
    Hex,
    /// Raw bytes; needs `address`.
    Bin,
}

/// `expect`: wait until a line or a notification matches.
#[derive(Debug, Clone, PartialEq)]
pub struct Expect {
    /// Who has to say it.
    pub source: ExpectSource,
    /// What has to be said. Matched against a console or companion line, or a notification's bytes in lower-case hex.
    pub pattern: Pattern,
    /// How long to wait.
    pub within: Duration,
}

/// Whom an `expect` listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectSource {
    /// The serial console.
    Console,
    /// The companion app's output.
    Companion,
    /// Notifications of this characteristic.
    Notification(Uuid),
}

/// `send`: a line to the serial console; the line ending is the agent's.
#[derive(Debug, Clone, PartialEq)]
pub struct Send {
    /// The line.
    pub console: Template,
}

/// `scan`: wait until a device is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// Which device.
    pub target: ScanTarget,
    /// How long to look.
    pub within: Duration,
}

/// What a scan looks for.
#[derive(Debug, Clone, PartialEq)]
pub enum ScanTarget {
    /// The advertised local name, whole.
    Name(Template),
    /// The device's address, `AA:BB:CC:DD:EE:FF`, upper case.
    Address(String),
    /// An advertised service.
    Service(Uuid),
}

/// `pair`: bond with the watch.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// How.
    pub method: PairMethod,
    /// Who asks for it.
    pub via: Via,
    /// How long the bond may take.
    pub within: Duration,
}

/// How two devices make sure of each other.
#[derive(Debug, Clone, PartialEq)]
pub enum PairMethod {
    /// Nothing is shown or typed.
    JustWorks,
    /// The watch shows six digits, and the phone types them.
    Passkey(Template),
    /// Both show six digits; `confirm` says whether the user calls them equal.
    NumericComparison {
        /// The user's answer.
        confirm: bool,
    },
}

/// Whose system does the bonding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The lab host plays the phone's operating system.
    #[default]
    Host,
    /// The app's and the phone's own dialogs. Not there yet: refused by the check.
    Companion,
}

/// `read`: a characteristic's value.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// Which one.
    pub characteristic: Uuid,
    /// How the value is shown to `matches` and saved.
    pub form: ValueForm,
    /// What the value must match. Its named groups become variables.
    pub matches: Option<Pattern>,
    /// The variable that the whole value is saved in.
    pub save: Option<String>,
}

/// A value's written form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
pub enum ValueForm {
    /// UTF-8.
    #[default]
    Text,
    /// Lower-case hexadecimal digits, two a byte.
    Hex,
}

/// `write`: a characteristic's new value.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Which one.
    pub characteristic: Uuid,
    /// What `value` is written in.
    pub form: ValueForm,
    /// The value; hex is checked here where it holds no variable, and by the engine where it does.
    pub value: Template,
}

/// `subscribe`: a characteristic's notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Which one.
    pub characteristic: Uuid,
}

/// `launch`, `stop`: an app by the name that the bench gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// The app's name in the bench file.
    pub app: String,
}

/// What a plan asserts at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assertions {
    /// What every endpoint must be. `None` only in a plan without a gateway, where none can be seen.
    pub endpoints: Option<EndpointRule>,
    /// The set of endpoints must equal the accepted snapshot.
    pub snapshot: bool,
}

/// What is asked of the endpoints that were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndpointRule {
    /// Each was declared in the privacy manifest.
    Declared,
}

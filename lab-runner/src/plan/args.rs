//! What stands under each action's key, as it is written. `action` makes a checked `StepAction` of it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalar::{DurationText, PatternText, TemplateText};
use super::{ImageFormat, Uuid, ValueForm, Via};

/// flash: write a firmware image to the board and let it run
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "what to flash, such as `{image: watch.elf}`")]
#[schemars(rename = "Flash")]
pub(super) struct FlashArgs {
    /// the firmware image, from the plan's folder
    pub(super) image: String,
    /// the image's format; without it, it is told by content
    pub(super) format: Option<ImageFormat>,
    /// where a bin image goes: the first address
    pub(super) address: Option<u64>,
    /// read back and compare (default: true)
    pub(super) verify: Option<bool>,
}

/// expect: wait until the console, the companion or a notification matches
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "what to expect, such as `{console: \"ready\", within: 5s}`")]
#[schemars(rename = "Expect")]
pub(super) struct ExpectArgs {
    /// what a line of the serial console has to match
    pub(super) console: Option<PatternText>,
    /// what a line of the companion app has to match
    pub(super) companion: Option<PatternText>,
    /// the characteristic whose notification has to match `matches`
    pub(super) notification: Option<Uuid>,
    /// what a notification's bytes, in lower-case hex, have to match
    pub(super) matches: Option<PatternText>,
    /// how long to wait (default: 10s)
    pub(super) within: Option<DurationText>,
}

/// send: a line to the serial console
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "what to send, such as `{console: \"ver\"}`")]
#[schemars(rename = "Send")]
pub(super) struct SendArgs {
    /// the line; its ending is added
    pub(super) console: TemplateText,
}

/// scan: wait until a Bluetooth device advertises
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "what to look for, such as `{name: My Watch, within: 10s}`")]
#[schemars(rename = "Scan")]
pub(super) struct ScanArgs {
    /// the whole advertised name
    pub(super) name: Option<TemplateText>,
    /// the device's address, AA:BB:CC:DD:EE:FF
    pub(super) address: Option<String>,
    /// an advertised service
    pub(super) service: Option<Uuid>,
    /// how long to look (default: 10s)
    pub(super) within: Option<DurationText>,
}

/// how two devices make sure of each other
#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "PairMethod")]
pub(super) enum PairWord {
    JustWorks,
    Passkey,
    NumericComparison,
}

/// pair: bond with the device that was scanned for
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "how to pair, such as `{method: just-works}`")]
#[schemars(rename = "Pair")]
pub(super) struct PairArgs {
    /// how
    pub(super) method: PairWord,
    /// the six digits that the watch shows; with method passkey only
    pub(super) passkey: Option<TemplateText>,
    /// whether the digits are called equal (default: true); with method numeric-comparison only
    pub(super) confirm: Option<bool>,
    /// whose system bonds (default: host)
    pub(super) via: Option<Via>,
    /// how long the bond may take (default: 30s)
    pub(super) within: Option<DurationText>,
}

/// read: a characteristic's value
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "what to read, such as `{characteristic: \"2A26\"}`")]
#[schemars(rename = "Read")]
pub(super) struct ReadArgs {
    /// which one
    pub(super) characteristic: Uuid,
    /// how the value is written for `matches` and `save` (default: text)
    #[serde(rename = "as")]
    pub(super) form: Option<ValueForm>,
    /// what the value has to match
    pub(super) matches: Option<PatternText>,
    /// the variable that the value is saved in
    pub(super) save: Option<String>,
}

/// write: a characteristic's new value, as hex or as text
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "what to write, such as `{characteristic: FE01, hex: \"01ff\"}`")]
#[schemars(rename = "Write")]
pub(super) struct WriteArgs {
    /// which one
    pub(super) characteristic: Uuid,
    /// the value in hex digits
    pub(super) hex: Option<TemplateText>,
    /// the value as text
    pub(super) text: Option<TemplateText>,
}

/// subscribe: ask for a characteristic's notifications
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "what to subscribe to, such as `{characteristic: FE02}`")]
#[schemars(rename = "Subscribe")]
pub(super) struct SubscribeArgs {
    /// which one
    pub(super) characteristic: Uuid,
}

/// launch, stop: an app by the name that the bench gives it
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "the app, such as `{app: companion}`")]
#[schemars(rename = "App")]
pub(super) struct AppArgs {
    /// the app's name in the bench file
    pub(super) app: String,
}

/// takes nothing
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "nothing, written `{}`")]
#[schemars(rename = "No")]
pub(super) struct NoArgs {}

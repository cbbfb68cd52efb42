//! From what the plan says to what an agent is asked: variables filled in, images as hashes, durations in milliseconds.

use std::time::Duration;

use lab_protocol::{Action, AgentKind, PairingMethod};

use crate::plan::Images;
use crate::plan::{ExpectSource, PairMethod, ScanTarget, Step, StepAction, ValueForm, Variables};

/// What an agent gets on top of the time that its action itself allows, before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// For actions that name no time of their own.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(15);
/// Erasing and programming the largest chips over a slow probe takes minutes; a hang is told sooner by `timeout:`.
const FLASH_DEADLINE: Duration = Duration::from_secs(120);
/// How long BlueZ itself waits for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// An action, who carries it out, and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) kind: AgentKind,
    pub(super) action: Action,
    pub(super) deadline: Duration,
    /// The variable that the reply's text is kept in.
    pub(super) save: Option<String>,
}

/// What a step asks for. One that makes no sense with the values captured before it asks the lab to fail it, so that
/// this too is in the log and replays.
pub(super) fn order(step: &Step, variables: &Variables, images: &Images) -> Order {
    // The message is part of the command, so it says nothing that a comment in the plan could change, such as a line.
    try_order(step, variables, images).unwrap_or_else(|message| Order {
        kind: AgentKind::Lab,
        action: Action::Unfit { message },
        deadline: DEFAULT_DEADLINE,
        save: None,
    })
}

fn try_order(step: &Step, variables: &Variables, images: &Images) -> Result<Order, String> {
    let fill =
        |text: Result<String, crate::plan::MissingVariable>| text.map_err(|missing| missing.to_string());
    let mut save = None;
    let (kind, action, own_time) = match &step.action {
        StepAction::Flash(flash) => {
            let image = images
                .get(&flash.image.written)
                .ok_or_else(|| format!("the image {} was not loaded", flash.image.written))?;
            let action =
                Action::Flash { image: image.blob.clone(), format: image.format, verify: flash.verify };
            (AgentKind::Flash, action, FLASH_DEADLINE)
        }
        StepAction::Reset => (AgentKind::Flash, Action::Reset, DEFAULT_DEADLINE),
        StepAction::Expect(expect) => {
            let pattern = fill(expect.pattern.fill(variables))?;
            let within_ms = ms(expect.within);
            let line = |kind| {
                (kind, Action::ExpectLine { pattern: pattern.clone(), within_ms }, expect.within + GRACE)
            };
            match &expect.source {
                ExpectSource::Console => line(AgentKind::Console),
                ExpectSource::Companion => line(AgentKind::Companion),
                ExpectSource::Notification(uuid) => {
                    let characteristic = uuid.to_string();
                    let action = Action::ExpectNotification {
                        characteristic,
                        pattern: Some(pattern.clone()),
                        within_ms,
                    };
                    (AgentKind::Ble, action, expect.within + GRACE)
                }
            }
        }
        StepAction::Send(send) => {
            let text = fill(send.console.fill(variables))?;
            (AgentKind::Console, Action::SendLine { text }, DEFAULT_DEADLINE)
        }
        StepAction::Scan(scan) => {
            let (mut name, mut address, mut service) = (None, None, None);
            match &scan.target {
                ScanTarget::Name(text) => name = Some(fill(text.fill(variables))?),
                ScanTarget::Address(text) => address = Some(text.clone()),
                ScanTarget::Service(uuid) => service = Some(uuid.to_string()),
            }
            let action = Action::Scan { name, address, service, within_ms: ms(scan.within) };
            (AgentKind::Ble, action, scan.within + GRACE)
        }
        StepAction::Pair(pair) => {
            let (method, passkey, confirm) = match &pair.method {
                PairMethod::JustWorks => (PairingMethod::JustWorks, None, true),
                PairMethod::Passkey(digits) => {
                    (PairingMethod::Passkey, Some(fill(digits.fill(variables))?), true)
                }
                PairMethod::NumericComparison { confirm } => {
                    (PairingMethod::NumericComparison, None, *confirm)
                }
            };
            let action = Action::Pair { method, passkey, confirm, within_ms: ms(pair.within) };
            (AgentKind::Ble, action, pair.within + GRACE)
        }
        StepAction::Connect => {
            (AgentKind::Ble, Action::Connect { within_ms: ms(CONNECT_WITHIN) }, CONNECT_WITHIN + GRACE)
        }
        StepAction::Read(read) => {
            save.clone_from(&read.save);
            let pattern = read.matches.as_ref().map(|pattern| fill(pattern.fill(variables))).transpose()?;
            let as_text = read.form == ValueForm::Text;
            let action = Action::Read { characteristic: read.characteristic.to_string(), as_text, pattern };
            (AgentKind::Ble, action, DEFAULT_DEADLINE)
        }
        StepAction::Write(write) => {
            let text = fill(write.value.fill(variables))?;
            let value = match write.form {
                ValueForm::Text => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
                ValueForm::Hex if text.len() % 2 == 0 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
                    text.to_ascii_lowercase()
                }
                ValueForm::Hex => {
                    return Err(format!("{text:?} is not hexadecimal, two digits a byte"));
                }
            };
            let action =
                Action::Write { characteristic: write.characteristic.to_string(), value, response: true };
            (AgentKind::Ble, action, DEFAULT_DEADLINE)
        }
        StepAction::Subscribe(subscribe) => {
            let action = Action::Subscribe { characteristic: subscribe.characteristic.to_string() };
            (AgentKind::Ble, action, DEFAULT_DEADLINE)
        }
        StepAction::Launch(app) => {
            (AgentKind::Companion, Action::Launch { app: app.app.clone() }, DEFAULT_DEADLINE)
        }
        StepAction::Stop(app) => {
            (AgentKind::Companion, Action::Stop { app: app.app.clone() }, DEFAULT_DEADLINE)
        }
        StepAction::Idle(time) => (AgentKind::Lab, Action::Idle { ms: ms(*time) }, *time + GRACE),
        StepAction::Note(text) => {
            (AgentKind::Lab, Action::Note { text: fill(text.fill(variables))? }, DEFAULT_DEADLINE)
        }
    };
    Ok(Order { kind, action, deadline: step.timeout.unwrap_or(own_time), save })
}

/// What a person calls the step: its id, else its action and main argument.
pub(super) fn label(step: &Step) -> String {
    if let Some(id) = &step.id {
        return id.clone();
    }
    let word = step.action.word();
    match &step.action {
        StepAction::Expect(expect) => match expect.source {
            ExpectSource::Console => format!("{word} console"),
            ExpectSource::Companion => format!("{word} companion"),
            ExpectSource::Notification(_) => format!("{word} notification"),
        },
        StepAction::Launch(app) | StepAction::Stop(app) => format!("{word} {}", app.app),
        _ => word.to_owned(),
    }
}

pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

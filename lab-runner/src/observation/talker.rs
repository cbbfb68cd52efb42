//! Who opened a flow, how sure that is, and why. Doubt is told, never rounded up.

use lab_observe::FlowRecord;
use serde::{Deserialize, Serialize};

use super::{Sides, Timeline};

/// Who talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The companion app.
    App,
    /// The phone's operating system.
    Os,
    /// The watch itself.
    Watch,
    /// The other end: somebody out there opened the flow.
    Services,
    /// Nobody that the bench knows.
    Unknown,
}

impl Role {
    /// The word in records.
    pub fn word(self) -> &'static str {
        match self {
            Role::App => "app",
            Role::Os => "os",
            Role::Watch => "watch",
            Role::Services => "services",
            Role::Unknown => "unknown",
        }
    }

    /// What a reader calls it.
    pub fn spoken(self) -> &'static str {
        match self {
            Role::App => "companion app",
            Role::Os => "phone's system",
            Role::Watch => "watch",
            Role::Services => "a host outside",
            Role::Unknown => "unknown talker",
        }
    }
}

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Nobody else could have sent it.
    Certain,
    /// Nobody else is known who would have.
    Likely,
    /// It can't be told.
    None,
}

/// Who opened a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talker {
    /// Who.
    pub role: Role,
    /// How sure.
    pub confidence: Confidence,
    /// Why, in words.
    pub evidence: String,
}

/// Tells who opened a flow whose first packet came at `t_ns`.
pub(super) fn of(flow: &FlowRecord, t_ns: u64, sides: &Sides, timeline: &Timeline) -> Talker {
    let Some(placed) = sides.client(flow) else {
        return told(
            Role::Unknown,
            Confidence::None,
            "neither its link address nor its IP address is on any side",
        );
    };
    let sure = if placed.by_link { Confidence::Certain } else { Confidence::Likely };
    let how = if placed.by_link { "link address" } else { "IP address" };
    let side = placed.side;
    match side.name.as_str() {
        "watch" => told(Role::Watch, sure, format!("{how} of the watch")),
        "services" => told(Role::Services, sure, format!("{how} of the services' side: opened from outside")),
        "phone" if side.only_companion => {
            if timeline.launched.is_some_and(|launched| launched <= t_ns) {
                told(Role::App, sure, format!("{how} of the phone, where nothing but the companion runs"))
            } else {
                let why = format!("{how} of the phone, before the companion was launched");
                told(Role::Os, Confidence::Likely, why)
            }
        }
        "phone" => told(
            Role::Unknown,
            Confidence::None,
            format!("{how} of the phone, whose system and apps this bench can't tell apart"),
        ),
        other => told(Role::Unknown, Confidence::None, format!("{how} of the side {:?}", other)),
    }
}

fn told(role: Role, confidence: Confidence, evidence: impl Into<String>) -> Talker {
    Talker { role, confidence, evidence: evidence.into() }
}

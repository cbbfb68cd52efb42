//! What a manifest's policy makes of doubt. It can only tighten: nothing here turns a failure into anything else.

use lab_observe::Reason;

use super::verdict::Outcome;
use crate::manifest::{OnDoubt, Policy};

/// Rules about a capture that lost or hides packets.
const LOSS: [&str; 5] =
    ["capture-cut", "frames-missing", "frames-unreadable", "observation-incomplete", "packets-dropped"];
/// Rules about a flow whose name is not known for sure.
const UNNAMED: [&str; 3] = ["hidden-name", "uncorroborated-name", "weak-evidence"];

/// How bad a doubt is under a policy. `hidden` is why a flow has no name, where it is about one.
pub(super) fn severity(policy: &Policy, rule: &str, severity: Outcome, hidden: Option<Hidden>) -> Outcome {
    if severity != Outcome::Inconclusive {
        return severity;
    }
    let word = match hidden {
        _ if LOSS.contains(&rule) => policy.loss,
        _ if rule == "ambiguous-name" => policy.ambiguous,
        Some(hidden) if UNNAMED.contains(&rule) => match hidden {
            Hidden::ByDns => policy.hidden_dns,
            Hidden::ByLoss => policy.loss,
            Hidden::Otherwise => policy.unresolved,
        },
        _ => OnDoubt::Inconclusive,
    };
    if word == OnDoubt::Fail { Outcome::Fail } else { severity }
}

/// Whether a finding of this rule can be a doubt that a policy made a failure.
pub(super) fn tightens(rule: &str) -> bool {
    LOSS.contains(&rule) || rule == "ambiguous-name" || ["hidden-name", "weak-evidence"].contains(&rule)
}

/// What keeps a flow from being named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hidden {
    /// The client's look-ups can't be read.
    ByDns,
    /// Packets are missing.
    ByLoss,
    /// Whatever else.
    Otherwise,
}

impl Hidden {
    /// From the flow's own reason, and what is known of its capture.
    pub(super) fn of(reason: Option<Reason>, lossy: bool, hidden_dns: bool) -> Self {
        match reason {
            Some(Reason::HiddenDns) => Self::ByDns,
            Some(Reason::Loss) => Self::ByLoss,
            _ if hidden_dns => Self::ByDns,
            _ if lossy => Self::ByLoss,
            _ => Self::Otherwise,
        }
    }
}

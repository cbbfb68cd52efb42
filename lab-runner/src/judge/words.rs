//! Findings in plain English. Whatever came from outside is escaped before it gets into a sentence.

use std::borrow::Cow;

use lab_observe::{FlowRecord, L4, Reason};

use super::identity::{LookUps, asserted, looked_up};
use crate::observation::{AttributedFlow, Role, Sides, Since, server_in_roles};

/// The text with everything that a terminal or a reader could be fooled by written as an escape: control characters,
/// and the invisible ones that reorder or hide text.
pub fn printable(text: &str) -> String {
    shown(text).into_owned()
}

/// The same without a copy where nothing has to be escaped, as in most names.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let hidden = matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
        if character.is_control() || hidden {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// `1.2 s after pairing`, `during the launch`.
pub fn when(since: &Since) -> String {
    match since.seconds {
        Some(seconds) => format!("{seconds:.1} s after {}", printable(&since.stimulus)),
        None => format!("during {}", since.stimulus),
    }
}

/// Who talks to whom, as a title begins; `to` is the [`endpoint`].
pub(super) fn who_to_whom<'t>(flow: &AttributedFlow<'_>, to: &'t str) -> Cow<'t, str> {
    match flow.talker.role {
        Role::Services => Cow::Borrowed(to),
        role => Cow::Owned([role.spoken(), " → ", to].concat()),
    }
}

/// The far end; for what was opened from outside, who opened it and what it reached (its own port is of no meaning).
pub(super) fn endpoint(flow: &AttributedFlow<'_>, sides: &Sides) -> String {
    let server = server_in_roles(flow.record, sides);
    if flow.talker.role == Role::Services {
        return format!("{} → {server}", flow.record.client.ip().to_canonical());
    }
    server
}

/// What is spoken, and which name the client gives: `TLS without SNI`.
pub(super) fn what(flow: &FlowRecord) -> String {
    let transport = flow.l4.to_string().to_uppercase();
    if flow.l4 == L4::Tcp && !flow.answered {
        return "TCP connection attempt without an answer".into();
    }
    let unanswered = if flow.answered { "" } else { ", no answer" };
    let mut names: Vec<Cow<'_, str>> = asserted(flow).map(|name| shown(&name.name)).collect();
    names.dedup();
    let names = names.join(", ");
    let mut spoken = match flow.app.as_str() {
        "tls" | "quic" | "dtls" if flow.guessed => {
            format!("{transport}, perhaps {}", flow.app.to_uppercase())
        }
        app @ ("tls" | "quic" | "dtls") => {
            let hidden = if flow.ech { " (encrypted name)" } else { "" };
            match names.as_str() {
                "" if flow.ech => format!("{} with its name encrypted", app.to_uppercase()),
                "" => format!("{} without SNI", app.to_uppercase()),
                names => [&app.to_uppercase(), " with SNI ", names, hidden].concat(),
            }
        }
        "http" if names.is_empty() => "clear-text HTTP".into(),
        "http" => format!("clear-text HTTP for {names}"),
        "stun" => "STUN (NAT traversal)".into(),
        "unknown" | "" => match flow.l4 {
            L4::Tcp | L4::Udp => format!("{transport}, unknown protocol"),
            _ => transport,
        },
        app if app.eq_ignore_ascii_case(&transport) => transport,
        app => printable(&app.to_uppercase()),
    };
    spoken.push_str(unanswered);
    spoken
}

/// What is known of the server's name beside what the client asserts.
pub(super) fn naming(flow: &FlowRecord, look_ups: LookUps) -> Cow<'static, str> {
    let mut found: Vec<Cow<'_, str>> = looked_up(flow).map(|name| shown(&name.name)).collect();
    found.sort();
    found.dedup();
    if !found.is_empty() {
        const SHOWN: usize = 3;
        let more = found.len().saturating_sub(SHOWN);
        found.truncate(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        return format!("address looked up as {}{more}", found.join(", ")).into();
    }
    let reason = match flow.reason {
        Some(Reason::NeverQueried) | None => "address never looked up",
        Some(Reason::NoDnsSeen | Reason::Ech) if look_ups == LookUps::AllSeen => "address never looked up",
        Some(Reason::NoDnsSeen) => "no look-up seen",
        Some(Reason::BeforeCapture) => "open before the capture began",
        Some(Reason::HiddenDns) => "look-ups hidden in encrypted DNS",
        Some(Reason::Ech) => "name hidden by ECH, no look-up seen",
        Some(Reason::Loss) => "its naming packets are missing",
        Some(Reason::Local) => "an address of the local link",
        Some(Reason::Resolver) => "a DNS resolver",
        Some(_) => "several names live on the address",
    };
    reason.into()
}

/// `0.4 s after pairing`, else the phase; what every title of a flow ends with before its judgement.
pub(super) fn moment(flow: &AttributedFlow<'_>) -> String {
    flow.since.as_ref().map_or_else(|| format!("in phase {}", printable(&flow.phase)), when)
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_could_steer_a_terminal_or_hide_text_is_escaped() {
        assert_eq!(printable("a\u{1b}[31mb\u{9b}c\u{202e}d\ne"), "a\\u{1b}[31mb\\u{9b}c\\u{202e}d\\u{a}e");
        assert_eq!(printable("Bücher → app"), "Bücher → app");
    }
}

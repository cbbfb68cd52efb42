//! What of an event log counts: a command ends once, by the word of whoever it was sent to, and only the lab itself says
//! when a run begins and ends. It takes nobody's word for more than that, and judges nothing.

use std::collections::HashMap;

use lab_protocol::{Action, AgentKind, Body, Command, Entry, Event, Reply, Source};

/// An event log without what does not count.
#[derive(Debug, Clone, Default)]
pub struct Heard<'e> {
    /// What counts, in the log's order.
    pub entries: Vec<&'e Entry>,
    /// What was said by somebody who could not know it: for another's command, or in the lab's own name.
    pub forged: Vec<&'e Entry>,
}

/// A command that went out.
struct Sent<'e> {
    command: &'e Command,
    /// Whether it ended, and well.
    ended: Option<bool>,
}

/// What an entry is worth.
enum Worth {
    Counts,
    /// Its command had been ended for it before, as at a deadline.
    Late,
    Forged,
}

impl<'e> Heard<'e> {
    /// Sorts an event log.
    pub fn of(entries: &'e [Entry]) -> Self {
        let mut heard = Self::default();
        let mut sent: HashMap<u64, Sent<'e>> = HashMap::new();
        for entry in entries {
            let worth = match &entry.body {
                Body::Command(command) => of_command(entry, command, &mut sent),
                Body::Event(event) => of_event(entry, event, &mut sent),
            };
            match worth {
                Worth::Counts => heard.entries.push(entry),
                Worth::Late => {}
                Worth::Forged => heard.forged.push(entry),
            }
        }
        heard
    }

    /// The events that count, with their entries.
    pub fn events(&self) -> impl Iterator<Item = (&'e Entry, &'e Event)> {
        self.entries.iter().filter_map(|entry| match &entry.body {
            Body::Event(event) => Some((*entry, event)),
            Body::Command(_) => None,
        })
    }

    /// The commands, with their entries.
    pub fn commands(&self) -> impl Iterator<Item = (&'e Entry, &'e Command)> {
        self.entries.iter().filter_map(|entry| match &entry.body {
            Body::Command(command) => Some((*entry, command)),
            Body::Event(_) => None,
        })
    }
}

fn of_command<'e>(entry: &Entry, command: &'e Command, sent: &mut HashMap<u64, Sent<'e>>) -> Worth {
    if entry.source != Source::lab() || sent.contains_key(&command.id) {
        return Worth::Forged;
    }
    sent.insert(command.id, Sent { command, ended: None });
    Worth::Counts
}

fn of_event(entry: &Entry, event: &Event, sent: &mut HashMap<u64, Sent<'_>>) -> Worth {
    let well = match event {
        Event::Begin { .. } | Event::Interrupted | Event::End if entry.source != Source::lab() => {
            return Worth::Forged;
        }
        Event::Done { .. } => Some(true),
        Event::Failed { .. } | Event::Cancelled => Some(false),
        _ => None,
    };
    let Some(id) = entry.id else {
        return if well.is_some() { Worth::Forged } else { Worth::Counts };
    };
    let Some(sent) = sent.get_mut(&id) else { return Worth::Forged };
    // The lab itself ends what it could not hand over or called off; it never does another's work.
    let own = entry.source == sent.command.to || (entry.source == Source::lab() && well == Some(false));
    if !own {
        return Worth::Forged;
    }
    let Some(well) = well else { return Worth::Counts };
    match sent.ended {
        // An agent that was given up at its deadline may have answered all the same.
        Some(false) => return Worth::Late,
        Some(true) => return Worth::Forged,
        None => {}
    }
    if let Event::Done { reply } = event
        && !answers(reply, sent.command)
    {
        return Worth::Forged;
    }
    sent.ended = Some(well);
    Worth::Counts
}

/// Replies that tell what the network and its captures are come from the agents that were asked for them, and in answer
/// to nothing else.
fn answers(reply: &Reply, command: &Command) -> bool {
    match (reply, &command.action) {
        (Reply::Network { .. }, Action::NetworkUp) | (Reply::CanarySent { .. }, Action::Canary) => {
            command.to.kind == AgentKind::Network
        }
        (Reply::Captured { vantage, .. }, Action::StopCapture { vantage: asked }) => {
            command.to.kind == AgentKind::Capture && vantage == asked
        }
        (Reply::Network { .. } | Reply::CanarySent { .. } | Reply::Captured { .. }, _) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use lab_protocol::Fault;

    use super::*;
    use crate::observation::support::{Log, facts};

    fn companion() -> Source {
        Source::new(AgentKind::Companion, "phone")
    }

    fn forged(log: &Log) -> usize {
        Heard::of(&log.entries).forged.len()
    }

    #[test]
    fn only_whoever_was_asked_ends_a_command_and_only_once() {
        let ok = || Event::Done { reply: Reply::Ok };
        let log = Log::virtual_bench().phase(1_000, "baseline");
        assert_eq!(forged(&log), 0);
        let last = log.last_id();
        assert_eq!(forged(&log.clone().said(1_200, companion(), Some(last), ok())), 1);
        assert_eq!(forged(&log.clone().said(1_200, Source::lab(), Some(last), ok())), 1);
        // Before it was sent, and for no command at all.
        assert_eq!(forged(&log.clone().said(1_200, companion(), Some(last + 1), ok())), 1);
        assert_eq!(forged(&log.said(1_200, companion(), None, ok())), 1);
    }

    #[test]
    fn an_answer_after_a_deadline_is_late_and_does_not_count() {
        let fault = Fault::bench("deadline", "no answer");
        let log = Log::virtual_bench().failing(1_000, 1_100, "expect console", fault);
        let (counted, last) = (Heard::of(&log.entries).entries.len(), log.last_id());
        let console = Source::new(AgentKind::Console, "");
        let late = log.said(1_200, console, Some(last), Event::Done { reply: Reply::Ok });
        let heard = Heard::of(&late.entries);
        assert_eq!((heard.entries.len(), heard.forged.len()), (counted, 0));
    }

    #[test]
    fn nobody_else_says_who_is_where_or_that_a_run_ended() {
        let network = Event::Done { reply: Reply::Network { facts: facts() } };
        let action = Action::Launch { app: "companion".into() };
        let asked = Log::virtual_bench().asked(1_000, companion(), "launch", action);
        let id = asked.last_id();
        assert_eq!(forged(&asked.said(1_100, companion(), Some(id), network)), 1);
        assert_eq!(forged(&Log::virtual_bench().said(1_100, companion(), None, Event::End)), 1);
    }
}

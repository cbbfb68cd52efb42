//! Look-ups held against the manifest: a question tells its name to whoever answers, whether or not a connection follows.

use std::collections::{BTreeMap, BTreeSet};

use lab_observe::{Name, NameKind};

use super::admit::{in_phase, talks};
use super::declared::Declared;
use super::tunnel::Channel;
use super::words;
use crate::manifest::{Declaration, Peer, Place, Talker};
use crate::observation::{AttributedFlow, Role};

const HOUR_NS: u64 = 3_600_000_000_000;

/// A question that doesn't pass.
pub(super) struct Objection<'m, 'f, 'a> {
    pub(super) rule: &'static str,
    pub(super) flow: &'f AttributedFlow<'a>,
    /// What was asked for.
    pub(super) name: &'f Name,
    /// What tells it from other objections of its rule.
    pub(super) same: String,
    /// The finding in a line.
    pub(super) title: String,
    pub(super) declaration: Option<&'m Declaration>,
    pub(super) evidence: Vec<String>,
}

/// A question that only patterns admit; which of them, by their place in the manifest.
struct Open<'f, 'a> {
    flow: &'f AttributedFlow<'a>,
    name: &'f Name,
    by: Vec<Place>,
}

/// The look-ups of an attempt, as its flows are gone through.
pub(super) struct LookUpsOf<'d, 'm, 'f, 'a> {
    declared: &'d Declared<'m>,
    /// When the companion was launched.
    launched: Option<u64>,
    open: Vec<Open<'f, 'a>>,
    objections: Vec<Objection<'m, 'f, 'a>>,
}

impl<'d, 'm, 'f, 'a> LookUpsOf<'d, 'm, 'f, 'a> {
    pub(super) fn new(declared: &'d Declared<'m>, launched: Option<u64>) -> Self {
        Self { declared, launched, open: Vec::new(), objections: Vec::new() }
    }

    /// Takes the questions of a flow.
    pub(super) fn take(&mut self, flow: &'f AttributedFlow<'a>) {
        // What somebody outside asks the product is an inbound flow, and a finding as such.
        if flow.talker.role == Role::Services {
            return;
        }
        let mut told = BTreeSet::new();
        for name in flow.record.names.iter().filter(|name| name.kind == NameKind::DnsQuery) {
            if told.insert((name.name.as_str(), name.qtype.as_deref())) {
                self.question(flow, name);
            }
        }
    }

    fn question(&mut self, flow: &'f AttributedFlow<'a>, name: &'f Name) {
        let covering = self.declared.covering_name(&name.name);
        let Some((_, first)) = covering.first() else {
            self.object("undeclared-look-up", flow, name, None, "not declared");
            return;
        };
        let mut admitting = Vec::new();
        let (mut of_phase, mut unknown) = (None, false);
        for (place, declaration) in &covering {
            if !in_phase(declaration, &flow.phase) {
                continue;
            }
            match self.may_ask(declaration.talker, flow) {
                Some(true) if leaves_open(&declaration.peer, "").is_none() => return,
                Some(true) => admitting.push(*place),
                Some(false) => of_phase = of_phase.or(Some(*declaration)),
                None => unknown = true,
            }
        }
        match (admitting.is_empty(), of_phase) {
            (false, _) => self.open.push(Open { flow, name, by: admitting }),
            // The flow that carries it is in doubt for the same reason.
            (true, _) if unknown => {}
            (true, Some(declaration)) => {
                let said = format!("declared for the {}, not for this talker", declaration.talker.word());
                self.object("wrong-talker", flow, name, Some(declaration), &said);
            }
            (true, None) => {
                let said = format!("declared, but not for phase {}", words::printable(&flow.phase));
                self.object("wrong-phase", flow, name, Some(first), &said);
            }
        }
    }

    /// As with flows, but for one thing: once the app was launched, the phone's system may look names up for it.
    fn may_ask(&self, declared: Talker, flow: &AttributedFlow<'_>) -> Option<bool> {
        let launched = self.launched.is_some_and(|launched| launched <= flow.t_ns);
        if declared == Talker::App && flow.talker.role == Role::Os && launched {
            return Some(true);
        }
        talks(declared, flow)
    }

    fn object(
        &mut self,
        rule: &'static str,
        flow: &'f AttributedFlow<'a>,
        name: &'f Name,
        declaration: Option<&'m Declaration>,
        said: &str,
    ) {
        let shown = words::printable(&name.name);
        let who = flow.talker.role.spoken();
        self.objections.push(Objection {
            rule,
            flow,
            name,
            same: format!("{} {shown} {said}", flow.talker.role.word()),
            title: format!("{who} asked DNS for {shown}, {}, {said}", words::moment(flow)),
            declaration,
            evidence: Vec::new(),
        });
    }

    /// Everything that doesn't pass, now that all was seen. `span` is how long there was traffic, in nanoseconds.
    pub(super) fn finish(mut self, span: u64) -> Vec<Objection<'m, 'f, 'a>> {
        let mut channels: BTreeMap<Place, Channel<'_>> = BTreeMap::new();
        for question in &self.open {
            for place in &question.by {
                let Some(declaration) = self.declared.get(*place) else { continue };
                let name = question.name.name.as_str();
                let open = leaves_open(&declaration.peer, name).unwrap_or(name);
                channels.entry(*place).or_default().asked(name, open, question.name.qtype.as_deref());
            }
        }
        let hours = span.div_ceil(HOUR_NS);
        let excess: BTreeMap<Place, String> =
            channels.iter().filter_map(|(place, channel)| Some((*place, channel.excess(hours)?))).collect();
        for question in std::mem::take(&mut self.open) {
            // Another declaration may admit it without such an excess.
            let Some(first) =
                question.by.first().filter(|_| question.by.iter().all(|one| excess.contains_key(one)))
            else {
                continue;
            };
            let (Some(declaration), Some(why)) = (self.declared.get(*first), excess.get(first)) else {
                continue;
            };
            let who = question.flow.talker.role.spoken();
            self.objections.push(Objection {
                rule: "dns-tunnel",
                flow: question.flow,
                name: question.name,
                same: format!("{} {}", question.flow.talker.role.word(), declaration.id),
                title: format!(
                    "{who} asked DNS for names under {} that may carry data: {why}",
                    declaration.peer
                ),
                declaration: Some(declaration),
                evidence: vec![format!("the first of them: {}", words::printable(&question.name.name))],
            });
        }
        self.objections
    }
}

/// A name without the domain that it stands under.
fn before<'n>(name: &'n str, domain: &str) -> &'n str {
    let cut = name.strip_suffix('.').unwrap_or(name);
    cut.get(..cut.len().saturating_sub(domain.len())).unwrap_or(cut)
}

/// What of a name a declaration leaves open; `None` where it admits one name only.
fn leaves_open<'n>(peer: &Peer, name: &'n str) -> Option<&'n str> {
    match peer {
        Peer::Host(_) => None,
        Peer::Suffix(suffix) => Some(before(name, suffix)),
        Peer::Glob(glob) => Some(before(name, &glob.tail())),
        Peer::Cidr(_) | Peer::Class(_) => Some(name),
    }
}

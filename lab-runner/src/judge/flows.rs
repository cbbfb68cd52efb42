//! Every flow of an attempt held against the manifest: findings, endpoints, and which declarations were used.

use std::collections::{BTreeMap, BTreeSet};

use lab_observe::{Disagreement, FlowRecord, Reason};

use super::admit::{
    self, Breach, Doubt, Fit, Identity, LookUps, Ruling, Unsure, asserted, best_evidence, declares_name,
    looked_up, protection,
};
use super::captures::misses_packets;
use super::collect::{Collector, Draft, FlowPart, sum};
use super::verdict::{DeclarationRef, Endpoint, Outcome, Status};
use super::words;
use crate::manifest::{Declaration, Evidence, Manifest};
use crate::observation::{
    Attempt, AttemptObservation, AttributedFlow, Role, Sides, names_in_roles, seconds, server_in_roles,
};
use crate::plan::{Plan, SETUP, TEARDOWN};

/// What makes two flows one row of the verdict's endpoints.
type Key = (
    Status,
    Role,
    String,
    String,
    String,
    Vec<String>,
    Option<DeclarationRef>,
    Option<String>,
    Option<&'static str>,
);

struct Row {
    endpoint: Endpoint,
    phases: BTreeSet<String>,
    repeats: BTreeSet<u32>,
}

/// The judgement of flows, over all attempts of a run.
pub(super) struct Flows<'m> {
    plan: &'m Plan,
    manifest: &'m Manifest,
    asserted: bool,
    rows: BTreeMap<Key, Row>,
    /// Declarations that admitted a flow.
    pub(super) used: BTreeSet<&'m str>,
    /// Declarations that a flow came near to: what they declare may well have been there.
    pub(super) touched: BTreeSet<&'m str>,
}

impl<'m> Flows<'m> {
    pub(super) fn new(plan: &'m Plan, manifest: &'m Manifest) -> Self {
        Self {
            plan,
            manifest,
            asserted: plan.assertions.endpoints.is_some(),
            rows: BTreeMap::new(),
            used: BTreeSet::new(),
            touched: BTreeSet::new(),
        }
    }

    /// Judges all flows of an attempt. Answers with how many there were.
    pub(super) fn judge(
        &mut self,
        attempt: &Attempt,
        observed: &AttemptObservation<'_>,
        collector: &mut Collector,
    ) -> u64 {
        let lossy = attempt.captures.iter().any(|capture| misses_packets(&observed.heard, capture));
        let hidden_from =
            observed.flows.iter().filter(|flow| hides_look_ups(flow.record)).map(|flow| flow.t_ns).min();
        let mut judged = 0;
        let of_the_link =
            |flow: &AttributedFlow<'_>| flow.record.link_control && observed.sides.keeps_to_link(flow.record);
        for flow in observed.flows.iter().filter(|flow| !of_the_link(flow)) {
            judged += 1;
            let hidden = hidden_from.is_some_and(|from| from <= flow.t_ns);
            let seen = flow.whole_life && !lossy && !hidden;
            let look_ups = if seen { LookUps::AllSeen } else { LookUps::MaybeMissed };
            let ruling = admit::rule(self.manifest, flow, look_ups);
            match &ruling {
                Ruling::Admitted(declaration, _) => drop(self.used.insert(&declaration.id)),
                Ruling::Doubtful(declaration, _) | Ruling::Broken(declaration, _) => {
                    self.touched.insert(&declaration.id);
                }
                Ruling::Pretended(_) | Ruling::Undeclared(_) => {}
            }
            let verdict = self.of_ruling(&ruling, flow, &observed.sides, look_ups);
            self.row(
                attempt,
                flow,
                &observed.sides,
                &ruling,
                verdict.as_ref().map(|draft| draft.rule.clone()),
            );
            if self.asserted {
                let questions = self.undeclared_questions(flow, &observed.sides);
                for draft in verdict.into_iter().chain(questions) {
                    collector.add(attempt, draft);
                }
            }
        }
        judged
    }

    /// The rows, in the order of their keys: undeclared ones last.
    pub(super) fn endpoints(self, repeats: u32) -> Vec<Endpoint> {
        let order: Vec<&str> = std::iter::once(SETUP)
            .chain(self.plan.phases.iter().map(|phase| phase.name.as_str()))
            .chain([TEARDOWN])
            .collect();
        let place = |phase: &String| order.iter().position(|name| name == phase).unwrap_or(order.len());
        let finish = |row: Row| {
            let mut phases: Vec<String> = row.phases.into_iter().collect();
            phases.sort_by_key(place);
            Endpoint { phases, seen_in: [row.repeats.len() as u32, repeats], ..row.endpoint }
        };
        self.rows.into_values().map(finish).collect()
    }

    /// A declaration by its id and its place, as the plan names the manifest.
    pub(super) fn reference(&self, declaration: &Declaration) -> DeclarationRef {
        let place = format!("{}:{}", self.plan.manifest.written, declaration.at.line);
        DeclarationRef { id: declaration.id.clone(), place: words::printable(&place) }
    }

    fn of_ruling(
        &self,
        ruling: &Ruling<'_>,
        flow: &AttributedFlow<'_>,
        sides: &Sides,
        look_ups: LookUps,
    ) -> Option<Draft> {
        let phase = words::printable(&flow.phase);
        let (rule, severity, said, declaration) = match ruling {
            Ruling::Admitted(declaration, _) if flow.record.unread => (
                "flow-unreadable",
                Outcome::Inconclusive,
                "declared, but part of what it carries could not be read".to_owned(),
                Some(*declaration),
            ),
            Ruling::Admitted(declaration, _) => {
                // Several names on one flow, all of them declared and looked up, contradict nothing.
                let mut odd =
                    flow.record.disagreement.iter().filter(|one| **one != Disagreement::SeveralAsserted);
                let said = match odd.next()? {
                    Disagreement::HostSni => "but its HTTP request and its ClientHello name different hosts",
                    _ => "but DNS gave the address for other names than the one it asserts",
                };
                ("disagreeing-evidence", Outcome::Inconclusive, said.to_owned(), Some(*declaration))
            }
            Ruling::Doubtful(declaration, fit) => {
                let (rule, said) = doubt(fit);
                (rule, Outcome::Inconclusive, said.to_owned(), Some(*declaration))
            }
            Ruling::Broken(declaration, breach) => {
                let (rule, said) = match breach {
                    Breach::Phase => ("wrong-phase", format!("declared, but not for phase {phase}")),
                    Breach::Talker => (
                        "wrong-talker",
                        format!("declared for the {}, not for this talker", declaration.talker.word()),
                    ),
                    Breach::ClearText => ("clear-text", "declared, but only encrypted".to_owned()),
                    Breach::Protocol => {
                        let protocol = declaration.protocol.as_deref().unwrap_or("another protocol");
                        ("wrong-protocol", format!("declared, but only for {protocol}"))
                    }
                };
                (rule, Outcome::Fail, said, Some(*declaration))
            }
            Ruling::Pretended(declaration) => {
                let said = "a declared name, but no look-up gave this address for it";
                ("uncorroborated-name", Outcome::Fail, said.to_owned(), Some(*declaration))
            }
            Ruling::Undeclared(_) if flow.talker.role == Role::Services => {
                ("undeclared-inbound", Outcome::Fail, "opened from outside, not declared".to_owned(), None)
            }
            Ruling::Undeclared(_) => ("undeclared-endpoint", Outcome::Fail, "not declared".to_owned(), None),
        };
        let mut facts = vec![who(flow, sides), words::what(flow.record)];
        if best_evidence(flow.record) != Some(Evidence::Corroborated) {
            facts.push(words::naming(flow.record, look_ups));
        }
        let same = format!("{} {} {said}", facts.join(", "), flow.record.l4);
        facts.push(words::moment(flow));
        facts.push(said);
        let mut draft = self.draft(rule, severity, facts.join(", "), flow, sides);
        draft.same = Some(same);
        draft.manifest = Some(match declaration {
            Some(declaration) => self.reference(declaration).place,
            None => "no declaration".to_owned(),
        });
        if let Some(declaration) = declaration {
            draft.evidence.push(format!(
                "declared as {}: {}",
                declaration.id,
                words::printable(&declaration.text)
            ));
        }
        if let Ruling::Undeclared(Some(near)) = ruling {
            let at = self.reference(near);
            draft.evidence.push(format!(
                "{} ({}) declares this host, but not this transport and port: {}",
                at.id,
                at.place,
                words::printable(&near.text)
            ));
        }
        draft.help = help(rule, &words::printable(&self.plan.manifest.written));
        Some(draft)
    }

    /// Names that the product asked DNS for and that nothing declares, whether or not a connection followed.
    fn undeclared_questions(&self, flow: &AttributedFlow<'_>, sides: &Sides) -> Vec<Draft> {
        let mut asked = BTreeSet::new();
        let mut drafts = Vec::new();
        for (name, frame) in words::questions(flow.record) {
            if declares_name(self.manifest, name) || !asked.insert(name) {
                continue;
            }
            let name = words::printable(name);
            let title = format!(
                "{} asked DNS for {name}, {}, not declared",
                flow.talker.role.spoken(),
                words::moment(flow)
            );
            let mut draft = self.draft("undeclared-look-up", Outcome::Fail, title, flow, sides);
            draft.same = Some(format!("{} {name}", flow.talker.role.word()));
            draft.manifest = Some("no declaration".into());
            if let Some(part) = &mut draft.flow {
                part.frames = [frame, frame];
                part.endpoint = name;
            }
            draft.help = help("undeclared-look-up", &words::printable(&self.plan.manifest.written));
            drafts.push(draft);
        }
        drafts
    }

    fn draft(
        &self,
        rule: &str,
        severity: Outcome,
        title: String,
        flow: &AttributedFlow<'_>,
        sides: &Sides,
    ) -> Draft {
        let record = flow.record;
        let mut draft = Draft::new(rule, severity, title).at(flow.t_ns, &flow.phase, flow.step.clone());
        draft.evidence.push(format!("talker {}: {}", flow.talker.role.word(), flow.talker.evidence));
        draft.flow = Some(FlowPart {
            talker: flow.talker.clone(),
            since: flow.since.clone(),
            endpoint: endpoint(flow, sides),
            transport: record.l4.to_string(),
            capture: flow.file.to_owned(),
            frames: record.frames,
            packets: record.packets,
            bytes: record.bytes,
            names: names_in_roles(record, sides),
        });
        draft
    }

    fn row(
        &mut self,
        attempt: &Attempt,
        flow: &AttributedFlow<'_>,
        sides: &Sides,
        ruling: &Ruling<'_>,
        rule: Option<String>,
    ) {
        let record = flow.record;
        let (status, declaration, evidence) = match ruling {
            Ruling::Admitted(declaration, evidence) => {
                (Status::Declared, Some(*declaration), Some(*evidence))
            }
            Ruling::Doubtful(declaration, _) => (Status::Doubtful, Some(*declaration), best_evidence(record)),
            Ruling::Broken(declaration, _) | Ruling::Pretended(declaration) => {
                (Status::Undeclared, Some(*declaration), best_evidence(record))
            }
            Ruling::Undeclared(_) => (Status::Undeclared, None, best_evidence(record)),
        };
        let declaration = declaration.map(|declaration| self.reference(declaration));
        let names = names(record);
        let reason = match record.reason.filter(|_| names.is_empty()) {
            // Where the client's whole life was watched, no look-up seen is no look-up made.
            Some(Reason::NoDnsSeen) if flow.whole_life => Some(Reason::NeverQueried),
            other => other,
        };
        let row = Row {
            endpoint: Endpoint {
                status,
                rule: rule.clone(),
                talker: flow.talker.role,
                endpoint: endpoint(flow, sides),
                transport: record.l4.to_string(),
                app: words::printable(&record.app),
                names,
                evidence,
                reason,
                declaration,
                phases: Vec::new(),
                protection: protection(record),
                flows: 0,
                packets: [0; 2],
                bytes: [0; 2],
                seen_in: [0; 2],
                t: seconds(flow.t_ns),
                since: flow.since.clone(),
                frame: record.frames[0],
            },
            phases: BTreeSet::new(),
            repeats: BTreeSet::new(),
        };
        let new = &row.endpoint;
        let key = (
            status,
            new.talker,
            new.endpoint.clone(),
            new.transport.clone(),
            new.app.clone(),
            new.names.clone(),
            new.declaration.clone(),
            rule,
            reason.map(Reason::as_str),
        );
        let row = self.rows.entry(key).or_insert(row);
        row.phases.insert(flow.phase.clone());
        row.repeats.insert(attempt.repeat);
        let known = &mut row.endpoint;
        known.flows += 1;
        known.packets = sum(known.packets, record.packets);
        known.bytes = sum(known.bytes, record.bytes);
        known.protection = known.protection.min(protection(record));
        // Later words of `Evidence` are weaker.
        known.evidence = known.evidence.max(evidence);
    }
}

fn doubt(fit: &Fit) -> (&'static str, &'static str) {
    match (fit.identity, fit.unsure.first()) {
        (Identity::Doubtful(Doubt::Uncorroborated), _) => (
            "uncorroborated-name",
            "a declared name that only the client asserts: its look-up may have been missed",
        ),
        (Identity::Doubtful(Doubt::OnlyLookedUp), _) => {
            ("weak-evidence", "a declared name was looked up, but the flow itself doesn't assert it")
        }
        (Identity::Doubtful(Doubt::Ambiguous), _) => (
            "ambiguous-name",
            "several names were looked up for the address, not all of them declared as this",
        ),
        (Identity::Doubtful(Doubt::Hidden), _) => {
            ("hidden-name", "its name could not be seen; it may be a declared one")
        }
        (_, Some(Unsure::Talker)) => ("talker-unknown", "declared, but who talks can't be told"),
        (_, Some(Unsure::Encryption)) => {
            ("encryption-unknown", "declared, but nothing shows that it is encrypted")
        }
        (_, _) => ("protocol-unknown", "declared, but nothing shows that it speaks the declared protocol"),
    }
}

fn help(rule: &str, manifest: &str) -> Option<String> {
    Some(match rule {
        "weak-evidence" => "if its protocol carries no name, say `evidence: dns` in its declaration".into(),
        "undeclared-endpoint" | "undeclared-look-up" => {
            format!(
                "if the product is meant to do this, declare it in {manifest}; otherwise the product has to stop"
            )
        }
        "wrong-phase" => format!("if it is meant to happen in this phase, add the phase in {manifest}"),
        _ => return None,
    })
}

/// Whoever talks to whomever, as a title begins.
fn who(flow: &AttributedFlow<'_>, sides: &Sides) -> String {
    if flow.talker.role == Role::Services {
        return endpoint(flow, sides);
    }
    words::who(flow.talker.role, &endpoint(flow, sides))
}

/// The far end; for what was opened from outside, who opened it and what it reached (its own port is of no meaning).
fn endpoint(flow: &AttributedFlow<'_>, sides: &Sides) -> String {
    let server = server_in_roles(flow.record, sides);
    if flow.talker.role == Role::Services {
        return format!("{} → {server}", flow.record.client.ip().to_canonical());
    }
    server
}

/// What the client asserts, else what DNS said; sorted.
fn names(flow: &FlowRecord) -> Vec<String> {
    let mut names: BTreeSet<String> = asserted(flow).map(|name| words::printable(&name.name)).collect();
    if names.is_empty() {
        names = looked_up(flow).map(|name| words::printable(&name.name)).collect();
    }
    names.into_iter().collect()
}

/// From here on, look-ups of this client can't be seen: RFC 7858 and RFC 9250 give encrypted DNS port 853.
fn hides_look_ups(flow: &FlowRecord) -> bool {
    flow.server.port() == 853
        || flow.alpn.iter().any(|alpn| matches!(alpn.as_str(), "dot" | "doq"))
        || matches!(flow.app.as_str(), "dot" | "doq" | "doh")
        || flow.reason == Some(Reason::HiddenDns)
}

//! Every flow of an attempt held against the manifest: findings, endpoints, and which declarations were used.

use std::net::IpAddr;

use foldhash::HashSet;
use lab_observe::{FlowRecord, MacAddr, Reason};

use super::admit::Ruling;
use super::budgets::{Excess, Spent};
use super::captures::misses_packets;
use super::collect::{Collector, Draft, FlowPart};
use super::declared::Declared;
use super::identity::{LookUps, Server};
use super::look_ups::{LookUpsOf, Objection};
use super::near;
use super::policy::{self, Hidden};
use super::rows::{Judged, Rows};
use super::suggest::{self, Place};
use super::verdict::{Considered, DeclarationRef, Endpoint, Outcome};
use super::wording::{self, Ruled};
use super::words;
use crate::manifest::{Declaration, Evidence, Manifest};
use crate::observation::{Attempt, AttemptObservation, AttributedFlow, Role, Sides, names_in_roles};
use crate::plan::Plan;

/// Findings that tell which declarations came near, and propose one; more of them tell nobody more.
const MOST_EXPLAINED: usize = 1000;

/// The judgement of flows, over all attempts of a run.
pub(super) struct Flows<'m> {
    plan: &'m Plan,
    manifest: &'m Manifest,
    declared: Declared<'m>,
    asserted: bool,
    rows: Rows,
    place: Place<'m>,
    /// The manifest, as people read it.
    file: String,
    explained: usize,
    /// Declarations that admitted a flow.
    pub(super) used: HashSet<&'m str>,
    /// Declarations that a flow came near to: what they declare may well have been there.
    pub(super) touched: HashSet<&'m str>,
}

impl<'m> Flows<'m> {
    pub(super) fn new(plan: &'m Plan, manifest: &'m Manifest) -> Self {
        Self {
            plan,
            manifest,
            declared: Declared::of(manifest),
            asserted: plan.assertions.endpoints.is_some(),
            rows: Rows::default(),
            place: Place::of(manifest),
            file: words::printable(&plan.manifest.written),
            explained: 0,
            used: HashSet::default(),
            touched: HashSet::default(),
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
        let sides = &observed.sides;
        let mut spent = Spent::default();
        let mut judged = 0;
        let of_the_link =
            |flow: &AttributedFlow<'_>| flow.record.link_control && sides.keeps_to_link(flow.record);
        for flow in observed.flows.iter().filter(|flow| !of_the_link(flow)) {
            judged += 1;
            let hidden = hidden_from.is_some_and(|from| from <= flow.t_ns);
            let seen = flow.whole_life && !lossy && !hidden;
            let look_ups = if seen { LookUps::AllSeen } else { LookUps::MaybeMissed };
            let server = Server::of(flow.record, far_end(flow).0);
            let ruling = self.declared.rule(flow, &server, look_ups, sides);
            match &ruling {
                Ruling::Admitted(declaration, _) => {
                    self.used.insert(&declaration.id);
                    spent.add(declaration, flow);
                }
                Ruling::Doubtful(declaration, _) | Ruling::Broken(declaration, _) => {
                    self.touched.insert(&declaration.id);
                }
                Ruling::Pretended(_) | Ruling::Undeclared(_) => {}
            }
            let to = words::endpoint(flow, sides);
            let one = Judged { attempt, flow, sides, server: &server, to: &to };
            let why = Hidden::of(flow.record.reason, lossy, hidden);
            let ruled = wording::of(&ruling, flow).map(|ruled| {
                let severity = policy::severity(&self.manifest.policy, ruled.rule, ruled.severity, Some(why));
                Ruled { severity, ..ruled }
            });
            let (plan, manifest) = (self.plan, self.manifest);
            let rule = ruled.as_ref().map(|ruled| ruled.rule);
            self.rows.add(&one, &ruling, rule, |declaration| reference(plan, manifest, declaration));
            if let Some(ruled) = ruled.filter(|_| self.asserted) {
                let draft = self.of_flow(&one, &ruled, look_ups);
                collector.add(attempt, draft);
            }
        }
        if self.asserted {
            let mut asked = LookUpsOf::new(&self.declared, observed.timeline.launched);
            observed.flows.iter().filter(|flow| !of_the_link(flow)).for_each(|flow| asked.take(flow));
            for excess in spent.excess() {
                collector.add(attempt, self.of_excess(&excess, sides));
            }
            for objection in asked.finish(span(observed)) {
                collector.add(attempt, self.of_look_up(objection, sides));
            }
        }
        judged
    }

    /// The rows of the verdict.
    pub(super) fn endpoints(self, repeats: u32) -> Vec<Endpoint> {
        self.rows.finish(self.plan, repeats)
    }

    /// A declaration by its id and its place, as the plan names the manifest, or as that names the profile.
    pub(super) fn reference(&self, declaration: &Declaration) -> DeclarationRef {
        reference(self.plan, self.manifest, declaration)
    }

    fn of_flow(&mut self, judged: &Judged<'_, '_>, ruled: &Ruled<'_>, look_ups: LookUps) -> Draft {
        let Judged { flow, sides, server, to, .. } = *judged;
        let (who, what) = (words::who_to_whom(flow, to), words::what(flow.record));
        let mut facts = [&*who, ", ", &what].concat();
        if server.best_evidence() != Some(Evidence::Corroborated) {
            facts = [&facts, ", ", &*words::naming(flow.record, look_ups)].concat();
        }
        let title = [&facts, ", ", &words::moment(flow), ", ", &ruled.said].concat();
        let mut draft = self.draft(ruled.rule, ruled.severity, title, flow, sides, to.to_owned());
        draft.same = Some([&facts, " ", &flow.record.l4.to_string(), " ", &ruled.said].concat());
        self.backed(&mut draft, ruled.declaration);
        if let Some(near) = ruled.near {
            let at = self.reference(near);
            draft.evidence.push(format!(
                "{} ({}) declares this host, but not this transport and port: {}",
                at.id,
                at.place,
                words::printable(&near.text)
            ));
        }
        if self.explained < MOST_EXPLAINED {
            self.explained += 1;
            let near = near::nearest(&self.declared, flow, server, look_ups, sides);
            draft.considered =
                near.into_iter().map(|(declaration, but)| self.considers(declaration, but)).collect();
            if ruled.rule == "undeclared-endpoint" {
                draft.suggestion = suggest::for_flow(&self.place, flow, server);
            }
        }
        draft
    }

    fn considers(&self, declaration: &Declaration, but: Vec<String>) -> Considered {
        let text = words::printable(&declaration.text);
        Considered { declaration: self.reference(declaration), text, but }
    }

    fn of_excess(&self, excess: &Excess<'_, '_, '_>, sides: &Sides) -> Draft {
        let Excess { declaration, flow, said } = excess;
        let title = format!("{}: {said}", declaration.id);
        let to = words::endpoint(flow, sides);
        let mut draft = self.draft("over-budget", Outcome::Fail, title, flow, sides, to);
        draft.same = Some(declaration.id.clone());
        self.backed(&mut draft, Some(declaration));
        draft.evidence.push("the flow that is shown is the one with which it was exceeded".into());
        draft
    }

    fn of_look_up(&self, objection: Objection<'_, '_, '_>, sides: &Sides) -> Draft {
        let Objection { rule, flow, name, same, title, declaration, evidence } = objection;
        let to = words::printable(&name.name);
        let mut draft = self.draft(rule, Outcome::Fail, title, flow, sides, to);
        draft.same = Some(same);
        self.backed(&mut draft, declaration);
        draft.evidence.extend(evidence);
        if let Some(part) = &mut draft.flow {
            part.frames = [name.frame, name.frame];
            // The resolver's, which nobody asks about.
            part.address = None;
        }
        if rule == "undeclared-look-up" {
            draft.suggestion = suggest::for_look_up(&self.place, flow, &name.name);
        }
        draft
    }

    /// The place in the manifest, or where a declaration would go.
    fn backed(&self, draft: &mut Draft, declaration: Option<&Declaration>) {
        draft.help = wording::help(draft.rule, &self.file);
        match declaration {
            Some(declaration) => {
                let text = words::shown(&declaration.text);
                draft.manifest = Some(self.reference(declaration).place);
                draft.evidence.push(format!("declared as {}: {text}", declaration.id));
            }
            None => {
                draft.manifest = Some("no declaration".into());
                draft.would_go = Some(format!("{}:{}", self.file, self.place.line));
            }
        }
    }

    fn draft(
        &self,
        rule: &'static str,
        severity: Outcome,
        title: String,
        flow: &AttributedFlow<'_>,
        sides: &Sides,
        endpoint: String,
    ) -> Draft {
        let record = flow.record;
        let mut draft = Draft::new(rule, severity, title).at(flow.t_ns, &flow.phase, flow.step.clone());
        draft.evidence.push(format!("talker {}: {}", flow.talker.role.word(), flow.talker.evidence));
        draft.flow = Some(FlowPart {
            talker: flow.talker.clone(),
            since: flow.since.clone(),
            endpoint,
            address: outside(flow, sides),
            transport: record.l4.to_string(),
            capture: flow.file.to_owned(),
            frames: record.frames,
            packets: record.packets,
            bytes: record.bytes,
            names: names_in_roles(record, sides),
        });
        draft
    }
}

/// A declaration by its id and its place, as the plan names the manifest, or as that names the profile.
fn reference(plan: &Plan, manifest: &Manifest, declaration: &Declaration) -> DeclarationRef {
    let profile = manifest.profile_of(declaration);
    let file = profile.map_or(&plan.manifest.written, |profile| &profile.written);
    let place = format!("{file}:{}", declaration.at.line);
    DeclarationRef { id: declaration.id.clone(), place: words::printable(&place) }
}

/// The end that the product didn't speak from, and its link address.
fn far_end(flow: &AttributedFlow<'_>) -> (IpAddr, Option<MacAddr>) {
    let record = flow.record;
    if flow.talker.role == Role::Services {
        (record.client.ip(), record.client_mac)
    } else {
        (record.server.ip(), record.server_mac)
    }
}

/// The far end's address, where it isn't one of the product's own.
fn outside(flow: &AttributedFlow<'_>, sides: &Sides) -> Option<IpAddr> {
    let (address, mac) = far_end(flow);
    let address = address.to_canonical();
    sides.role(address, mac).is_none().then_some(address)
}

/// From the first packet of an attempt to its last, in nanoseconds.
fn span(observed: &AttemptObservation<'_>) -> u64 {
    let first = observed.flows.iter().map(|flow| flow.t_ns).min();
    let last = observed.flows.iter().map(|flow| flow.last_ns).max();
    last.unwrap_or(0).saturating_sub(first.unwrap_or(0))
}

/// From here on, look-ups of this client can't be seen: RFC 7858 and RFC 9250 give encrypted DNS port 853.
fn hides_look_ups(flow: &FlowRecord) -> bool {
    flow.server.port() == 853
        || flow.alpn.iter().any(|alpn| matches!(alpn.as_str(), "dot" | "doq"))
        || matches!(flow.app.as_str(), "dot" | "doq" | "doh")
        || flow.reason == Some(Reason::HiddenDns)
}

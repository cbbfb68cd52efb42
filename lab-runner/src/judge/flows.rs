//! Every flow of an attempt held against the manifest: findings, endpoints, and which declarations were used.

use std::collections::BTreeSet;

use lab_observe::{FlowRecord, Reason};

use super::admit::{self, Ruling};
use super::captures::misses_packets;
use super::collect::{Collector, Draft, FlowPart};
use super::identity::{LookUps, Server};
use super::look_ups::{LookUpsOf, Objection};
use super::rows::{Judged, Rows};
use super::suggest::{self, Place};
use super::verdict::{DeclarationRef, Endpoint, Outcome};
use super::wording::{self, Ruled};
use super::words;
use crate::manifest::{Declaration, Evidence, Manifest};
use crate::observation::{Attempt, AttemptObservation, AttributedFlow, Sides, names_in_roles};
use crate::plan::Plan;

/// The judgement of flows, over all attempts of a run.
pub(super) struct Flows<'m> {
    plan: &'m Plan,
    manifest: &'m Manifest,
    asserted: bool,
    rows: Rows,
    place: Place,
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
            rows: Rows::default(),
            place: Place::of(manifest),
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
        let mut look_ups_of = LookUpsOf::new(self.manifest, observed.timeline.launched);
        let mut judged = 0;
        let of_the_link =
            |flow: &AttributedFlow<'_>| flow.record.link_control && observed.sides.keeps_to_link(flow.record);
        for flow in observed.flows.iter().filter(|flow| !of_the_link(flow)) {
            judged += 1;
            let hidden = hidden_from.is_some_and(|from| from <= flow.t_ns);
            let seen = flow.whole_life && !lossy && !hidden;
            let look_ups = if seen { LookUps::AllSeen } else { LookUps::MaybeMissed };
            let server = Server::of(flow.record, flow.record.server.ip());
            let ruling = admit::rule(self.manifest, flow, &server, look_ups);
            match &ruling {
                Ruling::Admitted(declaration, _) => drop(self.used.insert(&declaration.id)),
                Ruling::Doubtful(declaration, _) | Ruling::Broken(declaration, _) => {
                    self.touched.insert(&declaration.id);
                }
                Ruling::Pretended(_) | Ruling::Undeclared(_) => {}
            }
            let ruled = wording::of(&ruling, flow);
            let one = Judged { attempt, flow, sides: &observed.sides, server: &server };
            let named = match &ruling {
                Ruling::Admitted(declaration, _)
                | Ruling::Doubtful(declaration, _)
                | Ruling::Broken(declaration, _)
                | Ruling::Pretended(declaration) => Some(self.reference(declaration)),
                Ruling::Undeclared(_) => None,
            };
            self.rows.add(&one, &ruling, ruled.as_ref().map(|ruled| ruled.rule), named);
            if self.asserted {
                if let Some(ruled) = ruled {
                    collector.add(attempt, self.of_flow(&one, &ruled, look_ups));
                }
                look_ups_of.take(flow);
            }
        }
        for objection in look_ups_of.finish(observed.timeline.duration()) {
            collector.add(attempt, self.of_look_up(&objection, &observed.sides));
        }
        judged
    }

    /// The rows of the verdict.
    pub(super) fn endpoints(self, repeats: u32) -> Vec<Endpoint> {
        self.rows.finish(self.plan, repeats)
    }

    /// A declaration by its id and its place, as the plan names the manifest.
    pub(super) fn reference(&self, declaration: &Declaration) -> DeclarationRef {
        let place = format!("{}:{}", self.plan.manifest.written, declaration.at.line);
        DeclarationRef { id: declaration.id.clone(), place: words::printable(&place) }
    }

    fn of_flow(&self, judged: &Judged<'_, '_>, ruled: &Ruled<'_>, look_ups: LookUps) -> Draft {
        let Judged { flow, sides, server, .. } = *judged;
        let mut facts = vec![words::who_to_whom(flow, sides), words::what(flow.record)];
        if server.best_evidence() != Some(Evidence::Corroborated) {
            facts.push(words::naming(flow.record, look_ups));
        }
        let same = format!("{} {} {}", facts.join(", "), flow.record.l4, ruled.said);
        facts.push(words::moment(flow));
        facts.push(ruled.said.clone());
        let mut draft = self.draft(ruled.rule, ruled.severity, facts.join(", "), flow, sides);
        draft.same = Some(same);
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
        if ruled.rule == "undeclared-endpoint" {
            draft.suggestion = suggest::for_flow(self.manifest, &self.place, flow, server);
        }
        draft
    }

    fn of_look_up(&self, objection: &Objection<'_, '_, '_>, sides: &Sides) -> Draft {
        let Objection { rule, flow, name, same, title, declaration, evidence } = objection;
        let mut draft = self.draft(rule, Objection::SEVERITY, title.clone(), flow, sides);
        draft.same = Some(same.clone());
        self.backed(&mut draft, *declaration);
        draft.evidence.extend(evidence.iter().cloned());
        if let Some(part) = &mut draft.flow {
            part.frames = [name.frame, name.frame];
            part.endpoint = words::printable(&name.name);
        }
        if *rule == "undeclared-look-up" {
            draft.suggestion = suggest::for_look_up(self.manifest, &self.place, flow, &name.name);
        }
        draft
    }

    /// The place in the manifest, or where a declaration would go.
    fn backed(&self, draft: &mut Draft, declaration: Option<&Declaration>) {
        let manifest = words::printable(&self.plan.manifest.written);
        draft.help = wording::help(&draft.rule, &manifest);
        match declaration {
            Some(declaration) => {
                let text = words::printable(&declaration.text);
                draft.manifest = Some(self.reference(declaration).place);
                draft.evidence.push(format!("declared as {}: {text}", declaration.id));
            }
            None => {
                draft.manifest = Some("no declaration".into());
                draft.would_go = Some(format!("{manifest}:{}", self.place.line));
            }
        }
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
            endpoint: words::endpoint(flow, sides),
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

/// From here on, look-ups of this client can't be seen: RFC 7858 and RFC 9250 give encrypted DNS port 853.
fn hides_look_ups(flow: &FlowRecord) -> bool {
    flow.server.port() == 853
        || flow.alpn.iter().any(|alpn| matches!(alpn.as_str(), "dot" | "doq"))
        || matches!(flow.app.as_str(), "dot" | "doq" | "doh")
        || flow.reason == Some(Reason::HiddenDns)
}

//! The end of a capture: what was still waited for is given up, and each flow is told, with what its client had known.

use super::Observer;
use crate::explain::Explanation;
use crate::flow::{CLIENT, Flow, Flows, Hot, SERVER, Stage};
use crate::moment::Moment;
use crate::names::{Known, Names, Recall};
use crate::record::{FlowRecord, LinkFrame, Observation, Summary};
use crate::weird::Oddities;
use crate::{state, tcp, udp};

/// What is told beside the flows.
#[derive(Debug)]
pub struct Ended {
    /// Totals, and what could not be seen.
    pub summary: Summary,
    /// As [`Observation::canaries`].
    pub canaries: Vec<LinkFrame>,
    /// Of the flow that was asked for; `None` where there is no such flow.
    pub explanation: Option<Explanation>,
}

impl Observer {
    /// No more frames: says what was seen.
    pub fn finish(self) -> Observation {
        let mut flows = Vec::with_capacity(self.flows.len());
        let Ended { summary, canaries, .. } = self.finish_each(|record| flows.push(record.take()));
        Observation { flows, summary, canaries }
    }

    /// No more frames: lends one flow after the other, in the order of their first packets, without keeping any.
    pub fn finish_each(mut self, each: impl FnMut(&mut FlowRecord)) -> Ended {
        let names = self.close();
        let explanation = self.tell(&names, |index| index as u64 + 1, each);
        Ended { explanation, ..self.ended(&names) }
    }

    /// Gives up what is still waited for; returns the names that are known from now on.
    pub(crate) fn close(&mut self) -> Names {
        self.shared.names.close();
        self.give_up_all();
        self.summary.flows = self.flows.len() as u64;
        let mut none = Names::new(0);
        none.close();
        std::mem::replace(&mut self.shared.names, none)
    }

    /// Tells all flows, each by the number that its index has.
    pub(crate) fn tell(
        &mut self,
        names: &Names,
        number: impl Fn(usize) -> u64,
        mut each: impl FnMut(&mut FlowRecord),
    ) -> Option<Explanation> {
        let Flows { hot, mut cold, begun, .. } = std::mem::take(&mut self.flows);
        let mut explanation = None;
        let mut recall = names.recall();
        for (index, ((hot, flow), begun)) in hot.iter().zip(&mut cold).zip(begun).enumerate() {
            let stage = std::mem::take(&mut flow.stage);
            let mut context = self.shared.context(hot.last_frame, hot);
            match stage {
                Stage::Tcp(Some(tcp)) => tcp::finish(tcp, flow, &mut context),
                Stage::Udp(udp) => udp::finish(udp, flow, &mut context),
                Stage::Tcp(None) | Stage::Done => {}
            }
            if hot.is_forged_in_part() {
                context.oddities.note("server_forged", hot.last_frame);
                flow.evidence().weird("server_forged", hot.last_frame);
                flow.unread = true;
            }
            let known = known(&mut recall, hot, flow, begun);
            let mut watched = self.watched.take_if(|watched| watched.index == index);
            if let Some(watched) = &mut watched {
                watched.look(hot, flow, &known);
            }
            let mut record = state::record(hot, flow, &known, &mut self.summary.names_evicted);
            record.flow = number(index);
            // A flow's own number comes before those of what it carries.
            record.tunnel = hot.key.tunnel().map(|carrier| number(carrier as usize - 1));
            if let Some(watched) = watched {
                explanation = Some(watched.explained(record.clone()));
            }
            // Records are large: one that is given away is copied on its way.
            each(&mut record);
        }
        explanation
    }

    /// What is told beside the flows, once they were told.
    pub(crate) fn ended(mut self, names: &Names) -> Ended {
        self.summary.names_evicted += names.evicted;
        self.summary.streams_evicted = self.shared.budget.evicted + self.shared.room.evicted;
        self.summary.ether_types =
            self.ether_types.iter().map(|(kind, count)| (format!("0x{kind:04x}"), *count)).collect();
        let oddities: Oddities = self.shared.oddities;
        self.summary.weird = oddities.counts();
        self.summary.weird_frames = oddities.frames();
        Ended { summary: self.summary, canaries: self.canaries, explanation: None }
    }

    /// Has who watches a flow look at it.
    #[inline]
    pub(super) fn look(&mut self, index: usize) {
        if let Some(watched) = self.watched.as_mut().filter(|watched| watched.index == index) {
            let Flows { hot, cold, begun, .. } = &mut self.flows;
            let (hot, flow) = (&hot[index], &mut cold[index]);
            watched.look(hot, flow, &known(&mut self.shared.names.recall(), hot, flow, begun[index]));
        }
    }
}

/// What a flow's client knew of its server when it began.
fn known<'a>(recall: &mut Recall<'a>, hot: &Hot, flow: &Flow, begun: Moment) -> Known<'a> {
    let ends = hot.ends();
    recall.known(ends[CLIENT].0, flow.client_mac, ends[SERVER].0, begun)
}

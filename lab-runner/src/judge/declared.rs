//! The manifest as a judge asks it: which declarations may mean a flow, and what the best of them makes of it.
//!
//! Every flow costs what the declarations that its names or address find cost. A flow that hides its name might be any of
//! many: those are asked once for each kind of flow, and the answer is kept.

use std::cell::RefCell;

use lab_observe::{Reason, Word};

use super::admit::{self, Ruling};
use super::identity::{Doubt, Identity, LookUps, Server};
use super::places::Places;
use crate::manifest::{Declaration, Index, Manifest, Place, Surroundings, Transport};
use crate::observation::{AttributedFlow, Confidence, Role, Sides};

/// What tells one hidden flow from another, as far as declarations ask: its phase, what it speaks and in which version,
/// and everything else.
type Kind<P, W> = (P, W, Option<W>, (Transport, u16, Role, Confidence, [bool; 5], Option<Reason>, LookUps));

/// What the nearest declaration makes of each kind of hidden flow.
#[derive(Default)]
struct Hidden<'m> {
    kinds: Vec<Kind<String, Word>>,
    rulings: Vec<Option<(Place, Ruling<'m>)>>,
    places: Places,
}

/// The declarations of a run.
pub(super) struct Declared<'m> {
    index: Index<'m>,
    hidden: RefCell<Hidden<'m>>,
}

impl<'m> Declared<'m> {
    pub(super) fn of(manifest: &'m Manifest) -> Self {
        Self { index: Index::of(manifest), hidden: RefCell::default() }
    }

    /// The declarations that cover a name, with their places, in their order.
    pub(super) fn covering_name(&self, name: &str) -> Vec<(Place, &'m Declaration)> {
        self.found(self.index.covering_name(name))
    }

    /// The declaration at a place.
    pub(super) fn get(&self, place: Place) -> Option<&'m Declaration> {
        self.index.get(place)
    }

    /// The declarations whose peer covers one of the server's names or its address, in their order.
    pub(super) fn meaning(&self, server: &Server, around: &Surroundings) -> Vec<(Place, &'m Declaration)> {
        self.found(self.index.covering(server.every_name(), Some(server.address), around))
    }

    fn found(&self, places: Vec<Place>) -> Vec<(Place, &'m Declaration)> {
        places.into_iter().filter_map(|place| Some((place, self.index.get(place)?))).collect()
    }

    /// What the manifest makes of a flow. The first declaration of the best rank counts.
    pub(super) fn rule(
        &self,
        flow: &AttributedFlow<'_>,
        server: &Server,
        look_ups: LookUps,
        sides: &Sides,
    ) -> Ruling<'m> {
        let around = sides.surroundings();
        let mut best: Option<(Place, Ruling<'m>)> = None;
        let mut hold = |place: Place, ruling: Ruling<'m>| {
            let nearer = best.as_ref().is_none_or(|(first, known)| {
                ruling.rank() > known.rank() || (ruling.rank() == known.rank() && place < *first)
            });
            if nearer {
                best = Some((place, ruling));
            }
        };
        for (place, declaration) in self.meaning(server, around) {
            let ruling = admit::one(declaration, flow, sides, server.is(declaration, look_ups, around));
            let admitted = matches!(ruling, Ruling::Admitted(..));
            hold(place, ruling);
            // None after it counts.
            if admitted {
                break;
            }
        }
        if server.is_unnamed()
            && let Some((place, ruling)) = self.hidden(flow, server, look_ups, sides)
        {
            hold(place, ruling);
        }
        best.map_or(Ruling::Undeclared(None), |(_, ruling)| ruling)
    }

    /// What the nearest declaration makes of a flow whose name could not be seen.
    fn hidden(
        &self,
        flow: &AttributedFlow<'_>,
        server: &Server,
        look_ups: LookUps,
        sides: &Sides,
    ) -> Option<(Place, Ruling<'m>)> {
        let record = flow.record;
        let transport = admit::transport(record)?;
        let flags = [record.guessed, record.answered, record.silent, record.ech, record.ja4.is_some()];
        let (port, talker) = (record.server.port(), &flow.talker);
        let rest = (transport, port, talker.role, talker.confidence, flags, record.reason, look_ups);
        let kind: Kind<&str, &str> = (&flow.phase, &record.app, record.version.as_deref(), rest);
        let Hidden { kinds, rulings, places } = &mut *self.hidden.borrow_mut();
        let place = places.of(kind, kinds.len(), |place| {
            let (phase, app, version, rest) = &kinds[place];
            (phase.as_str(), app.as_str(), version.as_deref(), *rest) == kind
        });
        if let Some(ruling) = rulings.get(place) {
            return ruling.clone();
        }
        let mut best: Option<(Place, Ruling<'m>)> = None;
        for place in self.index.named_on(transport, record.server.port()) {
            let Some(declaration) = self.index.get(place) else { continue };
            if !server.hides(declaration.evidence, look_ups) {
                continue;
            }
            let ruling = admit::one(declaration, flow, sides, Identity::Doubtful(Doubt::Hidden));
            if best.as_ref().is_none_or(|(_, known)| ruling.rank() > known.rank()) {
                best = Some((place, ruling));
            }
        }
        let best = best.filter(|(_, ruling)| ruling.rank() > 0);
        kinds.push((flow.phase.clone(), record.app.clone(), record.version.clone(), rest));
        rulings.push(best.clone());
        best
    }
}

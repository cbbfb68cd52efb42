//! What the emulated phone knows of the watch and of its D-Bus clients. Plain data and its rules; no I/O.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::Notify;

use super::agents::Agents;
use crate::radio::gatt::Service;
use crate::radio::watch::Watch;

/// Signal strength of the watch, in dBm. It wavers, since clients hear of repeated advertisements only by a change.
const RSSI: [i16; 2] = [-52, -54];
/// Everything that is known, on the phone's side and in the air.
#[derive(Debug)]
pub(super) struct State {
    pub(super) watch: Watch,
    pub(super) powered: bool,
    /// The clients that discover.
    pub(super) discovering: HashSet<String>,
    /// The phone knows the watch: heard it, or is bonded with it.
    pub(super) known: bool,
    pub(super) bonded: bool,
    pub(super) trusted: bool,
    pub(super) blocked: bool,
    pub(super) alias: Option<String>,
    pub(super) name: Option<String>,
    pub(super) rssi: Option<i16>,
    pub(super) agents: Agents,
    /// Wakes the pairing that is under way, to be cancelled.
    pub(super) pairing: Option<Arc<Notify>>,
    /// Clients by characteristic.
    pub(super) notifying: HashMap<u16, HashSet<String>>,
    pub(super) values: HashMap<u16, Vec<u8>>,
    pub(super) published: Published,
}

/// What the bus was told last.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) device: bool,
    pub(super) link: Option<u64>,
    pub(super) resolved: bool,
    pub(super) services: Vec<&'static Service>,
    pub(super) discovering: bool,
    pub(super) powered: bool,
    pub(super) face: Face,
}

/// The properties of the device that can change by themselves.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Face {
    pub(super) name: Option<String>,
    pub(super) alias: Option<String>,
    pub(super) rssi: Option<i16>,
    pub(super) bonded: bool,
    pub(super) trusted: bool,
    pub(super) blocked: bool,
}

impl State {
    /// A phone that has heard of nothing.
    pub(super) fn new() -> Self {
        Self {
            watch: Watch::new(),
            powered: true,
            discovering: HashSet::new(),
            known: false,
            bonded: false,
            trusted: false,
            blocked: false,
            alias: None,
            name: None,
            rssi: None,
            agents: Agents::default(),
            pairing: None,
            notifying: HashMap::new(),
            values: HashMap::new(),
            published: Published { powered: true, ..Published::default() },
        }
    }

    /// What the device shows of itself now.
    pub(super) fn face(&self) -> Face {
        Face {
            name: self.name.clone(),
            alias: self.alias.clone(),
            rssi: self.rssi,
            bonded: self.bonded,
            trusted: self.trusted,
            blocked: self.blocked,
        }
    }

    /// An advertisement reaches the phone, if it listens and the watch sends.
    pub(super) fn hear(&mut self, beat: usize) {
        if !self.powered || self.discovering.is_empty() || !self.watch.advertises() {
            return;
        }
        self.known = true;
        self.rssi = Some(RSSI[beat % RSSI.len()]);
    }

    /// Follows the watch, and forgets what the phone would forget.
    pub(super) fn settle(&mut self) {
        let heard = self.watch.advertises() || self.watch.link().is_some();
        if heard {
            self.name = self.watch.name().map(str::to_owned);
        }
        if self.discovering.is_empty() || !heard {
            self.rssi = None;
        }
        if !heard && !self.bonded {
            self.known = false;
        }
        if !self.known {
            self.forget();
        }
    }

    /// Forgets the device, its bond included. The watch keeps its own key.
    pub(super) fn forget(&mut self) {
        self.known = false;
        self.bonded = false;
        self.trusted = false;
        self.blocked = false;
        self.alias = None;
        self.rssi = None;
        self.values.clear();
    }

    /// A client left the bus, and with it what it asked for.
    pub(super) fn client_left(&mut self, client: &str) {
        self.discovering.remove(client);
        self.agents.client_left(client);
        let mut silent = Vec::new();
        for (uuid, clients) in &mut self.notifying {
            if clients.remove(client) && clients.is_empty() {
                silent.push(*uuid);
            }
        }
        for uuid in silent {
            self.notifying.remove(&uuid);
            // Fails only without a link, where there is nothing to switch off.
            let _ = self.watch.subscribe(uuid, false);
        }
    }
}

//! What we say of the corpus: every capture observed once.

use std::collections::HashMap;
use std::path::Path;

use lab_observe::{FlowRecord, Observation, Options, observe};

use crate::reference::{Key, Row, key_of};

/// Flows by capture and key; a key has several where we tell a later conversation from an earlier one.
pub(crate) struct Observed(HashMap<String, HashMap<Key, Vec<FlowRecord>>>);

impl Observed {
    pub(crate) fn new(folder: &Path) -> Self {
        let captures = std::fs::read_dir(folder.join("names/pcap")).unwrap().filter_map(|entry| {
            let entry = entry.unwrap();
            let seen = read(&entry.path())?;
            let mut flows: HashMap<Key, Vec<FlowRecord>> = HashMap::new();
            for flow in seen.flows {
                flows.entry(key_of(&flow)).or_default().push(flow);
            }
            Some((entry.file_name().into_string().unwrap(), flows))
        });
        Self(captures.collect())
    }

    /// Our flows of a row.
    pub(crate) fn flows(&self, row: &Row) -> Vec<&FlowRecord> {
        let flows = self.0.get(&row.pcap).and_then(|flows| flows.get(&row.key));
        flows.into_iter().flatten().filter(|flow| row.may_be(flow)).collect()
    }
}

/// A capture's observation; `None` where the file is no capture.
pub(crate) fn read(path: &Path) -> Option<Observation> {
    observe(&std::fs::read(path).unwrap(), Options::default()).ok()
}

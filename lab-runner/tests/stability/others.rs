//! Captures of every protocol, made by nobody of this project.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lab_runner::captured::{Captured, Device, PHASE, read};

use super::corpus::folder;

/// The captures of the corpus that are no repeats, each seen from the host that opens most of its flows.
pub(crate) fn others() -> Option<Vec<Captured>> {
    let folder = folder("names/pcap")?;
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut captures = Vec::new();
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(observation) = lab_observe::observe(&bytes, lab_observe::Options::default()) else { continue };
        let mut opened: BTreeMap<Device, usize> = BTreeMap::new();
        for flow in &observation.flows {
            let device =
                flow.client_mac.map_or(Device::Address(flow.client.ip().to_canonical()), Device::Link);
            *opened.entry(device).or_default() += 1;
        }
        let Some((device, _)) = opened.into_iter().max_by_key(|(_, flows)| *flows) else { continue };
        captures.push(read(1, &name, &bytes, device, PHASE).unwrap());
    }
    Some(captures)
}

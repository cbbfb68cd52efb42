//! Takes out of a recording what is true of one desk only, and the payload that no name came from.
//!
//! Hardware addresses that a vendor gave out are replaced by documentation addresses (RFC 7042, section 2.1.2), the
//! same one for the same device. Of each frame as many bytes stay as observation looked at; no frame is removed and
//! none changes its length on the wire. Whoever saves a fixture compares what is observed before and after.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use lab_observe::{Observer, Options, capture};
use lab_protocol::{Body, Entry, Event, Reply};
use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::interface_statistics::{InterfaceStatisticsBlock, InterfaceStatisticsOption};

/// What is replaced by what.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    /// Texts in the log.
    texts: BTreeMap<String, String>,
    /// Hardware addresses in frames.
    macs: BTreeMap<[u8; 6], [u8; 6]>,
}

impl Scrub {
    /// What has to be replaced in the recording of this attempt.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut scrub = Self::default();
        // What a command holds came from the plan, or from a line that it captured: changed, it would no longer match.
        let commands: String = entries
            .iter()
            .filter_map(|entry| match &entry.body {
                Body::Command(command) => serde_json::to_string(&command.action).ok(),
                Body::Event(_) => None,
            })
            .collect::<String>()
            .to_lowercase();
        for entry in entries {
            let Body::Event(Event::Done { reply }) = &entry.body else { continue };
            match reply {
                Reply::Found { address, .. } if !commands.contains(&address.to_lowercase()) => {
                    scrub.replace(address)
                }
                Reply::Network { facts } => {
                    facts.sides.iter().flat_map(|side| &side.macs).for_each(|mac| scrub.replace(mac));
                }
                _ => {}
            }
        }
        scrub
    }

    fn replace(&mut self, written: &str) {
        let Ok(mac) = written.parse::<lab_observe::MacAddr>() else { return };
        // A locally administered address (IEEE 802c, bit 1 of the first byte) names no device.
        if mac.0[0] & 0x02 != 0 || self.macs.contains_key(&mac.0) {
            return;
        }
        let Ok(count) = u8::try_from(self.macs.len()) else { return };
        let new = [0x00, 0x00, 0x5e, 0x00, 0x53, count];
        self.macs.insert(mac.0, new);
        let text = lab_observe::MacAddr(new).to_string();
        self.texts.insert(written.to_uppercase(), text.to_uppercase());
        self.texts.insert(written.to_lowercase(), text);
    }

    /// The log, scrubbed. Commands stay as they are: they are what the plan says.
    pub(super) fn entries(&self, entries: Vec<Entry>) -> Vec<Entry> {
        entries
            .into_iter()
            .map(|entry| match &entry.body {
                Body::Event(event) if !self.texts.is_empty() => {
                    let Ok(mut json) = serde_json::to_string(event) else { return entry };
                    for (old, new) in &self.texts {
                        json = json.replace(old, new);
                    }
                    // Both texts are plain characters of the same kind, so what was an event still is one.
                    match serde_json::from_str(&json) {
                        Ok(event) => Entry { body: Body::Event(event), ..entry },
                        Err(_) => entry,
                    }
                }
                _ => entry,
            })
            .collect()
    }

    /// A capture, scrubbed.
    pub(super) fn capture(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut frames = capture::frames(bytes).map_err(|error| error.to_string())?;
        let mut observer = Observer::new(Options::default());
        let mut kept = Vec::new();
        for frame in &mut frames {
            let consulted = observer.push(frame);
            let length = consulted.0.min(frame.data.len());
            let mut data = frame.data[..length].to_vec();
            self.replace_macs(&mut data);
            kept.push((frame.interface, frame.ts_ns, frame.orig_len, data));
        }
        if let Some(reason) = &frames.end().cut {
            return Err(format!("the capture is cut: {reason}"));
        }

        let mut writer = PcapNgWriter::new(Vec::new()).map_err(|error| error.to_string())?;
        for interface in frames.interfaces() {
            let mut options = vec![InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO)];
            if let Some(name) = &interface.name {
                options.insert(0, InterfaceDescriptionOption::IfName(Cow::Borrowed(name)));
            }
            let block = InterfaceDescriptionBlock {
                linktype: DataLink::from(u32::from(interface.link_type)),
                snaplen: interface.snaplen,
                options,
            };
            writer.write_pcapng_block(block).map_err(|error| error.to_string())?;
        }
        let mut last = 0;
        for (interface_id, ts_ns, original_len, data) in kept {
            last = ts_ns;
            let block = EnhancedPacketBlock {
                interface_id,
                timestamp: Duration::from_nanos(ts_ns),
                original_len,
                data: Cow::Owned(data),
                options: Vec::new(),
            };
            writer.write_pcapng_block(block).map_err(|error| error.to_string())?;
        }
        for (id, interface) in frames.interfaces().iter().enumerate() {
            if let Some(drops) = interface.drops {
                let block = InterfaceStatisticsBlock {
                    interface_id: id as u32,
                    timestamp: Duration::from_nanos(last),
                    options: vec![InterfaceStatisticsOption::IsbIfDrop(drops)],
                };
                writer.write_pcapng_block(block).map_err(|error| error.to_string())?;
            }
        }
        Ok(writer.into_inner())
    }

    /// Replaces the addresses wherever they stand in what is left of a frame: link header, ARP, neighbour discovery.
    fn replace_macs(&self, data: &mut [u8]) {
        for (old, new) in &self.macs {
            for at in 0..data.len().saturating_sub(5) {
                if data[at..at + 6] == *old {
                    data[at..at + 6].copy_from_slice(new);
                }
            }
        }
    }
}

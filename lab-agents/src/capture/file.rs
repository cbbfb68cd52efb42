//! The capture file: pcapng with one interface and nanoseconds, streamed piece by piece, so that what a killed run
//! leaves can be read. It says nothing about the host or the tool.

use std::{borrow::Cow, time::Duration};

use lab_protocol::{BlobRef, Fault};
use pcap_file::{
    DataLink,
    pcapng::{
        PcapNgBlock, PcapNgWriter,
        blocks::{
            enhanced_packet::EnhancedPacketBlock,
            interface_description::{
                InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
            },
            interface_statistics::{InterfaceStatisticsBlock, InterfaceStatisticsOption},
        },
    },
};
use sha2::{Digest, Sha256};

use crate::Outlet;

/// A piece is sent once it is so long, in bytes, or old enough.
const PIECE: usize = 256 * 1024;

/// A capture file under way.
pub(super) struct CaptureFile {
    name: String,
    writer: PcapNgWriter<Vec<u8>>,
    hash: Sha256,
    sent: u64,
    frames: u64,
}

impl CaptureFile {
    /// Begins the file `captures/<vantage>.pcapng`.
    pub(super) fn begin(vantage: &str, interface: &str, link_type: i32, snaplen: u32) -> Result<Self, Fault> {
        let mut writer = PcapNgWriter::new(Vec::new()).map_err(|error| not_written(&error))?;
        let description = InterfaceDescriptionBlock {
            linktype: DataLink::from(u32::try_from(link_type).unwrap_or(u32::MAX)),
            snaplen,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Owned(interface.to_owned())),
                InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO),
            ],
        };
        writer.write_block(&description.into_block()).map_err(|error| not_written(&error))?;
        Ok(Self {
            name: format!("captures/{vantage}.pcapng"),
            writer,
            hash: Sha256::new(),
            sent: 0,
            frames: 0,
        })
    }

    /// Adds a frame; `t` is Unix time in nanoseconds. Gives its number, from 1.
    pub(super) fn frame(&mut self, t: u64, bytes: &[u8], original: u32) -> Result<u64, Fault> {
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(t),
            original_len: original.max(u32::try_from(bytes.len()).unwrap_or(u32::MAX)),
            data: Cow::Borrowed(bytes),
            options: Vec::new(),
        };
        self.writer.write_block(&block.into_block()).map_err(|error| not_written(&error))?;
        self.frames += 1;
        Ok(self.frames)
    }

    /// How many frames are in the file.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether a piece is long enough to be sent.
    pub(super) fn is_long(&self) -> bool {
        self.writer.get_ref().len() >= PIECE
    }

    /// Sends what was not sent yet.
    pub(super) fn flush(&mut self, out: &Outlet) {
        let piece = std::mem::take(self.writer.get_mut());
        if !piece.is_empty() {
            self.hash.update(&piece);
            self.sent += piece.len() as u64;
            out.chunk(&self.name, piece);
        }
    }

    /// Ends the file with the interface's counters; gives its name and what is in it.
    pub(super) fn finish(
        mut self,
        t: u64,
        received: u64,
        dropped: u64,
        if_dropped: u64,
        out: &Outlet,
    ) -> Result<(String, BlobRef), Fault> {
        let statistics = InterfaceStatisticsBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(t),
            options: vec![
                InterfaceStatisticsOption::IsbIfRecv(received),
                InterfaceStatisticsOption::IsbIfDrop(if_dropped),
                InterfaceStatisticsOption::IsbOsDrop(dropped),
            ],
        };
        self.writer.write_block(&statistics.into_block()).map_err(|error| not_written(&error))?;
        self.flush(out);
        let sha256 = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((self.name, BlobRef { sha256, bytes: self.sent }))
    }
}

fn not_written(error: &dyn std::fmt::Display) -> Fault {
    Fault::bench("capture-not-written", format!("a capture's frame can't be written as pcapng: {error}"))
}

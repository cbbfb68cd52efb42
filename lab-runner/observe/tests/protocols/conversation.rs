//! Two sides that speak in turn over one TCP connection.

use lab_observe::FlowRecord;

use crate::packets::Wire;

/// The client speaks.
pub(crate) const C: bool = true;
/// The server speaks.
pub(crate) const S: bool = false;

/// What is observed of a connection to this port, in which these bytes are said.
pub(crate) fn conversation(port: u16, parts: &[(bool, &[u8])]) -> FlowRecord {
    let (client, server) = ("192.0.2.10:40000", format!("198.51.100.20:{port}"));
    let mut wire = Wire::new();
    let mut next = [5001, wire.tcp_handshake(client, &server)];
    for (by_client, bytes) in parts {
        let (from, to) = if *by_client { (client, server.as_str()) } else { (server.as_str(), client) };
        let seq = &mut next[usize::from(*by_client)];
        wire.tcp_segment(from, to, *seq, bytes);
        *seq += bytes.len() as u32;
    }
    wire.observe().flows.remove(0)
}

//! An NTP server, version 4 (RFC 5905 §7.3), which hands out the host's clock. It answers client requests only.

use std::{
    io,
    net::UdpSocket,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Seconds from the NTP era's start (1900) to the Unix epoch (RFC 5905 §6).
const NTP_TO_UNIX_SECONDS: u64 = 2_208_988_800;
/// Length of the header without extensions, in bytes.
const HEADER: usize = 48;
const MODE_CLIENT: u8 = 3;
const MODE_SERVER: u8 = 4;

/// Answers requests until the process ends.
pub(super) fn serve(socket: UdpSocket) {
    thread::spawn(move || {
        let mut buffer = [0_u8; 512];
        loop {
            let (length, from) = match socket.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionRefused
                    ) =>
                {
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "NTP: receiving failed");
                    return;
                }
            };
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            if let Some(reply) = answer(&buffer[..length], now) {
                // A lost answer is a client's ordinary time-out.
                let _ = socket.send_to(&reply, from);
            }
        }
    });
}

/// The reply to a client's request; `now` counts from the Unix epoch.
fn answer(request: &[u8], now: Duration) -> Option<[u8; HEADER]> {
    let first = *request.first()?;
    let (version, mode) = ((first >> 3) & 7, first & 7);
    if request.len() < HEADER || mode != MODE_CLIENT || !(1..=4).contains(&version) {
        return None;
    }
    let mut reply = [0_u8; HEADER];
    reply[0] = (version << 3) | MODE_SERVER;
    reply[1] = 1; // stratum: a primary server
    reply[2] = request[2]; // poll
    reply[3] = 0xec; // precision: 2^-20 s
    reply[12..16].copy_from_slice(b"GPS\0");
    let now = timestamp(now);
    reply[16..24].copy_from_slice(&now);
    reply[24..32].copy_from_slice(&request[40..48]); // the client's transmit time comes back as origin
    reply[32..40].copy_from_slice(&now);
    reply[40..48].copy_from_slice(&now);
    Some(reply)
}

fn timestamp(since_unix_epoch: Duration) -> [u8; 8] {
    let seconds = since_unix_epoch.as_secs().wrapping_add(NTP_TO_UNIX_SECONDS);
    let fraction = (u64::from(since_unix_epoch.subsec_nanos()) << 32) / 1_000_000_000;
    ((seconds << 32) | fraction).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_gives_the_clients_time_back_and_the_servers_time() {
        let mut request = [0_u8; HEADER];
        request[0] = 0x23;
        request[40..48].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        let reply = answer(&request, Duration::from_millis(1_700_000_000_500)).unwrap();
        assert_eq!(reply[0], 0x24);
        assert_eq!(reply[24..32], [1, 2, 3, 4, 5, 6, 7, 8]);
        let seconds = u32::from_be_bytes(reply[40..44].try_into().unwrap());
        assert_eq!(u64::from(seconds), 1_700_000_000 + NTP_TO_UNIX_SECONDS);
        assert_eq!(reply[44], 0x80);
    }

    #[test]
    fn a_servers_reply_is_not_answered() {
        let mut packet = [0_u8; HEADER];
        packet[0] = 0x24;
        assert_eq!(answer(&packet, Duration::ZERO), None);
        assert_eq!(answer(&[0x23; 47], Duration::ZERO), None);
    }
}

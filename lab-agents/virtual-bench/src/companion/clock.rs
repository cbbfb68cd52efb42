//! The app's time client: look the server up, then one SNTP request (RFC 5905 §14).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{AppError, HostPort, resolver};

/// Seconds from the NTP era's start (1900) to the Unix epoch (RFC 5905 §6).
const NTP_TO_UNIX_SECONDS: u64 = 2_208_988_800;
const ANSWER_DEADLINE: Duration = Duration::from_secs(1);
const TRIES: u8 = 3;

/// Looks the time server up.
pub(super) fn locate(resolver: SocketAddr, server: &HostPort) -> Result<SocketAddr, AppError> {
    Ok(SocketAddr::new(resolver::resolve(resolver, &server.host)?, server.port))
}

/// Asks the time server for Unix time, in seconds.
pub(super) fn ask(server: SocketAddr) -> Result<u64, AppError> {
    let fail = |why: String| AppError::Time { server, why };
    let socket = socket_to(server).map_err(|error| fail(error.to_string()))?;
    let mut why = String::new();
    for _ in 0..TRIES {
        let (request, sent) = request();
        // Server mode, and our own transmit time given back: not a forged or late reply.
        let is_ours = |reply: &[u8]| reply.len() >= 48 && reply[0] & 7 == 4 && reply[24..32] == sent;
        match resolver::exchange(&socket, &request, ANSWER_DEADLINE, is_ours) {
            Ok(reply) => {
                let seconds = u32::from_be_bytes([reply[40], reply[41], reply[42], reply[43]]);
                return u64::from(seconds)
                    .checked_sub(NTP_TO_UNIX_SECONDS)
                    .ok_or_else(|| fail("a time before 1970".to_owned()));
            }
            Err(error) => why = error.to_string(),
        }
    }
    Err(fail(why))
}

/// Sends so many requests as fast as it goes, reading no reply.
pub(super) fn flood(server: SocketAddr, packets: u32) -> Result<(), AppError> {
    let fail = |why: String| AppError::Time { server, why };
    let socket = socket_to(server).map_err(|error| fail(error.to_string()))?;
    let (request, _) = request();
    for _ in 0..packets {
        // A full queue is the purpose.
        let _ = socket.send(&request);
    }
    Ok(())
}

fn socket_to(server: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    Ok(socket)
}

/// A client request of version 4 with the transmit time that it carries.
fn request() -> ([u8; 48], [u8; 8]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = now.as_secs().wrapping_add(NTP_TO_UNIX_SECONDS);
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    let sent = ((seconds << 32) | fraction).to_be_bytes();
    let mut request = [0_u8; 48];
    request[0] = 0x23;
    request[40..48].copy_from_slice(&sent);
    (request, sent)
}

//! The cable between phone and services, and somebody who pulls it: a fault that a real desk has too.

use std::{io, os::fd::AsRawFd};

use nix::{
    net::if_::if_nametoindex,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket},
};

/// The services' end of the link.
const LINK: &str = "eth0";
/// rtnetlink(7), linux/rtnetlink.h.
const RTM_DELLINK: u16 = 17;
/// netlink(7): a request that is to be acknowledged.
const NLM_F_REQUEST_ACK: u16 = 1 | 4;
/// Length of `struct nlmsghdr` and of `struct ifinfomsg`.
const HEADER: usize = 16;

/// Removes the link, and with it its other end.
pub(super) fn pull() -> io::Result<()> {
    let index = if_nametoindex(LINK)?;
    let netlink = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        Some(SockProtocol::NetlinkRoute),
    )?;
    let mut message = Vec::with_capacity(2 * HEADER);
    message.extend(((2 * HEADER) as u32).to_ne_bytes());
    message.extend(RTM_DELLINK.to_ne_bytes());
    message.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    message.extend([0; 8]); // sequence and port: one request on a socket of its own
    message.extend([0; 4]); // any family, any type
    message.extend(index.to_ne_bytes());
    message.extend([0; 8]); // no flags
    send(netlink.as_raw_fd(), &message, MsgFlags::empty())?;
    // The acknowledgement: a header, then the error as a negative errno, 0 for success.
    let mut answer = [0; 64];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    match answer.get(HEADER..HEADER + 4).filter(|_| length >= HEADER + 4) {
        Some(&[a, b, c, d]) => match i32::from_ne_bytes([a, b, c, d]) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(-error)),
        },
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

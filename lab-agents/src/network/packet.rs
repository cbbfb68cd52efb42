//! Sending one raw Ethernet frame (packet(7)).

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    libc,
    net::if_::if_nametoindex,
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};

/// A socket that sends frames on one interface and receives none.
pub(super) struct FrameSocket {
    socket: OwnedFd,
    index: i32,
}

impl FrameSocket {
    /// Opens one in the calling thread's network namespace.
    pub(super) fn open(interface: &str) -> io::Result<Self> {
        let index = i32::try_from(if_nametoindex(interface)?).map_err(io::Error::other)?;
        // Protocol 0: nothing is received.
        let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
        Ok(Self { socket, index })
    }

    /// Sends a frame as it is.
    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: sockaddr_ll is plain data for which zero is valid, and its true size is given; `frame` is valid for
        // its length.
        let sent = unsafe {
            let mut to: libc::sockaddr_ll = std::mem::zeroed();
            to.sll_family = libc::AF_PACKET as libc::c_ushort;
            to.sll_ifindex = self.index;
            libc::sendto(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const to).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

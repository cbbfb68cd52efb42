//! Switching an interface's offloads off, so that a capture shows packets as they would be on a wire: checksums
//! filled in, nothing longer than the link's frames.

use std::io;

use nix::{
    libc,
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};
use std::os::fd::AsRawFd;

/// Set transmit checksums (linux/ethtool.h, ETHTOOL_STXCSUM).
const SET_TX_CHECKSUM: u32 = 0x17;
/// Set TCP segmentation offload (ETHTOOL_STSO).
const SET_TSO: u32 = 0x1f;
/// Set generic segmentation offload (ETHTOOL_SGSO).
const SET_GSO: u32 = 0x24;

#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Switches checksum and segmentation offload of an interface of this network namespace off.
pub(super) fn disable(interface: &str) -> io::Result<()> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    for command in [SET_TSO, SET_GSO, SET_TX_CHECKSUM] {
        let mut value = Value { command, data: 0 };
        // SAFETY: an all-zero ifreq is valid; the name is shorter than its field and stays terminated; the kernel
        // reads and writes `value`, which outlives the call.
        let result = unsafe {
            let mut request: libc::ifreq = std::mem::zeroed();
            for (place, byte) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(interface.bytes()) {
                *place = byte as libc::c_char;
            }
            request.ifr_ifru.ifru_data = (&raw mut value).cast();
            libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &mut request)
        };
        if result < 0 {
            let error = io::Error::last_os_error();
            // An interface that has no such offload has none to switch off.
            if error.raw_os_error() != Some(libc::EOPNOTSUPP) {
                return Err(error);
            }
        }
    }
    Ok(())
}

//! What a program that isn't the lab's own starts with: standard input and output, and no privileges. The product under
//! test could else forge events on an agent's line, or frames on the link. It confines; it starts nothing.
//!
//! Every function is called between fork and exec and makes plain system calls only.

use std::io;

use nix::libc;

/// May change the network namespaces that its user namespace owns: linux/capability.h, capabilities(7).
#[cfg(feature = "network")]
pub(crate) const NET_ADMIN: u32 = 12;
/// Version 3 of capset(2)'s structures, with 64 capabilities in two words: linux/capability.h.
const VERSION_3: u32 = 0x2008_0522;
/// More capabilities than the structures can name there can't be.
const MOST: u32 = 64;

/// Leaves only standard input, output and error open once the program begins.
///
/// # Errors
/// What the kernel says; close_range(2) with `CLOSE_RANGE_CLOEXEC` is there since Linux 5.11.
pub(crate) fn keep_standard_streams() -> io::Result<()> {
    // Not closed at once: the way on which `spawn` hears of a failed exec is among them.
    // SAFETY: the call changes flags of this process's descriptors, nothing else.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Has the program begin without capabilities but those in `keep`, and makes sure that it gets no others: not as root
/// and not from a file that it executes.
///
/// What exec(2) would give comes from the bounding, the inheritable and the ambient set; the caller's own permitted set
/// stays until then, because the executable may lie where only a privileged user can reach it.
///
/// # Errors
/// What the kernel says: without CAP_SETPCAP, the bounding set can't be emptied.
pub(crate) fn shed_privileges(keep: &[u32]) -> io::Result<()> {
    for capability in (0..MOST).filter(|capability| !keep.contains(capability)) {
        match prctl(libc::PR_CAPBSET_DROP, capability.into(), 0) {
            // The kernel knows no more.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            result => result?,
        }
    }
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong, 0)?;
    inherit(keep)?;
    for &capability in keep {
        prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as libc::c_ulong, capability.into())?;
    }
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0)
}

fn prctl(what: libc::c_int, first: libc::c_ulong, second: libc::c_ulong) -> io::Result<()> {
    let none: libc::c_ulong = 0;
    // SAFETY: these requests take numbers and change this process's attributes only.
    if unsafe { libc::prctl(what, first, second, none, none) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Word {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Makes `capabilities` the inheritable set.
fn inherit(capabilities: &[u32]) -> io::Result<()> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut words = [Word::default(); 2];
    // SAFETY: header and words have the layout that version 3 means and outlive both calls.
    unsafe {
        if libc::syscall(libc::SYS_capget, &raw mut header, words.as_mut_ptr()) < 0 {
            return Err(io::Error::last_os_error());
        }
        for (place, word) in (0..).zip(&mut words) {
            word.inheritable = capabilities
                .iter()
                .filter(|capability| *capability / 32 == place)
                .fold(0, |set, capability| set | 1 << (capability % 32));
        }
        if libc::syscall(libc::SYS_capset, &raw const header, words.as_ptr()) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

//! The isolated network as it is to be: two namespaces, a link between them, addresses, routes, and a kernel that
//! sends nothing of its own accord. Run inside the holder; it makes no namespace itself.

use std::{fs, io, net::IpAddr, os::fd::BorrowedFd};

use ipnet::IpNet;
use lab_protocol::binding;
use nix::{
    net::if_::if_nametoindex,
    sched::{CloneFlags, setns},
    unistd::getegid,
};

use super::rtnetlink::Routing;

/// Name of the link's interface on both sides.
pub(super) const LINK: &str = "eth0";
/// Hardware address of the phone's end: locally administered, always the same.
pub(super) const PHONE_MAC: [u8; 6] = [0x02, 0x00, 0x5e, 0x10, 0x00, 0x10];
/// Hardware address of the services' end.
pub(super) const SERVICES_MAC: [u8; 6] = [0x02, 0x00, 0x5e, 0x10, 0x00, 0x01];

/// What went wrong, with what was being done.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {source}")]
pub(super) struct TopologyError {
    doing: String,
    source: io::Error,
}

trait Doing<T> {
    fn doing(self, what: impl Into<String>) -> Result<T, TopologyError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Into<String>) -> Result<T, TopologyError> {
        self.map_err(|error| TopologyError { doing: what.into(), source: error.into() })
    }
}

/// Sets both namespaces up; the caller is in the phone's and comes back to it.
pub(super) fn build(
    network: &binding::Network,
    phone: BorrowedFd<'_>,
    services: BorrowedFd<'_>,
) -> Result<(), TopologyError> {
    // Before any interface is made: what an interface inherits can't send before it is changed.
    quieten("phone")?;
    setns(services, CloneFlags::CLONE_NEWNET).doing("entering the services' namespace")?;
    quieten("services")?;
    setns(phone, CloneFlags::CLONE_NEWNET).doing("entering the phone's namespace")?;

    Routing::open()
        .and_then(|mut routing| routing.add_veth(LINK, PHONE_MAC, SERVICES_MAC, services))
        .doing("making the veth link between phone and services")?;

    setns(services, CloneFlags::CLONE_NEWNET).doing("entering the services' namespace")?;
    configure("services", &network.services, &[], &network.service_addresses)?;
    setns(phone, CloneFlags::CLONE_NEWNET).doing("entering the phone's namespace")?;
    configure("phone", &network.phone, &network.phone_via, &[])
}

fn configure(
    side: &str,
    addresses: &[String],
    via: &[IpAddr],
    behind: &[IpAddr],
) -> Result<(), TopologyError> {
    let mut routing = Routing::open().doing(format!("{side}: opening a routing socket"))?;
    let index = |name: &str| if_nametoindex(name).doing(format!("{side}: finding interface {name}"));
    let (loopback, link) = (index("lo")?, index(LINK)?);
    super::offload::disable(LINK).doing(format!("{side}: switching offloads of {LINK} off"))?;
    routing.up(loopback).doing(format!("{side}: switching lo on"))?;
    routing.up(link).doing(format!("{side}: switching {LINK} on"))?;
    for text in addresses {
        let address: IpNet = text
            .parse()
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
            .doing(format!("{side}: {text:?} is no address with prefix length (192.0.2.10/24)"))?;
        routing
            .add_address(link, address.addr(), address.prefix_len())
            .doing(format!("{side}: giving {LINK} the address {text}"))?;
    }
    for &address in behind {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        routing
            .add_address(loopback, address, prefix)
            .doing(format!("{side}: giving lo the address {address}"))?;
    }
    for &gateway in via {
        routing
            .add_default_route(link, gateway)
            .doing(format!("{side}: routing everything by way of {gateway}"))?;
    }
    Ok(())
}

/// Keeps the kernel from sending on its own (router solicitations, duplicate address detection, link-local addresses)
/// and lets programs without privileges bind low ports and send echo requests.
fn quieten(side: &str) -> Result<(), TopologyError> {
    let group = getegid();
    let set = |name: &str, value: &str| {
        let path = format!("/proc/sys/net/{name}");
        match fs::write(&path, value) {
            // A kernel without IPv6, or older than the setting.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.doing(format!("{side}: writing {value} to {path}")),
        }
    };
    for which in ["all", "default"] {
        for (key, value) in [
            ("disable_ipv6", "0"),
            ("accept_dad", "0"),
            ("dad_transmits", "0"),
            ("accept_ra", "0"),
            ("autoconf", "0"),
            ("router_solicitations", "0"),
            // 1: no link-local address.
            ("addr_gen_mode", "1"),
        ] {
            set(&format!("ipv6/conf/{which}/{key}"), value)?;
        }
    }
    set("ipv4/ip_unprivileged_port_start", "0")?;
    set("ipv4/ping_group_range", &format!("{group} {group}"))
}

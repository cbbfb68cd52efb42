//! What a server's port suggests where its bytes told nothing. A guess for people; no rule may build on it.
//!
//! Words are the service names of IANA's registry (RFC 6335), for services that consumer devices and their apps use.

use crate::record::L4;

const BOTH: &[(u16, &str)] = &[
    (53, "domain"),
    (88, "kerberos"),
    (123, "ntp"),
    (161, "snmp"),
    (389, "ldap"),
    (443, "https"),
    (853, "domain-s"),
    (3478, "stun"),
    (5060, "sip"),
    (5349, "stuns"),
    (5683, "coap"),
    (5684, "coaps"),
];

const TCP: &[(u16, &str)] = &[
    (20, "ftp-data"),
    (21, "ftp"),
    (22, "ssh"),
    (23, "telnet"),
    (25, "smtp"),
    (80, "http"),
    (110, "pop3"),
    (143, "imap"),
    (179, "bgp"),
    (445, "microsoft-ds"),
    (465, "submissions"),
    (554, "rtsp"),
    (587, "submission"),
    (631, "ipp"),
    (636, "ldaps"),
    (873, "rsync"),
    (990, "ftps"),
    (993, "imaps"),
    (995, "pop3s"),
    (1080, "socks"),
    (1433, "ms-sql-s"),
    (1723, "pptp"),
    (1883, "mqtt"),
    (3306, "mysql"),
    (3389, "ms-wbt-server"),
    (5222, "xmpp-client"),
    (5432, "postgresql"),
    (5671, "amqps"),
    (5672, "amqp"),
    (6379, "redis"),
    (8080, "http-alt"),
    (8883, "secure-mqtt"),
];

const UDP: &[(u16, &str)] = &[
    (67, "bootps"),
    (68, "bootpc"),
    (69, "tftp"),
    (137, "netbios-ns"),
    (138, "netbios-dgm"),
    (500, "isakmp"),
    (514, "syslog"),
    (546, "dhcpv6-client"),
    (547, "dhcpv6-server"),
    (1194, "openvpn"),
    (1900, "ssdp"),
    (3702, "ws-discovery"),
    (4500, "ipsec-nat-t"),
    (5353, "mdns"),
    (5355, "llmnr"),
];

/// The service that IANA registers for a server's port.
pub(crate) fn suggests(l4: L4, port: u16) -> Option<&'static str> {
    let own = match l4 {
        L4::Tcp => TCP,
        L4::Udp => UDP,
        _ => return None,
    };
    [own, BOTH].into_iter().find_map(|table| {
        table.binary_search_by_key(&port, |(known, _)| *known).ok().map(|index| table[index].1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_suggests_the_service_that_is_registered_for_it() {
        assert_eq!(suggests(L4::Tcp, 443), Some("https"));
        assert_eq!(suggests(L4::Udp, 4500), Some("ipsec-nat-t"));
        assert_eq!(suggests(L4::Tcp, 4500), None);
        for table in [BOTH, TCP, UDP] {
            assert!(table.is_sorted_by_key(|(port, _)| *port));
        }
    }
}

//! Every protocol that is told by its bytes: a line each. The first that says yes has the flow, so what is told by strong
//! signatures stands before what is told by weak ones.

use super::begins::Candidates;
use super::facts::Facts;
use super::interface::{
    Conversation, Datagram, DatagramProtocol, Heard, Listen, Opening, Probe, StreamProtocol,
};
use super::{
    amqp, bittorrent, coap, dhcp, dhcpv6, dns, dnscrypt, dtls, fixed, ftp, http, imap, ipsec, kasa, l2tp,
    ldap, mgcp, miio, mqtt, munin, mysql, nat_pmp, netbios, ntp, openvpn, peer_wire, pop3, postgres,
    proxy_header, quic, radius, rdp, redis, rtp, rtsp, sip, slp, smb, smtp, snmp, socks, ssdp, ssh, stun,
    syncthing, syslog, telegram, telnet, tftp, tls, tuya, wireguard, xmpp,
};

/// Protocols of datagrams.
const DATAGRAMS: &[DatagramProtocol] = &[
    dns::OVER_UDP,
    dhcp::PROTOCOL,
    netbios::PROTOCOL,
    ntp::PROTOCOL,
    stun::OVER_UDP,
    quic::PROTOCOL,
    dtls::PROTOCOL,
    ssdp::PROTOCOL,
    dhcpv6::PROTOCOL,
    bittorrent::PROTOCOL,
    ipsec::PROTOCOL,
    sip::OVER_UDP,
    mgcp::PROTOCOL,
    snmp::PROTOCOL,
    tftp::PROTOCOL,
    dnscrypt::PROTOCOL,
    telegram::PROTOCOL,
    syncthing::PROTOCOL,
    tuya::OVER_UDP,
    miio::PROTOCOL,
    openvpn::OVER_UDP,
    radius::PROTOCOL,
    slp::PROTOCOL,
    kasa::PROTOCOL,
    l2tp::PROTOCOL,
    nat_pmp::PROTOCOL,
    syslog::PROTOCOL,
    coap::PROTOCOL,
    rtp::PROTOCOL,
    wireguard::PROTOCOL,
];

/// Protocols of streams.
const STREAMS: &[StreamProtocol] = &[
    dns::OVER_TCP,
    tls::PROTOCOL,
    stun::OVER_TCP,
    http::PROTOCOL,
    http::H2,
    rtsp::PROTOCOL,
    sip::OVER_TCP,
    openvpn::OVER_TCP,
    tuya::OVER_TCP,
    ssh::PROTOCOL,
    mqtt::PROTOCOL,
    amqp::PROTOCOL,
    peer_wire::PROTOCOL,
    smb::PROTOCOL,
    smtp::PROTOCOL,
    imap::PROTOCOL,
    pop3::PROTOCOL,
    ftp::PROTOCOL,
    munin::PROTOCOL,
    proxy_header::PROTOCOL,
    fixed::PROTOCOL,
    xmpp::PROTOCOL,
    ldap::PROTOCOL,
    rdp::PROTOCOL,
    redis::PROTOCOL,
    telnet::PROTOCOL,
    postgres::PROTOCOL,
    mysql::PROTOCOL,
    socks::PROTOCOL,
    tls::NAMELESS,
];

/// Which of [`DATAGRAMS`] a first byte leaves.
static DATAGRAM_CANDIDATES: Candidates = {
    let (mut candidates, mut at) = (Candidates::NONE, 0);
    while at < DATAGRAMS.len() {
        candidates = candidates.and(DATAGRAMS[at].begins);
        at += 1;
    }
    candidates
};

/// Which of [`STREAMS`] a first byte leaves.
static STREAM_CANDIDATES: Candidates = {
    let (mut candidates, mut at) = (Candidates::NONE, 0);
    while at < STREAMS.len() {
        candidates = candidates.and(STREAMS[at].begins);
        at += 1;
    }
    candidates
};

/// The protocols that a stream may be of, each with its place in the table, which is `from` or one behind it.
#[inline]
pub(crate) fn stream_candidates(
    opening: &Opening<'_>,
    from: usize,
) -> impl Iterator<Item = (usize, &'static StreamProtocol)> + use<> {
    let of_byte = || STREAM_CANDIDATES.for_bytes(opening.bytes);
    debug_assert!(
        (0..STREAMS.len())
            .filter(|index| !of_byte().any(|candidate| candidate == *index))
            .all(|index| (STREAMS[index].probe)(opening) == Probe::No),
        "a protocol takes what does not begin as it should"
    );
    of_byte().skip_while(move |index| *index < from).map(|index| (index, &STREAMS[index]))
}

/// The first protocol that takes a datagram, with what it says and how it is asked again.
pub(crate) fn recognise(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Option<(Listen, Heard)> {
    first_of(0, datagram, facts)
}

/// Lets the protocols behind the first say what a datagram is, where DNS should be and is not; returns who goes on.
pub(crate) fn instead_of_dns(
    datagram: &Datagram<'_>,
    facts: &mut Facts<'_, '_>,
) -> Option<Box<dyn Conversation>> {
    match first_of(1, datagram, facts)? {
        (_, Heard::With(conversation)) => Some(conversation),
        _ => None,
    }
}

/// Asks those from a place in the table on.
fn first_of(from: usize, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Option<(Listen, Heard)> {
    let of_byte = || DATAGRAM_CANDIDATES.for_bytes(datagram.bytes);
    debug_assert!(
        (0..DATAGRAMS.len())
            .filter(|index| !of_byte().any(|candidate| candidate == *index))
            .all(|index| matches!((DATAGRAMS[index].listen)(datagram, facts), Heard::No)),
        "a protocol takes what does not begin as it should"
    );
    of_byte().skip_while(|index| *index < from).find_map(|index| {
        let listen = DATAGRAMS[index].listen;
        match listen(datagram, facts) {
            Heard::No => None,
            heard => Some((listen, heard)),
        }
    })
}

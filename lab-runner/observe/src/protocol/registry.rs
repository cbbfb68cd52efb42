//! Every protocol that is told by its bytes: a line each. The first that says yes has the flow, so what is told by strong
//! signatures stands before what is told by weak ones.

use super::facts::Facts;
use super::interface::{Datagram, Heard, Listen, StreamProtocol};
use super::{
    amqp, bittorrent, coap, dhcp, dhcpv6, dns, dnscrypt, dtls, fixed, ftp, http, imap, ipsec, kasa, l2tp,
    ldap, mgcp, miio, mqtt, munin, mysql, nat_pmp, netbios, ntp, openvpn, peer_wire, pop3, postgres,
    proxy_header, quic, radius, rdp, redis, rtp, rtsp, sip, slp, smb, smtp, snmp, socks, ssdp, ssh, stun,
    syncthing, syslog, telnet, tftp, tls, tuya, wireguard, xmpp,
};

/// Protocols of datagrams.
pub(crate) const DATAGRAMS: &[Listen] = &[
    dns::listen,
    dhcp::listen,
    netbios::listen,
    ntp::listen,
    stun::listen,
    quic::listen,
    dtls::listen,
    ssdp::listen,
    dhcpv6::listen,
    bittorrent::listen,
    ipsec::listen,
    sip::listen,
    mgcp::listen,
    snmp::listen,
    tftp::listen,
    dnscrypt::listen,
    syncthing::listen,
    tuya::listen,
    miio::listen,
    openvpn::listen,
    radius::listen,
    slp::listen,
    kasa::listen,
    l2tp::listen,
    nat_pmp::listen,
    syslog::listen,
    coap::listen,
    rtp::listen,
    wireguard::listen,
];

/// Protocols of streams.
pub(crate) const STREAMS: &[StreamProtocol] = &[
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

/// The first protocol that takes a datagram, with what it says and how it is asked again.
pub(crate) fn recognise(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Option<(Listen, Heard)> {
    first_of(DATAGRAMS, datagram, facts)
}

/// Lets the protocols behind the first say what a datagram is, where DNS should be and is not.
pub(crate) fn name_only(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) {
    if let Some((_, Heard::With(mut conversation))) = first_of(&DATAGRAMS[1..], datagram, facts) {
        conversation.finish(facts);
    }
}

fn first_of(
    protocols: &[Listen],
    datagram: &Datagram<'_>,
    facts: &mut Facts<'_, '_>,
) -> Option<(Listen, Heard)> {
    protocols.iter().find_map(|listen| match listen(datagram, facts) {
        Heard::No => None,
        heard => Some((*listen, heard)),
    })
}

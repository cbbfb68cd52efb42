//! Protocols of which a datagram or two tell all: each on its own bytes, and on the nearest that are not.

use lab_observe::{FlowRecord, NameKind};

use crate::packets::Wire;

/// Datagrams between two ports: `true` for those of the client.
fn flow(ports: [u16; 2], datagrams: &[(bool, Vec<u8>)]) -> FlowRecord {
    let mut wire = Wire::new();
    let (phone, server) = (format!("192.0.2.10:{}", ports[0]), format!("203.0.113.5:{}", ports[1]));
    for (by_client, datagram) in datagrams {
        let (from, to) = if *by_client { (&phone, &server) } else { (&server, &phone) };
        wire.udp(from, to, datagram);
    }
    wire.observe().flows.remove(0)
}

fn from_client(port: u16, bytes: &[u8]) -> FlowRecord {
    flow([40000, port], &[(true, bytes.to_vec())])
}

/// What is spoken, and whether that is a guess.
fn app(flow: &FlowRecord) -> (&str, bool) {
    (&flow.app, flow.guessed)
}

const UNKNOWN: (&str, bool) = ("unknown", false);

/// All that is named, in order.
pub(crate) fn names(flow: &FlowRecord) -> Vec<(NameKind, &str)> {
    flow.names.iter().map(|name| (name.kind, name.name.as_str())).collect()
}

#[test]
fn wireguard_is_a_guess_until_the_server_answers_to_the_clients_index() {
    let mut ask = vec![1, 0, 0, 0, 7, 7, 7, 7];
    ask.resize(148, 9);
    let answer = |index: u8| {
        let mut bytes = vec![2, 0, 0, 0, 5, 5, 5, 5, index, index, index, index];
        bytes.resize(92, 9);
        bytes
    };
    let ports = [40000, 51820];
    assert_eq!(app(&flow(ports, &[(true, ask.clone())])), ("wireguard", true));
    assert_eq!(app(&flow(ports, &[(true, ask.clone()), (false, answer(8))])), ("wireguard", true));
    assert_eq!(app(&flow(ports, &[(true, ask.clone()), (false, answer(7))])), ("wireguard", false));
    assert_eq!(app(&from_client(51820, &ask[..147])), UNKNOWN);
}

#[test]
fn wireguard_in_its_midst_is_two_data_messages_in_a_row_and_one_of_the_other_side() {
    let data = |index: u8, counter: u8| {
        let mut bytes = vec![4, 0, 0, 0, index, 5, 5, 5, counter];
        bytes.resize(48, 0);
        (true, bytes)
    };
    let ports = [40000, 51820];
    let back = (false, data(3, 1).1);
    assert_eq!(app(&flow(ports, &[data(1, 8), data(1, 9)])), ("wireguard", true));
    assert_eq!(app(&flow(ports, &[data(1, 8), data(1, 9), back])), ("wireguard", false));
    assert_eq!(app(&flow(ports, &[data(1, 8), data(2, 9)])), UNKNOWN);
    assert_eq!(app(&flow(ports, &[data(1, 9), data(1, 9)])), UNKNOWN);
}

/// A client's reset, and the server's that repeats the session `session`.
fn openvpn(session: u8) -> (Vec<u8>, Vec<u8>) {
    let client = [&[0x38][..], &[7; 8], &[0; 5]].concat();
    let server = [&[0x40][..], &[5; 8], &[1, 0, 0, 0, 0], &[session; 8], &[0; 4]].concat();
    (client, server)
}

#[test]
fn openvpn_is_a_guess_until_the_server_repeats_the_clients_session() {
    let ports = [40000, 8443];
    for (session, guessed) in [(7, false), (8, true)] {
        let (client, server) = openvpn(session);
        assert_eq!(app(&flow(ports, &[(true, client), (false, server)])), ("openvpn", guessed));
    }
    // Signed: a digest, a packet id and a time around the same.
    let signed = [&[0x38][..], &[7; 8], &[9; 20], &[0, 0, 0, 1, 1, 2, 3, 4], &[0; 5]].concat();
    assert_eq!(app(&from_client(8443, &signed)), ("openvpn", true));
    assert_eq!(app(&from_client(8443, &signed[..signed.len() - 1])), UNKNOWN);
}

#[test]
fn openvpn_over_tcp_stands_behind_lengths() {
    let framed = |packet: &[u8]| [&(packet.len() as u16).to_be_bytes()[..], packet].concat();
    let (client, server) = openvpn(7);
    let mut wire = Wire::new();
    let seq = wire.tcp_handshake("192.0.2.10:40000", "203.0.113.5:443");
    wire.tcp_segment("192.0.2.10:40000", "203.0.113.5:443", seq, &framed(&client));
    wire.tcp_segment("203.0.113.5:443", "192.0.2.10:40000", 5001, &framed(&server));
    assert_eq!(app(&wire.observe().flows[0]), ("openvpn", false));
}

fn ike(length: u8) -> Vec<u8> {
    [&[7; 8][..], &[0; 8], &[33, 0x20, 34, 8], &[0; 4], &[0, 0, 0, length], &[1, 2, 3, 4]].concat()
}

#[test]
fn ipsec_is_an_exchange_with_its_length_or_esp_in_a_row() {
    assert_eq!(app(&from_client(500, &ike(32))), ("ipsec", false));
    assert_eq!(app(&from_client(500, &ike(33))), UNKNOWN);
    assert_eq!(app(&from_client(4500, &[&[0; 4][..], &ike(32)].concat())), ("ipsec", false));
    let esp = |spi: u8, number: u8| (true, vec![spi, 1, 1, 1, 0, 0, 0, number, 9, 9, 9, 9]);
    assert_eq!(app(&flow([40000, 4500], &[esp(1, 1), esp(1, 2)])), ("ipsec", false));
    assert_eq!(app(&flow([40000, 4500], &[esp(1, 1), esp(2, 2)])), UNKNOWN);
    assert_eq!(app(&flow([40000, 4501], &[esp(1, 1), esp(1, 2)])), UNKNOWN);
}

#[test]
fn l2tp_is_told_by_a_control_message() {
    let message = [0xc8, 2, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(app(&from_client(1701, &message)), ("l2tp", false));
    assert_eq!(app(&from_client(1701, &message[..11])), UNKNOWN);
}

#[test]
fn rtp_is_two_packets_of_one_source_in_sequence() {
    let packet = |sequence: u8, source: u8| {
        (true, [&[0x80, 0, 0, sequence, 0, 0, sequence, 160][..], &[source; 4], &[9; 160]].concat())
    };
    let ports = [40000, 40002];
    assert_eq!(app(&flow(ports, &[packet(1, 7), packet(2, 7)])), ("rtp", false));
    assert_eq!(app(&flow(ports, &[packet(1, 7), packet(2, 8)])), UNKNOWN);
    assert_eq!(app(&flow(ports, &[packet(1, 7), packet(90, 7)])), UNKNOWN);
}

#[test]
fn rtcp_is_reports_that_fill_the_datagram_and_may_name_their_sender() {
    let report = [&[0x80, 201, 0, 1, 1, 2, 3, 4][..], &[0x81, 202, 0, 2, 1, 2, 3, 4, 1, 1, b'x', 0]].concat();
    let flow = from_client(40003, &report);
    assert_eq!((app(&flow), flow.carries.as_slice()), (("rtp", false), &["canonical_name".into()][..]));
    assert_eq!(app(&from_client(40003, &report[..19])), UNKNOWN);
}

#[test]
fn coap_names_the_host_of_a_request() {
    // GET; options Uri-Host and Uri-Path; a payload.
    let mut request = vec![0x41, 1, 0, 7, 0xaa, 0x3a];
    request.extend(b"u8.example");
    request.push(0x84);
    request.extend(b"temp");
    let with_payload = [&request[..], &[0xff, b'1']].concat();
    for (port, bytes) in [(5683, &request), (40001, &with_payload)] {
        let flow = from_client(port, bytes);
        assert_eq!((app(&flow), names(&flow)), (("coap", false), vec![(NameKind::CoapHost, "u8.example")]));
    }
    let no_payload = [&request[..], &[0xff]].concat();
    assert_eq!(app(&from_client(5683, &no_payload)), UNKNOWN);
    // An empty message says enough on its port only.
    assert_eq!(app(&from_client(5683, &[0x40, 0, 0, 7])), ("coap", false));
    assert_eq!(app(&from_client(5684, &[0x40, 0, 0, 7])), UNKNOWN);
}

#[test]
fn bittorrent_is_told_by_its_table_its_trackers_and_its_first_packet() {
    let table = b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t2:aa1:y1:qe";
    assert_eq!(app(&from_client(6881, table)), ("bittorrent", false));
    assert_eq!(app(&from_client(6881, &table[..table.len() - 1])), UNKNOWN);
    let tracker = [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 1, 2, 3, 4];
    assert_eq!(app(&from_client(80, &tracker)), ("bittorrent", false));
    let syn = [&[0x41, 0, 1, 2, 3, 4, 5, 6][..], &[0; 4], &[0, 4, 0, 0], &[0, 1, 0, 0]].concat();
    assert_eq!(app(&from_client(6881, &syn)), ("bittorrent", false));
    assert_eq!(app(&from_client(6881, &[&syn[..], &[0]].concat())), UNKNOWN);
}

#[test]
fn sip_names_the_host_of_its_uri_and_only_says_that_there_is_a_user() {
    let register = b"REGISTER sip:someone@voice.nucleus-u8.example:5060;lr SIP/2.0\r\nVia: x\r\n\r\n";
    let flow = from_client(5060, register);
    let expected = vec![(NameKind::SipHost, "voice.nucleus-u8.example")];
    assert_eq!((app(&flow), names(&flow)), (("sip", false), expected.clone()));
    assert_eq!(flow.carries, ["user_name"]);
    let mut wire = Wire::new();
    wire.tcp_opens("192.0.2.10:40000", "203.0.113.5:5060", &[&register[..7], &register[7..]]);
    let flow = wire.observe().flows.remove(0);
    assert_eq!((app(&flow), names(&flow)), (("sip", false), expected));
    assert_eq!(app(&from_client(5060, b"NOTIFY sip:x HTTP/1.1\r\n\r\n")), UNKNOWN);
}

#[test]
fn radius_is_attributes_that_fill_its_length() {
    let request = [&[1, 7, 0, 25][..], &[9; 16], &[1, 5, b'a', b'b', b'c']].concat();
    let flow = from_client(1812, &request);
    assert_eq!((app(&flow), flow.carries.as_slice()), (("radius", false), &["user_name".into()][..]));
    let mut longer = request.clone();
    longer[21] = 6;
    assert_eq!(app(&from_client(1812, &longer)), UNKNOWN);
    assert_eq!(app(&from_client(1820, &request)), UNKNOWN);
}

#[test]
fn snmp_never_tells_its_community() {
    let get = [0x30, 13, 2, 1, 1, 4, 6, b'p', b'u', b'b', b'l', b'i', b'c', 0xa0, 0];
    let flow = from_client(40161, &get);
    assert_eq!((app(&flow), flow.carries.as_slice()), (("snmp", false), &["community".into()][..]));
    assert!(flow.names.is_empty());
    assert_eq!(app(&from_client(40161, &get[..14])), UNKNOWN);
}

#[test]
fn syslog_tftp_slp_and_port_mappings_are_told() {
    assert_eq!(app(&from_client(514, b"<34>1 an event")), ("syslog", false));
    assert_eq!(app(&from_client(514, b"<340>an event")), UNKNOWN);
    assert_eq!(app(&from_client(69, b"\0\x01fw.bin\0octet\0")), ("tftp", false));
    assert_eq!(app(&from_client(69, b"\0\x01fw.bin\0other\0")), UNKNOWN);
    assert_eq!(app(&from_client(427, &[2, 1, 0, 0, 6, 9])), ("slp", false));
    assert_eq!(app(&from_client(427, &[2, 1, 0, 0, 7, 9])), UNKNOWN);
    assert_eq!(app(&from_client(5351, &[0, 0])), ("nat-pmp", false));
    assert_eq!(app(&from_client(5351, &[0, 0, 0])), UNKNOWN);
}

#[test]
fn syncthing_only_says_that_it_names_its_device() {
    let flow = from_client(21027, &[0x2e, 0xa7, 0xd9, 0x0b, 1, 2, 3]);
    assert_eq!((app(&flow), flow.carries.as_slice()), (("syncthing", false), &["device_id".into()][..]));
}

#[test]
fn behind_dnscrypt_look_ups_are_hidden() {
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:40000", "203.0.113.5:443", &[9; 100]);
    wire.udp("203.0.113.5:443", "192.0.2.10:40000", &[&b"r6fnvWj8"[..], &[9; 100]].concat());
    wire.tcp_opens("192.0.2.10:40001", "203.0.113.66:443", &[&crate::packets::client_hello(None, &[])]);
    let flows = wire.observe().flows;
    assert_eq!(app(&flows[0]), ("dnscrypt", false));
    assert_eq!(flows[1].reason, Some(lab_observe::Reason::HiddenDns));
}

#[test]
fn dhcp_names_its_client_bare_and_with_a_domain() {
    let message = |op: u8, options: &[u8]| {
        let mut bytes = vec![0; 236];
        bytes[0] = op;
        (true, [&bytes[..], &[0x63, 0x82, 0x53, 0x63], options, &[255]].concat())
    };
    let bare = message(1, b"\x0c\x08Nucleus\0");
    let text = message(1, &[&[81, 13, 0, 0, 0][..], b"u8.example"].concat());
    let coded = message(1, &[&[81, 15, 4, 0, 0, 2][..], b"u9", &[7], b"example", &[0]].concat());
    let servers = message(2, b"\x0c\x05other");
    let flow = flow([68, 67], &[bare, text, coded, servers]);
    let told: Vec<_> =
        ["nucleus", "u8.example", "u9.example", "other"].map(|name| (NameKind::Dhcp, name)).into();
    assert_eq!((app(&flow), names(&flow)), (("dhcp", false), told));
}

#[test]
fn dhcpv6_names_its_client() {
    let mut wire = Wire::new();
    let options = [&[0, 1, 0, 2, 9, 9][..], &[0, 39, 0, 4, 0, 2, b'u', b'8']].concat();
    wire.udp("[2001:db8:1::10]:546", "[2001:db8:2::1]:547", &[&[1, 7, 7, 7][..], &options].concat());
    wire.udp("[2001:db8:1::11]:546", "[2001:db8:2::1]:547", &[&[1, 7, 7, 7][..], &options, &[0]].concat());
    let flows = wire.observe().flows;
    assert_eq!((app(&flows[0]), names(&flows[0])), (("dhcpv6", false), vec![(NameKind::Dhcp, "u8")]));
    assert_eq!(flows[0].carries, ["client_id"]);
    assert_eq!(app(&flows[1]), UNKNOWN);
}

#[test]
fn ssdp_names_the_host_of_every_location() {
    let notify = |host: &str| {
        (true, format!("NOTIFY * HTTP/1.1\r\nLocation: http://{host}:80/d.xml\r\n\r\n").into_bytes())
    };
    let flow = flow([40000, 1900], &[notify("192.0.2.9"), notify("u8.local")]);
    let told = vec![(NameKind::Ssdp, "192.0.2.9"), (NameKind::Ssdp, "u8.local")];
    assert_eq!((app(&flow), names(&flow)), (("ssdp", false), told));
}

#[test]
fn an_answer_to_a_search_is_ssdp_whatever_port_it_comes_from() {
    let answer = |more: &str| {
        format!("HTTP/1.1 200 OK\r\nLOCATION: http://192.0.2.9/d.xml\r\n{more}\r\n").into_bytes()
    };
    let of = |bytes| flow([50000, 40000], &[(true, bytes)]);
    let told = of(answer("usn: uuid:7::upnp:rootdevice\r\n"));
    assert_eq!((app(&told), names(&told)), (("ssdp", false), vec![(NameKind::Ssdp, "192.0.2.9")]));
    assert_eq!(app(&of(answer(""))), UNKNOWN);
}

#[test]
fn netbios_names_are_read_whatever_is_done_with_them() {
    let name: Vec<u8> =
        b"NUCLEUS         ".iter().flat_map(|byte| [b'A' + (byte >> 4), b'A' + (byte & 15)]).collect();
    let named = |header: &[u8], behind: &[u8]| [header, &[32], &name, &[0], behind].concat();
    let refresh = named(&[0, 7, 0x40, 0, 0, 1, 0, 0, 0, 0, 0, 0], &[0, 32, 0, 1]);
    // Its answer that there is no such name counts nothing.
    let negative = named(&[0, 7, 0x85, 0x83, 0, 0, 0, 0, 0, 0, 0, 0], &[0, 10, 0, 1]);
    let query = named(&[0x14, 0, 0, 7, 192, 0, 2, 10, 0, 138], &[]);
    for (port, message) in [(137, refresh), (137, negative), (138, query)] {
        let flow = from_client(port, &message);
        assert_eq!((app(&flow), names(&flow)), (("netbios", false), vec![(NameKind::Netbios, "nucleus")]));
    }
}

/// A message in Tuya's older form.
fn tuya(length: u8) -> Vec<u8> {
    [&[0, 0, 0x55, 0xaa, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, length][..], &[9; 8], &[0, 0, 0xaa, 0x55]].concat()
}

#[test]
fn what_smart_devices_speak_on_the_link_is_told() {
    assert_eq!(app(&from_client(6667, &tuya(12))), ("tuya", false));
    assert_eq!(app(&from_client(6667, &tuya(13))), UNKNOWN);
    let miio = [&[0x21, 0x31, 0, 32][..], &[0xff; 28]].concat();
    assert_eq!(app(&from_client(54321, &miio)), ("miio", false));
    assert_eq!(app(&from_client(54321, &miio[..31])), UNKNOWN);
    let mixed = |key: &mut u8, byte: &u8| {
        *key ^= byte;
        Some(*key)
    };
    let kasa: Vec<u8> = b"{\"system\":{}}".iter().scan(171, mixed).collect();
    assert_eq!(app(&from_client(9999, &kasa)), ("kasa", false));
    assert_eq!(app(&from_client(9999, &kasa[..11])), UNKNOWN);
}

#[test]
fn tuya_over_tcp_is_told_by_a_whole_message() {
    for (length, expected) in [(12, ("tuya", false)), (11, UNKNOWN)] {
        let message = tuya(length);
        let mut wire = Wire::new();
        wire.tcp_opens("192.0.2.10:40000", "192.0.2.9:6668", &[&message[..3], &message[3..]]);
        assert_eq!(app(&wire.observe().flows[0]), expected);
    }
}

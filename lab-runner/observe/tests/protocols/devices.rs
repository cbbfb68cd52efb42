//! Protocols of devices, shares and peers: what they are called, and whom their first bytes name.

use lab_observe::NameKind;

use crate::conversation::{C, S, conversation};
use crate::datagrams::names;
use crate::packets::Wire;

#[test]
fn mqtt_tells_its_version_and_that_it_names_a_client_and_a_user_but_not_which() {
    let connect = |level: u8, properties: &[u8]| {
        let body = [
            &[0, 4][..],
            b"MQTT",
            &[level, 0xc2, 0, 60],
            properties,
            &[0, 5],
            b"watch",
            &[0, 1, b'u', 0, 1, b'p'],
        ];
        let body = body.concat();
        [&[0x10, body.len() as u8][..], &body].concat()
    };
    for (bytes, version) in [(connect(4, &[]), "3.1.1"), (connect(5, &[5, 0x11, 0, 0, 0, 9]), "5")] {
        let parts = [(C, &bytes[..3]), (C, &bytes[3..17]), (C, &bytes[17..])];
        for parts in [&parts[..], &[(C, &bytes)]] {
            let flow = conversation(1883, parts);
            assert_eq!((flow.app.as_str(), flow.version.as_deref()), ("mqtt", Some(version)));
            assert_eq!(flow.carries, ["client_id", "user_name", "password"]);
            assert!(!serde_json::to_string(&flow).unwrap().contains("watch"));
        }
    }
    assert_eq!(conversation(1883, &[(C, &[0x10, 9, 0, 4, b'M', b'Q', b'X', b'X', 4, 0, 0])]).app, "unknown");
}

#[test]
fn amqp_names_the_host_that_its_connection_is_opened_to() {
    let fields = [&[0xa1, 2][..], b"me", &[0xa1, 11], b"bus.example"].concat();
    let list = [&[0, 0x53, 0x10, 0xc0, fields.len() as u8 + 1, 2][..], &fields].concat();
    let frame = [&(list.len() as u32 + 8).to_be_bytes()[..], &[2, 0, 0, 0], &list].concat();
    let bytes = [&b"AMQP\0\x01\0\0"[..], &frame].concat();
    let flow = conversation(5672, &[(C, &bytes[..20]), (S, b"AMQP\0\x01\0\0"), (C, &bytes[20..])]);
    assert_eq!((flow.app.as_str(), flow.version.as_deref()), ("amqp", Some("1.0")));
    assert_eq!(flow.names_of(NameKind::AmqpHost).collect::<Vec<_>>(), ["bus.example"]);
    let flow = conversation(5672, &[(C, b"AMQP\0\0\x09\x01")]);
    assert_eq!((flow.app.as_str(), flow.version.as_deref()), ("amqp", Some("0-9-1")));
}

#[test]
fn a_camera_is_named_by_the_uri_that_its_viewer_asks_for() {
    let flow =
        conversation(554, &[(C, b"OPTIONS rtsp://me:secret@cam.example:554/1 RTSP/1.0\r\nCSeq: 1\r\n\r\n")]);
    assert_eq!((flow.app.as_str(), flow.version.as_deref()), ("rtsp", Some("1.0")));
    assert_eq!(names(&flow), [(NameKind::RtspHost, "cam.example")]);
}

#[test]
fn a_share_is_named_by_the_path_that_is_asked_for_and_by_its_server() {
    let wide = |text: &str| -> Vec<u8> { text.bytes().flat_map(|byte| [byte, 0]).collect() };
    let message = |body: &[u8]| [&(body.len() as u32).to_be_bytes()[..], body].concat();
    let smb2 = |command: u8, body: &[u8]| {
        let mut header = [0; 64];
        header[..4].copy_from_slice(b"\xfeSMB");
        header[12] = command;
        message(&[&header[..], body].concat())
    };
    let dns = wide("nas.home.example");
    let pairs = [&[3, 0, dns.len() as u8, 0][..], &dns, &[0; 4]].concat();
    let ntlm =
        [b"NTLMSSP\0", &[2, 0, 0, 0][..], &[0; 28], &[pairs.len() as u8, 0, 0, 0, 48, 0, 0, 0], &pairs]
            .concat();
    let path = wide(r"\\nas\photos");
    let tree = [&[9, 0, 0, 0, 72, 0, path.len() as u8, 0][..], &path].concat();
    let flow = conversation(
        445,
        &[
            (C, &smb2(0, &[0; 40])),
            (S, &smb2(0, &[65, 0, 1, 0, 0x11, 3, 0, 0])),
            (S, &smb2(1, &ntlm)),
            (C, &smb2(3, &tree)),
        ],
    );
    assert_eq!((flow.app.as_str(), flow.version.as_deref()), ("smb", Some("3")));
    assert_eq!(flow.names_of(NameKind::SmbHost).collect::<Vec<_>>(), ["nas.home.example", "nas"]);
}

#[test]
fn peers_terminals_and_stores_are_told_by_their_first_bytes() {
    let hello = [&b"\x13BitTorrent protocol"[..], &[0; 48]].concat();
    let flow = conversation(51413, &[(C, &hello[..9]), (C, &hello[9..])]);
    assert_eq!((flow.app.as_str(), flow.carries), ("bittorrent", vec!["peer_id".into()]));
    assert_eq!(conversation(5900, &[(S, b"RFB 003.008\n")]).app, "vnc");
    // Who speaks first is part of what tells.
    assert_eq!(conversation(5900, &[(C, b"RFB 003.008\n")]).app, "unknown");
    assert_eq!(conversation(2323, &[(S, &[0xff, 0xfd, 1, 0xff, 0xfd, 31])]).app, "telnet");
    assert_eq!(conversation(23, &[(S, &[0xff, 0xfd, 1])]).app, "telnet");
    assert_eq!(conversation(2323, &[(S, &[0xff, 0xfd, 1])]).app, "unknown");
    let flow = conversation(6379, &[(C, b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n")]);
    assert_eq!((flow.app.as_str(), flow.carries), ("redis", vec!["credentials".into()]));
    // A command in words, and an answer that reads as the greeting of POP3.
    assert_eq!(conversation(6379, &[(C, b"set test 1\n"), (S, b"+OK\r\n")]).app, "unknown");
    assert_eq!(conversation(1110, &[(S, b"+OK ready\r\n")]).app, "pop3");
}

#[test]
fn a_session_of_smb_3_is_told_by_what_it_encrypts() {
    for kind in [0xfd, 0xfc] {
        let body = [&[kind][..], b"SMB", &[0x5c; 60]].concat();
        let flow = conversation(4450, &[(C, &[&[0, 0, 0, 64][..], &body].concat())]);
        assert_eq!((flow.app.as_str(), flow.version.as_deref()), ("smb", Some("3")));
    }
}

#[test]
fn nodes_and_gateways_that_are_managed_say_who_they_are() {
    let flow = conversation(4949, &[(S, b"# munin node at shelf-3\n"), (C, b"list\n")]);
    assert_eq!((flow.app.as_str(), flow.names_of(NameKind::Greeting).next()), ("munin", Some("shelf-3")));
    let mut wire = Wire::new();
    wire.udp(
        "192.0.2.10:2427",
        "198.51.100.9:2427",
        b"RSIP 14 *@gw.phones.example MGCP 1.0\r\nRM: restart\r\n",
    );
    let flow = wire.observe().flows.remove(0);
    assert_eq!(
        (flow.app.as_str(), flow.names_of(NameKind::MgcpHost).next()),
        ("mgcp", Some("gw.phones.example"))
    );
}

#[test]
fn a_method_of_http_without_its_version_is_some_other_protocol_s() {
    let flow =
        conversation(4222, &[(S, b"INFO {\"a\":1}\r\n"), (C, b"CONNECT {\"verbose\":false}\r\nPING\r\n")]);
    assert_eq!((flow.app.as_str(), flow.names.len()), ("nats", 0));
    let flow = conversation(4222, &[(C, b"CONNECT {\"verb"), (C, b"ose\":false}\r\n")]);
    assert_eq!((flow.app.as_str(), flow.names.len()), ("unknown", 0));
}

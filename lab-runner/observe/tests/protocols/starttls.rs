//! Protocols in which TLS begins later: what they are called, what they name, and the name inside.

use lab_observe::{FlowRecord, NameKind};

use crate::conversation::{C, S, conversation};
use crate::packets::client_hello;
use crate::tls::{record, server_hello};

/// What these parts, and TLS behind them, are taken for.
fn then_tls(port: u16, parts: &[(bool, &[u8])]) -> FlowRecord {
    let hello = client_hello(Some("inner.example"), &[]);
    let answer = record(22, &server_hello(Some(0x0304)));
    let all = [parts, &[(C, &hello[..]), (S, &answer)]].concat();
    let flow = conversation(port, &all);
    assert_eq!(flow.names_of(NameKind::StarttlsSni).collect::<Vec<_>>(), ["inner.example"], "{}", flow.app);
    assert!(flow.weird.is_empty() && !flow.unread && flow.ja4.is_some(), "{}: {:?}", flow.app, flow.weird);
    assert_eq!(flow.version.as_deref(), Some("tls1.3"));
    // Without what the server said, the client's bytes tell the same.
    let silent: Vec<_> = all.iter().filter(|(by_client, _)| *by_client == C).copied().collect();
    let alone = conversation(port, &silent);
    assert_eq!(alone.names_of(NameKind::StarttlsSni).collect::<Vec<_>>(), ["inner.example"], "{}", flow.app);
    flow
}

#[test]
fn mail_says_who_both_sides_are_before_tls_begins() {
    let parts: [(bool, &[u8]); 6] = [
        (S, b"220 mx.post.example ES"),
        (S, b"MTP ready\r\n"),
        (C, b"EHLO desk.example\r\n"),
        (S, b"250-mx.post.example\r\n250 STARTTLS\r\n"),
        (C, b"STARTTLS\r\n"),
        (S, b"220 go on\r\n"),
    ];
    let flow = then_tls(25, &parts);
    assert_eq!(flow.app, "smtp");
    assert_eq!(flow.names_of(NameKind::Greeting).collect::<Vec<_>>(), ["mx.post.example"]);
    assert_eq!(flow.names_of(NameKind::Helo).collect::<Vec<_>>(), ["desk.example"]);
    let imap: [(bool, &[u8]); 3] = [(S, b"* OK ready\r\n"), (C, b"a1 STARTTLS\r\n"), (S, b"a1 OK\r\n")];
    assert_eq!(then_tls(143, &imap).app, "imap");
    assert_eq!(then_tls(110, &[(S, b"+OK <1@x>\r\n"), (C, b"STLS\r\n"), (S, b"+OK\r\n")]).app, "pop3");
    let flow =
        then_tls(21, &[(S, b"220 ftp.files.example FTP\r\n"), (C, b"AUTH TLS\r\n"), (S, b"234 ok\r\n")]);
    assert_eq!(flow.app, "ftp");
    assert_eq!(flow.names_of(NameKind::Greeting).collect::<Vec<_>>(), ["ftp.files.example"]);
}

#[test]
fn chat_directories_desktops_and_databases_are_followed_into_tls() {
    let stream =
        b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='chat.example' version='1.0'>";
    let parts: [(bool, &[u8]); 4] =
        [(C, stream), (S, b"<stream:stream id='1'>"), (C, b"<starttls xmlns='x'/>"), (S, b"<proceed/>")];
    let flow = then_tls(5222, &parts);
    assert_eq!((flow.app.as_str(), flow.names_of(NameKind::XmppHost).next()), ("xmpp", Some("chat.example")));
    let start = [&[0x30, 0x1d, 2, 1, 1, 0x77, 0x18, 0x80, 0x16][..], b"1.3.6.1.4.1.1466.20037"].concat();
    assert_eq!(then_tls(389, &[(C, &start), (S, &[0x30, 5, 2, 1, 1, 0x78, 0])]).app, "ldap");
    let rdp = [
        &[3, 0, 0, 0x2b, 0x26, 0xe0, 0, 0, 0, 0, 0][..],
        b"Cookie: mstshash=alice\r\n",
        &[1, 0, 8, 0, 3, 0, 0, 0],
    ]
    .concat();
    let flow = then_tls(
        3389,
        &[(C, &rdp), (S, &[3, 0, 0, 0x13, 0x0e, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 1, 0, 0, 0])],
    );
    assert_eq!((flow.app.as_str(), flow.carries), ("rdp", vec!["user_name".into()]));
    let ask = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f];
    assert_eq!(then_tls(5432, &[(C, &ask), (S, b"S")]).app, "postgresql");
}

#[test]
fn mysql_goes_on_in_tls_right_behind_its_request_for_it() {
    let greeting = [&[14, 0, 0, 0, 10][..], b"8.0.36\0", &[0; 6]].concat();
    let hello = client_hello(Some("inner.example"), &[]);
    let request = [&[32, 0, 0, 1, 0, 0x0a, 0, 0][..], &[0; 28], &hello].concat();
    let flow = conversation(3306, &[(S, &greeting), (C, &request)]);
    assert_eq!(
        (flow.app.as_str(), flow.names_of(NameKind::StarttlsSni).next()),
        ("mysql", Some("inner.example"))
    );
}

#[test]
fn a_proxy_of_socks_is_asked_for_a_host_and_what_is_spoken_behind_it_is_read() {
    let ask = [&[5, 1, 0, 3, 11][..], b"far.example", &[1, 0xbb]].concat();
    let parts: [(bool, &[u8]); 4] =
        [(C, &[5, 1, 0]), (S, &[5, 0]), (C, &ask), (S, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])];
    let flow = then_tls(1080, &parts);
    assert_eq!(
        (flow.app.as_str(), flow.names_of(NameKind::SocksHost).next()),
        ("socks", Some("far.example"))
    );
    let old = [&[4, 1, 1, 0xbb, 0, 0, 0, 7][..], b"me\0far.example\0"].concat();
    let flow = conversation(
        1080,
        &[(C, &old), (S, &[0, 90, 0, 0, 0, 0, 0, 0]), (C, &client_hello(Some("in.example"), &[]))],
    );
    assert_eq!(
        (flow.app.as_str(), flow.names_of(NameKind::SocksHost).next()),
        ("socks", Some("far.example"))
    );
    assert_eq!(flow.names_of(NameKind::StarttlsSni).next(), Some("in.example"));
    assert_eq!(flow.carries, ["user_name"]);
    // Three bytes that look like a greeting are none where the answer is no proxy's.
    assert_eq!(conversation(1080, &[(C, &[5, 1, 0]), (S, b"what?")]).app, "unknown");
    assert_eq!(conversation(1080, &[(C, &[5, 1, 0]), (S, &[5, 2])]).app, "unknown");
    // Nor is any text with these words a client's of IMAP.
    assert_eq!(conversation(143, &[(C, b"please login now\r\n")]).app, "unknown");
    assert_eq!(conversation(143, &[(C, b"a1 login me secret\r\n")]).app, "imap");
}

#[test]
fn ssh_is_told_by_either_side_and_says_the_server_s_program() {
    let flow =
        conversation(2222, &[(S, b"SSH-2.0-Open"), (S, b"SSH_9.2p1 Debian-2\r\n"), (C, b"SSH-2.0-x\r\n")]);
    assert_eq!((flow.app.as_str(), flow.version.as_deref()), ("ssh", Some("2.0")));
    assert_eq!(flow.names_of(NameKind::Greeting).next(), Some("ssh-2.0-openssh_9.2p1\\x20debian-2"));
    assert_eq!(flow.names_of(NameKind::Helo).next(), Some("ssh-2.0-x"));
}

//! Tests of the app's clients against the bench's real services, on loopback and without privileges.

#![allow(clippy::unwrap_used, reason = "every unwrap here is an assertion")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::json;

use super::{Covert, HostPort, Transport, When, clock, resolver, web};
use crate::services::{self, Addresses, EchoPort, Ports, ServicesConfig};

fn loopback(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 66, 0, last).into()
}

pub(super) struct Bench {
    pub(super) dir: tempfile::TempDir,
    ports: Ports,
}

impl Bench {
    pub(super) fn start(ports: Ports, echo: Vec<EchoPort>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let addresses = Addresses {
            dns: vec![loopback(53)],
            api: loopback(20),
            firmware: loopback(21),
            time: loopback(123),
            undeclared: vec![loopback(66)],
        };
        let config = ServicesConfig {
            addresses,
            ports,
            ca_file: dir.path().join("ca.pem"),
            echo,
            die_after: None,
            die_at_first_query: false,
            unplug_after: None,
        };
        let mut ready = Vec::new();
        services::start(&config, &mut ready).unwrap();
        assert!(ready.starts_with(b"ready"));
        Self { dir, ports }
    }

    pub(super) fn resolver(&self) -> SocketAddr {
        SocketAddr::new(loopback(53), self.ports.dns)
    }

    pub(super) fn server(&self, host: &str, port: u16) -> HostPort {
        HostPort { host: format!("{host}.nucleus-u8.example"), port }
    }
}

#[test]
fn the_app_registers_checks_firmware_and_synchronises() {
    let bench = Bench::start(Ports { dns: 15353, https: 15443, ntp: 15123 }, Vec::new());
    let client =
        web::Client::new(&bench.dir.path().join("ca.pem"), bench.resolver(), "test".to_owned()).unwrap();
    let device = json!({"model": "U8", "firmware": "1.4.0"});
    let (status, answer) =
        client.request("POST", &bench.server("api", 15443), "/v1/devices", Some(&device)).unwrap();
    assert_eq!((status, &answer["registered"]), (201, &json!(true)));
    let (status, answer) =
        client.request("GET", &bench.server("fw", 15443), "/v1/firmware?model=U8", None).unwrap();
    assert_eq!((status, &answer["latest"]), (200, &json!("1.4.0")));
    let time = clock::locate(bench.resolver(), &bench.server("time", 15123)).unwrap();
    assert!(clock::ask(time).unwrap() > 1_700_000_000);
    assert!(resolver::resolve(bench.resolver(), "elsewhere.example").is_err());
}

#[test]
fn the_covert_channel_reaches_its_host_over_tls_tcp_and_udp() {
    let echo = vec![EchoPort::Tcp(16444), EchoPort::Udp(16478)];
    let _bench = Bench::start(Ports { dns: 16353, https: 16443, ntp: 16123 }, echo);
    let channel = |transport, port, sni: Option<&str>| Covert {
        transport,
        address: loopback(66),
        port,
        when: When::Start,
        after_ms: 0,
        sni: sni.map(str::to_owned),
    };
    let telemetry = json!({"fw": "1.4.0"});
    channel(Transport::Tls, 16443, None).send(&telemetry).unwrap();
    channel(Transport::Tls, 16443, Some("api.nucleus-u8.example")).send(&telemetry).unwrap();
    channel(Transport::Tcp, 16444, None).send(&telemetry).unwrap();
    channel(Transport::Udp, 16478, None).send(&telemetry).unwrap();
    assert!(channel(Transport::Tcp, 16445, None).send(&telemetry).is_err(), "nothing listens there");
}

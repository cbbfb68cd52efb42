//! The whole app against the emulated Bluetooth service, a scripted firmware and the bench's services: it does nothing
//! before the watch is bonded, and all the rest because of it.

#![allow(clippy::unwrap_used, reason = "every unwrap here is an assertion")]

use std::{
    io,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use zbus::{
    blocking::{Proxy, connection::Builder},
    zvariant::ObjectPath,
};

use super::{App, AppError, CompanionConfig, against_services::Bench};
use crate::{
    radio::{Radio, RadioConfig},
    services::Ports,
    uart::{RadioLine, RadioPort},
};

const DEVICE: &str = "/org/bluez/hci0/dev_C0_00_00_00_00_08";
const SOON: Duration = Duration::from_secs(10);

/// The person who pairs the watch: types what it shows.
struct User;

#[zbus::interface(name = "org.bluez.Agent1")]
impl User {
    fn request_passkey(&self, _device: ObjectPath<'_>) -> u32 {
        428_917
    }
}

/// Gives each line of the app's output to the test.
struct Lines(Sender<String>, Vec<u8>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.extend_from_slice(bytes);
        while let Some(end) = self.1.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.1.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.0.send(line).map_err(io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn boot(to_radio: &Sender<RadioLine>, from_radio: &Receiver<String>) {
    for line in
        ["AT+RST", "AT+NAME=U8 Nucleus", "AT+DIS=Nucleus,U8,1.4.0", "AT+PIN=428917", "AT+BATT=87", "AT+ADV=1"]
    {
        to_radio.send(RadioLine::Line(line.to_owned())).unwrap();
        assert_eq!(from_radio.recv_timeout(SOON).unwrap(), "OK", "{line}");
    }
}

fn pair(address: &str) {
    let path = ObjectPath::try_from("/user").unwrap();
    let client = Builder::address(address).unwrap().serve_at(&path, User).unwrap().build().unwrap();
    let proxy = |path: &'static str, interface: &'static str| {
        Proxy::new(&client, "org.bluez", path, interface).unwrap()
    };
    proxy("/org/bluez/hci0", "org.bluez.Adapter1").call_method("StartDiscovery", &()).unwrap();
    let device = proxy(DEVICE, "org.bluez.Device1");
    let properties = proxy(DEVICE, "org.freedesktop.DBus.Properties");
    let patience = Instant::now() + SOON;
    while properties.call_method("Get", &("org.bluez.Device1", "Paired")).is_err() {
        assert!(Instant::now() < patience, "the watch was not found");
        thread::sleep(Duration::from_millis(10));
    }
    proxy("/org/bluez", "org.bluez.AgentManager1")
        .call_method("RegisterAgent", &(&path, "KeyboardDisplay"))
        .unwrap();
    device.call_method("Pair", &()).unwrap();
}

#[test]
fn the_app_waits_for_the_bond_and_then_does_what_its_vendor_wants() {
    let services = Bench::start(Ports { dns: 17353, https: 17443, ntp: 17123 }, Vec::new());
    let dir = tempfile::tempdir().unwrap();
    let (port, firmware) = RadioPort::pair();
    let radio = Radio::start(RadioConfig::new(dir.path().to_owned()), port).unwrap();
    boot(&firmware.to_radio, &firmware.from_radio);

    let config = CompanionConfig {
        version: "2.3.1".to_owned(),
        ca_file: services.dir.path().join("ca.pem"),
        resolver: services.resolver(),
        watch: "U8 Nucleus".to_owned(),
        api: services.server("api", 17443),
        firmware: services.server("fw", 17443),
        time: services.server("time", 17123),
        covert: None,
        crash_after: None,
        flood: 0,
        bus: Some(radio.bus_address().to_owned()),
    };
    let (sender, lines) = mpsc::channel();
    let app = thread::spawn(move || -> Result<(), AppError> {
        App { config, output: Lines(sender, Vec::new()) }.run()
    });
    let next = || lines.recv_timeout(SOON).unwrap();
    assert_eq!(next(), "U8 companion 2.3.1 started");
    assert_eq!(
        lines.recv_timeout(Duration::from_millis(300)),
        Err(RecvTimeoutError::Timeout),
        "not yet bonded"
    );
    pair(radio.bus_address());
    assert_eq!(next(), "paired U8 Nucleus fw 1.4.0");
    assert_eq!(next(), "registered");
    assert_eq!(next(), "firmware up to date");
    assert_eq!(next(), "time synchronised");
    let told: Vec<String> = firmware.from_radio.try_iter().collect();
    assert!(told.iter().any(|line| line.starts_with("+WRITE=FE01,01")), "the time was set: {told:?}");
    assert!(!app.is_finished(), "it stays");
}

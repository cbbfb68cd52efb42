//! The virtual radio as its clients meet it: btleplug unmodified, a pairing agent over D-Bus, and a scripted firmware.

#![cfg(feature = "radio")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on should stop")]

use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use btleplug::api::{
    Central, CharPropFlags, Characteristic, Manager as _, Peripheral as _, ScanFilter, WriteType,
};
use btleplug::platform::{Adapter, Manager, Peripheral};
use futures::StreamExt;
use lab_virtual_bench::radio::{Radio, RadioConfig};
use lab_virtual_bench::uart::{RadioLine, RadioPort};
use tokio::time::timeout;
use zbus::zvariant::ObjectPath;

const DEVICE: &str = "/org/bluez/hci0/dev_C0_00_00_00_00_08";
const SOON: Duration = Duration::from_secs(5);

/// A radio, and the firmware's end of its UART.
struct Bench {
    radio: Radio,
    to_radio: Sender<RadioLine>,
    from_radio: Receiver<String>,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, board) = RadioPort::pair();
        let radio = Radio::start(RadioConfig::new(dir.path().to_owned()), port).unwrap();
        Self { radio, to_radio: board.to_radio, from_radio: board.from_radio, _dir: dir }
    }

    /// What the firmware does when it boots; `pin` is what it shows.
    fn boot(&self, version: &str, pin: Option<&str>) {
        let dis = format!("AT+DIS=Nucleus,U8,{version}");
        for line in ["AT+RST", "AT+NAME=U8 Nucleus", dis.as_str()] {
            self.say(line);
        }
        if let Some(pin) = pin {
            self.say(&format!("AT+PIN={pin}"));
        }
        self.say("AT+BATT=87");
        self.say("AT+ADV=1");
    }

    fn say(&self, line: &str) {
        self.to_radio.send(RadioLine::Line(line.to_owned())).unwrap();
        assert_eq!(self.heard(), "OK", "{line}");
    }

    fn heard(&self) -> String {
        self.from_radio.recv_timeout(SOON).unwrap()
    }

    /// btleplug's adapter, on this bench's bus.
    async fn adapter(&self) -> Adapter {
        // SAFETY: nextest runs each test in its own process, and nothing else reads the environment meanwhile.
        unsafe { std::env::set_var("DBUS_SYSTEM_BUS_ADDRESS", self.radio.bus_address()) };
        Manager::new().await.unwrap().adapters().await.unwrap().remove(0)
    }

    async fn client(&self) -> zbus::Connection {
        zbus::connection::Builder::address(self.radio.bus_address()).unwrap().build().await.unwrap()
    }
}

async fn found(adapter: &Adapter) -> Peripheral {
    for _ in 0..200 {
        if let Some(peripheral) = adapter.peripherals().await.unwrap().into_iter().next() {
            return peripheral;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no device was found");
}

fn characteristic(peripheral: &Peripheral, uuid: u16) -> Characteristic {
    let text = format!("0000{uuid:04x}-");
    peripheral.characteristics().into_iter().find(|one| one.uuid.to_string().starts_with(&text)).unwrap()
}

/// Answers for the user: types `passkey`, and confirms a number if it is that one.
struct User {
    passkey: u32,
    delay: Duration,
}

#[zbus::interface(name = "org.bluez.Agent1")]
impl User {
    async fn request_passkey(&self, _device: ObjectPath<'_>) -> u32 {
        tokio::time::sleep(self.delay).await;
        self.passkey
    }

    fn request_confirmation(&self, _device: ObjectPath<'_>, number: u32) -> zbus::fdo::Result<()> {
        if number == self.passkey { Ok(()) } else { Err(zbus::fdo::Error::AccessDenied("no match".into())) }
    }

    fn cancel(&self) {}
}

/// Registers an agent with that capability and calls `Pair`; the D-Bus error's name on failure.
async fn pair(
    client: &zbus::Connection,
    capability: &str,
    passkey: u32,
    delay: Duration,
) -> Result<(), String> {
    let path = ObjectPath::try_from("/user").unwrap();
    client.object_server().at(&path, User { passkey, delay }).await.unwrap();
    let (bus, manager) = (Some("org.bluez"), Some("org.bluez.AgentManager1"));
    client.call_method(bus, "/org/bluez", manager, "RegisterAgent", &(&path, capability)).await.unwrap();
    let result = call(client, "Pair").await;
    client.call_method(bus, "/org/bluez", manager, "UnregisterAgent", &(&path,)).await.unwrap();
    client.object_server().remove::<User, _>(&path).await.unwrap();
    result
}

async fn call(client: &zbus::Connection, method: &str) -> Result<(), String> {
    match client.call_method(Some("org.bluez"), DEVICE, Some("org.bluez.Device1"), method, &()).await {
        Ok(_) => Ok(()),
        Err(zbus::Error::MethodError(name, _, _)) => Err(name.to_string()),
        Err(other) => panic!("{other}"),
    }
}

async fn remove(client: &zbus::Connection) -> Result<(), zbus::Error> {
    let path = ObjectPath::try_from(DEVICE).unwrap();
    let adapter = Some("org.bluez.Adapter1");
    client
        .call_method(Some("org.bluez"), "/org/bluez/hci0", adapter, "RemoveDevice", &(path,))
        .await
        .map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn btleplug_scans_connects_reads_subscribes_and_writes_a_watch_that_was_paired_by_passkey() {
    let bench = Bench::start();
    let adapter = bench.adapter().await;
    adapter.start_scan(ScanFilter::default()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(
        adapter.peripherals().await.unwrap().is_empty(),
        "nothing advertises before the firmware says so"
    );
    bench.boot("1.4.0", Some("042891"));
    let watch = found(&adapter).await;
    let properties = watch.properties().await.unwrap().unwrap();
    assert_eq!(properties.advertisement_name.as_deref(), Some("U8 Nucleus"));
    assert!(properties.rssi.is_some());
    adapter.stop_scan().await.unwrap();

    watch.connect().await.unwrap();
    assert_eq!(bench.heard(), "+CONN");
    watch.discover_services().await.unwrap();
    let (battery, firmware) = (characteristic(&watch, 0x2A19), characteristic(&watch, 0x2A26));
    assert_eq!(watch.read(&battery).await.unwrap(), [87]);
    let refused = watch.read(&firmware).await.unwrap_err().to_string();
    assert!(refused.contains("Not paired"), "{refused}");

    let phone = bench.client().await;
    pair(&phone, "KeyboardDisplay", 42891, Duration::ZERO).await.unwrap();
    assert_eq!(bench.heard(), "+BOND");
    assert_eq!(watch.read(&firmware).await.unwrap(), b"1.4.0");

    let mut notifications = watch.notifications().await.unwrap();
    assert!(battery.properties.contains(CharPropFlags::NOTIFY));
    watch.subscribe(&battery).await.unwrap();
    bench.say("AT+BATT=86");
    let notification = timeout(SOON, notifications.next()).await.unwrap().unwrap();
    assert_eq!((notification.uuid, notification.value), (battery.uuid, vec![86]));
    watch.unsubscribe(&battery).await.unwrap();

    let command = characteristic(&watch, 0xFE01);
    watch.write(&command, &[1, 0x65, 0x53, 0xF1, 0], WriteType::WithResponse).await.unwrap();
    assert_eq!(bench.heard(), "+WRITE=FE01,016553F100");
    watch.write(&command, &[2], WriteType::WithoutResponse).await.unwrap();
    assert_eq!(bench.heard(), "+WRITE=FE01,02");
    watch.disconnect().await.unwrap();
    assert_eq!(bench.heard(), "+DISC");
    assert!(!watch.is_connected().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_passkey_is_told_to_both_sides_and_leaves_no_bond() {
    let bench = Bench::start();
    let adapter = bench.adapter().await;
    bench.boot("1.4.0", Some("428917"));
    adapter.start_scan(ScanFilter::default()).await.unwrap();
    found(&adapter).await;
    let phone = bench.client().await;
    let failed = Err("org.bluez.Error.AuthenticationFailed".to_owned());
    for (capability, passkey) in
        [("KeyboardDisplay", 428_918), ("DisplayYesNo", 1), ("NoInputNoOutput", 428_917)]
    {
        assert_eq!(pair(&phone, capability, passkey, Duration::ZERO).await, failed, "{capability}");
        assert_eq!(
            [bench.heard(), bench.heard(), bench.heard()],
            ["+CONN", "+PAIRFAIL", "+DISC"],
            "{capability}"
        );
    }
    pair(&phone, "DisplayYesNo", 428_917, Duration::ZERO).await.unwrap();
    assert_eq!([bench.heard(), bench.heard()], ["+CONN", "+BOND"]);
    let again = pair(&phone, "DisplayYesNo", 428_917, Duration::ZERO).await;
    assert_eq!(again, Err("org.bluez.Error.AlreadyExists".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bond_survives_a_reset_is_used_by_another_client_and_ends_with_remove_device() {
    let bench = Bench::start();
    let adapter = bench.adapter().await;
    bench.boot("1.4.0", None);
    adapter.start_scan(ScanFilter::default()).await.unwrap();
    found(&adapter).await;
    adapter.stop_scan().await.unwrap();
    let phone = bench.client().await;
    pair(&phone, "NoInputNoOutput", 0, Duration::ZERO).await.unwrap();
    assert_eq!([bench.heard(), bench.heard()], ["+CONN", "+BOND"]);

    // Another firmware is flashed; the companion, another client, finds the bonded watch without a scan.
    bench.to_radio.send(RadioLine::Reset).unwrap();
    bench.boot("1.5.0", None);
    let watch = found(&adapter).await;
    watch.connect().await.unwrap();
    assert_eq!(bench.heard(), "+CONN");
    watch.discover_services().await.unwrap();
    assert_eq!(watch.read(&characteristic(&watch, 0x2A26)).await.unwrap(), b"1.5.0");
    phone.close().await.unwrap();
    assert!(watch.is_connected().await.unwrap(), "the link belongs to no one client");

    let phone = bench.client().await;
    remove(&phone).await.unwrap();
    assert_eq!(bench.heard(), "+DISC");
    assert!(adapter.peripherals().await.unwrap().is_empty());
    assert!(remove(&phone).await.is_err(), "a device that is unknown can't be removed");
    adapter.start_scan(ScanFilter::default()).await.unwrap();
    let watch = found(&adapter).await;
    watch.connect().await.unwrap();
    watch.discover_services().await.unwrap();
    assert!(watch.read(&characteristic(&watch, 0x2A26)).await.is_err(), "the bond is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reset_takes_an_unbonded_watch_out_of_the_air_and_off_the_bus() {
    let bench = Bench::start();
    let adapter = bench.adapter().await;
    bench.boot("1.4.0", Some("428917"));
    adapter.start_scan(ScanFilter::default()).await.unwrap();
    let watch = found(&adapter).await;
    watch.connect().await.unwrap();
    bench.to_radio.send(RadioLine::Reset).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(adapter.peripherals().await.unwrap().is_empty());
    assert!(watch.is_connected().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_pairing_that_waits_for_its_user_can_be_cancelled_and_dropping_the_radio_ends_the_bus() {
    let bench = Bench::start();
    let adapter = bench.adapter().await;
    bench.boot("1.4.0", Some("428917"));
    adapter.start_scan(ScanFilter::default()).await.unwrap();
    found(&adapter).await;
    let (phone, other) = (bench.client().await, bench.client().await);
    let (paired, cancelled) = tokio::join!(pair(&phone, "KeyboardOnly", 428_917, 12 * SOON), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        call(&other, "CancelPairing").await
    });
    assert_eq!(paired, Err("org.bluez.Error.AuthenticationCanceled".to_owned()));
    assert_eq!(cancelled, Ok(()));
    assert_eq!([bench.heard(), bench.heard(), bench.heard()], ["+CONN", "+PAIRFAIL", "+DISC"]);

    let socket = bench.radio.bus_address().trim_start_matches("unix:path=").to_owned();
    drop(bench);
    assert!(std::os::unix::net::UnixStream::connect(&socket).is_err());
}

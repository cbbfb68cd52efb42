//! The watch as the app sees it: a bonded device that the system's Bluetooth service (BlueZ, over D-Bus) knows.
//! The app never pairs; the phone's system does.

use std::{
    collections::HashMap,
    thread,
    time::{Duration, Instant},
};

use zbus::{
    blocking::{Connection, Proxy, connection::Builder, fdo::ObjectManagerProxy},
    zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value},
};

use super::AppError;

const BLUEZ: &str = "org.bluez";
const DEVICE: &str = "org.bluez.Device1";
const CHARACTERISTIC: &str = "org.bluez.GattCharacteristic1";
/// Deadline of one D-Bus call.
const CALL_DEADLINE: Duration = Duration::from_secs(10);
/// How often the known devices are looked through.
const POLL: Duration = Duration::from_millis(100);
/// How long a connection may take until the watch's services are known.
const CONNECT_DEADLINE: Duration = Duration::from_secs(20);

/// Model number string (Bluetooth assigned numbers, 0x2A24).
const MODEL: u16 = 0x2a24;
/// Firmware revision string (0x2A26).
const FIRMWARE: u16 = 0x2a26;
/// The vendor's own command characteristic.
const COMMAND: u16 = 0xfe01;
/// Command on it: set the time, followed by Unix time in seconds, 4 bytes, big-endian.
const SET_TIME: u8 = 0x01;

type Interfaces = HashMap<String, HashMap<String, OwnedValue>>;
type Objects = HashMap<OwnedObjectPath, Interfaces>;

/// What the watch says about itself.
#[derive(Debug, Clone)]
pub(super) struct About {
    /// Model, like `U8`.
    pub(super) model: String,
    /// Firmware revision, like `1.4.0`.
    pub(super) firmware: String,
}

/// A connected watch.
pub(super) struct Watch {
    bus: Connection,
    characteristics: HashMap<u16, OwnedObjectPath>,
}

impl Watch {
    /// Waits, as long as it takes, until the system knows a bonded device of that name; then connects to it.
    pub(super) fn wait_for(name: &str, bus: Option<&str>) -> Result<Self, AppError> {
        let bus = connect_bus(bus)?;
        let path = loop {
            if let Some(path) = bonded(&known(&bus)?, name) {
                break path;
            }
            thread::sleep(POLL);
        };
        let device = Proxy::new(&bus, BLUEZ, path.clone(), DEVICE)?;
        let deadline = Instant::now() + CONNECT_DEADLINE;
        let mut refused = None;
        loop {
            let objects = known(&bus)?;
            if truth(&objects, &path, "ServicesResolved") {
                let characteristics = characteristics_of(&objects, &path);
                return Ok(Self { bus, characteristics });
            }
            if Instant::now() > deadline {
                let why = refused.unwrap_or_else(|| "its services did not become known".to_owned());
                return Err(AppError::Watch(format!("no connection in 20 s: {why}")));
            }
            // Somebody else may be connecting or disconnecting at this moment; so again until it holds.
            if !truth(&objects, &path, "Connected")
                && let Err(error) = device.call_method("Connect", &())
            {
                refused = Some(error.to_string());
            }
            thread::sleep(POLL);
        }
    }

    /// Reads what the watch says about itself.
    pub(super) fn about(&self) -> Result<About, AppError> {
        Ok(About { model: self.read_text(MODEL)?, firmware: self.read_text(FIRMWARE)? })
    }

    /// Sets the watch's clock; `unix_seconds` since 1970.
    pub(super) fn set_time(&self, unix_seconds: u32) -> Result<(), AppError> {
        let mut command = vec![SET_TIME];
        command.extend_from_slice(&unix_seconds.to_be_bytes());
        let options = HashMap::from([("type", Value::from("request"))]);
        self.characteristic(COMMAND)?.call_method("WriteValue", &(command, options))?;
        Ok(())
    }

    fn read_text(&self, uuid: u16) -> Result<String, AppError> {
        let options: HashMap<&str, Value<'_>> = HashMap::new();
        let bytes: Vec<u8> = self.characteristic(uuid)?.call("ReadValue", &(options,))?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.trim_end_matches('\0').chars().filter(|c| !c.is_control()).take(64).collect())
    }

    fn characteristic(&self, uuid: u16) -> Result<Proxy<'_>, AppError> {
        let path = self
            .characteristics
            .get(&uuid)
            .ok_or_else(|| AppError::Watch(format!("it has no characteristic {uuid:04X}")))?;
        Ok(Proxy::new(&self.bus, BLUEZ, path.clone(), CHARACTERISTIC)?)
    }
}

fn connect_bus(address: Option<&str>) -> Result<Connection, AppError> {
    let builder = address.map_or_else(Builder::system, Builder::address);
    Ok(builder?.method_timeout(CALL_DEADLINE).build()?)
}

fn known(bus: &Connection) -> Result<Objects, AppError> {
    let root = ObjectPath::from_static_str("/")?;
    let manager = ObjectManagerProxy::builder(bus).destination(BLUEZ)?.path(root)?.build()?;
    let objects = manager.get_managed_objects().map_err(zbus::Error::from)?;
    Ok(objects
        .into_iter()
        .map(|(path, interfaces)| {
            (path, interfaces.into_iter().map(|(name, values)| (name.to_string(), values)).collect())
        })
        .collect())
}

fn bonded(objects: &Objects, name: &str) -> Option<OwnedObjectPath> {
    objects
        .iter()
        .find(|(path, interfaces)| {
            let named = interfaces
                .get(DEVICE)
                .and_then(|device| device.get("Name"))
                .and_then(|value| <&str>::try_from(value).ok())
                == Some(name);
            named && (truth(objects, path, "Bonded") || truth(objects, path, "Paired"))
        })
        .map(|(path, _)| path.clone())
}

fn truth(objects: &Objects, path: &OwnedObjectPath, property: &str) -> bool {
    objects
        .get(path)
        .and_then(|interfaces| interfaces.get(DEVICE))
        .and_then(|device| device.get(property))
        .and_then(|value| bool::try_from(value).ok())
        .unwrap_or(false)
}

fn characteristics_of(objects: &Objects, device: &OwnedObjectPath) -> HashMap<u16, OwnedObjectPath> {
    let prefix = format!("{}/", device.as_str());
    objects
        .iter()
        .filter(|(path, _)| path.as_str().starts_with(&prefix))
        .filter_map(|(path, interfaces)| {
            let uuid = interfaces.get(CHARACTERISTIC)?.get("UUID")?;
            Some((short_uuid(<&str>::try_from(uuid).ok()?)?, path.clone()))
        })
        .collect()
}

/// The 16-bit form of a UUID on Bluetooth's base UUID (Core specification, Vol 3, Part B, §2.5.1).
fn short_uuid(uuid: &str) -> Option<u16> {
    let uuid = uuid.to_ascii_lowercase();
    let short = uuid.strip_prefix("0000")?.strip_suffix("-0000-1000-8000-00805f9b34fb")?;
    u16::from_str_radix(short, 16).ok()
}

//! Faults of this agent, and whose they are.

use lab_protocol::Fault;

/// What D-Bus itself answers when the service or the bus is not there.
const BUS_ERRORS: [&str; 5] = [
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
    "org.freedesktop.DBus.Error.NoReply",
    "org.freedesktop.DBus.Error.Disconnected",
    "org.freedesktop.DBus.Error.AccessDenied",
];

/// The bus can't be reached, or BlueZ is not on it.
pub(super) fn bluez_gone(bus: &str, how: &dyn std::fmt::Display) -> Fault {
    Fault::bench("bluez-unreachable", format!("BlueZ can't be reached on {bus}: {how}"))
        .with_help("check that bluetoothd runs (systemctl status bluetooth) and that you may use it")
}

/// The adapter that the bench names is not there.
pub(super) fn adapter_missing(wanted: &str, there: &[String]) -> Fault {
    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    Fault::bench("adapter-missing", format!("there is no Bluetooth adapter {wanted}; BlueZ has: {there}"))
        .with_help("plug it in, or name another one in the bench file")
}

/// The adapter can't be switched on.
pub(super) fn adapter_off(adapter: &str, how: &dyn std::fmt::Display) -> Fault {
    Fault::bench("adapter-off", format!("the Bluetooth adapter {adapter} is off: {how}"))
        .with_help("rfkill unblock bluetooth, or switch off flight mode")
}

/// A command needs a target, and no scan found one.
pub(super) fn no_target() -> Fault {
    Fault::product("no-target", "no device was found before this step").with_help("put a scan before it")
}

/// The last part of a D-Bus error's name, and its text; nothing for errors of the bus itself.
pub(super) fn bluez_error(error: &zbus::Error) -> Option<(String, String)> {
    match error {
        zbus::Error::MethodError(name, text, _) if !BUS_ERRORS.contains(&name.as_str()) => {
            let short = name.rsplit('.').next().unwrap_or_default().to_owned();
            Some((short, text.clone().unwrap_or_default()))
        }
        _ => None,
    }
}

//! What the virtual watch's GATT database holds: services, characteristics, and what each of them asks of a link.
//!
//! Only descriptions; values live in the watch. The numbers are Bluetooth SIG assigned numbers (16-bit UUIDs),
//! except 0xFEE7 and its characteristics, which the product's vendor chose.

/// Device Information service.
pub const DEVICE_INFORMATION: u16 = 0x180A;
/// Manufacturer Name String.
pub const MANUFACTURER_NAME: u16 = 0x2A29;
/// Model Number String.
pub const MODEL_NUMBER: u16 = 0x2A24;
/// Firmware Revision String.
pub const FIRMWARE_REVISION: u16 = 0x2A26;
/// Battery service.
pub const BATTERY: u16 = 0x180F;
/// Battery Level, in percent.
pub const BATTERY_LEVEL: u16 = 0x2A19;
/// The product's own service.
pub const VENDOR: u16 = 0xFEE7;
/// Commands from the phone.
pub const VENDOR_COMMAND: u16 = 0xFE01;
/// Events to the phone.
pub const VENDOR_EVENT: u16 = 0xFE02;
/// Client Characteristic Configuration descriptor.
pub const CLIENT_CONFIGURATION: u16 = 0x2902;

/// The longest value that one ATT packet carries at the default ATT MTU of 23 (Core 5.3, Vol 3, Part F, 5.2.1).
pub const MAX_VALUE: usize = 20;
/// The default ATT MTU on LE, which this watch never raises.
pub const ATT_MTU: u16 = 23;

/// One service and its characteristics, in handle order.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// 16-bit UUID.
    pub uuid: u16,
    /// Its characteristics.
    pub characteristics: &'static [Characteristic],
}

/// One characteristic and what it allows.
#[derive(Debug, PartialEq, Eq)]
pub struct Characteristic {
    /// 16-bit UUID.
    pub uuid: u16,
    /// Can be read.
    pub read: bool,
    /// Can be written, with and without response.
    pub write: bool,
    /// Can notify.
    pub notify: bool,
    /// Wants a link encrypted with a bond.
    pub needs_bond: bool,
}

const fn readable(uuid: u16) -> Characteristic {
    Characteristic { uuid, read: true, write: false, notify: false, needs_bond: true }
}

/// The Device Information service.
pub static DEVICE_INFORMATION_SERVICE: Service = Service {
    uuid: DEVICE_INFORMATION,
    characteristics: &[readable(MANUFACTURER_NAME), readable(MODEL_NUMBER), readable(FIRMWARE_REVISION)],
};

/// The Battery service: anyone may read it.
pub static BATTERY_SERVICE: Service = Service {
    uuid: BATTERY,
    characteristics: &[Characteristic {
        uuid: BATTERY_LEVEL,
        read: true,
        write: false,
        notify: true,
        needs_bond: false,
    }],
};

/// The vendor's service.
pub static VENDOR_SERVICE: Service = Service {
    uuid: VENDOR,
    characteristics: &[
        Characteristic { uuid: VENDOR_COMMAND, read: false, write: true, notify: false, needs_bond: true },
        Characteristic { uuid: VENDOR_EVENT, read: false, write: false, notify: true, needs_bond: true },
    ],
};

/// A 16-bit UUID in its 128-bit text form, on the Bluetooth base UUID (Core 5.3, Vol 3, Part B, 2.5.1).
#[must_use]
pub fn uuid_text(uuid: u16) -> String {
    format!("0000{uuid:04x}-0000-1000-8000-00805f9b34fb")
}

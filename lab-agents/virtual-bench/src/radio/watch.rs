//! The watch's radio module as a pure state machine: AT lines and link events in, answers and notifications out.
//!
//! It does no I/O, knows no clock and no D-Bus. Whatever the firmware sends is bounded before it is kept.

use super::gatt::{self, Characteristic, Service};

/// The longest AT line that is looked at; longer ones are answered `ERROR`.
pub const MAX_LINE: usize = 256;
/// The longest advertised name, so that it fits a 31-byte advertisement beside flags and a service UUID.
const MAX_NAME: usize = 20;
/// The longest Device Information string.
const MAX_INFORMATION: usize = 64;

/// What a step of the watch asks of the world around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A line to the firmware.
    ToFirmware(String),
    /// A notification to the central that subscribed.
    Notified {
        /// The characteristic.
        uuid: u16,
        /// Its new value.
        value: Vec<u8>,
    },
}

/// What a phone's pairing agent can show and take (Core 5.3, Vol 3, Part H, 2.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoCapability {
    /// A display, no input.
    DisplayOnly,
    /// A display and a yes/no button.
    DisplayYesNo,
    /// A keyboard alone.
    KeyboardOnly,
    /// Neither.
    NoInputNoOutput,
    /// A keyboard and a display.
    KeyboardDisplay,
}

/// How phone and watch pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairingMethod {
    /// Nobody is asked.
    JustWorks,
    /// The phone's user types the number that the watch shows.
    PasskeyEntry,
    /// Both show this number and the phone's user says whether they match.
    NumericComparison(u32),
    /// The watch insists on a proof which the phone can't give.
    Impossible,
}

/// What the phone brings to the end of a pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairingProof {
    /// Just Works.
    None,
    /// The number that was typed.
    Passkey(u32),
    /// The numbers were said to match.
    Confirmed,
    /// The phone's side gave up or refused.
    Refused,
}

/// Why an attribute could not be used; the names follow the ATT error codes (Core 5.3, Vol 3, Part F, 3.4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttError {
    /// No link.
    #[error("not connected")]
    NotConnected,
    /// No such attribute now.
    #[error("no such characteristic")]
    NotFound,
    /// The link is not encrypted with a bond.
    #[error("not paired")]
    NotPaired,
    /// The characteristic doesn't do that.
    #[error("not permitted")]
    NotPermitted,
    /// The value is longer than the link carries.
    #[error("invalid length")]
    InvalidLength,
}

/// The watch can't be reached: it is off, doesn't advertise, or is connected already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the watch does not advertise")]
pub struct NotReachable;

/// Pairing failed on the watch's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the watch refused to pair")]
pub struct PairingFailed;

#[derive(Debug)]
struct Link {
    serial: u64,
    encrypted: bool,
    subscribed: Vec<u16>,
}

#[derive(Debug, Clone)]
struct Information {
    manufacturer: String,
    model: String,
    firmware: String,
}

/// What a reset forgets.
#[derive(Debug, Default)]
struct Volatile {
    name: Option<String>,
    information: Option<Information>,
    pin: Option<u32>,
    battery: Option<u8>,
    advertising: bool,
    link: Option<Link>,
}

/// The radio module. There is one central in its air, so one bond is all that it keeps.
#[derive(Debug, Default)]
pub struct Watch {
    state: Volatile,
    bonded: bool,
    links: u64,
}

impl Watch {
    /// A radio that was just powered: silent, without a bond.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a line from the firmware. Always answers `OK` or `ERROR`.
    pub fn firmware_line(&mut self, line: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        let done = line.len() <= MAX_LINE && self.command(line.trim_end(), &mut effects).is_some();
        effects.insert(0, Effect::ToFirmware(if done { "OK" } else { "ERROR" }.to_owned()));
        effects
    }

    /// The reset pin, or `AT+RST`: everything but the bond is forgotten and the link drops without a word.
    pub fn reset(&mut self) {
        self.state = Volatile::default();
    }

    fn command(&mut self, line: &str, effects: &mut Vec<Effect>) -> Option<()> {
        let (verb, value) = line.split_once('=').unwrap_or((line, ""));
        match verb {
            "AT+RST" if value.is_empty() => self.reset(),
            "AT+UNBOND" if value.is_empty() => self.bonded = false,
            "AT+NAME" => self.state.name = Some(printable(value, MAX_NAME)?.to_owned()),
            "AT+DIS" => {
                let mut fields = value.split(',').map(|field| printable(field, MAX_INFORMATION));
                let mut next = || fields.next().flatten().map(str::to_owned);
                let information = Information { manufacturer: next()?, model: next()?, firmware: next()? };
                if fields.next().is_some() {
                    return None;
                }
                self.state.information = Some(information);
            }
            "AT+PIN" => {
                if value.len() != 6 || !value.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                self.state.pin = Some(value.parse().ok()?);
            }
            "AT+BATT" => {
                let level: u8 = value.parse().ok().filter(|level| *level <= 100)?;
                if self.state.battery.replace(level) != Some(level) {
                    self.notify(gatt::BATTERY_LEVEL, vec![level], effects);
                }
            }
            "AT+ADV" => {
                self.state.advertising = match value {
                    "1" => true,
                    "0" => false,
                    _ => return None,
                };
            }
            "AT+NOTIFY" => {
                let (uuid, bytes) = value.split_once(',')?;
                let uuid = u16::from_str_radix(uuid, 16).ok()?;
                let bytes = hex_bytes(bytes)?;
                self.characteristic(uuid).filter(|characteristic| characteristic.notify)?;
                self.notify(uuid, bytes, effects);
            }
            _ => return None,
        }
        Some(())
    }

    fn notify(&self, uuid: u16, value: Vec<u8>, effects: &mut Vec<Effect>) {
        if self.state.link.as_ref().is_some_and(|link| link.subscribed.contains(&uuid)) {
            effects.push(Effect::Notified { uuid, value });
        }
    }

    /// Whether its advertisements are in the air now: a connected watch is silent.
    #[must_use]
    pub fn advertises(&self) -> bool {
        self.state.advertising && self.state.link.is_none()
    }

    /// The name in its advertisements.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.state.name.as_deref()
    }

    /// The number of the link that stands now; each connection gets another.
    #[must_use]
    pub fn link(&self) -> Option<u64> {
        self.state.link.as_ref().map(|link| link.serial)
    }

    /// The services that a connected central finds.
    #[must_use]
    pub fn services(&self) -> Vec<&'static Service> {
        let mut services = Vec::new();
        if self.state.information.is_some() {
            services.push(&gatt::DEVICE_INFORMATION_SERVICE);
        }
        if self.state.battery.is_some() {
            services.push(&gatt::BATTERY_SERVICE);
        }
        services.push(&gatt::VENDOR_SERVICE);
        services
    }

    /// A central connects; `has_bond` says that it holds a key for this watch.
    ///
    /// # Errors
    /// [`NotReachable`] while the watch doesn't advertise.
    pub fn connect(&mut self, has_bond: bool) -> Result<Vec<Effect>, NotReachable> {
        if !self.advertises() {
            return Err(NotReachable);
        }
        self.links += 1;
        let encrypted = has_bond && self.bonded;
        self.state.link = Some(Link { serial: self.links, encrypted, subscribed: Vec::new() });
        Ok(vec![Effect::ToFirmware("+CONN".to_owned())])
    }

    /// The central goes away.
    pub fn disconnect(&mut self) -> Vec<Effect> {
        match self.state.link.take() {
            Some(_) => vec![Effect::ToFirmware("+DISC".to_owned())],
            None => Vec::new(),
        }
    }

    /// How the watch pairs with a phone of that capability. A watch with a passkey has a display and a button, and
    /// insists on their use; one without has neither.
    #[must_use]
    pub fn pairing_method(&self, phone: IoCapability) -> PairingMethod {
        match (self.state.pin, phone) {
            (None, _) => PairingMethod::JustWorks,
            (Some(_), IoCapability::KeyboardOnly | IoCapability::KeyboardDisplay) => {
                PairingMethod::PasskeyEntry
            }
            (Some(pin), IoCapability::DisplayYesNo) => PairingMethod::NumericComparison(pin),
            (Some(_), IoCapability::DisplayOnly | IoCapability::NoInputNoOutput) => PairingMethod::Impossible,
        }
    }

    /// Ends a pairing over the present link.
    ///
    /// # Errors
    /// [`PairingFailed`] when the proof is not what the watch wants; the effects tell the firmware so.
    pub fn finish_pairing(
        &mut self,
        phone: IoCapability,
        proof: PairingProof,
    ) -> (Vec<Effect>, Result<(), PairingFailed>) {
        let proven = match (self.pairing_method(phone), proof) {
            (PairingMethod::JustWorks, PairingProof::None)
            | (PairingMethod::NumericComparison(_), PairingProof::Confirmed) => true,
            (PairingMethod::PasskeyEntry, PairingProof::Passkey(typed)) => self.state.pin == Some(typed),
            _ => false,
        };
        match &mut self.state.link {
            Some(link) if proven => {
                link.encrypted = true;
                self.bonded = true;
                (vec![Effect::ToFirmware("+BOND".to_owned())], Ok(()))
            }
            Some(_) => (vec![Effect::ToFirmware("+PAIRFAIL".to_owned())], Err(PairingFailed)),
            None => (Vec::new(), Err(PairingFailed)),
        }
    }

    /// Reads a characteristic.
    ///
    /// # Errors
    /// [`AttError`], as the link and the characteristic have it.
    pub fn read(&self, uuid: u16) -> Result<Vec<u8>, AttError> {
        self.usable(uuid, |characteristic| characteristic.read)?;
        let information = |pick: fn(&Information) -> &String| {
            self.state.information.as_ref().map(|all| pick(all).clone().into_bytes())
        };
        match uuid {
            gatt::BATTERY_LEVEL => self.state.battery.map(|level| vec![level]),
            gatt::MANUFACTURER_NAME => information(|all| &all.manufacturer),
            gatt::MODEL_NUMBER => information(|all| &all.model),
            gatt::FIRMWARE_REVISION => information(|all| &all.firmware),
            _ => None,
        }
        .ok_or(AttError::NotFound)
    }

    /// Writes a characteristic: the firmware is told.
    ///
    /// # Errors
    /// [`AttError`], as the link and the characteristic have it.
    pub fn write(&mut self, uuid: u16, value: &[u8]) -> Result<Vec<Effect>, AttError> {
        self.usable(uuid, |characteristic| characteristic.write)?;
        if value.len() > gatt::MAX_VALUE {
            return Err(AttError::InvalidLength);
        }
        Ok(vec![Effect::ToFirmware(format!("+WRITE={uuid:04X},{}", hex_text(value)))])
    }

    /// Switches notifications of a characteristic on or off.
    ///
    /// # Errors
    /// [`AttError`], as the link and the characteristic have it.
    pub fn subscribe(&mut self, uuid: u16, on: bool) -> Result<(), AttError> {
        self.usable(uuid, |characteristic| characteristic.notify)?;
        let link = self.state.link.as_mut().ok_or(AttError::NotConnected)?;
        link.subscribed.retain(|one| *one != uuid);
        if on {
            link.subscribed.push(uuid);
        }
        Ok(())
    }

    fn characteristic(&self, uuid: u16) -> Option<&'static Characteristic> {
        self.services()
            .into_iter()
            .flat_map(|service| service.characteristics)
            .find(|characteristic| characteristic.uuid == uuid)
    }

    fn usable(&self, uuid: u16, allows: fn(&Characteristic) -> bool) -> Result<(), AttError> {
        let link = self.state.link.as_ref().ok_or(AttError::NotConnected)?;
        let characteristic = self.characteristic(uuid).ok_or(AttError::NotFound)?;
        if !allows(characteristic) {
            return Err(AttError::NotPermitted);
        }
        if characteristic.needs_bond && !link.encrypted {
            return Err(AttError::NotPaired);
        }
        Ok(())
    }
}

fn printable(text: &str, max: usize) -> Option<&str> {
    let fits = (1..=max).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    fits.then_some(text)
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    if text.is_empty()
        || !text.len().is_multiple_of(2)
        || text.len() > 2 * gatt::MAX_VALUE
        || !text.is_ascii()
    {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

fn hex_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests;

//! Scanning: waits until a device that fits is in the air, and makes sure that it is the only one.

use std::sync::Arc;
use std::time::Duration;

use btleplug::api::{BDAddr, Central, Peripheral as _, PeripheralProperties, ScanFilter};
use btleplug::platform::Peripheral;
use lab_protocol::{Fault, Reply};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::radio::{Radio, Target};
use crate::lines::escape;

/// How often the devices that were heard are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long others of the same name are waited for, after the first. A watch advertises several times in it.
const OTHERS: Duration = Duration::from_millis(300);
/// How many names a message lists.
const LISTED: usize = 5;

/// What a device has to be.
pub(super) struct Wanted {
    name: Option<String>,
    address: Option<BDAddr>,
    service: Option<Uuid>,
}

impl Wanted {
    pub(super) fn new(
        name: Option<&str>,
        address: Option<&str>,
        service: Option<&str>,
    ) -> Result<Self, Fault> {
        let invalid =
            |what: &str, value: &str| Fault::product("scan-invalid", format!("{value:?} is no {what}"));
        let address = address
            .map(|text| {
                text.parse().map_err(|_| invalid("Bluetooth address, such as C0:00:00:00:00:08", text))
            })
            .transpose()?;
        let service = service.map(super::gatt::uuid).transpose()?;
        Ok(Self { name: name.map(str::to_owned), address, service })
    }

    fn fits(&self, heard: &PeripheralProperties) -> bool {
        self.name.as_deref().is_none_or(|name| heard.advertisement_name.as_deref() == Some(name))
            && self.address.is_none_or(|address| heard.address == address)
            && self.service.is_none_or(|service| heard.services.contains(&service))
    }

    fn title(&self) -> String {
        let name = self.name.as_ref().map(|name| format!("named {name:?}"));
        let address = self.address.map(|address| format!("with address {address}"));
        let service = self.service.map(|service| format!("with service {service}"));
        [name, address, service].into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }
}

type Heard = (Peripheral, PeripheralProperties);

impl Radio {
    /// Scans for the one device that fits; it becomes the target.
    pub(super) async fn scan(&mut self, wanted: &Wanted, within: Duration) -> Result<Reply, Fault> {
        self.target = None;
        let mut started = self.adapter.start_scan(ScanFilter::default()).await;
        if started.is_err() && self.adapter.stop_scan().await.is_ok() {
            // A scan before this one was given up half-way.
            started = self.adapter.start_scan(ScanFilter::default()).await;
        }
        if let Err(error) = started {
            self.bluez.check_adapter(false).await?;
            return Err(Fault::bench("scan-refused", format!("BlueZ does not scan: {error}")));
        }
        let result = self.look(wanted, within).await;
        if let Err(error) = self.adapter.stop_scan().await {
            tracing::debug!(%error, "the scan had ended already");
        }
        let (peripheral, properties) = match result {
            Ok(heard) => heard,
            Err(fault) => {
                // Nothing is heard either where the adapter went away meanwhile.
                self.bluez.check_adapter(false).await?;
                return Err(fault);
            }
        };
        let address = properties.address.to_string();
        let name = properties.advertisement_name.map(|name| escape(name.as_bytes()));
        let title = format!("{} ({address})", name.as_deref().unwrap_or("the device"));
        self.target = Some(Target {
            peripheral,
            path: self.bluez.device_path(&address)?,
            title,
            notified: Arc::default(),
            listener: None,
        });
        Ok(Reply::Found { name, address, rssi: properties.rssi })
    }

    async fn look(&self, wanted: &Wanted, within: Duration) -> Result<Heard, Fault> {
        let mut until = Instant::now() + within;
        let mut first = true;
        loop {
            let heard = self.heard().await?;
            let (mut fitting, others): (Vec<Heard>, Vec<Heard>) =
                heard.into_iter().partition(|(_, properties)| wanted.fits(properties));
            if fitting.len() > 1 {
                return Err(several(wanted, &fitting));
            }
            let found = fitting.pop();
            if first && found.is_some() {
                first = false;
                // An address names one device: there can be no other.
                let wait = if wanted.address.is_some() { Duration::ZERO } else { OTHERS };
                until = until.min(Instant::now() + wait);
            }
            if Instant::now() >= until {
                return found.ok_or_else(|| missing(wanted, within, &others));
            }
            sleep(LOOK).await;
        }
    }

    /// The devices that advertise now: those of which BlueZ has a signal strength, not those that it only remembers.
    async fn heard(&self) -> Result<Vec<Heard>, Fault> {
        let mut heard = Vec::new();
        let peripherals = self.adapter.peripherals().await;
        for peripheral in peripherals.map_err(|error| super::faults::bluez_gone("the bus", &error))? {
            // A device may go between the list and the look at it.
            if let Ok(Some(properties)) = peripheral.properties().await
                && properties.rssi.is_some()
            {
                heard.push((peripheral, properties));
            }
        }
        Ok(heard)
    }
}

fn several(wanted: &Wanted, fitting: &[Heard]) -> Fault {
    let mut addresses: Vec<String> =
        fitting.iter().map(|(_, properties)| properties.address.to_string()).collect();
    addresses.sort();
    let message = format!("{} devices {} advertise: {}", fitting.len(), wanted.title(), addresses.join(", "));
    Fault::bench("device-ambiguous", message)
        .with_help("give the address in the plan's scan step, or switch the others off")
}

fn missing(wanted: &Wanted, within: Duration, others: &[Heard]) -> Fault {
    let mut names: Vec<String> = others
        .iter()
        .filter_map(|(_, properties)| properties.advertisement_name.as_deref())
        .map(|name| format!("\"{}\"", escape(name.as_bytes())))
        .collect();
    names.sort();
    names.dedup();
    names.truncate(LISTED);
    let heard = match (others.len(), names.is_empty()) {
        (0, _) => "nothing was heard".to_owned(),
        (count, true) => format!("{count} devices without a name were heard"),
        (count, false) => format!("{count} others were heard, among them {}", names.join(", ")),
    };
    let message = format!("no device {} advertised in {} ms; {heard}", wanted.title(), within.as_millis());
    Fault::product("device-not-found", message)
}

//! Other devices in the air: they advertise a name while somebody scans, and take no connection.
//!
//! They are there so that a bench with more than one device of a name can be met without two watches.

use std::sync::Arc;

use super::error::{Error, Result};
use super::stack::Stack;
use crate::radio::Neighbour;

/// Signal strength of a device across the room, in dBm.
const RSSI: i16 = -78;

struct Device {
    neighbour: Neighbour,
}

#[zbus::interface(name = "org.bluez.Device1")]
impl Device {
    async fn connect(&self) -> Result<()> {
        Err(Error::Failed("le-connection-abort-by-local".into()))
    }

    async fn pair(&self) -> Result<()> {
        Err(Error::ConnectionAttemptFailed("Page Timeout".into()))
    }

    async fn disconnect(&self) -> Result<()> {
        Err(Error::NotConnected("Not Connected".into()))
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn address(&self) -> String {
        self.neighbour.address.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn address_type(&self) -> &str {
        "random"
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn name(&self) -> String {
        self.neighbour.name.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn alias(&self) -> String {
        self.neighbour.name.clone()
    }

    #[zbus(property(emits_changed_signal = "const"), name = "RSSI")]
    fn rssi(&self) -> i16 {
        RSSI
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn paired(&self) -> bool {
        false
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn connected(&self) -> bool {
        false
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn services_resolved(&self) -> bool {
        false
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn trusted(&self) -> bool {
        false
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn blocked(&self) -> bool {
        false
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn legacy_pairing(&self) -> bool {
        false
    }
}

/// Somebody begins to scan: all neighbours are heard.
pub(super) async fn appear(stack: &Arc<Stack>) -> zbus::Result<()> {
    for neighbour in &stack.config.neighbours {
        let device = Device { neighbour: neighbour.clone() };
        stack.connection.object_server().at(stack.config.path_of(&neighbour.address), device).await?;
    }
    Ok(())
}

/// The last scan ended: they are forgotten at once.
pub(super) async fn disappear(stack: &Arc<Stack>) -> zbus::Result<()> {
    for neighbour in &stack.config.neighbours {
        let path = stack.config.path_of(&neighbour.address);
        stack.connection.object_server().remove::<Device, _>(path).await?;
    }
    Ok(())
}

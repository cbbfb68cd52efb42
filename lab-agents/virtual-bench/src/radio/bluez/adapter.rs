//! `org.bluez.Adapter1`: power, discovery, and forgetting a device.

use std::collections::HashMap;
use std::sync::Arc;

use zbus::message::Header;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

use super::agents::sender;
use super::error::{Error, Result};
use super::stack::Stack;

/// The adapter object.
pub(super) struct Adapter {
    pub(super) stack: Arc<Stack>,
}

#[zbus::interface(name = "org.bluez.Adapter1")]
impl Adapter {
    /// Filters are taken and ignored: there is one device in this air, and clients filter again.
    async fn set_discovery_filter(&self, _properties: HashMap<String, OwnedValue>) -> Result<()> {
        Ok(())
    }

    async fn start_discovery(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let client = sender(&header)?.to_string();
        self.stack
            .change_quietly(|state| {
                if !state.powered {
                    return Err(Error::NotReady("Resource Not Ready".into()));
                }
                if !state.discovering.insert(client) {
                    return Err(Error::InProgress("Operation already in progress".into()));
                }
                Ok(())
            })
            .await
    }

    async fn stop_discovery(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let client = sender(&header)?.to_string();
        self.stack
            .change_quietly(|state| {
                if state.discovering.remove(&client) {
                    Ok(())
                } else {
                    Err(Error::Failed("No discovery started".into()))
                }
            })
            .await
    }

    async fn remove_device(&self, device: OwnedObjectPath) -> Result<()> {
        let path = self.stack.config.device_path();
        self.stack
            .change(|state| {
                if !state.known || device.as_str() != path {
                    return (Vec::new(), Err(Error::DoesNotExist("Does Not Exist".into())));
                }
                if let Some(pairing) = &state.pairing {
                    pairing.notify_one();
                }
                let effects = state.watch.disconnect();
                state.forget();
                (effects, Ok(()))
            })
            .await
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn address(&self) -> String {
        self.stack.config.adapter_address.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn address_type(&self) -> &str {
        "public"
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn name(&self) -> &str {
        "virtual-bench"
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn alias(&self) -> &str {
        "virtual-bench"
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn class(&self) -> u32 {
        0
    }

    #[zbus(property)]
    fn powered(&self) -> bool {
        self.stack.state().powered
    }

    #[zbus(property)]
    async fn set_powered(&self, powered: bool) {
        self.stack
            .change(|state| {
                state.powered = powered;
                if powered {
                    return (Vec::new(), ());
                }
                state.discovering.clear();
                (state.watch.disconnect(), ())
            })
            .await;
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn discoverable(&self) -> bool {
        false
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn pairable(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn discovering(&self) -> bool {
        !self.stack.state().discovering.is_empty()
    }

    #[zbus(property(emits_changed_signal = "const"), name = "UUIDs")]
    fn uuids(&self) -> Vec<String> {
        Vec::new()
    }

    /// Vendor, product and version in the form that clients parse: the Linux Foundation's number, no product.
    #[zbus(property(emits_changed_signal = "const"))]
    fn modalias(&self) -> &str {
        "usb:v1D6Bp0000d0000"
    }
}

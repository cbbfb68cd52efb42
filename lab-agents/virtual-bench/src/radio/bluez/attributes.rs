//! GATT objects of a connected watch: services, characteristics, and the descriptor that switches notifications.
//!
//! Clients walk them by path, so the names (`service…`, `char…`, `desc…`) are part of the interface.

use std::collections::HashMap;
use std::sync::Arc;

use zbus::message::Header;
use zbus::object_server::InterfaceRef;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

use super::agents::sender;
use super::error::{Error, Result};
use super::stack::Stack;
use crate::radio::gatt::{self, Characteristic, Service};
use crate::radio::watch::AttError;

/// The handle of the first service; lower ones belong to the generic services, which BlueZ keeps to itself.
const FIRST_HANDLE: usize = 0x0010;
/// Handles from one service to the next.
const SERVICE_HANDLES: usize = 0x0010;

struct ServiceObject {
    uuid: u16,
    device: OwnedObjectPath,
}

#[zbus::interface(name = "org.bluez.GattService1")]
impl ServiceObject {
    #[zbus(property(emits_changed_signal = "const"), name = "UUID")]
    fn uuid(&self) -> String {
        gatt::uuid_text(self.uuid)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn primary(&self) -> bool {
        true
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn device(&self) -> OwnedObjectPath {
        self.device.clone()
    }
}

struct CharacteristicObject {
    stack: Arc<Stack>,
    description: &'static Characteristic,
    service: OwnedObjectPath,
}

#[zbus::interface(name = "org.bluez.GattCharacteristic1")]
impl CharacteristicObject {
    async fn read_value(&self, options: HashMap<String, OwnedValue>) -> Result<Vec<u8>> {
        let mut state = self.stack.state();
        let value = state.watch.read(self.description.uuid)?;
        let offset = options.get("offset").and_then(|offset| u16::try_from(offset).ok()).unwrap_or(0);
        let rest = value.get(usize::from(offset)..).map(<[u8]>::to_vec);
        state.values.insert(self.description.uuid, value);
        rest.ok_or_else(|| Error::InvalidArguments("Invalid offset".into()))
    }

    async fn write_value(&self, value: Vec<u8>, options: HashMap<String, OwnedValue>) -> Result<()> {
        let uuid = self.description.uuid;
        let written = self
            .stack
            .change(|state| match state.watch.write(uuid, &value) {
                Ok(effects) => (effects, Ok(())),
                Err(error) => (Vec::new(), Err(error)),
            })
            .await;
        let command = options
            .get("type")
            .and_then(|kind| <&str>::try_from(kind).ok())
            .is_some_and(|kind| kind == "command");
        match written {
            // Nothing comes back for a write without response, so its sender never learns of this.
            Err(AttError::NotPaired) if command => Ok(()),
            other => Ok(other?),
        }
    }

    async fn start_notify(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let client = sender(&header)?.to_string();
        let uuid = self.description.uuid;
        self.notifying_change(move |state| {
            state.watch.subscribe(uuid, true)?;
            state.notifying.entry(uuid).or_default().insert(client);
            Ok(())
        })
        .await
    }

    async fn stop_notify(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let client = sender(&header)?.to_string();
        let uuid = self.description.uuid;
        self.notifying_change(move |state| {
            let clients = state.notifying.get_mut(&uuid).filter(|clients| clients.contains(&client));
            let clients = clients.ok_or_else(|| Error::Failed("No notify session started".into()))?;
            clients.remove(&client);
            if clients.is_empty() {
                state.watch.subscribe(uuid, false)?;
            }
            Ok(())
        })
        .await
    }

    #[zbus(property(emits_changed_signal = "const"), name = "UUID")]
    fn uuid(&self) -> String {
        gatt::uuid_text(self.description.uuid)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn service(&self) -> OwnedObjectPath {
        self.service.clone()
    }

    #[zbus(property)]
    fn value(&self) -> Vec<u8> {
        self.stack.state().values.get(&self.description.uuid).cloned().unwrap_or_default()
    }

    #[zbus(property)]
    fn notifying(&self) -> bool {
        self.stack.state().notifying.get(&self.description.uuid).is_some_and(|clients| !clients.is_empty())
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn flags(&self) -> Vec<&'static str> {
        let kinds = [
            (self.description.read, "read"),
            (self.description.write, "write"),
            (self.description.write, "write-without-response"),
            (self.description.notify, "notify"),
        ];
        kinds.into_iter().filter(|(has, _)| *has).map(|(_, flag)| flag).collect()
    }

    #[zbus(property(emits_changed_signal = "const"), name = "MTU")]
    fn mtu(&self) -> u16 {
        gatt::ATT_MTU
    }
}

impl CharacteristicObject {
    async fn notifying_change(
        &self,
        step: impl FnOnce(&mut super::state::State) -> Result<()> + Send,
    ) -> Result<()> {
        self.stack.change_quietly(step).await?;
        let characteristic = reference(&self.stack, self.description.uuid).await?;
        self.notifying_changed(characteristic.signal_emitter()).await?;
        Ok(())
    }
}

struct DescriptorObject {
    stack: Arc<Stack>,
    of: u16,
    characteristic: OwnedObjectPath,
}

#[zbus::interface(name = "org.bluez.GattDescriptor1")]
impl DescriptorObject {
    async fn read_value(&self, _options: HashMap<String, OwnedValue>) -> Result<Vec<u8>> {
        let on = self.stack.state().notifying.get(&self.of).is_some_and(|clients| !clients.is_empty());
        Ok(vec![u8::from(on), 0])
    }

    /// Clients switch notifications with `StartNotify`; BlueZ refuses this way too.
    async fn write_value(&self, _value: Vec<u8>, _options: HashMap<String, OwnedValue>) -> Result<()> {
        Err(Error::NotPermitted("Write not permitted".into()))
    }

    #[zbus(property(emits_changed_signal = "const"), name = "UUID")]
    fn uuid(&self) -> String {
        gatt::uuid_text(gatt::CLIENT_CONFIGURATION)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn characteristic(&self) -> OwnedObjectPath {
        self.characteristic.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn flags(&self) -> Vec<&'static str> {
        vec!["read", "write"]
    }
}

/// Paths of the objects that a service has, by its place in the database.
fn service_path(stack: &Stack, at: usize) -> String {
    format!("{}/service{:04x}", stack.config.device_path(), FIRST_HANDLE + at * SERVICE_HANDLES)
}

fn characteristic_path(stack: &Stack, service: usize, at: usize) -> String {
    let handle = FIRST_HANDLE + service * SERVICE_HANDLES + 1 + 3 * at;
    format!("{}/char{handle:04x}", service_path(stack, service))
}

fn descriptor_path(stack: &Stack, service: usize, at: usize) -> String {
    let handle = FIRST_HANDLE + service * SERVICE_HANDLES + 3 + 3 * at;
    format!("{}/desc{handle:04x}", characteristic_path(stack, service, at))
}

/// Puts the objects of these services on the bus.
pub(super) async fn add_all(stack: &Arc<Stack>, services: &[&'static Service]) -> zbus::Result<()> {
    let server = stack.connection.object_server();
    let device = OwnedObjectPath::try_from(stack.config.device_path())?;
    for (at, service) in services.iter().enumerate() {
        let path = OwnedObjectPath::try_from(service_path(stack, at))?;
        server.at(&path, ServiceObject { uuid: service.uuid, device: device.clone() }).await?;
        for (place, description) in service.characteristics.iter().enumerate() {
            let below = OwnedObjectPath::try_from(characteristic_path(stack, at, place))?;
            let object =
                CharacteristicObject { stack: Arc::clone(stack), description, service: path.clone() };
            server.at(&below, object).await?;
            if description.notify {
                let descriptor = DescriptorObject {
                    stack: Arc::clone(stack),
                    of: description.uuid,
                    characteristic: below,
                };
                server.at(descriptor_path(stack, at, place), descriptor).await?;
            }
        }
    }
    stack.state().published.services = services.to_vec();
    Ok(())
}

/// Takes all objects off the bus again, the innermost first.
pub(super) async fn remove_all(stack: &Arc<Stack>) -> zbus::Result<()> {
    let server = stack.connection.object_server();
    let services = std::mem::take(&mut stack.state().published.services);
    for (at, service) in services.iter().enumerate() {
        for (place, description) in service.characteristics.iter().enumerate() {
            if description.notify {
                server.remove::<DescriptorObject, _>(descriptor_path(stack, at, place)).await?;
            }
            server.remove::<CharacteristicObject, _>(characteristic_path(stack, at, place)).await?;
        }
        server.remove::<ServiceObject, _>(service_path(stack, at)).await?;
    }
    Ok(())
}

/// A characteristic has a new value.
pub(super) async fn value_changed(stack: &Arc<Stack>, uuid: u16) -> zbus::Result<()> {
    let object = reference(stack, uuid).await?;
    object.get().await.value_changed(object.signal_emitter()).await
}

async fn reference(stack: &Arc<Stack>, uuid: u16) -> zbus::Result<InterfaceRef<CharacteristicObject>> {
    let services = stack.state().published.services.clone();
    for (at, service) in services.iter().enumerate() {
        if let Some(place) = service.characteristics.iter().position(|one| one.uuid == uuid) {
            return stack.connection.object_server().interface(characteristic_path(stack, at, place)).await;
        }
    }
    Err(zbus::Error::InterfaceNotFound)
}

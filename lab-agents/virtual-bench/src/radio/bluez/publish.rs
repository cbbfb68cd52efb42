//! Tells the bus what changed: objects that come and go, and properties. Compares what is with what was told last.
//! (The odd names of some signals are zbus's own, made from properties in capitals.)

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use zbus::fdo::Properties;
use zbus::names::InterfaceName;
use zbus::object_server::InterfaceRef;

use super::adapter::Adapter;
use super::attributes;
use super::device::Device;
use super::neighbour;
use super::stack::Stack;
use super::state::Face;

/// Publishes every difference, and the values of the characteristics that notified.
pub(super) async fn difference(stack: &Arc<Stack>, notified: &[u16]) -> zbus::Result<()> {
    let (told, link, known, face, discovering, powered, services) = {
        let state = stack.state();
        let link = state.watch.link().filter(|_| state.known);
        let discovering = !state.discovering.is_empty();
        (
            state.published.clone(),
            link,
            state.known,
            state.face(),
            discovering,
            state.powered,
            state.watch.services(),
        )
    };
    if (told.discovering, told.powered) != (discovering, powered) {
        {
            let mut state = stack.state();
            state.published.discovering = discovering;
            state.published.powered = powered;
        }
        let adapter: InterfaceRef<Adapter> =
            stack.connection.object_server().interface(stack.config.adapter_path()).await?;
        if told.discovering != discovering {
            if discovering {
                neighbour::appear(stack).await?;
            } else {
                neighbour::disappear(stack).await?;
            }
            adapter.get().await.discovering_changed(adapter.signal_emitter()).await?;
        }
        if told.powered != powered {
            adapter.get().await.powered_changed(adapter.signal_emitter()).await?;
        }
    }

    if told.link.is_some() && told.link != link {
        {
            let mut state = stack.state();
            state.published.link = None;
            state.published.resolved = false;
            state.notifying.clear();
            state.values.clear();
        }
        attributes::remove_all(stack).await?;
        let device = device(stack).await?;
        device.get().await.services_resolved_changed(device.signal_emitter()).await?;
        device.get().await.connected_changed(device.signal_emitter()).await?;
    }

    let server = stack.connection.object_server();
    if told.device && !known {
        stack.state().published.device = false;
        server.remove::<Device, _>(stack.config.device_path()).await?;
    } else if known && !told.device {
        {
            let mut state = stack.state();
            state.published.device = true;
            state.published.face = face.clone();
        }
        server.at(stack.config.device_path(), Device::new(Arc::clone(stack))).await?;
    } else if known && told.face != face {
        stack.state().published.face = face.clone();
        face_changed(stack, &told.face, &face).await?;
    }

    if link.is_some() && told.link != link {
        stack.state().published.link = link;
        let device = device(stack).await?;
        device.get().await.connected_changed(device.signal_emitter()).await?;
        attributes::add_all(stack, &services).await?;
        stack.state().published.resolved = true;
        device.get().await.u_u_i_ds_changed(device.signal_emitter()).await?;
        device.get().await.services_resolved_changed(device.signal_emitter()).await?;
    }
    for uuid in notified {
        attributes::value_changed(stack, *uuid).await?;
    }
    Ok(())
}

async fn device(stack: &Arc<Stack>) -> zbus::Result<InterfaceRef<Device>> {
    stack.connection.object_server().interface(stack.config.device_path()).await
}

async fn face_changed(stack: &Arc<Stack>, told: &Face, face: &Face) -> zbus::Result<()> {
    let reference = device(stack).await?;
    let (device, emitter) = (reference.get().await, reference.signal_emitter());
    if told.name != face.name && face.name.is_some() {
        device.name_changed(emitter).await?;
    }
    if (&told.name, &told.alias) != (&face.name, &face.alias) {
        device.alias_changed(emitter).await?;
    }
    if told.rssi != face.rssi {
        match face.rssi {
            Some(_) => device.r_s_s_i_changed(emitter).await?,
            None => {
                let interface = InterfaceName::try_from("org.bluez.Device1")?;
                let gone = Cow::Borrowed(&["RSSI"][..]);
                Properties::properties_changed(emitter, interface, HashMap::new(), gone).await?;
            }
        }
    }
    if told.bonded != face.bonded {
        device.paired_changed(emitter).await?;
        device.bonded_changed(emitter).await?;
    }
    if told.trusted != face.trusted {
        device.trusted_changed(emitter).await?;
    }
    if told.blocked != face.blocked {
        device.blocked_changed(emitter).await?;
    }
    Ok(())
}

//! The open adapter and the target on it: preparing, connecting, letting go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use btleplug::api::{Central, Manager as _, Peripheral as _};
use btleplug::platform::{Adapter, Manager, Peripheral};
use lab_protocol::{Fault, Reply, binding};
use tokio::task::JoinHandle;
use zbus::zvariant::OwnedObjectPath;

use super::bluez::Bluez;
use super::{RELEASE, faults};
use crate::Outlet;
use crate::lines::LineBuffer;

/// How long btleplug may take to find the adapter.
const OPEN: Duration = Duration::from_secs(4);

/// An adapter that is there and on.
pub(super) struct Radio {
    pub(super) bluez: Bluez,
    pub(super) adapter: Adapter,
    pub(super) outlet: Outlet,
    pub(super) target: Option<Target>,
    /// A pairing is under way; true before one only where that was given up half-way.
    pub(super) pairing: bool,
    /// Bonds that this run made.
    pub(super) bonds: Vec<OwnedObjectPath>,
}

/// The device that the last scan found.
pub(super) struct Target {
    pub(super) peripheral: Peripheral,
    pub(super) path: OwnedObjectPath,
    /// For messages: name and address, escaped.
    pub(super) title: String,
    /// Notifications by characteristic, as hexadecimal.
    pub(super) notified: Arc<Mutex<HashMap<uuid::Uuid, LineBuffer>>>,
    pub(super) listener: Option<JoinHandle<()>>,
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

impl Radio {
    /// Opens the adapter that the bench names, and switches it on.
    pub(super) async fn open(binding: &binding::Ble, outlet: Outlet) -> Result<Self, Fault> {
        let bluez = Bluez::open(binding).await?;
        bluez.check_adapter(true).await?;
        let opened = tokio::time::timeout(OPEN, find_adapter(&bluez.adapter)).await;
        let adapter = match opened {
            Ok(Ok(Some(adapter))) => adapter,
            Ok(Ok(None)) => return Err(faults::adapter_missing(&bluez.adapter, &[])),
            Ok(Err(error)) => return Err(faults::bluez_gone("the bus", &error)),
            Err(_) => return Err(faults::bluez_gone("the bus", &"no answer")),
        };
        Ok(Self { bluez, adapter, outlet, target: None, pairing: false, bonds: Vec::new() })
    }

    /// Adapter on; devices of these names are forgotten, with their bonds.
    pub(super) async fn prepare(&mut self, forget: &[String]) -> Result<Reply, Fault> {
        self.bluez.check_adapter(true).await?;
        for known in self.bluez.known().await? {
            if known.names.iter().any(|name| forget.contains(name)) {
                tracing::info!(device = %known.path, "forgetting a device of an earlier run");
                self.bluez.forget(&known.path).await?;
            }
        }
        Ok(Reply::Ok)
    }

    /// Connects to the target and discovers its services.
    pub(super) async fn connect(&mut self, within: Duration) -> Result<Reply, Fault> {
        let target = self.target.as_ref().ok_or_else(faults::no_target)?;
        let connecting = async {
            target.peripheral.connect().await?;
            target.peripheral.discover_services().await
        };
        let failed = match tokio::time::timeout(within, connecting).await {
            Ok(Ok(())) => return Ok(Reply::Ok),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no connection in {} ms", within.as_millis()),
        };
        Err(self.blame("connect-failed", &format!("{} can't be connected to", target.title), &failed).await)
    }

    /// Disconnects, and forgets what this run bonded with.
    pub(super) async fn release(&mut self) -> Result<Reply, Fault> {
        if let Some(target) = self.target.take()
            && let Err(_) | Ok(Err(_)) = tokio::time::timeout(RELEASE, target.peripheral.disconnect()).await
        {
            tracing::debug!("the target was gone already");
        }
        for bond in std::mem::take(&mut self.bonds) {
            self.bluez.forget(&bond).await?;
        }
        Ok(Reply::Ok)
    }

    /// A failed operation's fault: the bench's if its adapter is gone, else the product's.
    pub(super) async fn blame(&self, code: &str, what: &str, how: &str) -> Fault {
        match self.bluez.check_adapter(false).await {
            Err(fault) => fault,
            Ok(()) => Fault::product(code, format!("{what}: {}", crate::lines::escape(how.as_bytes()))),
        }
    }
}

async fn find_adapter(name: &str) -> Result<Option<Adapter>, btleplug::Error> {
    for adapter in Manager::new().await?.adapters().await? {
        // The name, then the modalias in brackets.
        if adapter.adapter_info().await?.split_whitespace().next() == Some(name) {
            return Ok(Some(adapter));
        }
    }
    Ok(None)
}

//! An emulated `org.bluez` on a private message bus: what a Bluetooth client of this host sees of the virtual watch.
//!
//! It stands in for the adapter, the air and bluetoothd. It never touches the system's bus, and it proves the logic of
//! its clients, not BlueZ's behaviour.

mod adapter;
mod agents;
mod attributes;
mod bus;
mod device;
mod error;
mod neighbour;
mod publish;
mod stack;
mod state;

use std::sync::{Arc, mpsc as std_mpsc};
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use zbus::connection;
use zbus::fdo::{DBusProxy, NameOwnerChangedStream, ObjectManager};

use super::{RadioConfig, RadioError};
use crate::uart::RadioLine;
use adapter::Adapter;
use agents::AgentManager;
use stack::Stack;

pub(super) use bus::Bus;

/// How long the bus may take to let the service on.
const SETUP_DEADLINE: Duration = Duration::from_secs(5);
/// How often the watch advertises.
const ADVERTISING_INTERVAL: Duration = Duration::from_millis(50);
/// How many intervals pass between changes of the signal strength.
const BEAT: usize = 10;

/// Serves `org.bluez` until `stop`; tells `ready` once clients can call.
pub(super) async fn serve(
    config: RadioConfig,
    address: &str,
    mut firmware: mpsc::Receiver<RadioLine>,
    to_firmware: std_mpsc::Sender<String>,
    stop: oneshot::Receiver<()>,
    ready: impl FnOnce(),
) -> Result<(), RadioError> {
    let setting_up = tokio::time::timeout(SETUP_DEADLINE, set_up(config, address, to_firmware));
    let (stack, mut leaving) = setting_up.await.map_err(|_| RadioError::BusSilent)??;
    ready();

    let mut interval = tokio::time::interval(ADVERTISING_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut ticks = 0usize;
    let mut board = true;
    tokio::pin!(stop);
    loop {
        tokio::select! {
            _ = &mut stop => return Ok(()),
            line = firmware.recv(), if board => match line {
                Some(RadioLine::Line(line)) => stack.change(|state| (state.watch.firmware_line(&line), ())).await,
                Some(RadioLine::Reset) => stack.change_quietly(|state| state.watch.reset()).await,
                None => {
                    // The board is gone, and the radio's power with it.
                    board = false;
                    stack.change_quietly(|state| state.watch.reset()).await;
                }
            },
            signal = leaving.next() => {
                let Some(signal) = signal else { return Err(RadioError::BusLost) };
                if let Ok(args) = signal.args() && args.new_owner().is_none() {
                    let client = args.name().to_string();
                    stack.change_quietly(|state| state.client_left(&client)).await;
                }
            }
            _ = interval.tick() => {
                ticks = ticks.wrapping_add(1);
                stack.advertising_interval(ticks / BEAT).await;
            }
        }
    }
}

/// Puts the objects that are always there on the bus, then takes the name that clients wait for.
async fn set_up(
    config: RadioConfig,
    address: &str,
    to_firmware: std_mpsc::Sender<String>,
) -> Result<(Arc<Stack>, NameOwnerChangedStream), RadioError> {
    let connection = connection::Builder::address(address)?.build().await?;
    let stack = Arc::new(Stack::new(config, connection.clone(), to_firmware));
    let server = connection.object_server();
    server.at("/", ObjectManager).await?;
    server.at("/org/bluez", AgentManager { stack: Arc::clone(&stack) }).await?;
    server.at(stack.config.adapter_path(), Adapter { stack: Arc::clone(&stack) }).await?;
    let leaving = DBusProxy::new(&connection).await?.receive_name_owner_changed().await?;
    connection.request_name("org.bluez").await?;
    Ok((stack, leaving))
}

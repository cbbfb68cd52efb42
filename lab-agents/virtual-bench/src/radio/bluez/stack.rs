//! The one way in which the emulated phone changes: [`Stack::change`] changes the state, carries out what the watch
//! asks, and publishes the difference. One change at a time; the state's lock is never held over an await.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use zbus::Connection;

use super::error::{Error, Result};
use super::publish;
use super::state::State;
use crate::radio::RadioConfig;
use crate::radio::watch::Effect;

/// How long a connection attempt waits for the watch to advertise.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How often it looks.
const CONNECT_INTERVAL: Duration = Duration::from_millis(20);

/// The state, its way to the bus and its way to the firmware.
#[derive(Debug)]
pub(super) struct Stack {
    pub(super) config: RadioConfig,
    pub(super) connection: Connection,
    state: Mutex<State>,
    /// Held over a change and its publication, so that the bus sees changes in their order.
    order: tokio::sync::Mutex<()>,
    /// Woken after each change.
    changed: Notify,
    to_firmware: mpsc::Sender<String>,
}

impl Stack {
    pub(super) fn new(
        config: RadioConfig,
        connection: Connection,
        to_firmware: mpsc::Sender<String>,
    ) -> Self {
        Self {
            config,
            connection,
            state: Mutex::new(State::new()),
            order: tokio::sync::Mutex::new(()),
            changed: Notify::new(),
            to_firmware,
        }
    }

    /// The state as it is. Never keep the guard over an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic inside a change leaves plain data behind, nothing half-written that could do harm.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, carries out the effects, publishes the difference.
    pub(super) async fn change<R>(
        self: &Arc<Self>,
        step: impl FnOnce(&mut State) -> (Vec<Effect>, R) + Send,
    ) -> R {
        let _order = self.order.lock().await;
        let (effects, result) = {
            let mut state = self.state();
            let (effects, result) = step(&mut state);
            state.settle();
            (effects, result)
        };
        let mut notified = Vec::new();
        for effect in effects {
            match effect {
                // The board may have gone; then nobody is left to tell.
                Effect::ToFirmware(line) => drop(self.to_firmware.send(line)),
                Effect::Notified { uuid, value } => {
                    self.state().values.insert(uuid, value);
                    notified.push(uuid);
                }
            }
        }
        if let Err(error) = publish::difference(self, &notified).await {
            tracing::warn!(%error, "virtual radio: a change did not reach the bus");
        }
        self.changed.notify_waiters();
        result
    }

    /// A change that the watch's firmware is not told of.
    pub(super) async fn change_quietly<R>(self: &Arc<Self>, step: impl FnOnce(&mut State) -> R + Send) -> R {
        self.change(|state| (Vec::new(), step(state))).await
    }

    /// One advertising interval passed.
    pub(super) async fn advertising_interval(self: &Arc<Self>, beat: usize) {
        if !self.state().discovering.is_empty() {
            self.change_quietly(|state| state.hear(beat)).await;
        }
    }

    /// Connects, or finds itself connected. Gives the link's number and whether it was made just now.
    pub(super) async fn connect(self: &Arc<Self>) -> Result<(u64, bool)> {
        let deadline = Instant::now() + CONNECT_DEADLINE;
        loop {
            let link = self
                .change(|state| {
                    if !state.powered {
                        return (Vec::new(), Err(Error::NotReady("Resource Not Ready".into())));
                    }
                    if let Some(link) = state.watch.link() {
                        return (Vec::new(), Ok(Some((link, false))));
                    }
                    match state.watch.connect(state.bonded) {
                        Ok(effects) => (effects, Ok(state.watch.link().map(|link| (link, true)))),
                        Err(_) => (Vec::new(), Ok(None)),
                    }
                })
                .await?;
            if let Some(link) = link {
                return Ok(link);
            }
            if Instant::now() >= deadline {
                return Err(Error::Failed("le-connection-abort-by-local".into()));
            }
            tokio::time::sleep(CONNECT_INTERVAL).await;
        }
    }

    /// Ends the link, if there is one.
    pub(super) async fn disconnect(self: &Arc<Self>) {
        self.change(|state| (state.watch.disconnect(), ())).await;
    }

    /// Returns once the link with that number is gone.
    pub(super) async fn link_lost(&self, link: u64) {
        loop {
            let woken = self.changed.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            if self.state().watch.link() != Some(link) {
                return;
            }
            woken.await;
        }
    }
}

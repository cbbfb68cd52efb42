//! `org.bluez.Device1`: the watch as the phone knows it. Connecting, pairing, and what it shows.

use std::sync::Arc;

use tokio::sync::Notify;
use zbus::fdo;
use zbus::message::Header;
use zbus::zvariant::{ObjectPath, OwnedObjectPath};

use super::agents::{ANSWER_DEADLINE, Agent, sender};
use super::error::{Error, Result};
use super::stack::Stack;
use crate::radio::gatt;
use crate::radio::watch::{IoCapability, PairingMethod, PairingProof};

/// The device object.
pub(super) struct Device {
    stack: Arc<Stack>,
}

/// What the user's side of a pairing came to.
enum Answer {
    Proof(PairingProof),
    Cancelled,
    TimedOut,
    LinkLost,
}

impl Device {
    pub(super) fn new(stack: Arc<Stack>) -> Self {
        Self { stack }
    }

    async fn pair_over_link(&self, agent: Option<&Agent>, cancel: &Notify) -> Result<()> {
        let (link, made) = self.stack.connect().await?;
        // Without an agent BlueZ pairs as a device that has neither keys nor display.
        let capability = agent.map_or(IoCapability::NoInputNoOutput, |agent| agent.capability);
        let method = self.stack.state().watch.pairing_method(capability);
        let answer = tokio::select! {
            proof = self.ask(agent, method) => Answer::Proof(proof),
            () = cancel.notified() => Answer::Cancelled,
            () = self.stack.link_lost(link) => Answer::LinkLost,
            () = tokio::time::sleep(ANSWER_DEADLINE) => Answer::TimedOut,
        };
        let proof = match answer {
            Answer::Proof(proof) => proof,
            Answer::Cancelled | Answer::TimedOut | Answer::LinkLost => PairingProof::Refused,
        };
        let paired = self
            .stack
            .change(|state| {
                if state.watch.link() != Some(link) {
                    return (Vec::new(), false);
                }
                let (mut effects, paired) = state.watch.finish_pairing(capability, proof);
                if paired.is_ok() {
                    state.bonded = true;
                } else if made {
                    effects.extend(state.watch.disconnect());
                }
                (effects, paired.is_ok())
            })
            .await;
        if let (Answer::Cancelled | Answer::TimedOut | Answer::LinkLost, Some(agent)) = (&answer, agent) {
            agent.cancel(&self.stack.connection).await;
        }
        match answer {
            Answer::Proof(_) if paired => Ok(()),
            Answer::Proof(_) => Err(Error::AuthenticationFailed("Authentication Failed".into())),
            Answer::Cancelled => Err(Error::AuthenticationCanceled("Authentication Canceled".into())),
            Answer::TimedOut => Err(Error::AuthenticationTimeout("Authentication Timeout".into())),
            Answer::LinkLost => Err(Error::ConnectionAttemptFailed("Page Timeout".into())),
        }
    }

    async fn ask(&self, agent: Option<&Agent>, method: PairingMethod) -> PairingProof {
        let bus = &self.stack.connection;
        let Ok(path) = ObjectPath::try_from(self.stack.config.device_path()) else {
            return PairingProof::Refused;
        };
        match (method, agent) {
            (PairingMethod::JustWorks, _) => PairingProof::None,
            (PairingMethod::PasskeyEntry, Some(agent)) => {
                agent.request_passkey(bus, &path).await.map_or(PairingProof::Refused, PairingProof::Passkey)
            }
            (PairingMethod::NumericComparison(number), Some(agent)) => agent
                .request_confirmation(bus, &path, number)
                .await
                .map_or(PairingProof::Refused, |()| PairingProof::Confirmed),
            (PairingMethod::Impossible, _) | (_, None) => PairingProof::Refused,
        }
    }
}

#[zbus::interface(name = "org.bluez.Device1")]
impl Device {
    async fn connect(&self) -> Result<()> {
        self.stack.connect().await.map(drop)
    }

    async fn disconnect(&self) -> Result<()> {
        if self.stack.state().watch.link().is_none() {
            return Err(Error::NotConnected("Not Connected".into()));
        }
        self.stack.disconnect().await;
        Ok(())
    }

    async fn pair(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let cancel = Arc::new(Notify::new());
        let agent = {
            let mut state = self.stack.state();
            if state.bonded {
                return Err(Error::AlreadyExists("Already Exists".into()));
            }
            if state.pairing.is_some() {
                return Err(Error::InProgress("In Progress".into()));
            }
            state.pairing = Some(Arc::clone(&cancel));
            sender(&header).ok().and_then(|client| state.agents.for_client(client))
        };
        let result = self.pair_over_link(agent.as_ref(), &cancel).await;
        self.stack.state().pairing = None;
        result
    }

    async fn cancel_pairing(&self) -> Result<()> {
        let pairing = self.stack.state().pairing.clone();
        pairing.ok_or_else(|| Error::DoesNotExist("Does Not Exist".into()))?.notify_one();
        Ok(())
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn address(&self) -> String {
        self.stack.config.watch_address.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn address_type(&self) -> &str {
        "random"
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn adapter(&self) -> fdo::Result<OwnedObjectPath> {
        OwnedObjectPath::try_from(self.stack.config.adapter_path())
            .map_err(|error| fdo::Error::Failed(error.to_string()))
    }

    #[zbus(property)]
    fn name(&self) -> fdo::Result<String> {
        self.stack.state().name.clone().ok_or_else(absent)
    }

    #[zbus(property)]
    fn alias(&self) -> String {
        let state = self.stack.state();
        let given = state.alias.as_ref().or(state.name.as_ref()).cloned();
        given.unwrap_or_else(|| self.stack.config.watch_address.replace(':', "-"))
    }

    #[zbus(property)]
    async fn set_alias(&self, alias: String) {
        self.stack.change_quietly(|state| state.alias = Some(alias).filter(|alias| !alias.is_empty())).await;
    }

    #[zbus(property)]
    fn paired(&self) -> bool {
        self.stack.state().bonded
    }

    #[zbus(property)]
    fn bonded(&self) -> bool {
        self.stack.state().bonded
    }

    #[zbus(property)]
    fn trusted(&self) -> bool {
        self.stack.state().trusted
    }

    #[zbus(property)]
    async fn set_trusted(&self, trusted: bool) {
        self.stack.change_quietly(|state| state.trusted = trusted).await;
    }

    #[zbus(property)]
    fn blocked(&self) -> bool {
        self.stack.state().blocked
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn legacy_pairing(&self) -> bool {
        false
    }

    #[zbus(property)]
    fn connected(&self) -> bool {
        self.stack.state().published.link.is_some()
    }

    #[zbus(property)]
    fn services_resolved(&self) -> bool {
        self.stack.state().published.resolved
    }

    #[zbus(property, name = "RSSI")]
    fn rssi(&self) -> fdo::Result<i16> {
        self.stack.state().rssi.ok_or_else(absent)
    }

    /// What is advertised; once the services are resolved, all of them.
    #[zbus(property, name = "UUIDs")]
    fn uuids(&self) -> Vec<String> {
        let state = self.stack.state();
        if state.published.link.is_some() {
            state.watch.services().iter().map(|service| gatt::uuid_text(service.uuid)).collect()
        } else {
            vec![gatt::uuid_text(gatt::VENDOR)]
        }
    }
}

/// A property that the device hasn't now; it is left out of `GetAll`.
fn absent() -> fdo::Error {
    fdo::Error::InvalidArgs("No such property".into())
}

//! `org.bluez.AgentManager1`: the programs that answer for the phone's user while pairing, and how they are asked.

use std::sync::Arc;
use std::time::Duration;

use zbus::Connection;
use zbus::message::Header;
use zbus::names::OwnedUniqueName;
use zbus::zvariant::{ObjectPath, OwnedObjectPath};

use super::error::{Error, Result};
use super::stack::Stack;
use crate::radio::watch::IoCapability;

/// How long an agent may take: what the security manager waits for a step (Core 5.3, Vol 3, Part H, 3.4).
pub(super) const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// How many clients may register an agent.
const MAX_AGENTS: usize = 64;

/// A registered agent.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    owner: OwnedUniqueName,
    path: OwnedObjectPath,
    pub(super) capability: IoCapability,
}

/// All registered agents: one a client. The last one is the default, as with BlueZ where nobody asked to be it.
#[derive(Debug, Default)]
pub(super) struct Agents {
    agents: Vec<Agent>,
}

impl Agents {
    /// The agent for that client: its own, else the default one.
    pub(super) fn for_client(&self, client: &str) -> Option<Agent> {
        let own = self.agents.iter().find(|agent| agent.owner.as_str() == client);
        own.or(self.agents.last()).cloned()
    }

    pub(super) fn client_left(&mut self, client: &str) {
        self.agents.retain(|agent| agent.owner.as_str() != client);
    }
}

impl Agent {
    /// The passkey that the user reads off the watch.
    pub(super) async fn request_passkey(
        &self,
        bus: &Connection,
        device: &ObjectPath<'_>,
    ) -> zbus::Result<u32> {
        self.call(bus, "RequestPasskey", &(device,)).await?.body().deserialize()
    }

    /// Whether the user says that both show this number.
    pub(super) async fn request_confirmation(
        &self,
        bus: &Connection,
        device: &ObjectPath<'_>,
        number: u32,
    ) -> zbus::Result<()> {
        self.call(bus, "RequestConfirmation", &(device, number)).await.map(drop)
    }

    /// The request under way is void.
    pub(super) async fn cancel(&self, bus: &Connection) {
        // The agent may be gone, or slow; either way nobody waits for it.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.call(bus, "Cancel", &())).await;
    }

    async fn call<B>(&self, bus: &Connection, method: &str, body: &B) -> zbus::Result<zbus::Message>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        bus.call_method(Some(&self.owner), &self.path, Some("org.bluez.Agent1"), method, body).await
    }
}

/// The object at `/org/bluez`.
pub(super) struct AgentManager {
    pub(super) stack: Arc<Stack>,
}

#[zbus::interface(name = "org.bluez.AgentManager1")]
impl AgentManager {
    async fn register_agent(
        &self,
        agent: OwnedObjectPath,
        capability: &str,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let owner: OwnedUniqueName = sender(&header)?.to_owned().into();
        let capability = match capability {
            "" | "KeyboardDisplay" => IoCapability::KeyboardDisplay,
            "DisplayOnly" => IoCapability::DisplayOnly,
            "DisplayYesNo" => IoCapability::DisplayYesNo,
            "KeyboardOnly" => IoCapability::KeyboardOnly,
            "NoInputNoOutput" => IoCapability::NoInputNoOutput,
            _ => return Err(Error::InvalidArguments("Invalid arguments in method call".into())),
        };
        let agents = &mut self.stack.state().agents.agents;
        if agents.len() >= MAX_AGENTS || agents.iter().any(|one| one.owner == owner) {
            return Err(Error::AlreadyExists("Already Exists".into()));
        }
        // The default agent stays where it is: at the end.
        agents.insert(agents.len().saturating_sub(1), Agent { owner, path: agent, capability });
        Ok(())
    }

    async fn unregister_agent(
        &self,
        agent: OwnedObjectPath,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let owner = sender(&header)?;
        let agents = &mut self.stack.state().agents.agents;
        let before = agents.len();
        agents.retain(|one| one.owner != *owner || one.path != agent);
        if agents.len() == before { Err(missing()) } else { Ok(()) }
    }

    async fn request_default_agent(
        &self,
        agent: OwnedObjectPath,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let owner = sender(&header)?;
        let agents = &mut self.stack.state().agents.agents;
        let at =
            agents.iter().position(|one| one.owner == *owner && one.path == agent).ok_or_else(missing)?;
        let chosen = agents.remove(at);
        agents.push(chosen);
        Ok(())
    }
}

fn missing() -> Error {
    Error::DoesNotExist("Does Not Exist".into())
}

/// The client that sent a message; a bus always says.
pub(super) fn sender<'m>(header: &'m Header<'_>) -> Result<&'m zbus::names::UniqueName<'m>> {
    header.sender().ok_or_else(|| Error::Failed("a message without a sender".into()))
}

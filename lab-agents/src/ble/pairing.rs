//! Pairing through BlueZ's agent interface: plays the person with the phone, and checks that BlueZ asked that person
//! what the method demands. A bond by a weaker method than the plan's is no success.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lab_protocol::{Fault, PairingMethod, Reply};
use zbus::zvariant::{ObjectPath, OwnedObjectPath};

use super::faults;
use super::radio::Radio;

/// Where our agent is on the bus.
const AGENT: &str = "/lab/person";
/// How long BlueZ may take to give up on a pairing.
const GIVE_UP: Duration = Duration::from_secs(1);

/// What the person with the phone can do, and does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Person {
    method: PairingMethod,
    passkey: Option<u32>,
    confirm: bool,
}

impl Person {
    pub(super) fn new(method: PairingMethod, passkey: Option<&str>, confirm: bool) -> Result<Self, Fault> {
        let number = |text: &str| -> Result<u32, Fault> {
            let valid = (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| valid).ok_or_else(|| {
                Fault::product("passkey-invalid", format!("{text:?} is no passkey of up to six digits"))
            })
        };
        let passkey = passkey.map(number).transpose()?;
        if method == PairingMethod::Passkey && passkey.is_none() {
            return Err(Fault::product("passkey-missing", "pairing by passkey needs a passkey"));
        }
        Ok(Self { method, passkey, confirm })
    }

    /// The capability that leads to the method: a keyboard alone can do nothing but type a passkey
    /// (Bluetooth Core 5.4, Vol 3 Part H, table 2.8).
    fn capability(self) -> &'static str {
        match self.method {
            PairingMethod::JustWorks => "NoInputNoOutput",
            PairingMethod::Passkey => "KeyboardOnly",
            PairingMethod::NumericComparison => "DisplayYesNo",
        }
    }
}

/// What BlueZ asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Passkey,
    /// And what the answer was.
    Comparison(bool),
}

/// Our `org.bluez.Agent1`.
struct Agent {
    person: Person,
    device: OwnedObjectPath,
    asked: Arc<Mutex<Option<Asked>>>,
}

/// Answers that BlueZ understands.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.bluez.Error")]
enum Refusal {
    #[zbus(error)]
    ZBus(zbus::Error),
    Rejected(String),
}

impl Agent {
    fn note(&self, asked: Asked) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
    }

    fn ours(&self, device: &ObjectPath<'_>) -> Result<(), Refusal> {
        if *device == *self.device { Ok(()) } else { Err(Refusal::Rejected("another device".into())) }
    }
}

#[zbus::interface(name = "org.bluez.Agent1")]
impl Agent {
    fn request_passkey(&self, device: ObjectPath<'_>) -> Result<u32, Refusal> {
        self.ours(&device)?;
        self.note(Asked::Passkey);
        self.person.passkey.ok_or_else(|| Refusal::Rejected("no passkey".into()))
    }

    fn request_confirmation(&self, device: ObjectPath<'_>, number: u32) -> Result<(), Refusal> {
        self.ours(&device)?;
        let same = self.person.passkey.is_none_or(|seen| seen == number);
        let agreed = self.person.method == PairingMethod::NumericComparison && self.person.confirm && same;
        self.note(Asked::Comparison(agreed));
        if agreed { Ok(()) } else { Err(Refusal::Rejected("the numbers do not match".into())) }
    }

    /// BlueZ asks this for Just Works with some kernels.
    fn request_authorization(&self, device: ObjectPath<'_>) -> Result<(), Refusal> {
        self.ours(&device)?;
        if self.person.method == PairingMethod::JustWorks {
            Ok(())
        } else {
            Err(Refusal::Rejected("pairing without a proof".into()))
        }
    }

    fn authorize_service(&self, device: ObjectPath<'_>, _uuid: String) -> Result<(), Refusal> {
        self.ours(&device)
    }

    fn cancel(&self) {}

    fn release(&self) {}
}

impl Radio {
    /// Bonds with the target as the plan says.
    pub(super) async fn pair(&mut self, person: Person, within: Duration) -> Result<Reply, Fault> {
        let target = self.target.as_ref().ok_or_else(faults::no_target)?;
        let (path, title) = (target.path.clone(), target.title.clone());
        let asked = Arc::new(Mutex::new(None));
        let agent = Agent { person, device: path.clone(), asked: Arc::clone(&asked) };
        let place = ObjectPath::from_static_str_unchecked(AGENT);
        if std::mem::replace(&mut self.pairing, true) {
            // A pairing before this one was given up half-way.
            if let Err((name, _)) = self.bluez.device_call(&path, "CancelPairing", GIVE_UP).await? {
                tracing::debug!(%name, "no pairing was under way any more");
            }
            self.dismiss(&place).await;
        }
        let server = self.bluez.connection.object_server();
        server
            .at(&place, agent)
            .await
            .map_err(|error| Fault::bench("pairing-agent", format!("the pairing agent: {error}")))?;
        let result = match self.bluez.agent_call("RegisterAgent", &(&place, person.capability())).await {
            Ok(()) => {
                let result = self.bluez.device_call(&path, "Pair", within).await;
                if let Ok(Err((name, _))) = &result
                    && name == "Timeout"
                {
                    // Its answer says nothing new: the pairing is given up either way.
                    let _ = self.bluez.device_call(&path, "CancelPairing", GIVE_UP).await;
                }
                result
            }
            Err(fault) => Err(fault),
        };
        self.dismiss(&place).await;
        self.pairing = false;
        let asked = *asked.lock().unwrap_or_else(PoisonError::into_inner);
        match result? {
            Ok(()) => {
                self.bonds.push(path);
                proven(person, asked, &title)?;
                Ok(Reply::Ok)
            }
            Err((name, text)) => Err(self.pairing_fault(&name, &text, person, asked, &title, within).await),
        }
    }

    /// Takes our pairing agent away, from BlueZ and from the bus.
    async fn dismiss(&self, place: &ObjectPath<'_>) {
        if let Err(fault) = self.bluez.agent_call("UnregisterAgent", &(place,)).await {
            tracing::debug!(%fault, "the pairing agent was gone already");
        }
        if let Err(error) = self.bluez.connection.object_server().remove::<Agent, _>(place).await {
            tracing::debug!(%error, "the pairing agent's object was gone already");
        }
    }

    async fn pairing_fault(
        &self,
        name: &str,
        text: &str,
        person: Person,
        asked: Option<Asked>,
        title: &str,
        within: Duration,
    ) -> Fault {
        let how = match asked {
            Some(Asked::Passkey) => "after the passkey was entered",
            Some(Asked::Comparison(true)) => "after the numbers were confirmed",
            Some(Asked::Comparison(false)) => "after the numbers were said not to match",
            None => "before anything was asked",
        };
        match name {
            "AlreadyExists" => Fault::bench(
                "already-paired",
                format!("{title} is bonded with this host from before"),
            )
            .with_help(
                "forget it (bluetoothctl remove <address>), or scan for it by name, so that the lab does",
            ),
            "InProgress" => Fault::bench("pairing-busy", format!("another program pairs with {title}")),
            "Timeout" | "AuthenticationTimeout" => {
                let what = format!("{title} did not pair in {} ms, {how}", within.as_millis());
                self.blame("pairing-timeout", &what, text).await
            }
            "UnknownObject" | "UnknownMethod" | "DoesNotExist" => {
                self.blame("device-gone", &format!("{title} is gone from the air"), text).await
            }
            _ => {
                let what = format!("{title} did not pair by {} ({how})", method_word(person.method));
                self.blame("pairing-rejected", &what, &format!("{name}: {text}")).await
            }
        }
    }
}

fn method_word(method: PairingMethod) -> &'static str {
    match method {
        PairingMethod::JustWorks => "just-works",
        PairingMethod::Passkey => "passkey",
        PairingMethod::NumericComparison => "numeric-comparison",
    }
}

/// A bond counts only if the person was asked what the method demands.
fn proven(person: Person, asked: Option<Asked>, title: &str) -> Result<(), Fault> {
    let fits = match person.method {
        PairingMethod::JustWorks => asked.is_none(),
        PairingMethod::Passkey => asked == Some(Asked::Passkey),
        PairingMethod::NumericComparison => asked == Some(Asked::Comparison(true)),
    };
    if fits {
        return Ok(());
    }
    let did = if asked.is_none() { "asked for nothing" } else { "asked for another proof" };
    let wanted = method_word(person.method);
    let message = format!("{title} bonded, but not by {wanted}: it {did}");
    Err(Fault::product("pairing-method", message)
        .with_help("a watch that bonds without a proof can be taken by anyone near it"))
}

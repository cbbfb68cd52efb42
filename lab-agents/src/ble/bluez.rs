//! BlueZ over D-Bus, for what btleplug lacks: the adapter's state, known devices, bonds and their removal.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use lab_protocol::{Fault, binding};
use zbus::Connection;
use zbus::connection::Builder;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};

use super::faults;

/// How long BlueZ may take for what needs no radio.
const ANSWER: Duration = Duration::from_secs(4);
/// How often it is looked after while a command is under way.
const WATCH: Duration = Duration::from_secs(1);
const SERVICE: &str = "org.bluez";
const ADAPTER: &str = "org.bluez.Adapter1";
const DEVICE: &str = "org.bluez.Device1";

type Properties = HashMap<String, OwnedValue>;
type Objects = HashMap<OwnedObjectPath, HashMap<String, Properties>>;

/// A connection to BlueZ, and the adapter that the bench names. Clones share the connection.
#[derive(Debug, Clone)]
pub(super) struct Bluez {
    pub(super) connection: Connection,
    /// Its name, `hci0`.
    pub(super) adapter: String,
    bus: String,
}

/// A device that BlueZ knows.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) path: OwnedObjectPath,
    pub(super) names: Vec<String>,
}

impl Bluez {
    /// Connects to the bus of the binding.
    pub(super) async fn open(binding: &binding::Ble) -> Result<Self, Fault> {
        let bus = binding.bus.clone().unwrap_or_else(|| "the system bus".to_owned());
        let building = async {
            match &binding.bus {
                Some(address) => Builder::address(address.as_str())?.build().await,
                None => Builder::system()?.build().await,
            }
        };
        let connection = match tokio::time::timeout(ANSWER, building).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(faults::bluez_gone(&bus, &error)),
            Err(_) => return Err(faults::bluez_gone(&bus, &"no answer")),
        };
        Ok(Self { connection, adapter: binding.adapter.clone(), bus })
    }

    fn adapter_path(&self) -> String {
        format!("/org/bluez/{}", self.adapter)
    }

    /// The path under which BlueZ has the device with that address.
    pub(super) fn device_path(&self, address: &str) -> Result<OwnedObjectPath, Fault> {
        OwnedObjectPath::try_from(format!("{}/dev_{}", self.adapter_path(), address.replace(':', "_")))
            .map_err(|error| {
                Fault::bench("radio-internal", format!("a device with address {address:?}: {error}"))
            })
    }

    /// Fails unless the adapter is there and on; switches it on where `switch_on`.
    pub(super) async fn check_adapter(&self, switch_on: bool) -> Result<(), Fault> {
        let path = self.adapter_path();
        let objects = self.objects().await?;
        let adapters: HashMap<&str, &Properties> =
            objects.iter().filter_map(|(path, all)| Some((path.as_str(), all.get(ADAPTER)?))).collect();
        let Some(properties) = adapters.get(path.as_str()) else {
            let mut there: Vec<String> =
                adapters.keys().map(|path| path.trim_start_matches("/org/bluez/").to_owned()).collect();
            there.sort();
            return Err(faults::adapter_missing(&self.adapter, &there));
        };
        if properties.get("Powered").and_then(|on| bool::try_from(on).ok()) == Some(true) {
            return Ok(());
        }
        if !switch_on {
            return Err(faults::adapter_off(&self.adapter, &"it was switched off"));
        }
        let on = (ADAPTER, "Powered", Value::from(true));
        match self.call(&path, "org.freedesktop.DBus.Properties", "Set", &on, ANSWER).await? {
            Ok(()) => Ok(()),
            Err((name, text)) => Err(faults::adapter_off(&self.adapter, &format!("{name}: {text}"))),
        }
    }

    /// Returns once the adapter, BlueZ or the bus is gone: btleplug does not notice, and would wait for long.
    pub(super) async fn lost(&self) -> Fault {
        loop {
            tokio::time::sleep(WATCH).await;
            if let Err(fault) = self.check_adapter(false).await {
                return fault;
            }
        }
    }

    /// The devices that BlueZ knows on the adapter.
    pub(super) async fn known(&self) -> Result<Vec<Known>, Fault> {
        let below = format!("{}/", self.adapter_path());
        let text = |properties: &Properties, key: &str| {
            properties.get(key).and_then(|value| <&str>::try_from(value).ok()).map(str::to_owned)
        };
        Ok(self
            .objects()
            .await?
            .into_iter()
            .filter(|(path, _)| path.as_str().starts_with(&below))
            .filter_map(|(path, interfaces)| {
                let properties = interfaces.get(DEVICE)?;
                let names = ["Name", "Alias"].iter().filter_map(|key| text(properties, key)).collect();
                Some(Known { path, names })
            })
            .collect())
    }

    /// Forgets a device and its bond. One that BlueZ doesn't know is forgotten already.
    pub(super) async fn forget(&self, device: &ObjectPath<'_>) -> Result<(), Fault> {
        match self.call(&self.adapter_path(), ADAPTER, "RemoveDevice", &(device,), ANSWER).await? {
            Ok(()) => Ok(()),
            Err((name, _)) if name == "DoesNotExist" || name == "UnknownObject" => Ok(()),
            Err((name, text)) => Err(Fault::bench(
                "bond-not-removed",
                format!("BlueZ does not forget {device}: {name}: {text}"),
            )
            .with_help("remove it by hand: bluetoothctl remove <address>")),
        }
    }

    /// Calls a method of a device.
    pub(super) async fn device_call(
        &self,
        device: &ObjectPath<'_>,
        method: &str,
        within: Duration,
    ) -> Result<Result<(), (String, String)>, Fault> {
        self.call(device.as_str(), DEVICE, method, &(), within).await
    }

    /// Registers or removes a pairing agent.
    pub(super) async fn agent_call<B>(&self, method: &str, body: &B) -> Result<(), Fault>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType + Sync,
    {
        self.call("/org/bluez", "org.bluez.AgentManager1", method, body, ANSWER).await?.map_err(
            |(name, text)| {
                Fault::bench(
                    "pairing-agent",
                    format!("BlueZ does not take a pairing agent: {method}: {name}: {text}"),
                )
            },
        )
    }

    /// A call whose answer is empty. Outer errors are the bench's; inner ones are BlueZ's answers, name and text.
    async fn call<B>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
        within: Duration,
    ) -> Result<Result<(), (String, String)>, Fault>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType + Sync,
    {
        let call = self.connection.call_method(Some(SERVICE), path, Some(interface), method, body);
        match self.in_time(call, within).await {
            None => {
                Ok(Err(("Timeout".to_owned(), format!("no answer to {method} in {} ms", within.as_millis()))))
            }
            Some(Ok(_)) => Ok(Ok(())),
            Some(Err(error)) => match faults::bluez_error(&error) {
                Some(answer) => Ok(Err(answer)),
                None => Err(faults::bluez_gone(&self.bus, &error)),
            },
        }
    }

    async fn objects(&self) -> Result<Objects, Fault> {
        let manager = Some("org.freedesktop.DBus.ObjectManager");
        let call = self.connection.call_method(Some(SERVICE), "/", manager, "GetManagedObjects", &());
        let answer = self.in_time(call, ANSWER).await;
        let answer = answer.ok_or_else(|| faults::bluez_gone(&self.bus, &"no answer"))?;
        answer
            .and_then(|message| message.body().deserialize())
            .map_err(|error| faults::bluez_gone(&self.bus, &error))
    }

    async fn in_time<T>(&self, what: impl Future<Output = T>, within: Duration) -> Option<T> {
        tokio::time::timeout(within, what).await.ok()
    }
}

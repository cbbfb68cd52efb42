//! The ble agent: plays the operating system's Bluetooth. Scans, bonds, and uses the watch's characteristics.
//!
//! btleplug does everything that it can do; bonding, forgetting bonds and the adapter's state go to BlueZ over D-Bus,
//! since btleplug has none of these. Every call has a deadline. It keeps one target: the device that the last scan
//! found. What the bench lacks (bus, bluetoothd, adapter, power) is a bench fault; what the watch does not do is the
//! product's.

mod bluez;
mod faults;
mod gatt;
mod pairing;
mod radio;
mod scan;

use std::time::Duration;

use lab_protocol::{Action, Fault, Reply, binding};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::{Agent, Call, Outlet};
use radio::Radio;

/// How long letting go may take at the end, for each call.
const RELEASE: Duration = Duration::from_secs(2);

/// Makes the agent; the adapter is opened by the first command.
///
/// # Errors
/// If the binding is none for this agent.
pub fn start(binding: Value, outlet: &Outlet) -> Result<Box<dyn Agent>, Fault> {
    let binding: binding::Ble = serde_json::from_value(binding).map_err(|error| {
        Fault::bench("binding-invalid", format!("the bench's Bluetooth adapter: {error}"))
    })?;
    if let Some(bus) = &binding.bus {
        // libdbus, which btleplug stands on, takes the address from nowhere else.
        // SAFETY: `start` runs while the process has one thread (see `Start`), so nobody reads the environment now.
        unsafe { std::env::set_var("DBUS_SYSTEM_BUS_ADDRESS", bus) };
    }
    // One worker, so that notifications are received and logged while no command is under way.
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("ble")
        .enable_all()
        .build()
        .map_err(|error| Fault::bench("radio-not-opened", format!("the agent's threads: {error}")))?;
    Ok(Box::new(BleAgent { binding, outlet: outlet.clone(), runtime, radio: None }))
}

struct BleAgent {
    binding: binding::Ble,
    outlet: Outlet,
    runtime: Runtime,
    radio: Option<Radio>,
}

impl Agent for BleAgent {
    fn call(&mut self, call: &Call<'_>) -> Result<Reply, Fault> {
        let Self { binding, outlet, runtime, radio } = self;
        if let Action::ExpectNotification { characteristic, pattern, within_ms } = call.action {
            let radio = radio.as_mut().ok_or_else(faults::no_target)?;
            let result = radio.expect_notification(call, characteristic, pattern.as_deref(), *within_ms);
            // Nothing notifies either where the adapter or BlueZ went away meanwhile.
            return match result {
                Err(fault) if !call.cancel.is_set() => {
                    runtime.block_on(radio.bluez.check_adapter(false)).and(Err(fault))
                }
                result => result,
            };
        }
        runtime.block_on(async {
            tokio::select! {
                result = carry_out(binding, outlet, radio, call) => result,
                () = cancelled(call) => Err(Fault::doubt("cancelled", "given up")),
                () = tokio::time::sleep(call.left(Duration::MAX)) => {
                    // Every wait inside has its own, shorter limit: only a silent bus or daemon leads here.
                    Err(Fault::bench("radio-silent", "bluetoothd did not answer in time")
                        .with_help("restart the bluetooth service and look into its log"))
                }
            }
        })
    }

    fn release(&mut self) {
        if let Some(mut radio) = self.radio.take() {
            self.runtime.block_on(async {
                if let Ok(Err(fault)) = tokio::time::timeout(2 * RELEASE, radio.release()).await {
                    tracing::warn!(%fault, "the radio was not released in order");
                }
            });
        }
    }
}

async fn carry_out(
    binding: &binding::Ble,
    outlet: &Outlet,
    radio: &mut Option<Radio>,
    call: &Call<'_>,
) -> Result<Reply, Fault> {
    if let (Action::ReleaseRadio, None) = (call.action, &radio) {
        return Ok(Reply::Ok);
    }
    if radio.is_none() {
        *radio = Some(Radio::open(binding, outlet.clone()).await?);
    }
    let Some(radio) = radio else { return Err(faults::no_target()) };
    let bluez = radio.bluez.clone();
    tokio::select! {
        result = perform(radio, call) => result,
        fault = bluez.lost() => Err(fault),
    }
}

async fn perform(radio: &mut Radio, call: &Call<'_>) -> Result<Reply, Fault> {
    let within = |ms: &u64| call.left(Duration::from_millis(*ms));
    match call.action {
        Action::PrepareRadio { forget } => radio.prepare(forget).await,
        Action::Scan { name, address, service, within_ms } => {
            let wanted = scan::Wanted::new(name.as_deref(), address.as_deref(), service.as_deref())?;
            radio.scan(&wanted, within(within_ms)).await
        }
        Action::Pair { method, passkey, confirm, within_ms } => {
            let person = pairing::Person::new(*method, passkey.as_deref(), *confirm)?;
            radio.pair(person, within(within_ms)).await
        }
        Action::Connect { within_ms } => radio.connect(within(within_ms)).await,
        Action::Read { characteristic, as_text, pattern } => {
            radio.read(characteristic, *as_text, pattern.as_deref()).await
        }
        Action::Write { characteristic, value, response } => {
            radio.write(characteristic, value, *response).await
        }
        Action::Subscribe { characteristic } => radio.subscribe(characteristic).await,
        Action::ReleaseRadio => radio.release().await,
        _ => Err(call.unknown()),
    }
}

async fn cancelled(call: &Call<'_>) {
    while !call.cancel.is_set() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

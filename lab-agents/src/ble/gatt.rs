//! Characteristics of the target: read, write, subscribe, and notifications, which are logged as they come.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use btleplug::api::{CharPropFlags, Characteristic, Peripheral as _, WriteType};
use futures::StreamExt;
use lab_protocol::{Event, Fault, Reply};
use regex::Regex;
use uuid::Uuid;

use super::faults;
use super::radio::{Radio, Target};
use crate::Call;
use crate::lines::{Line, LineBuffer, Missed, escape, named_groups};

/// How long one operation may take: the time after which ATT gives up (Bluetooth Core 5.4, Vol 3 Part F, 3.3.3).
const OPERATION: Duration = Duration::from_secs(30);
/// How long connecting may take where no step did it before.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest attribute value (Bluetooth Core 5.4, Vol 3 Part F, 3.2.9).
const MAX_VALUE: usize = 512;

/// A UUID from its text.
pub(super) fn uuid(text: &str) -> Result<Uuid, Fault> {
    Uuid::parse_str(text).map_err(|_| Fault::product("uuid-invalid", format!("{text:?} is no UUID")))
}

impl Radio {
    /// Reads a characteristic, and matches what it holds.
    pub(super) async fn read(
        &mut self,
        characteristic: &str,
        as_text: bool,
        pattern: Option<&str>,
    ) -> Result<Reply, Fault> {
        let pattern = pattern.map(regex).transpose()?;
        let (characteristic, title) =
            self.characteristic(characteristic, CharPropFlags::READ, "be read").await?;
        let reading = self.target()?.peripheral.read(&characteristic);
        let bytes = self.in_time(reading, "read-failed", &format!("{title} can't be read")).await?;
        let text = if as_text { escape(&bytes) } else { hex(&bytes) };
        let groups = match pattern {
            None => BTreeMap::new(),
            Some(pattern) if pattern.is_match(&text) => named_groups(&pattern, &text),
            Some(pattern) => {
                let message = format!("{title} reads {text:?}, which does not match {:?}", pattern.as_str());
                return Err(Fault::product("value-mismatch", message));
            }
        };
        Ok(Reply::Matched { text, groups })
    }

    /// Writes a characteristic.
    pub(super) async fn write(
        &mut self,
        characteristic: &str,
        value: &str,
        response: bool,
    ) -> Result<Reply, Fault> {
        let bytes = bytes(value)?;
        let (flag, kind) = if response {
            (CharPropFlags::WRITE, WriteType::WithResponse)
        } else {
            (CharPropFlags::WRITE_WITHOUT_RESPONSE, WriteType::WithoutResponse)
        };
        let (characteristic, title) =
            self.characteristic(characteristic, flag, "be written that way").await?;
        let writing = self.target()?.peripheral.write(&characteristic, &bytes, kind);
        self.in_time(writing, "write-failed", &format!("{title} can't be written")).await?;
        Ok(Reply::Ok)
    }

    /// Subscribes to a characteristic; from now on its notifications are logged.
    pub(super) async fn subscribe(&mut self, characteristic: &str) -> Result<Reply, Fault> {
        let flags = CharPropFlags::NOTIFY | CharPropFlags::INDICATE;
        let (characteristic, title) = self.characteristic(characteristic, flags, "notify").await?;
        let what = format!("{title} can't be subscribed to");
        // Listening comes before subscribing, so that the first notification is heard.
        if let Err(error) = self.listen(characteristic.uuid).await {
            return Err(self.blame("subscribe-failed", &what, &error.to_string()).await);
        }
        let subscribing = self.target()?.peripheral.subscribe(&characteristic);
        self.in_time(subscribing, "subscribe-failed", &what).await?;
        Ok(Reply::Ok)
    }

    /// Logs and keeps the notifications of one more characteristic.
    async fn listen(&mut self, uuid: Uuid) -> btleplug::Result<()> {
        let outlet = self.outlet.clone();
        let Some(target) = &mut self.target else { return Err(btleplug::Error::DeviceNotFound) };
        target.notified.lock().unwrap_or_else(PoisonError::into_inner).entry(uuid).or_default();
        if target.listener.as_ref().is_some_and(|listener| !listener.is_finished()) {
            return Ok(());
        }
        let buffers = Arc::clone(&target.notified);
        let mut notifications = target.peripheral.notifications().await?;
        target.listener = Some(tokio::spawn(async move {
            while let Some(notification) = notifications.next().await {
                let t = outlet.now();
                let buffers = buffers.lock().unwrap_or_else(PoisonError::into_inner);
                // Other clients' subscriptions are heard too, and are none of ours.
                let Some(buffer) = buffers.get(&notification.uuid) else { continue };
                let value = hex(notification.value.get(..MAX_VALUE).unwrap_or(&notification.value));
                let characteristic = notification.uuid.to_string();
                outlet.event_at(t, None, Event::Notified { characteristic, value: value.clone() });
                buffer.push(Line { t, text: value });
            }
        }));
        Ok(())
    }

    /// Waits for a notification that matches, among those since the last match.
    pub(super) fn expect_notification(
        &mut self,
        call: &Call<'_>,
        characteristic: &str,
        pattern: Option<&str>,
        within_ms: u64,
    ) -> Result<Reply, Fault> {
        let pattern = regex(pattern.unwrap_or(""))?;
        let buffer: LineBuffer = self
            .target()?
            .notified
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&uuid(characteristic)?)
            .cloned()
            .ok_or_else(|| {
                Fault::product("not-subscribed", format!("nothing is subscribed to {characteristic}"))
                    .with_help("put a subscribe step before it")
            })?;
        let until = Instant::now() + call.left(Duration::from_millis(within_ms));
        match buffer.expect(&pattern, until, call.cancel) {
            Ok(found) => Ok(Reply::Matched { text: found.line.text, groups: found.groups }),
            Err(Missed::Cancelled) => Err(Fault::doubt("cancelled", "given up")),
            Err(Missed::Time { last }) => {
                let last = last.map_or_else(|| "nothing".to_owned(), |last| format!("last {last}"));
                let message = format!(
                    "{characteristic} notified nothing that matches {:?} in {within_ms} ms; it notified {last}",
                    pattern.as_str()
                );
                Err(Fault::product("notification-missing", message))
            }
            Err(Missed::Closed(how)) => {
                Err(Fault::product("notification-missing", format!("{characteristic} ended: {how}")))
            }
        }
    }

    fn target(&self) -> Result<&Target, Fault> {
        self.target.as_ref().ok_or_else(faults::no_target)
    }

    /// The characteristic, if it can do one of `flags`, and its title. Connects where no step did before.
    async fn characteristic(
        &mut self,
        text: &str,
        flags: CharPropFlags,
        can: &str,
    ) -> Result<(Characteristic, String), Fault> {
        let wanted = uuid(text)?;
        if self.target()?.peripheral.services().is_empty() {
            self.connect(CONNECT).await?;
        }
        let target = self.target()?;
        let found = target.peripheral.characteristics().into_iter().find(|one| one.uuid == wanted);
        let Some(found) = found else {
            let what = format!("{} has no characteristic {wanted}", target.title);
            return Err(self.blame("characteristic-missing", &what, "not among its services").await);
        };
        if !found.properties.intersects(flags) {
            let message = format!("characteristic {wanted} of {} can't {can}", target.title);
            return Err(Fault::product("characteristic-unfit", message));
        }
        Ok((found, format!("characteristic {wanted} of {}", target.title)))
    }

    async fn in_time<T>(
        &self,
        operation: impl Future<Output = btleplug::Result<T>>,
        code: &str,
        what: &str,
    ) -> Result<T, Fault> {
        match tokio::time::timeout(OPERATION, operation).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.blame(code, what, &error.to_string()).await),
            Err(_) => Err(self.blame(code, what, "no answer").await),
        }
    }
}

fn regex(pattern: &str) -> Result<Regex, Fault> {
    Regex::new(pattern).map_err(|error| Fault::product("pattern-invalid", format!("{pattern:?}: {error}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(value: &str) -> Result<Vec<u8>, Fault> {
    let invalid = || {
        Fault::product(
            "value-invalid",
            format!("{value:?} is no hexadecimal value of up to {MAX_VALUE} bytes"),
        )
    };
    if !value.is_ascii() || !value.len().is_multiple_of(2) || value.len() > 2 * MAX_VALUE {
        return Err(invalid());
    }
    (0..value.len())
        .step_by(2)
        .map(|at| {
            value.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or_else(invalid)
        })
        .collect()
}

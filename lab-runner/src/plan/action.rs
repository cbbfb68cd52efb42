//! One action's arguments to a checked `StepAction`; what fits together only in part is refused at its place.

use std::path::Path;

use schemars::{Schema, SchemaGenerator};

use super::args::{
    AppArgs, ExpectArgs, FlashArgs, NoArgs, PairArgs, PairWord, ReadArgs, ScanArgs, SendArgs, SubscribeArgs,
    WriteArgs,
};
use super::scalar::{DurationText, PatternText, TemplateText};
use super::text::{Template, is_name};
use super::{
    App, DEFAULT_PAIRING, DEFAULT_WITHIN, Expect, ExpectSource, Flash, ImageFormat, Pair, PairMethod,
    PlanPath, Read, Scan, ScanTarget, Send, StepAction, Subscribe, ValueForm, Via, Write,
};
use crate::yaml::{Entry, Position, Reading};

/// Makes the schema of what stands under an action's key.
type ArgumentsSchema = fn(&mut SchemaGenerator) -> Schema;

/// Every action's key with the schema of what stands under it.
pub(super) const ACTIONS: [(&str, ArgumentsSchema); 14] = [
    ("flash", |schemas| schemas.subschema_for::<FlashArgs>()),
    ("reset", |schemas| schemas.subschema_for::<NoArgs>()),
    ("expect", |schemas| schemas.subschema_for::<ExpectArgs>()),
    ("send", |schemas| schemas.subschema_for::<SendArgs>()),
    ("scan", |schemas| schemas.subschema_for::<ScanArgs>()),
    ("pair", |schemas| schemas.subschema_for::<PairArgs>()),
    ("connect", |schemas| schemas.subschema_for::<NoArgs>()),
    ("read", |schemas| schemas.subschema_for::<ReadArgs>()),
    ("write", |schemas| schemas.subschema_for::<WriteArgs>()),
    ("subscribe", |schemas| schemas.subschema_for::<SubscribeArgs>()),
    ("launch", |schemas| schemas.subschema_for::<AppArgs>()),
    ("stop", |schemas| schemas.subschema_for::<AppArgs>()),
    ("idle", |schemas| schemas.subschema_for::<DurationText>()),
    ("note", |schemas| schemas.subschema_for::<TemplateText>()),
];

/// Reads what stands under an action's key. `folder` is the plan's, for paths.
pub(super) fn read<'d>(
    reading: &mut Reading<'d>,
    folder: &Path,
    action: &str,
    entry: Entry<'d>,
) -> Option<StepAction> {
    match action {
        "flash" => flash(reading, folder, entry),
        "reset" => reading.decode::<NoArgs>(entry).map(|_| StepAction::Reset),
        "expect" => expect(reading, entry),
        "send" => {
            reading.decode(entry).map(|SendArgs { console }| StepAction::Send(Send { console: console.0 }))
        }
        "scan" => scan(reading, entry),
        "pair" => pair(reading, entry),
        "connect" => reading.decode::<NoArgs>(entry).map(|_| StepAction::Connect),
        "read" => read_value(reading, entry),
        "write" => write_value(reading, entry),
        "subscribe" => reading
            .decode(entry)
            .map(|SubscribeArgs { characteristic }| StepAction::Subscribe(Subscribe { characteristic })),
        "launch" => reading.decode(entry).map(|AppArgs { app }| StepAction::Launch(App { app })),
        "stop" => reading.decode(entry).map(|AppArgs { app }| StepAction::Stop(App { app })),
        "idle" => reading.decode(entry).map(|DurationText(span)| StepAction::Idle(span)),
        "note" => reading.decode(entry).map(|TemplateText(text)| StepAction::Note(text)),
        _ => None,
    }
}

/// Where a part of the arguments stands; the arguments' own place for a part that is not there.
fn at(entry: Entry<'_>, key: &str) -> Position {
    entry.get(key).map_or(entry.at(), Entry::at)
}

/// Resolves a path from the plan's folder and makes sure that a file with something in it is there.
pub(super) fn existing_file(
    reading: &mut Reading<'_>,
    folder: &Path,
    what: &str,
    written: String,
    at: Position,
) -> Option<PlanPath> {
    let resolved = folder.join(&written);
    match std::fs::metadata(&resolved) {
        Ok(found) if found.is_file() && found.len() > 0 => return Some(PlanPath { written, resolved }),
        Ok(found) if found.is_file() => reading.error(at, format!("the {what} `{written}` is empty"), None),
        Ok(_) => reading.error(at, format!("the {what} `{written}` is no file"), None),
        Err(error) => {
            let reason = match error.kind() {
                std::io::ErrorKind::NotFound => "isn't there".to_owned(),
                _ => format!("can't be read: {error}"),
            };
            let help =
                format!("paths start at the plan's folder; this one leads to `{}`", resolved.display());
            reading.error(at, format!("the {what} `{written}` {reason}"), Some(help));
        }
    }
    None
}

fn flash<'d>(reading: &mut Reading<'d>, folder: &Path, entry: Entry<'d>) -> Option<StepAction> {
    let FlashArgs { image, format, address, verify } = reading.decode(entry)?;
    let image = existing_file(reading, folder, "image", image, at(entry, "image"));
    match (format, address) {
        (Some(ImageFormat::Bin), None) => {
            let help = "add `address`, such as `address: 0` for the start of flash".to_owned();
            reading.error(at(entry, "format"), "a bin image doesn't say where it goes", Some(help));
        }
        (Some(ImageFormat::Elf | ImageFormat::Hex) | None, Some(_)) => {
            let help = "remove it, or say `format: bin`".to_owned();
            reading.error(at(entry, "address"), "only a bin image takes an address", Some(help));
        }
        _ => {}
    }
    Some(StepAction::Flash(Flash { image: image?, format, address, verify: verify.unwrap_or(true) }))
}

fn expect<'d>(reading: &mut Reading<'d>, entry: Entry<'d>) -> Option<StepAction> {
    let ExpectArgs { console, companion, notification, matches, within } = reading.decode(entry)?;
    let within = within.map_or(DEFAULT_WITHIN, |within| within.0);
    let (source, PatternText(pattern)) = match (console, companion, notification, matches) {
        (Some(pattern), None, None, None) => (ExpectSource::Console, pattern),
        (None, Some(pattern), None, None) => (ExpectSource::Companion, pattern),
        (None, None, Some(uuid), Some(pattern)) => (ExpectSource::Notification(uuid), pattern),
        (None, None, Some(_), None) => {
            let help = "add `matches`, a regular expression on the bytes in hex; \".*\" takes any".to_owned();
            reading.error(
                at(entry, "notification"),
                "what the notification has to match is missing",
                Some(help),
            );
            return None;
        }
        (_, _, None, Some(_)) => {
            let help = "console and companion take their pattern themselves".to_owned();
            reading.error(at(entry, "matches"), "`matches` goes with `notification` only", Some(help));
            return None;
        }
        _ => {
            reading.error(
                entry.at(),
                "an `expect` listens to exactly one of console, companion and notification",
                Some("make a step of each".to_owned()),
            );
            return None;
        }
    };
    Some(StepAction::Expect(Expect { source, pattern, within }))
}

fn scan<'d>(reading: &mut Reading<'d>, entry: Entry<'d>) -> Option<StepAction> {
    let ScanArgs { name, address, service, within } = reading.decode(entry)?;
    let target = match (name, address, service) {
        (Some(TemplateText(name)), None, None) => ScanTarget::Name(name),
        (None, Some(address), None) => {
            let bytes: Vec<&str> = address.split(':').collect();
            let hex = |byte: &&str| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit());
            if bytes.len() != 6 || !bytes.iter().all(hex) {
                let message = format!("`{address}` is not a Bluetooth address: write AA:BB:CC:DD:EE:FF");
                reading.error(at(entry, "address"), message, None);
                return None;
            }
            ScanTarget::Address(address.to_ascii_uppercase())
        }
        (None, None, Some(service)) => ScanTarget::Service(service),
        _ => {
            reading.error(
                entry.at(),
                "a `scan` looks for exactly one of name, address and service",
                Some("such as `scan: {name: My Watch, within: 10s}`".to_owned()),
            );
            return None;
        }
    };
    Some(StepAction::Scan(Scan { target, within: within.map_or(DEFAULT_WITHIN, |within| within.0) }))
}

fn pair<'d>(reading: &mut Reading<'d>, entry: Entry<'d>) -> Option<StepAction> {
    let PairArgs { method, passkey, confirm, via, within } = reading.decode(entry)?;
    if via == Some(Via::Companion) {
        let help =
            "say `via: host`, or leave it out: the lab host then bonds, as a phone's system does".to_owned();
        reading.error(
            at(entry, "via"),
            "pairing through the companion's own dialogs isn't there yet",
            Some(help),
        );
        return None;
    }
    if passkey.is_some() && !matches!(method, PairWord::Passkey) {
        let help = "say `method: passkey`, or remove it".to_owned();
        reading.error(at(entry, "passkey"), "only the method passkey takes a passkey", Some(help));
        return None;
    }
    if confirm.is_some() && !matches!(method, PairWord::NumericComparison) {
        let help = "say `method: numeric-comparison`, or remove it".to_owned();
        reading.error(at(entry, "confirm"), "only the method numeric-comparison is confirmed", Some(help));
        return None;
    }
    let method = match (method, passkey) {
        (PairWord::JustWorks, _) => PairMethod::JustWorks,
        (PairWord::NumericComparison, _) => {
            PairMethod::NumericComparison { confirm: confirm.unwrap_or(true) }
        }
        (PairWord::Passkey, Some(TemplateText(passkey))) => {
            let literal = passkey.variables().next().is_none();
            let digits = passkey.written();
            if literal && (digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_digit())) {
                reading.error(
                    at(entry, "passkey"),
                    format!("`{digits}` is no passkey: it has six digits"),
                    None,
                );
                return None;
            }
            PairMethod::Passkey(passkey)
        }
        (PairWord::Passkey, None) => {
            let help = "such as `passkey: \"${passkey}\"`, captured by an earlier `expect`".to_owned();
            reading.error(at(entry, "method"), "the passkey is missing", Some(help));
            return None;
        }
    };
    let within = within.map_or(DEFAULT_PAIRING, |within| within.0);
    Some(StepAction::Pair(Pair { method, via: via.unwrap_or_default(), within }))
}

fn read_value<'d>(reading: &mut Reading<'d>, entry: Entry<'d>) -> Option<StepAction> {
    let ReadArgs { characteristic, form, matches, save } = reading.decode(entry)?;
    if let Some(name) = save.as_deref().filter(|name| !is_name(name)) {
        let message = format!("`{name}` can't be a variable: a name has letters, digits and `_`");
        reading.error(at(entry, "save"), message, None);
        return None;
    }
    let matches = matches.map(|pattern| pattern.0);
    Some(StepAction::Read(Read { characteristic, form: form.unwrap_or_default(), matches, save }))
}

fn write_value<'d>(reading: &mut Reading<'d>, entry: Entry<'d>) -> Option<StepAction> {
    let WriteArgs { characteristic, hex, text } = reading.decode(entry)?;
    let (form, value) = match (hex, text) {
        (Some(TemplateText(hex)), None) => (ValueForm::Hex, hex),
        (None, Some(TemplateText(text))) => (ValueForm::Text, text),
        _ => {
            reading.error(entry.at(), "a `write` has its value in exactly one of hex and text", None);
            return None;
        }
    };
    if form == ValueForm::Hex && value.variables().next().is_none() && !is_hex(&value) {
        let message = format!("`{}` is not hex: write two digits a byte", value.written());
        reading.error(at(entry, "hex"), message, None);
        return None;
    }
    Some(StepAction::Write(Write { characteristic, form, value }))
}

fn is_hex(value: &Template) -> bool {
    let digits = value.written();
    digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

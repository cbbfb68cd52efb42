//! Bluetooth UUIDs, in one form whatever form they were written in.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::scalar::from_text;

/// What the 16-bit and 32-bit short forms abbreviate: Bluetooth Core, volume 3, part B, section 2.5.1.
const BASE: &str = "-0000-1000-8000-00805f9b34fb";

/// A Bluetooth UUID: always the 36 characters of the long form, lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Uuid(String);

impl Uuid {
    /// Reads `FE01`, `0000FE01` or the long form.
    ///
    /// # Errors
    /// In words.
    pub fn parse(written: &str) -> Result<Uuid, String> {
        let lower = written.to_ascii_lowercase();
        let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let groups: Vec<&str> = lower.split('-').collect();
        let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
        match lengths.as_slice() {
            [4] if hex(&lower) => Ok(Uuid(format!("0000{lower}{BASE}"))),
            [8] if hex(&lower) => Ok(Uuid(format!("{lower}{BASE}"))),
            [8, 4, 4, 4, 12] if groups.iter().all(|group| hex(group)) => Ok(Uuid(lower)),
            _ => Err(format!(
                "`{}` is not a Bluetooth UUID: write four hex digits, such as `2A26`, or the long form",
                written.escape_debug()
            )),
        }
    }

    /// The long form, `0000fe01-0000-1000-8000-00805f9b34fb`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        from_text(deserializer, "a Bluetooth UUID such as \"2A26\"", Uuid::parse)
    }
}

impl JsonSchema for Uuid {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Uuid".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "a Bluetooth UUID: four or eight hex digits, or the long form",
            "pattern": "^([0-9A-Fa-f]{4}|[0-9A-Fa-f]{8}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Uuid;

    #[test]
    fn short_and_long_forms_are_the_same_uuid() {
        let long = Uuid::parse("0000FE01-0000-1000-8000-00805F9B34FB").unwrap();
        assert_eq!(Uuid::parse("fe01").unwrap(), long);
        assert_eq!(Uuid::parse("0000fe01").unwrap(), long);
        for bad in ["", "FE0", "FE0G", "0xFE01", "0000fe01-0000-1000-8000"] {
            assert!(Uuid::parse(bad).is_err(), "{bad}");
        }
    }
}

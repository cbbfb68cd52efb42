//! Ports as a declaration writes them: one, a range, or a list of both.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

/// Ports from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl PortRange {
    /// Whether the port is one of these.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// Whether one of these ranges has all of it; of merged ones, whether all of it is in them.
    pub fn is_within(self, ranges: &[PortRange]) -> bool {
        ranges.iter().any(|range| range.first <= self.first && self.last <= range.last)
    }

    /// Sorted, and what overlaps or touches made one: the same ports are always the same list.
    pub fn merged(mut ranges: Vec<PortRange>) -> Vec<PortRange> {
        ranges.sort_unstable();
        let mut merged: Vec<PortRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if u32::from(range.first) <= u32::from(last.last) + 1 => {
                    last.last = last.last.max(range.last);
                }
                _ => merged.push(range),
            }
        }
        merged
    }
}

impl From<u16> for PortRange {
    fn from(port: u16) -> PortRange {
        PortRange { first: port, last: port }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// One port, a range, or a list of both.
pub(super) struct Ports(pub(super) Vec<PortRange>);

const EXPECTED: &str = "ports: 443, \"8000-8010\", or a list of both";

fn one(port: u64) -> Result<PortRange, String> {
    match u16::try_from(port) {
        Ok(port) if port > 0 => Ok(port.into()),
        _ => Err(format!("{port} is no port: they are from 1 to 65535")),
    }
}

fn range(text: &str) -> Result<PortRange, String> {
    let port = |text: &str| {
        let digits = text.trim();
        digits.parse().map_err(|_| format!("`{}` is no port", digits.escape_debug())).and_then(one)
    };
    let Some((first, last)) = text.split_once('-') else { return port(text) };
    let (first, last) = (port(first)?.first, port(last)?.first);
    if first > last {
        return Err(format!("the range {first}-{last} ends before it begins"));
    }
    Ok(PortRange { first, last })
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ports, D::Error> {
        struct PortsVisitor;
        impl<'de> Visitor<'de> for PortsVisitor {
            type Value = Ports;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_u64<E: de::Error>(self, port: u64) -> Result<Ports, E> {
                one(port).map(|port| Ports(vec![port])).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Ports, E> {
                range(text).map(|range| Ports(vec![range])).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Ports, A::Error> {
                let mut ranges = Vec::new();
                while let Some(Ports(some)) = parts.next_element()? {
                    ranges.extend(some);
                }
                if ranges.is_empty() {
                    return Err(de::Error::custom("the list of ports is empty"));
                }
                Ok(Ports(ranges))
            }
        }
        deserializer.deserialize_any(PortsVisitor).map(|Ports(ranges)| Ports(PortRange::merged(ranges)))
    }
}

impl JsonSchema for Ports {
    fn schema_name() -> Cow<'static, str> {
        "Ports".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = serde_json::json!([
            {"type": "integer", "minimum": 1, "maximum": 65535},
            {"type": "string", "pattern": "^ *[0-9]{1,5}( *- *[0-9]{1,5})? *$"},
        ]);
        json_schema!({"anyOf": [one[0], one[1], {"type": "array", "minItems": 1, "items": {"anyOf": one}}]})
    }
}

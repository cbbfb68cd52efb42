//! Scalars that are more than text: each is checked while it is read, so that its problem has its place.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::duration;
use super::text::{Pattern, Template};

/// Reads text through a parser; `expected` says what it is, for everything that is no text.
pub(crate) fn from_text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct Text<T, F>(&'static str, F, std::marker::PhantomData<T>);
    impl<T, F: Fn(&str) -> Result<T, String>> Visitor<'_> for Text<T, F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Text(expected, parse, std::marker::PhantomData))
}

macro_rules! text_scalar {
    ($(#[$doc:meta])* $name:ident($inner:ty), $expected:literal, $parse:expr, $schema:tt) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub(super) struct $name(pub(super) $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                from_text(deserializer, $expected, |text| $parse(text).map($name))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

text_scalar!(
    /// `5s`, `300ms`.
    DurationText(Duration), "a duration such as `5s` or `300ms`", duration::parse,
    { "type": "string", "description": "a number and ms, s, m or h, such as 5s", "pattern": "^[0-9]+([.][0-9]+)? *(ms|s|m|min|h)$" }
);

text_scalar!(
    /// Text with `${variables}`.
    TemplateText(Template), "text", Template::parse,
    { "type": "string", "description": "text; ${name} stands for what an earlier step captured" }
);

text_scalar!(
    /// A regular expression with `${variables}`.
    PatternText(Pattern), "a regular expression (text)", Pattern::parse,
    { "type": "string", "description": "a regular expression; its named groups, (?<name>…), become variables for later steps" }
);

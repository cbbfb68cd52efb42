//! The parts of a manifest as they are written; `lab schema manifest` is made of them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::class::Class;
use super::ports::Ports;
use super::words::{Data, Ech, Encryption, Evidence, OpenedBy, Purpose, Sni, Talker, TlsVersion, Transport};

/// the product that the manifest speaks of
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a product, a mapping of keys to values")]
#[schemars(rename = "ManifestProduct")]
pub(super) struct ProductArgs {
    /// the vendor's name
    pub(super) vendor: String,
    /// the model's name
    pub(super) model: String,
    /// the domains that the vendor owns; `lab check` asks about names under others
    pub(super) domains: Option<Vec<String>>,
}

/// the builds that the manifest applies to; what runs as another makes a run inconclusive
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "builds of `firmware` and `app`, a mapping of keys to values")]
#[schemars(rename = "Builds")]
pub(super) struct BuildsArgs {
    /// of the watch's firmware
    pub(super) firmware: Option<Vec<BuildArgs>>,
    /// of the companion app
    pub(super) app: Option<Vec<BuildArgs>>,
}

/// one build, by its version, its file's hash, or both
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a build, a mapping of keys to values")]
#[schemars(rename = "Build")]
pub(super) struct BuildArgs {
    /// its version; `1.4.*` is every version that begins so
    pub(super) version: Option<String>,
    /// the SHA-256 of its file, 64 hexadecimal digits
    #[schemars(regex(pattern = "^[0-9A-Fa-f]{64}$"))]
    pub(super) sha256: Option<String>,
}

/// a company that gets data
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a controller, a mapping of keys to values")]
#[schemars(rename = "Controller")]
pub(super) struct ControllerArgs {
    /// its name in `recipient`, unique in the manifest
    pub(super) id: String,
    /// its name
    pub(super) name: String,
    /// where it has its seat: two letters (ISO 3166-1)
    pub(super) country: Option<String>,
    /// whom to ask there
    pub(super) contact: Option<String>,
    /// the domains that it owns
    pub(super) domains: Option<Vec<String>>,
}

/// what a set of ambient declarations is about: what a phone's system says anyway
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an ambient profile, a mapping of keys to values")]
#[schemars(rename = "Ambient")]
pub(super) struct AmbientArgs {
    /// the profile's name; its declarations are called `<profile>/<id>`
    pub(super) id: String,
    /// the version of the profile itself
    pub(super) version: String,
    /// the system that it was taken from, and how
    pub(super) description: Option<String>,
}

/// what doubt leads to; a policy may only tighten
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a policy, a mapping of keys to values")]
#[schemars(rename = "Policy")]
pub(super) struct PolicyArgs {
    /// an endpoint that nothing declares (always: fail)
    #[schemars(with = "Option<Always>")]
    pub(super) unknown: Option<String>,
    /// an endpoint that nothing names (default: inconclusive where its look-up may have been missed)
    #[schemars(with = "Option<super::words::OnDoubt>")]
    pub(super) unresolved: Option<String>,
    /// an address on which several names live (default: inconclusive)
    #[schemars(with = "Option<super::words::OnDoubt>")]
    pub(super) ambiguous: Option<String>,
    /// look-ups that can't be read: DNS over TLS, HTTPS or QUIC (default: inconclusive)
    #[schemars(with = "Option<super::words::OnDoubt>")]
    pub(super) hidden_dns: Option<String>,
    /// packets that the capture lost (default: inconclusive)
    #[schemars(with = "Option<super::words::OnDoubt>")]
    pub(super) loss: Option<String>,
}

/// the one word for what can't be changed
#[derive(JsonSchema)]
#[schemars(rename = "Always")]
#[allow(dead_code, reason = "it stands in the schema only")]
enum Always {
    #[schemars(rename = "fail")]
    Fail,
}

/// one declared endpoint
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a declaration, a mapping of keys to values"
)]
#[schemars(rename = "Declaration")]
pub(super) struct DeclarationArgs {
    /// its name in reports, unique in the manifest
    pub(super) id: String,
    /// who talks (in an ambient profile always os)
    pub(super) talker: Option<Talker>,
    /// the library in the app that talks, for people
    pub(super) sdk: Option<String>,
    /// to exactly this host; or
    pub(super) host: Option<String>,
    /// to this domain and everything under it; or
    pub(super) suffix: Option<String>,
    /// to the hosts of this pattern: `*` is one label, `**` one or more; or
    pub(super) glob: Option<String>,
    /// to the addresses of this network, or to one address; or
    pub(super) cidr: Option<String>,
    /// to whoever has this part in the network
    pub(super) class: Option<Class>,
    /// on these ports: `443`, `8000-8010`, or a list of both; none for icmp
    pub(super) ports: Option<Ports>,
    /// over what (default: tcp)
    pub(super) transport: Option<Transport>,
    /// in which protocol, as `lab observe` calls it: tls, http, quic, dns, ntp, …; without it any
    pub(super) protocol: Option<String>,
    /// in which phases; without it all
    pub(super) phases: Option<Vec<String>>,
    /// a run without it fails (default: false)
    pub(super) required: Option<bool>,
    /// the least evidence that its identity needs (default: corroborated; ip for addresses, dns for ntp-pool)
    pub(super) evidence: Option<Evidence>,
    /// clear text fails
    pub(super) encryption: Option<Encryption>,
    /// the least version of TLS; an older one fails, and so does clear text
    pub(super) tls: Option<TlsText>,
    /// whether the name may be hidden in an Encrypted Client Hello (default: allowed)
    pub(super) ech: Option<Ech>,
    /// a ClientHello without a server name fails
    pub(super) sni: Option<Sni>,
    /// who opens the flow (default: product)
    pub(super) opened_by: Option<OpenedBy>,
    /// the most that it may be; more fails
    pub(super) budget: Option<BudgetArgs>,
    /// what makes it happen, for people
    pub(super) trigger: Option<String>,
    /// how often it happens, for people: `15m`, `24h`, `7d`
    #[schemars(with = "Option<String>")]
    pub(super) period: Option<Quantity>,
    /// what it is for
    pub(super) purpose: Option<Purpose>,
    /// the personal data in it; an empty list says that there is none
    pub(super) data: Option<Vec<Data>>,
    /// who gets it: a controller's id
    pub(super) recipient: Option<String>,
    /// where it goes: two letters (ISO 3166-1)
    pub(super) country: Option<String>,
    /// `optional`, or what it is required for
    pub(super) necessity: Option<NecessityArgs>,
    /// why it has to be so, where `lab check` would ask
    pub(super) justification: Option<String>,
    /// when somebody looks again whether it still has to be: 2027-01-31
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    pub(super) review_by: Option<String>,
    /// where more is written: a ticket, a contract, a page
    pub(super) reference: Option<String>,
}

/// the most that a declaration admits, by span
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a budget by `run`, `hour` or `day`, a mapping of keys to values")]
#[schemars(rename = "Budget")]
pub(super) struct BudgetArgs {
    /// in each run
    pub(super) run: Option<AllowanceArgs>,
    /// in any hour
    pub(super) hour: Option<AllowanceArgs>,
    /// in any day
    pub(super) day: Option<AllowanceArgs>,
}

/// bytes, connections or both
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "`bytes` and `connections`, a mapping of keys to values")]
#[schemars(rename = "Allowance")]
pub(super) struct AllowanceArgs {
    /// both directions together, with its unit: B, kB, MB, GB, KiB, MiB or GiB
    #[schemars(with = "Option<String>", regex(pattern = "^[0-9]+([.][0-9]+)? *([kMGKmg]i?)?[Bb]$"))]
    pub(super) bytes: Option<Quantity>,
    /// how many flows
    #[schemars(range(min = 1))]
    pub(super) connections: Option<u64>,
}

/// A number with its unit. One without is text as well, so that the missing unit can be told.
pub(super) struct Quantity(pub(super) String);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
        struct QuantityVisitor;
        impl Visitor<'_> for QuantityVisitor {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number with its unit")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
                Ok(Quantity(number.to_string()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                Ok(Quantity(text.to_owned()))
            }
        }
        deserializer.deserialize_any(QuantityVisitor)
    }
}

/// A TLS version; `1.2` without quotes is a number to YAML, and meant all the same.
pub(super) struct TlsText(pub(super) TlsVersion);

impl<'de> Deserialize<'de> for TlsText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TlsText, D::Error> {
        struct TlsVisitor;
        impl Visitor<'_> for TlsVisitor {
            type Value = TlsText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a version of TLS: \"1.2\" or \"1.3\"")
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<TlsText, E> {
                self.visit_str(&format!("{number:.1}"))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TlsText, E> {
                let found = TlsVersion::ALL.iter().find(|version| version.word() == text);
                found.map(|version| TlsText(*version)).ok_or_else(|| {
                    let shown: String = text.chars().take(32).collect();
                    E::custom(format!(
                        "`{}` is no version of TLS: write \"1.2\" or \"1.3\"",
                        shown.escape_debug()
                    ))
                })
            }
        }
        deserializer.deserialize_any(TlsVisitor)
    }
}

impl JsonSchema for TlsText {
    fn schema_name() -> Cow<'static, str> {
        "TlsVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": ["1.0", "1.1", "1.2", "1.3", 1.0, 1.1, 1.2, 1.3]})
    }
}

/// `optional`, or `{required-for: …}`.
pub(super) struct NecessityArgs(pub(super) Option<String>);

impl<'de> Deserialize<'de> for NecessityArgs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NecessityArgs, D::Error> {
        const EXPECTED: &str = "`optional`, or `{required-for: …}`";
        struct NecessityVisitor;
        impl<'de> Visitor<'de> for NecessityVisitor {
            type Value = NecessityArgs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<NecessityArgs, E> {
                if text == "optional" {
                    Ok(NecessityArgs(None))
                } else {
                    Err(E::custom(format!("expected {EXPECTED}")))
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NecessityArgs, A::Error> {
                match map.next_entry::<String, String>()? {
                    Some((key, what)) if key == "required-for" && !what.trim().is_empty() => {
                        match map.next_key::<String>()? {
                            None => Ok(NecessityArgs(Some(what))),
                            Some(_) => {
                                Err(de::Error::custom(format!("expected {EXPECTED}, and nothing else")))
                            }
                        }
                    }
                    _ => Err(de::Error::custom(format!("expected {EXPECTED}"))),
                }
            }
        }
        deserializer.deserialize_any(NecessityVisitor)
    }
}

impl JsonSchema for NecessityArgs {
    fn schema_name() -> Cow<'static, str> {
        "Necessity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"const": "optional"},
            {"type": "object", "additionalProperties": false, "required": ["required-for"],
                "properties": {"required-for": {"type": "string", "minLength": 1}}},
        ]})
    }
}

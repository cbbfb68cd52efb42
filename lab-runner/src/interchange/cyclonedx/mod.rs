//! The services of a CycloneDX 1.6 bill of materials (ECMA-424): endpoints as procurement asks for them.
//!
//! A service can say who provides it, its URIs and which data flows. What else a manifest says goes into properties under
//! `lab:`, so that an export can be imported again whole.

pub mod export;
pub mod import;

use serde::Deserialize;

use super::foreign::{Foreign, Ignored, at_most};
use crate::yaml::Diagnostic;

/// Where the lab's own properties stand (CycloneDX property taxonomy: a name space of one's own).
const OWN: &str = "lab:";
/// The most services of a file, and of one service.
const MOST_SERVICES: usize = 10_000;

/// A bill of materials as far as services go.
#[derive(Debug, Clone)]
pub struct Bom {
    bom: Raw,
    /// Keys that are not about services.
    pub ignored: Ignored,
}

/// Reads a bill of materials.
///
/// # Errors
/// It is no such JSON, or not CycloneDX 1.4 to 1.6.
pub fn read(foreign: &Foreign) -> Result<Bom, Diagnostic> {
    let (bom, ignored) = foreign.json::<Raw>("a CycloneDX bill of materials, version 1.4 to 1.6")?;
    let whole = |message: String| Diagnostic::whole_file(&foreign.file, message);
    if bom.bom_format != "CycloneDX" || !["1.4", "1.5", "1.6"].contains(&bom.spec_version.as_str()) {
        let found = format!("{} {}", bom.bom_format, bom.spec_version);
        return Err(whole(format!("this is {found}, and CycloneDX 1.4 to 1.6 are read"))
            .help("convert it with CycloneDX' own tool, `cyclonedx convert --output-version v1_6`"));
    }
    Ok(Bom { bom, ignored })
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    bom_format: String,
    spec_version: String,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default, deserialize_with = "at_most::<_, _, MOST_SERVICES>")]
    services: Vec<Service>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Metadata {
    component: Option<Component>,
}

#[derive(Debug, Clone, Deserialize)]
struct Component {
    name: String,
    manufacturer: Option<Organization>,
    supplier: Option<Organization>,
}

#[derive(Debug, Clone, Deserialize)]
struct Organization {
    name: Option<String>,
    address: Option<Address>,
    #[serde(default, deserialize_with = "at_most::<_, _, 100>")]
    contact: Vec<Contact>,
}

#[derive(Debug, Clone, Deserialize)]
struct Address {
    country: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Contact {
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Service {
    name: String,
    provider: Option<Organization>,
    description: Option<String>,
    #[serde(default, deserialize_with = "at_most::<_, _, 1000>")]
    endpoints: Vec<String>,
    authenticated: Option<bool>,
    #[serde(rename = "x-trust-boundary")]
    x_trust_boundary: Option<bool>,
    #[serde(default, deserialize_with = "at_most::<_, _, 1000>")]
    data: Vec<Data>,
    #[serde(default, deserialize_with = "at_most::<_, _, 1000>")]
    properties: Vec<Property>,
    #[serde(default, deserialize_with = "at_most::<_, _, MOST_SERVICES>")]
    services: Vec<Service>,
}

#[derive(Debug, Clone, Deserialize)]
struct Data {
    flow: String,
    classification: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Property {
    name: String,
    #[serde(default)]
    value: String,
}

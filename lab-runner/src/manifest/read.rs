//! A manifest file to a `Manifest`, and what can be said about it beside a plan.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::args::{
    AmbientArgs, BuildArgs, BuildsArgs, ControllerArgs, DeclarationArgs, PolicyArgs, ProductArgs,
};
use super::build::version;
use super::country::country;
use super::declaration::{Of, declaration, domain, part_at};
use super::include::{self, Include, Profiles};
use super::{Build, Builds, Controller, Declaration, FORMAT, Manifest, OnDoubt, Policy, Product};
use crate::plan::Plan;
use crate::yaml::{Diagnostic, Document, Entry, Fields, Problems, Reading, json_schema, nearest};

/// The keys of a manifest.
const KEYS: [&str; 7] = ["format", "product", "builds", "controllers", "include", "policy", "endpoints"];

impl Manifest {
    /// Reads and checks a manifest and the profiles that it includes.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn load(file: &Path) -> Result<(Manifest, Vec<Diagnostic>), Problems> {
        Manifest::from_document(Document::read(file)?)
    }

    /// Checks a manifest that was read, and reads the profiles that it includes.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn from_document(document: Document) -> Result<(Manifest, Vec<Diagnostic>), Problems> {
        let mut reading = Reading::new(&document);
        let read = if reading.format(FORMAT) { manifest(&mut reading, &document) } else { None };
        let ((mut manifest, includes), mut warnings) = reading.finish(read)?;
        manifest.source = document.into_source().text;
        let (ambient, more) = Profiles::load(&manifest.file, &manifest.source, &includes)?;
        manifest.ambient = ambient;
        warnings.extend(more);
        Ok((manifest, warnings))
    }
}

/// The JSON Schema of a manifest.
pub fn schema() -> Value {
    let mut schemas = SchemaGenerator::default();
    let product = schemas.subschema_for::<ProductArgs>();
    let builds = schemas.subschema_for::<BuildsArgs>();
    let controller = schemas.subschema_for::<ControllerArgs>();
    let policy = schemas.subschema_for::<PolicyArgs>();
    let declaration = schemas.subschema_for::<DeclarationArgs>();
    // The type leaves the talker open for profiles alone.
    let required =
        schemas.definitions_mut().get_mut("Declaration").and_then(|schema| schema.get_mut("required"));
    if let Some(Value::Array(required)) = required {
        required.push("talker".into());
    }
    let properties = json!({
        "format": {"const": FORMAT},
        "product": product,
        "builds": builds,
        "controllers": {"type": "array", "items": controller, "description": "who gets data"},
        "include": include_schema(),
        "policy": policy,
        "endpoints": {"type": "array", "items": declaration},
    });
    let required = ["format", "product", "endpoints"];
    json_schema("A privacy manifest of the lab", &mut schemas, properties, &required, [])
}

/// The JSON Schema of an ambient profile.
pub fn ambient_schema() -> Value {
    let mut schemas = SchemaGenerator::default();
    let about = schemas.subschema_for::<AmbientArgs>();
    let declaration = schemas.subschema_for::<DeclarationArgs>();
    let properties = json!({
        "format": {"const": FORMAT},
        "ambient": about,
        "include": include_schema(),
        "endpoints": {"type": "array", "items": declaration},
    });
    json_schema(
        "An ambient profile of the lab",
        &mut schemas,
        properties,
        &["format", "ambient", "endpoints"],
        [],
    )
}

fn include_schema() -> Value {
    json!({"type": "array", "items": {"type": "string"},
        "description": "ambient profiles, by their path from this file's folder"})
}

/// Reads and checks one ambient profile, and those that it includes.
///
/// # Errors
/// Every problem that was found.
pub fn check_profile(document: Document) -> Result<(super::Profile, Vec<Diagnostic>), Problems> {
    let name = document.source().file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (profile, includes, mut warnings) = include::read(document, name)?;
    let (_, more) = Profiles::load(&profile.file, &profile.source, &includes)?;
    warnings.extend(more);
    Ok((profile, warnings))
}

/// What a manifest says that its plan doesn't know: another product, phases that never come.
pub fn problems_with_plan(manifest: &Manifest, plan: &Plan) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    if manifest.product != plan.product {
        let of = |product: &Product| format!("{} {}", product.vendor, product.model);
        let message = format!(
            "this manifest speaks of {}, and the plan {} tests {}",
            of(&manifest.product),
            plan.file.display(),
            of(&plan.product)
        );
        problems.push(
            Diagnostic::error(&manifest.file, &manifest.source, manifest.product_at, message)
                .help("name another manifest in the plan, or the same product in both"),
        );
    }
    let known: Vec<&str> = plan.phases.iter().map(|phase| phase.name.as_str()).collect();
    for declaration in &manifest.endpoints {
        for phase in declaration.phases.iter().flatten().filter(|phase| !known.contains(&phase.as_str())) {
            let message = format!(
                "`{}` is declared for the phase `{phase}`, which the plan {} doesn't have",
                declaration.id,
                plan.file.display()
            );
            let help = match nearest(phase, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has: {}", known.join(", ")),
            };
            problems.push(
                Diagnostic::warning(&manifest.file, &manifest.source, declaration.at, message).help(help),
            );
        }
    }
    problems
}

fn manifest<'d>(reading: &mut Reading<'d>, document: &'d Document) -> Option<(Manifest, Vec<Include>)> {
    let root = document.root();
    let fields = reading.fields(root, "a privacy manifest", &KEYS)?;
    let product = reading.required::<ProductArgs>(root, &fields, "product");
    let product_at = fields.get("product").map_or(root.at(), |entry| entry.key_at());
    let owned = product.as_ref().and_then(|product| product.domains.as_ref());
    let domains = fields.get("product").map_or_else(Vec::new, |entry| domains(reading, *entry, owned));
    let builds = fields.get("builds").map_or_else(Builds::default, |entry| builds(reading, *entry));
    let controllers = fields.get("controllers").map_or_else(Vec::new, |entry| controllers(reading, *entry));
    let includes = fields.get("include").map_or_else(Vec::new, |entry| include::list(reading, *entry));
    let policy = fields.get("policy").map_or_else(Policy::default, |entry| policy(reading, *entry));
    let endpoints = endpoints(reading, root, &fields, &Of::Manifest(&controllers))?;
    let ProductArgs { vendor, model, domains: _ } = product?;
    let manifest = Manifest {
        format: FORMAT,
        product: Product { vendor, model },
        product_at,
        domains,
        builds,
        controllers,
        endpoints,
        ambient: Vec::new(),
        policy,
        file: document.source().file.clone(),
        source: String::new(),
    };
    Some((manifest, includes))
}

/// The declarations of a manifest or a profile. Their ids are unique in it.
pub(super) fn endpoints<'d>(
    reading: &mut Reading<'d>,
    root: Entry<'d>,
    fields: &Fields<'d>,
    of: &Of<'_>,
) -> Option<Vec<Declaration>> {
    let Some(entry) = fields.get("endpoints") else {
        let help = "`endpoints: []` declares that nobody talks to anybody".to_owned();
        reading.error(root.at(), "the key `endpoints` is missing here", Some(help));
        return None;
    };
    let Some(items) = entry.sequence() else {
        let help = "begin each declaration with `- id: …`".to_owned();
        reading.error(entry.at(), "expected a list of declarations", Some(help));
        return None;
    };
    let mut ids = Taken::default();
    let mut endpoints = Vec::with_capacity(items.len());
    for item in items {
        if let Some(declaration) = declaration(reading, item, of) {
            ids.take(reading, item, "declaration", &declaration.id);
            endpoints.push(declaration);
        }
    }
    Some(endpoints)
}

/// Ids that were taken, with the line of the first.
#[derive(Default)]
struct Taken(BTreeMap<String, u32>);

impl Taken {
    fn take(&mut self, reading: &mut Reading<'_>, entry: Entry<'_>, what: &str, id: &str) {
        let at = part_at(entry, "id");
        if let Some(first) = self.0.insert(id.to_owned(), at.line) {
            let message = format!("a second {what} has the id `{id}`");
            reading.error(at, message, Some(format!("the first is in line {first}")));
        }
    }
}

/// The parts of a list under a key. What is no list was told while the whole was decoded.
fn items<'d>(entry: Entry<'d>, key: &str) -> Vec<Entry<'d>> {
    entry.get(key).and_then(Entry::sequence).unwrap_or_default()
}

fn domains(reading: &mut Reading<'_>, entry: Entry<'_>, written: Option<&Vec<String>>) -> Vec<String> {
    let written = written.into_iter().flatten().zip(items(entry, "domains"));
    let mut domains: Vec<String> =
        written.filter_map(|(name, item)| domain(reading, item.at(), name)).collect();
    domains.sort_unstable();
    domains.dedup();
    domains
}

fn builds<'d>(reading: &mut Reading<'d>, entry: Entry<'d>) -> Builds {
    let Some(args) = reading.decode::<BuildsArgs>(entry) else { return Builds::default() };
    let mut of = |key: &str, written: Option<Vec<BuildArgs>>| -> Vec<Build> {
        let written = match written {
            Some(written) => written,
            None => return Vec::new(),
        };
        if written.is_empty() {
            let help = Some(format!("remove `{key}` to apply to any build"));
            reading.error(part_at(entry, key), "no build at all: this could never apply", help);
        }
        written.into_iter().zip(items(entry, key)).map(|(args, item)| build(reading, item, args)).collect()
    };
    Builds { firmware: of("firmware", args.firmware), app: of("app", args.app) }
}

fn build(reading: &mut Reading<'_>, entry: Entry<'_>, args: BuildArgs) -> Build {
    if args.version.is_none() && args.sha256.is_none() {
        reading.error(entry.at(), "a build is told by its `version`, its `sha256`, or both", None);
    }
    if let Some(Err(message)) = args.version.as_deref().map(version) {
        reading.error(part_at(entry, "version"), message, None);
    }
    let sha256 = args.sha256.map(|hash| hash.to_ascii_lowercase());
    if sha256
        .as_ref()
        .is_some_and(|hash| hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        let help = Some("64 hexadecimal digits, as `sha256sum` prints them".to_owned());
        reading.error(part_at(entry, "sha256"), "this is no SHA-256", help);
    }
    Build { version: args.version, sha256, at: entry.at() }
}

fn controllers<'d>(reading: &mut Reading<'d>, entry: Entry<'d>) -> Vec<Controller> {
    let Some(items) = entry.sequence() else {
        let help = Some("begin each controller with `- id: …`".to_owned());
        reading.error(entry.at(), "expected a list of controllers", help);
        return Vec::new();
    };
    let mut ids = Taken::default();
    let mut controllers = Vec::with_capacity(items.len());
    for item in items {
        let Some(args) = reading.decode::<ControllerArgs>(item) else { continue };
        ids.take(reading, item, "controller", &args.id);
        let country = args.country.and_then(|written| match country(&written) {
            Ok(code) => Some(code),
            Err(message) => {
                reading.error(part_at(item, "country"), message, None);
                None
            }
        });
        let domains = domains(reading, item, args.domains.as_ref());
        let ControllerArgs { id, name, contact, .. } = args;
        controllers.push(Controller { id, name, country, contact, domains, at: item.at() });
    }
    controllers
}

fn policy<'d>(reading: &mut Reading<'d>, entry: Entry<'d>) -> Policy {
    let Some(args) = reading.decode::<PolicyArgs>(entry) else { return Policy::default() };
    let mut tightened = |key: &str, written: Option<String>, least: OnDoubt| {
        let Some(written) = written else { return least };
        match OnDoubt::ALL.iter().find(|word| word.word() == written) {
            Some(word) if *word >= least => *word,
            _ => {
                let known: Vec<&str> =
                    OnDoubt::ALL.iter().filter(|word| **word >= least).map(|word| word.word()).collect();
                let message = format!("a policy may only tighten, and `{key}: {written}` doesn't");
                let help = format!("write `{key}: {}`, or remove it", known.join("` or `"));
                reading.error(part_at(entry, key), message, Some(help));
                least
            }
        }
    };
    tightened("unknown", args.unknown, OnDoubt::Fail);
    Policy {
        unresolved: tightened("unresolved", args.unresolved, OnDoubt::Inconclusive),
        ambiguous: tightened("ambiguous", args.ambiguous, OnDoubt::Inconclusive),
        hidden_dns: tightened("hidden-dns", args.hidden_dns, OnDoubt::Inconclusive),
        loss: tightened("loss", args.loss, OnDoubt::Inconclusive),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemas_know_the_keys_that_the_readers_know() {
        for (schema, keys) in [(schema(), KEYS.as_slice()), (ambient_schema(), include::KEYS.as_slice())] {
            let mut known: Vec<&str> = keys.to_vec();
            known.sort_unstable();
            let mut properties: Vec<&str> =
                schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            properties.sort_unstable();
            assert_eq!(properties, known);
        }
    }
}

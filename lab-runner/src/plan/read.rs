//! A plan file to a `Plan`: phases and steps, roles resolved, variables followed from step to step.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::action::{self, ACTIONS, existing_file};
use super::scalar::DurationText;
use super::text::is_name;
use super::{
    Assertions, EndpointRule, ExpectSource, FORMAT, Kind, PairMethod, Phase, Plan, Product, SETUP,
    ScanTarget, Step, StepAction, TEARDOWN,
};
use crate::yaml::{Diagnostic, Document, Entry, Position, Problems, Reading, nearest};

/// The keys of a plan.
pub(super) const KEYS: [&str; 8] =
    ["format", "name", "product", "manifest", "needs", "repeat", "phases", "assert"];
/// The keys of a phase.
pub(super) const PHASE_KEYS: [&str; 2] = ["name", "steps"];
/// The keys that every step may have beside its action.
pub(super) const STEP_KEYS: [&str; 4] = ["id", "timeout", "retry", "on"];
/// The keys of `assert`.
pub(super) const ASSERT_KEYS: [&str; 2] = ["endpoints", "snapshot"];

impl Plan {
    /// Reads and checks a plan. It runs nothing and reads no other file, though it looks whether they are there.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn load(file: &Path) -> Result<(Plan, Vec<Diagnostic>), Problems> {
        Plan::from_document(Document::read(file)?)
    }

    /// Checks a plan that was read.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn from_document(document: Document) -> Result<(Plan, Vec<Diagnostic>), Problems> {
        let mut reading = Reading::new(&document);
        let plan = if reading.format(FORMAT) { plan(&mut reading, &document) } else { None };
        let (mut plan, warnings) = reading.finish(plan)?;
        plan.source = document.into_source().text;
        Ok((plan, warnings))
    }

    /// Every step in order, with its phase.
    pub fn steps(&self) -> impl Iterator<Item = (&Phase, &Step)> {
        self.phases.iter().flat_map(|phase| phase.steps.iter().map(move |step| (phase, step)))
    }
}

type Needs = (BTreeMap<String, Kind>, BTreeMap<String, Position>);

fn plan<'d>(reading: &mut Reading<'d>, document: &'d Document) -> Option<Plan> {
    let root = document.root();
    let file = &document.source().file;
    let folder = file.parent().unwrap_or(Path::new(""));
    let fields = reading.fields(root, "a plan", &KEYS)?;
    // Every part is read before any is asked for, so that the problems of all of them are told.
    let name = reading.required::<String>(root, &fields, "name");
    let product = reading.required::<Product>(root, &fields, "product");
    let manifest = reading.required::<String>(root, &fields, "manifest").and_then(|written| {
        let at = fields.get("manifest").map_or(root.at(), |entry| entry.at());
        existing_file(reading, folder, "manifest", written, at)
    });
    let needs = match fields.get("needs") {
        Some(entry) => needs(reading, *entry),
        None => Some(Needs::default()),
    };
    let repeat = reading.optional::<u32>(&fields, "repeat").map(|repeat| repeat.unwrap_or(1));
    if let (Some(repeat), Some(entry)) = (repeat, fields.get("repeat"))
        && !(1..=1000).contains(&repeat)
    {
        reading.error(entry.at(), "`repeat` is from 1 to 1000", None);
    }
    let no_needs = BTreeMap::new();
    let roles = needs.as_ref().map_or(&no_needs, |(needs, _)| needs);
    let phases = match fields.get("phases") {
        Some(entry) => phases(reading, folder, *entry, needs.is_some().then_some(roles)),
        None => {
            reading.error(
                root.at(),
                "the key `phases` is missing here: a plan without steps does nothing",
                None,
            );
            None
        }
    };
    let assertions = assertions(reading, fields.get("assert").copied(), needs.is_some().then_some(roles));
    let (needs, needs_at) = needs?;
    Some(Plan {
        name: name?,
        product: product?,
        manifest: manifest?,
        needs,
        needs_at,
        repeat: repeat?,
        phases: phases?,
        assertions: assertions?,
        file: file.clone(),
        source: String::new(),
    })
}

fn needs<'d>(reading: &mut Reading<'d>, entry: Entry<'d>) -> Option<Needs> {
    let Some(parts) = entry.mapping() else {
        let help = "such as `needs: {watch: board, net: gateway}`".to_owned();
        reading.error(entry.at(), "expected roles and their kinds", Some(help));
        return None;
    };
    let mut needs = Needs::default();
    let mut whole = true;
    for (role, part) in parts {
        if !is_role(role) {
            let message =
                format!("`{role}` can't be a role: write letters, digits, `-` and `_`, a letter first");
            reading.error(part.key_at(), message, None);
            whole = false;
        }
        match reading.decode::<Kind>(part) {
            Some(kind) => {
                // Captures are named after sides, and there is one phone: two would write the same files.
                let first = needs.0.iter().find(|(_, other)| **other == kind).map(|(first, _)| first);
                if let Some(first) = first.filter(|_| matches!(kind, Kind::Gateway | Kind::Companion)) {
                    let message = format!("a plan has one {kind} at most, and `{first}` is one already");
                    reading.error(part.key_at(), message, Some("make a plan of each".to_owned()));
                    whole = false;
                }
                needs.0.insert(role.to_owned(), kind);
                needs.1.insert(role.to_owned(), part.key_at());
            }
            None => whole = false,
        }
    }
    whole.then_some(needs)
}

/// Roles, ids and phases end up in file names, snapshots and reports.
pub(crate) fn is_role(name: &str) -> bool {
    is_name(&name.replace('-', "_"))
}

fn assertions<'d>(
    reading: &mut Reading<'d>,
    entry: Option<Entry<'d>>,
    roles: Option<&BTreeMap<String, Kind>>,
) -> Option<Assertions> {
    // Unsure of the roles: say nothing that depends on them.
    let captures = roles.is_none_or(|roles| roles.values().any(|kind| *kind == Kind::Gateway));
    let default = captures.then_some(EndpointRule::Declared);
    let Some(entry) = entry else { return Some(Assertions { endpoints: default, snapshot: false }) };
    let fields = reading.fields(entry, "assertions", &ASSERT_KEYS)?;
    let endpoints = reading.optional::<EndpointRule>(&fields, "endpoints");
    let snapshot = reading.optional::<bool>(&fields, "snapshot");
    for key in ["endpoints", "snapshot"] {
        if let Some(part) = fields.get(key)
            && !captures
        {
            let help = "add a gateway to `needs`, such as `net: gateway`".to_owned();
            reading.error(part.key_at(), "nothing is captured here that this could judge", Some(help));
        }
    }
    Some(Assertions { endpoints: endpoints?.or(default), snapshot: snapshot?.unwrap_or(false) })
}

fn phases<'d>(
    reading: &mut Reading<'d>,
    folder: &Path,
    entry: Entry<'d>,
    roles: Option<&BTreeMap<String, Kind>>,
) -> Option<Vec<Phase>> {
    let items = entry.sequence().unwrap_or_default();
    if items.is_empty() {
        let help = "such as `- name: pairing`, and under it `steps:`".to_owned();
        reading.error(entry.at(), "expected a list of phases, at least one", Some(help));
        return None;
    }
    let mut steps = Steps { folder, roles, ids: BTreeMap::new(), defined: BTreeSet::new(), unsure: false };
    let mut names = BTreeMap::new();
    let mut phases = Vec::new();
    for item in items {
        let Some(fields) = reading.fields(item, "a phase", &PHASE_KEYS) else { continue };
        let name = reading.required::<String>(item, &fields, "name");
        if let (Some(name), Some(part)) = (&name, fields.get("name")) {
            if !is_role(name) {
                let message = "a phase's name has letters, digits, `-` and `_`, and starts with a letter";
                reading.error(part.at(), message, None);
            } else if [SETUP, TEARDOWN].contains(&name.as_str()) {
                let help = "the lab prepares and puts away by itself: call this phase something else";
                reading.error(part.at(), format!("`{name}` is the lab's own phase"), Some(help.to_owned()));
            } else if let Some(first) = names.insert(name.clone(), part.at().line) {
                let help = format!("the first is in line {first}: traffic is told apart by phase");
                reading.error(part.at(), format!("a second phase is called `{name}`"), Some(help));
            }
        }
        let listed = fields.get("steps").and_then(|part| part.sequence()).unwrap_or_default();
        if listed.is_empty() {
            let at = fields.get("steps").map_or(item.at(), |part| part.at());
            let help = "write at least one, such as `steps: [{idle: 10s}]`".to_owned();
            reading.error(at, "this phase has no steps", Some(help));
        }
        let listed: Vec<Option<Step>> = listed.into_iter().map(|part| steps.step(reading, part)).collect();
        let at = item.at();
        if let (Some(name), Some(steps)) = (name, listed.into_iter().collect()) {
            phases.push(Phase { name, steps, at });
        }
    }
    Some(phases)
}

/// What one step needs to know of those before it.
struct Steps<'p> {
    folder: &'p Path,
    /// `None` where `needs` itself was wrong: then roles are not judged.
    roles: Option<&'p BTreeMap<String, Kind>>,
    ids: BTreeMap<String, u32>,
    defined: BTreeSet<String>,
    /// A step before couldn't be read: what it captures isn't known.
    unsure: bool,
}

impl Steps<'_> {
    fn step<'d>(&mut self, reading: &mut Reading<'d>, entry: Entry<'d>) -> Option<Step> {
        let step = self.read(reading, entry);
        self.unsure |= step.is_none();
        step
    }

    fn read<'d>(&mut self, reading: &mut Reading<'d>, entry: Entry<'d>) -> Option<Step> {
        let known: Vec<&'static str> = ACTIONS.iter().map(|(action, _)| *action).chain(STEP_KEYS).collect();
        let fields = reading.fields(entry, "a step", &known)?;
        let id = reading.optional::<String>(&fields, "id");
        let timeout = reading.optional::<DurationText>(&fields, "timeout");
        let retry = reading.optional::<u32>(&fields, "retry");
        let on = reading.optional::<String>(&fields, "on");
        if let (Some(Some(id)), Some(part)) = (&id, fields.get("id")) {
            self.id(reading, id, part.at());
        }
        if let (Some(Some(retry)), Some(part)) = (retry, fields.get("retry"))
            && retry > 10
        {
            reading.error(part.at(), "`retry` is from 0 to 10", None);
        }
        let actions: Vec<(&str, Entry<'d>)> =
            ACTIONS.iter().filter_map(|(key, _)| Some((*key, *fields.get(key)?))).collect();
        let (key, part) = match actions.as_slice() {
            [one] => *one,
            [] => {
                // With an unknown key in it the step's action was probably that one; it was told already.
                if entry.mapping().is_some_and(|parts| parts.len() == fields.len()) {
                    let actions: Vec<&str> = ACTIONS.iter().map(|(action, _)| *action).collect();
                    let help = format!("one of {}", actions.join(", "));
                    reading.error(entry.at(), "this step has no action", Some(help));
                }
                return None;
            }
            [(first, _), (second, part), ..] => {
                let message =
                    format!("a step has exactly one action, and this one has `{first}` and `{second}`");
                reading.error(part.key_at(), message, Some("make a step of each".to_owned()));
                return None;
            }
        };
        let action = action::read(reading, self.folder, key, part)?;
        self.follow_variables(reading, &action, part);
        let on_at = fields.get("on").map_or(part.key_at(), |part| part.at());
        let on = self.role(reading, &action, on?, part.key_at(), on_at);
        Some(Step {
            id: id?,
            timeout: timeout?.map(|timeout| timeout.0),
            retry: retry?.unwrap_or(0),
            on,
            action,
            at: entry.at(),
        })
    }

    fn id(&mut self, reading: &mut Reading<'_>, id: &str, at: Position) {
        if !is_role(id) {
            let message = "a step's id has letters, digits, `-` and `_`, and starts with a letter";
            reading.error(at, message, None);
        } else if let Some(first) = self.ids.insert(id.to_owned(), at.line) {
            let help = format!("the first is in line {first}");
            reading.error(at, format!("a second step has the id `{id}`"), Some(help));
        }
    }

    /// Which role the action goes to.
    fn role(
        &self,
        reading: &mut Reading<'_>,
        action: &StepAction,
        on: Option<String>,
        at: Position,
        on_at: Position,
    ) -> Option<String> {
        let (roles, word) = (self.roles?, action.word());
        let Some(kind) = action.kind() else {
            if on.is_some() {
                reading.error(on_at, format!("`{word}` goes to no resource"), Some("remove `on`".to_owned()));
            }
            return None;
        };
        let fitting: Vec<&str> =
            roles.iter().filter(|(_, other)| **other == kind).map(|(role, _)| role.as_str()).collect();
        match (on, fitting.as_slice()) {
            (Some(role), _) => match roles.get(&role) {
                Some(found) if *found == kind => Some(role),
                Some(found) => {
                    let message = format!("`{word}` needs a {kind}, and `{role}` is a {found}");
                    reading.error(on_at, message, None);
                    None
                }
                None => {
                    let help =
                        nearest(&role, fitting.iter().copied()).map(|near| format!("did you mean `{near}`?"));
                    reading.error(on_at, format!("the plan's `needs` has no `{role}`"), help);
                    None
                }
            },
            (None, [only]) => Some((*only).to_owned()),
            (None, []) => {
                let example = crate::bench::file::VIRTUAL_ROLES.iter().find(|(_, other)| *other == kind);
                let role = example.map_or("name", |(role, _)| role);
                let help = format!("add `{role}: {kind}` to `needs`");
                reading.error(
                    at,
                    format!("`{word}` needs a {kind}, and the plan's `needs` has none"),
                    Some(help),
                );
                None
            }
            (None, several) => {
                let message = format!("`{word}` could go to {}", several.join(" or "));
                reading.error(at, message, Some(format!("say which: `on: {}`", several[0])));
                None
            }
        }
    }

    /// Refuses a variable that no earlier step captures, and takes those that this one does.
    fn follow_variables(&mut self, reading: &mut Reading<'_>, action: &StepAction, entry: Entry<'_>) {
        let mut captured: Vec<String> = Vec::new();
        let mut used: Vec<(&str, &str)> = Vec::new();
        match action {
            StepAction::Expect(expect) => {
                captured.extend_from_slice(expect.pattern.groups());
                let key = match expect.source {
                    ExpectSource::Console => "console",
                    ExpectSource::Companion => "companion",
                    ExpectSource::Notification(_) => "matches",
                };
                used.extend(expect.pattern.variables().map(|name| (key, name)));
            }
            StepAction::Read(read) => {
                captured.extend(read.save.clone());
                if let Some(pattern) = &read.matches {
                    captured.extend_from_slice(pattern.groups());
                    used.extend(pattern.variables().map(|name| ("matches", name)));
                }
            }
            StepAction::Send(send) => used.extend(send.console.variables().map(|name| ("console", name))),
            StepAction::Scan(scan) => {
                if let ScanTarget::Name(template) = &scan.target {
                    used.extend(template.variables().map(|name| ("name", name)));
                }
            }
            StepAction::Pair(pair) => {
                if let PairMethod::Passkey(template) = &pair.method {
                    used.extend(template.variables().map(|name| ("passkey", name)));
                }
            }
            StepAction::Write(write) => {
                let key = if write.form == super::ValueForm::Hex { "hex" } else { "text" };
                used.extend(write.value.variables().map(|name| (key, name)));
            }
            StepAction::Note(template) => used.extend(template.variables().map(|name| ("", name))),
            _ => {}
        }
        for (key, name) in used {
            if !self.unsure && !self.defined.contains(name) {
                let at = entry.get(key).map_or(entry.at(), Entry::at);
                let help = match nearest(name, self.defined.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `${{{near}}}`?"),
                    None => format!("let an earlier `expect` capture it with a group, `(?<{name}>…)`"),
                };
                reading.error(at, format!("no earlier step captures `{name}`"), Some(help));
            }
        }
        self.defined.extend(captured);
    }
}

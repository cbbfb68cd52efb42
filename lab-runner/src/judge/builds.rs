//! Whether what ran is what the manifest speaks of. Only the event log is asked: a manifest can't vouch for itself.

use lab_protocol::{Action, AgentKind, Event, Reply};

use super::collect::Draft;
use super::verdict::Outcome;
use super::words::printable;
use crate::manifest::{Applies, Build, Manifest, applies};
use crate::observation::Heard;

/// What is known of a build that ran.
#[derive(Debug, Default)]
struct Ran {
    version: Option<String>,
    sha256: Option<String>,
}

/// What an attempt's log says of the builds that the manifest lists. `place` is the manifest as the plan names it.
pub(super) fn check(manifest: &Manifest, heard: &Heard<'_>, place: &str) -> Vec<Draft> {
    let (firmware, app) = ran(heard);
    let parts = [
        ("firmware", &manifest.builds.firmware, firmware, "flash it, or expect its `version` on the console"),
        (
            "app",
            &manifest.builds.app,
            app,
            "launch it by its path, or expect its `version` from the companion",
        ),
    ];
    parts.into_iter().filter_map(|(what, builds, ran, how)| of(what, builds, &ran, place, how)).collect()
}

fn of(what: &str, builds: &[Build], ran: &Ran, place: &str, how: &str) -> Option<Draft> {
    let hash = ran.sha256.as_deref();
    let mut draft = match applies(builds, ran.version.as_deref(), hash) {
        Applies::Yes => return None,
        Applies::No => {
            let version = ran.version.as_deref().map(printable);
            let known = [version.as_deref(), hash.and_then(|hash| hash.get(..12))];
            let known: Vec<&str> = known.into_iter().flatten().collect();
            let title = format!(
                "the {what} that ran ({}) is another than those that {place} applies to",
                known.join(", SHA-256 ")
            );
            Draft::new("other-build", Outcome::Inconclusive, title)
        }
        Applies::Unknown => {
            let title =
                format!("{place} applies to certain builds of the {what}, and which one ran can't be told");
            let mut draft = Draft::new("build-unknown", Outcome::Inconclusive, title);
            draft.help = Some(format!("let the plan tell: {how}"));
            draft
        }
    };
    draft.manifest = builds.first().map(|build| format!("{place}:{}", build.at.line));
    draft.evidence.extend(builds.iter().take(8).map(|build| {
        let version = build.version.as_deref().map(|version| format!("version {}", printable(version)));
        let hash =
            build.sha256.as_deref().and_then(|hash| hash.get(..12)).map(|hash| format!("SHA-256 {hash}…"));
        let said: Vec<String> = [version, hash].into_iter().flatten().collect();
        format!("it lists {}", said.join(", "))
    }));
    Some(draft)
}

/// The firmware that was flashed last, the app that was started last, and the versions that expectations captured in a group called `version`: from the
/// console or over Bluetooth the watch's, from the companion the app's.
fn ran(heard: &Heard<'_>) -> (Ran, Ran) {
    let (mut firmware, mut app) = (Ran::default(), Ran::default());
    for (entry, event) in heard.events() {
        let Event::Done { reply } = event else { continue };
        match reply {
            Reply::Flashed { .. } => {
                let command = heard.commands().find(|(sent, _)| sent.id == entry.id);
                if let Some(Action::Flash { image, .. }) = command.map(|(_, command)| &command.action) {
                    // Another firmware has another version.
                    firmware = Ran { version: None, sha256: Some(image.sha256.clone()) };
                }
            }
            // The same program started again is no other build.
            Reply::Started { program } if app.sha256.as_ref() != Some(&program.sha256) => {
                app = Ran { version: None, sha256: Some(program.sha256.clone()) };
            }
            Reply::Matched { groups, .. } => {
                let Some(version) = groups.get("version") else { continue };
                match entry.source.kind {
                    AgentKind::Companion => app.version = Some(version.clone()),
                    AgentKind::Console | AgentKind::Ble => firmware.version = Some(version.clone()),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    (firmware, app)
}

//! What a ruling on a flow means for the run: the rule's word, how bad it is, and how a sentence says so.

use std::borrow::Cow;

use lab_observe::Disagreement;

use super::admit::{Breach, Ruling, Unsure};
use super::identity::Doubt;
use super::verdict::Outcome;
use super::words;
use crate::manifest::{Declaration, TlsVersion};
use crate::observation::{AttributedFlow, Role};

/// A flow that doesn't simply pass.
pub(super) struct Ruled<'m> {
    /// The rule's stable word.
    pub(super) rule: &'static str,
    pub(super) severity: Outcome,
    /// How the sentence ends.
    pub(super) said: Cow<'static, str>,
    /// The declaration that it is about.
    pub(super) declaration: Option<&'m Declaration>,
    /// The one that names this server on another transport or port.
    pub(super) near: Option<&'m Declaration>,
}

/// What is to be told of a flow; `None` where nothing is.
pub(super) fn of<'m>(ruling: &Ruling<'m>, flow: &AttributedFlow<'_>) -> Option<Ruled<'m>> {
    let told = |rule, severity, said: &'static str, declaration| {
        Some(Ruled { rule, severity, said: said.into(), declaration, near: None })
    };
    match ruling {
        Ruling::Admitted(declaration, _) if flow.record.unread => {
            let said = "declared, but part of what it carries could not be read";
            told("flow-unreadable", Outcome::Inconclusive, said, Some(*declaration))
        }
        Ruling::Admitted(declaration, _) => {
            // Several names on one flow, all of them declared and looked up, contradict nothing.
            let mut odd =
                flow.record.disagreement.iter().filter(|one| **one != Disagreement::SeveralAsserted);
            let said = match odd.next()? {
                Disagreement::HostSni => "but its HTTP request and its ClientHello name different hosts",
                Disagreement::SniCert => "but the server's certificate is for other hosts",
                _ => "but DNS gave the address for other names than the one it asserts",
            };
            told("disagreeing-evidence", Outcome::Inconclusive, said, Some(*declaration))
        }
        Ruling::Doubtful(declaration, fit) => {
            let (rule, said) = match fit.doubt() {
                Some(doubt) => of_doubt(doubt),
                None => of_unsure(fit.unsure.first()),
            };
            told(rule, Outcome::Inconclusive, said, Some(*declaration))
        }
        Ruling::Broken(declaration, breach) => {
            let (rule, said) = of_breach(*breach, declaration, flow);
            let declaration = Some(*declaration);
            Some(Ruled { rule, severity: Outcome::Fail, said, declaration, near: None })
        }
        Ruling::Pretended(declaration) => {
            let said = "a declared name, but no look-up gave this address for it";
            told("uncorroborated-name", Outcome::Fail, said, Some(*declaration))
        }
        Ruling::Undeclared(_) if flow.talker.role == Role::Services => {
            told("undeclared-inbound", Outcome::Fail, "opened from outside, not declared", None)
        }
        Ruling::Undeclared(near) => {
            let ruled = told("undeclared-endpoint", Outcome::Fail, "not declared", None)?;
            Some(Ruled { near: *near, ..ruled })
        }
    }
}

fn of_doubt(doubt: Doubt) -> (&'static str, &'static str) {
    match doubt {
        Doubt::Uncorroborated => (
            "uncorroborated-name",
            "a declared name that only the client asserts: its look-up may have been missed",
        ),
        Doubt::OnlyLookedUp => {
            ("weak-evidence", "a declared name was looked up, but the flow itself doesn't assert it")
        }
        Doubt::Ambiguous => (
            "ambiguous-name",
            "several names were looked up for the address, not all of them declared as this",
        ),
        Doubt::Hidden => ("hidden-name", "its name could not be seen; it may be a declared one"),
    }
}

fn of_unsure(unsure: Option<&Unsure>) -> (&'static str, &'static str) {
    match unsure {
        Some(Unsure::Talker) => ("talker-unknown", "declared, but who talks can't be told"),
        Some(Unsure::Encryption) => {
            ("encryption-unknown", "declared, but nothing shows that it is encrypted")
        }
        Some(Unsure::Tls) => {
            ("tls-unknown", "declared, but its version of TLS or its ClientHello was not seen")
        }
        Some(Unsure::Protocol) | None => {
            ("protocol-unknown", "declared, but nothing shows that it speaks the declared protocol")
        }
    }
}

fn of_breach(
    breach: Breach,
    declaration: &Declaration,
    flow: &AttributedFlow<'_>,
) -> (&'static str, Cow<'static, str>) {
    match breach {
        Breach::Phase => {
            ("wrong-phase", format!("declared, but not for phase {}", words::shown(&flow.phase)).into())
        }
        Breach::Talker => (
            "wrong-talker",
            format!("declared for the {}, not for this talker", declaration.talker.word()).into(),
        ),
        Breach::ClearText => ("clear-text", "declared, but only encrypted".into()),
        Breach::OldTls => {
            let least = declaration.tls.map_or("1.2", TlsVersion::word);
            let spoken = flow.record.version.as_deref().unwrap_or("an unknown version");
            (
                "tls-too-old",
                format!("declared with TLS {least} or newer, and {} was agreed on", words::shown(spoken))
                    .into(),
            )
        }
        Breach::Ech => ("ech-forbidden", "declared without Encrypted Client Hello".into()),
        Breach::NoSni => ("sni-missing", "declared with a server name in its ClientHello".into()),
        Breach::Protocol => {
            let protocol = declaration.protocol.as_deref().unwrap_or("another protocol");
            ("wrong-protocol", format!("declared, but only for {protocol}").into())
        }
    }
}

/// What a person can do about it; `manifest` is the file's name.
pub(super) fn help(rule: &str, manifest: &str) -> Option<String> {
    Some(match rule {
        "weak-evidence" => "if its protocol carries no name, say `evidence: dns` in its declaration".into(),
        "undeclared-endpoint" | "undeclared-look-up" => {
            format!(
                "if the product is meant to do this, declare it in {manifest}; otherwise the product has to stop"
            )
        }
        "wrong-phase" => format!("if it is meant to happen in this phase, add the phase in {manifest}"),
        "over-budget" => format!("if so much is needed, raise the budget in {manifest}, and say why"),
        "dns-tunnel" => {
            "if these names are ordinary, declare each as `host`: an exact name carries nothing".into()
        }
        _ => return None,
    })
}

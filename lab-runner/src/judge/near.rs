//! The declarations that came nearest to a flow which none admits, and what stood between: for whoever asks why.

use super::admit::{self, Breach, Unsure};
use super::declared::Declared;
use super::identity::{Doubt, Identity, LookUps, Server};
use crate::manifest::Declaration;
use crate::observation::{AttributedFlow, Role, Sides};

/// How many are told.
const TOLD: usize = 3;

/// The nearest declarations among those that mean one of the server's names or its address, each with what stood
/// between.
pub(super) fn nearest<'m>(
    declared: &Declared<'m>,
    flow: &AttributedFlow<'_>,
    server: &Server,
    look_ups: LookUps,
    sides: &Sides,
) -> Vec<(&'m Declaration, Vec<String>)> {
    let around = sides.surroundings();
    let mut found: Vec<(&Declaration, Vec<String>)> = declared
        .meaning(server, around)
        .into_iter()
        .map(|(_, declaration)| {
            let identity = server.is(declaration, look_ups, around);
            (declaration, between(declaration, flow, sides, identity))
        })
        .collect();
    found.sort_by_key(|(_, but)| but.len());
    found.truncate(TOLD);
    found
}

fn between(
    declaration: &Declaration,
    flow: &AttributedFlow<'_>,
    sides: &Sides,
    identity: Identity,
) -> Vec<String> {
    let mut but: Vec<String> = of_identity(identity).into_iter().map(str::to_owned).collect();
    if !admit::reaches(declaration, flow) {
        but.push(of_reach(declaration, flow));
    }
    let fit = admit::fit(declaration, flow, sides, identity);
    but.extend(fit.breaches.into_iter().map(|breach| of_breach(breach, declaration)));
    but.extend(fit.unsure.into_iter().map(|unsure| of_unsure(unsure).to_owned()));
    but
}

fn of_identity(identity: Identity) -> Option<&'static str> {
    match identity {
        Identity::Shown(_) => None,
        Identity::Other => Some("the flow asserts another name as well, or only that"),
        Identity::Pretended => Some("no look-up gave this address for the name, and all look-ups were seen"),
        Identity::Doubtful(Doubt::Uncorroborated) => {
            Some("only the client says the name; its look-up may have been missed")
        }
        Identity::Doubtful(Doubt::OnlyLookedUp) => {
            Some("the flow itself asserts no name, and the declaration asks for one")
        }
        Identity::Doubtful(Doubt::Ambiguous) => Some("the address was looked up for other names too"),
        Identity::Doubtful(Doubt::Hidden) => Some("the name can't be seen"),
    }
}

fn of_reach(declaration: &Declaration, flow: &AttributedFlow<'_>) -> String {
    let opened = if flow.talker.role == Role::Services { "from outside" } else { "by the product" };
    let ports: Vec<String> = declaration.ports.iter().map(ToString::to_string).collect();
    let port = if ports.is_empty() { String::new() } else { format!(" port {}", ports.join(", ")) };
    format!(
        "it is declared for {}{port}, opened by the {}, and this was {} port {}, opened {opened}",
        declaration.transport.word(),
        declaration.opened_by.word(),
        flow.record.l4,
        flow.record.server.port()
    )
}

fn of_breach(breach: Breach, declaration: &Declaration) -> String {
    match breach {
        Breach::Phase => {
            let phases = declaration.phases.as_deref().unwrap_or_default();
            format!("it is declared for the phases {}", phases.join(", "))
        }
        Breach::Talker => format!("it is declared for the {}", declaration.talker.word()),
        Breach::ClearText => "it requires encryption".into(),
        Breach::OldTls => "it requires a newer TLS".into(),
        Breach::Ech => "it forbids an Encrypted Client Hello".into(),
        Breach::NoSni => "it requires a server name in the ClientHello".into(),
        Breach::Protocol => {
            format!("it is declared for {}", declaration.protocol.as_deref().unwrap_or("another protocol"))
        }
    }
}

fn of_unsure(unsure: Unsure) -> &'static str {
    match unsure {
        Unsure::Talker => "who talks can't be told",
        Unsure::Encryption => "nothing shows that it is encrypted",
        Unsure::Tls => "the version of TLS or the ClientHello was not seen",
        Unsure::Protocol => "nothing shows what it speaks",
    }
}

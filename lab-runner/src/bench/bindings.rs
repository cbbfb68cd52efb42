//! From the bench's resources to what each agent is told about its own.

use std::collections::BTreeMap;
use std::path::Path;

use lab_protocol::{AgentKind, Fault, Source, binding};
use serde_json::Value;

use super::file::{Gateway, Program, Resource, Resources};

/// The vantage point that every gateway has: the phone's end of the link.
const PHONE_VANTAGE: &str = "phone";
/// The name of the phone's end of the link in its namespace.
const PHONE_INTERFACE: &str = "eth0";

/// The binding of one agent. Relative programs start at `folder`, the bench file's.
pub(super) fn binding(
    resources: &Resources,
    folder: &Path,
    source: &Source,
    attached: &binding::Attached,
) -> Result<Value, Fault> {
    let resource = resources.0.get(&source.role).ok_or_else(|| {
        Fault::bench("resource-missing", format!("the bench has no resource for the role {:?}", source.role))
            .with_help("add it to the bench file, or take it out of the plan's `needs`")
    })?;
    let json = match (source.kind, resource) {
        (AgentKind::Flash, Resource::Board(board)) => {
            to_json(&binding::Flash { probe: board.probe.clone(), chip: board.chip.clone() })
        }
        (AgentKind::Console, Resource::Serial(serial)) => {
            to_json(&binding::Console { port: serial.port.clone(), baud: serial.baud })
        }
        (AgentKind::Ble, Resource::Ble(ble)) => {
            to_json(&binding::Ble { adapter: ble.adapter.clone(), bus: ble.bus.clone() })
        }
        (AgentKind::Companion, Resource::Companion(companion)) => {
            let apps =
                companion.apps.iter().map(|(name, app)| (name.clone(), program(app, folder))).collect();
            to_json(&binding::Companion { apps, attached: attached.clone() })
        }
        (AgentKind::Network, Resource::Gateway(gateway)) => to_json(&network(gateway, folder)),
        (AgentKind::Capture, Resource::Gateway(gateway)) => to_json(&capture(gateway, attached)),
        (kind, resource) => {
            return Err(Fault::bench(
                "resource-unfit",
                format!(
                    "{:?} is a {}, which the {} agent can't use",
                    source.role,
                    resource.kind(),
                    kind.word()
                ),
            ));
        }
    };
    json.map_err(|error| Fault::bench("binding", error.to_string()))
}

fn to_json(binding: &impl serde::Serialize) -> serde_json::Result<Value> {
    serde_json::to_value(binding)
}

fn program(program: &Program, folder: &Path) -> binding::Program {
    let path = Path::new(&program.program);
    let bare = path.components().count() == 1;
    let resolved = if bare || path.is_absolute() { path.to_owned() } else { folder.join(path) };
    binding::Program {
        program: resolved.to_string_lossy().into_owned(),
        args: program.args.clone(),
        env: program.env.clone(),
    }
}

fn network(gateway: &Gateway, folder: &Path) -> binding::Network {
    binding::Network {
        phone: gateway.phone.addresses.iter().map(ToString::to_string).collect(),
        phone_via: gateway.phone.routes.clone(),
        resolvers: gateway.phone.resolvers.clone(),
        services: gateway.services.addresses.iter().map(ToString::to_string).collect(),
        service_addresses: gateway.services.services.clone(),
        program: gateway.services.program.as_ref().map(|named| program(named, folder)),
    }
}

fn capture(gateway: &Gateway, attached: &binding::Attached) -> binding::Capture {
    let point = binding::VantagePoint {
        interface: gateway.capture.interface.clone().unwrap_or_else(|| PHONE_INTERFACE.to_owned()),
        side: Some("phone".to_owned()),
        buffer: gateway.capture.buffer,
    };
    binding::Capture {
        vantages: BTreeMap::from([(PHONE_VANTAGE.to_owned(), point)]),
        attached: attached.clone(),
    }
}

//! A manifest as CycloneDX services, one for each declaration.

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::OWN;
use crate::interchange::declared;
use crate::interchange::loss::Loss;
use crate::manifest::{Class, Declaration, Manifest, OpenedBy, Peer, Transport};

/// The bill of materials and what it couldn't say. The same manifest gives the same text: no serial number, no time.
pub fn export(manifest: &Manifest) -> (String, Vec<Loss>) {
    let mut losses = vec![Loss::of_all(
        "whether a service is `authenticated`: the manifest doesn't say, so that it is left out",
    )];
    let builds = &manifest.builds;
    if !builds.firmware.is_empty() || !builds.app.is_empty() {
        losses.push(Loss::of_all("the builds that the manifest applies to"));
    }
    if !manifest.domains.is_empty() || manifest.controllers.iter().any(|one| !one.domains.is_empty()) {
        losses.push(Loss::of_all("the domains of the vendor and of the controllers"));
    }
    let named =
        |id: &str| manifest.endpoints.iter().any(|one| one.statement.recipient.as_deref() == Some(id));
    for controller in manifest.controllers.iter().filter(|one| !named(&one.id)) {
        losses.push(Loss::of_all(format!("the controller `{}`, who gets nothing", controller.id)));
    }
    if manifest.policy != Default::default() {
        losses.push(Loss::of_all("the policy"));
    }
    for profile in &manifest.ambient {
        losses.push(Loss::of_all(format!(
            "the ambient profile {}: it is the phone's, not the product's",
            profile.written
        )));
    }
    let services: Vec<Value> = manifest.endpoints.iter().map(|one| service(manifest, one)).collect();
    let product = &manifest.product;
    let bom = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {
            "bom-ref": "product",
            "type": "device",
            "name": product.model,
            "manufacturer": {"name": product.vendor},
        }},
        "services": services,
    });
    (format!("{bom:#}\n"), losses)
}

fn service(manifest: &Manifest, declaration: &Declaration) -> Value {
    let mut service = Map::new();
    service.insert("bom-ref".into(), json!(format!("endpoint:{}", declaration.id)));
    service.insert("name".into(), json!(declaration.id));
    if let Some(provider) = provider(manifest, declaration) {
        service.insert("provider".into(), provider);
    }
    if let Some(description) = &declaration.statement.justification {
        service.insert("description".into(), json!(description));
    }
    if let Some(uris) = uris(declaration) {
        service.insert("endpoints".into(), json!(uris));
    }
    let inside = matches!(declaration.peer, Peer::Class(Class::Lan | Class::Multicast | Class::Gateway));
    service.insert("x-trust-boundary".into(), json!(!inside));
    if let Some(data) = &declaration.statement.data {
        // The direction is seen from the service: what the product sends enters it.
        let flows: Vec<Value> =
            data.iter().map(|one| json!({"flow": "inbound", "classification": one.word()})).collect();
        service.insert("data".into(), json!(flows));
    }
    service.insert("properties".into(), json!(properties(declaration)));
    Value::Object(service)
}

fn provider(manifest: &Manifest, declaration: &Declaration) -> Option<Value> {
    let controller = manifest.controller(declaration.statement.recipient.as_ref()?)?;
    let mut provider = Map::new();
    provider
        .insert("bom-ref".into(), json!(format!("endpoint:{}:provider:{}", declaration.id, controller.id)));
    provider.insert("name".into(), json!(controller.name));
    if let Some(country) = &controller.country {
        provider.insert("address".into(), json!({"country": country}));
    }
    if let Some(contact) = &controller.contact {
        let key = if contact.contains('@') { "email" } else { "name" };
        provider.insert("contact".into(), json!([{key: contact}]));
    }
    Some(Value::Object(provider))
}

/// The URIs, where the peer is something that a URI can name.
fn uris(declaration: &Declaration) -> Option<Vec<String>> {
    let host = match &declaration.peer {
        Peer::Host(name) => name.clone(),
        Peer::Cidr(IpNet::V4(net)) if net.prefix_len() == 32 => net.addr().to_string(),
        Peer::Cidr(IpNet::V6(net)) if net.prefix_len() == 128 => format!("[{}]", net.addr()),
        _ => return None,
    };
    if declaration.opened_by == OpenedBy::Peer || declaration.transport == Transport::Icmp {
        return None;
    }
    let scheme = declaration.protocol.as_deref().unwrap_or(declaration.transport.word());
    let single = |range: &crate::manifest::PortRange| (range.first == range.last).then_some(range.first);
    let ports: Option<Vec<u16>> = declaration.ports.iter().map(single).collect();
    ports.map(|ports| ports.iter().map(|port| format!("{scheme}://{host}:{port}")).collect())
}

/// Everything that the declaration says, in the manifest's words.
fn properties(declaration: &Declaration) -> Vec<Value> {
    let property = |key: &str, value: String| json!({"name": format!("{OWN}{key}"), "value": value});
    let (peer, value) = declaration.peer.key_and_value();
    let mut properties = vec![
        property("talker", declaration.talker.word().to_owned()),
        property(peer, value),
        property("transport", declaration.transport.word().to_owned()),
    ];
    if !declaration.ports.is_empty() {
        let ports: Vec<String> = declaration.ports.iter().map(ToString::to_string).collect();
        properties.push(property("ports", ports.join(",")));
    }
    properties.extend(
        declared::keys(declaration).iter().map(|(key, value)| property(key, declared::to_property(value))),
    );
    properties
}

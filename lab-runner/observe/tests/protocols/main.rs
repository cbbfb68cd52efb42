//! A protocol each: what its bytes tell, on captures that are made here.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod conversation;
mod datagrams;
mod devices;
mod dns;
mod dtls;
mod http;
mod mangled;
#[path = "../packets/mod.rs"]
mod packets;
mod quic;
mod starttls;
mod stun;
mod tls;

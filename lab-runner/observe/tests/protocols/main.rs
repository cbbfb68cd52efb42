//! Every protocol on traffic made for it: a module each.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "../packets/mod.rs"]
mod packets;

mod quic;

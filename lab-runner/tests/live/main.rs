//! The main job through the front door: the real command on the virtual bench, with one link of the chain broken at a
//! time. Every run here is a process of its own.
#![cfg(feature = "hardware")]
#![allow(clippy::unwrap_used, reason = "every unwrap here is an assertion")]

mod bench;
mod broken_links;
mod covert_channels;
mod every_step;
mod killed;
mod recording;
mod shipped_plans;

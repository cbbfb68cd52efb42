//! Captures in, flows and names with their evidence out.
//!
//! This crate does no I/O beyond the bytes it is given and reads no clock, so that it can be fuzzed and benchmarked alone.
//! [`Halves`] alone starts a thread.
//!
//! A frame goes through [`capture`] (files), `link`, `ip`, and the flow table of [`Observer`]; while its flow may still tell
//! something, also through `tcp` or `udp` and the parsers of `protocol`; `names` remembers what DNS told whom and when, and
//! `state` decides at the end what a flow is called. Adding a protocol is a file in `protocol` and a line where it is probed.

pub mod capture;
mod context;
pub mod escape;
mod explain;
mod flow;
mod fragments;
mod halves;
mod hash;
mod icmp_error;
mod ip;
mod link;
mod moment;
mod names;
mod observer;
mod opening;
mod packet;
mod ports;
mod protocol;
pub mod record;
mod render;
mod room;
mod state;
mod stream;
mod tcp;
mod transport;
mod tunnel;
mod udp;
mod unacknowledged;
mod weird;
mod whole;

pub use capture::{CaptureError, Frame, frames};
pub use explain::{Explanation, Note};
pub use halves::Halves;
pub use observer::{CANARY_ETHERTYPE, Consulted, Ended, Observer, Options};
pub use record::{
    Disagreement, FlowRecord, L4, LinkFrame, MacAddr, Name, NameKind, Observation, Reason, State, Summary,
    Weird, Word,
};
pub use render::{
    JsonLines, JsonStretch, Style, Table, render_explanation, render_json, render_json_flows,
    render_json_summary, render_text,
};
pub use whole::{observe, observe_from};

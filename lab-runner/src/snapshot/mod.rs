//! The snapshot: the canonical set of endpoints that a product talks to, kept beside its plan and reviewed when it changes.
//!
//! What a declaration covers is written as that declaration, so that a content network's changing hosts change nothing;
//! what is undeclared stands there in full. There are no times, counts, ephemeral ports or addresses of covered hosts in
//! it. It gates beside the verdict: accepting a snapshot never turns an undeclared endpoint into a declared one.

mod change;
mod set;
mod snap;
mod store;
#[cfg(test)]
mod tests;

pub use change::{Change, ChangeKind, changes};
pub use set::{BadBody, Entry, Snapshot};
pub use snap::{BadSnap, SnapFile};
pub use store::{Comparison, Pending, Store, StoreError, pending_under};

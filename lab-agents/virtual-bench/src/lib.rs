//! Virtual hardware: what a dev board, a watch's radio, a phone's app and the vendor's cloud are on a desk.
//!
//! It stands in for hardware and nothing else: no agent knows of it, and it knows of no agent. Each part can be built
//! alone, behind the feature of its name.

#[cfg(feature = "board")]
pub mod board;
#[cfg(feature = "companion")]
pub mod companion;
#[cfg(all(feature = "board", feature = "radio", feature = "services", feature = "companion"))]
pub mod desk;
#[cfg(feature = "radio")]
pub mod radio;
#[cfg(feature = "services")]
pub mod services;
pub mod uart;

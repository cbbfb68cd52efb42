//! Virtual hardware.

pub mod uart;
#[cfg(feature = "companion")]
pub mod companion;
#[cfg(feature = "services")]
pub mod services;

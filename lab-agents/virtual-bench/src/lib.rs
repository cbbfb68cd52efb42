//! Virtual hardware.

pub mod uart;

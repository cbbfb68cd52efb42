//! Virtual hardware.

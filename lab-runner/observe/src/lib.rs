//! Captures in, flows out.

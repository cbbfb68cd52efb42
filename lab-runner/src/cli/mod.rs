//! The command line: one module a command. Each parses its own arguments and answers with an exit code.
pub mod check;
pub mod schema;

//! The `lab` command. What it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_runner::cli::main()
}

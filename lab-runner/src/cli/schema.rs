//! `lab schema plan|manifest|ambient|bench`: the JSON Schemas that editors use.

use std::io::Write;

use clap::{Args, ValueEnum};

/// Print the JSON Schema of a file type
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// The file type
    #[arg(value_enum)]
    pub of: SchemaOf,
}

/// A file type that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// A test plan
    Plan,
    /// A privacy manifest
    Manifest,
    /// An ambient profile, which manifests include
    Ambient,
    /// A bench file
    Bench,
}

/// The schema as it is printed and shipped: indented, one newline at the end.
pub fn text(of: SchemaOf) -> String {
    let mut schema = match of {
        SchemaOf::Plan => crate::plan::schema(),
        SchemaOf::Manifest => crate::manifest::schema(),
        SchemaOf::Ambient => crate::manifest::ambient_schema(),
        SchemaOf::Bench => crate::bench::schema(),
    };
    // The same bytes whatever order of keys serde_json was built for.
    schema.sort_all_objects();
    format!("{schema:#}\n")
}

/// Prints the schema; answers with the exit code.
pub fn run(args: &SchemaArgs) -> u8 {
    // A reader that went away, such as `head`, is no error.
    let _ = std::io::stdout().write_all(text(args.of).as_bytes());
    0
}

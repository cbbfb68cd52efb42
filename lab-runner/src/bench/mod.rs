//! The bench: what this desk has. Its file type stands in `file`; a live bench is made from it elsewhere.

pub mod file;
mod file_read;

pub use file_read::schema;

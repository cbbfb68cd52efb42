//! Prints what a capture holds; for trying the library alone.

use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: observe CAPTURE [json]")?;
    let bytes = std::fs::read(&path)?;
    let begun = std::time::Instant::now();
    let observation = lab_observe::observe(&bytes, lab_observe::Options::default())?;
    eprintln!("{} bytes in {:?}", bytes.len(), begun.elapsed());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match std::env::args().nth(2).as_deref() {
        Some("json") => lab_observe::render_json(&observation, &path, &mut out)?,
        Some("none") => {}
        _ => lab_observe::render_text(&observation, &path, lab_observe::Style::Plain, &mut out)?,
    }
    Ok(out.flush()?)
}

//! `lab observe CAPTURE…`: the flows of captures, and who is at the other end of each.

mod ahead;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lab_observe::capture::Unpacked;
use lab_observe::{Ended, JsonLines, Observer, Options, Style, Summary, Table};

use ahead::read_ahead;

/// Show the flows in captures, and the names of their endpoints with the evidence for them
#[derive(Debug, Args)]
pub struct ObserveArgs {
    /// pcap or pcapng files, also packed with gzip or zstd; - is stdin
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// A table for people, or one JSON object a line
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Tell of one flow of a capture, by its number, why it is called what it is called, frame by frame
    #[arg(long, value_name = "FLOW", conflicts_with = "format", value_parser = clap::value_parser!(u64).range(1..))]
    pub explain: Option<u64>,
}

/// How flows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a flow, and a last line with the summary
    Json,
    /// A table
    Text,
}

/// Bytes of flows; a capture's are many.
const WRITTEN_AT_ONCE: usize = 128 * 1024;
/// What `observe` answers with when a capture can't be read.
const UNREADABLE: u8 = 2;
/// What it answers with when a capture is cut, or lacks packets.
const INCOMPLETE: u8 = 3;

/// Observes the captures: flows to stdout, what is wrong with a capture to stderr. Answers with the exit code.
pub fn run(args: &ObserveArgs) -> u8 {
    let stdout = io::stdout();
    let style =
        match stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) {
            true => Style::Colour,
            false => Style::Plain,
        };
    let mut out = BufWriter::with_capacity(WRITTEN_AT_ONCE, stdout.lock());
    let written = observe(args, style, &mut out, &mut io::stderr().lock());
    match written.and_then(|code| out.flush().map(|()| code)) {
        Ok(code) => code,
        // Whoever read has seen enough: `lab observe … | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: the flows can't be written: {error}");
            UNREADABLE
        }
    }
}

fn observe(args: &ObserveArgs, style: Style, out: &mut impl Write, err: &mut impl Write) -> io::Result<u8> {
    if args.explain.is_some() && args.captures.len() > 1 {
        let _ = writeln!(err, "error: --explain tells of a flow of one capture; give that one alone");
        return Ok(UNREADABLE);
    }
    let mut total: Option<Summary> = None;
    let mut code = 0;
    for captures in args.captures.chunks(threads()) {
        for (capture, observer) in captures.iter().zip(read_all(captures, args.explain)) {
            let name = capture.display().to_string();
            let shown = observer.map_err(Unshown::Capture);
            let summary = match shown.and_then(|observer| show(args, observer, &name, style, out)) {
                Ok(summary) => summary,
                Err(Unshown::Out(error)) => return Err(error),
                Err(Unshown::Capture(reason)) => {
                    // Nobody is left to tell when stderr is closed; the exit code says it all the same.
                    let _ = writeln!(err, "error: {name}: {reason}");
                    code = UNREADABLE;
                    continue;
                }
            };
            if let Some(reason) = incomplete(&summary) {
                let _ = writeln!(err, "warning: {name}: {reason}; what was captured is shown");
                // That a capture can't be read at all is the graver news.
                if code == 0 {
                    code = INCOMPLETE;
                }
            }
            match &mut total {
                Some(total) => total.merge(&summary),
                None => total = Some(summary),
            }
        }
    }
    if let (Format::Json, Some(total)) = (args.format, &total) {
        lab_observe::render_json_summary(total, out)?;
    }
    Ok(code)
}

/// How many of them do more than one.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Why a capture is not shown.
enum Unshown {
    /// It can't be read, or has no flow to explain.
    Capture(String),
    /// Nobody takes what is told.
    Out(io::Error),
}

impl From<io::Error> for Unshown {
    fn from(error: io::Error) -> Self {
        Self::Out(error)
    }
}

/// Shows what was observed.
fn show(
    args: &ObserveArgs,
    observer: Observer,
    name: &str,
    style: Style,
    out: &mut impl Write,
) -> Result<Summary, Unshown> {
    if let Some(flow) = args.explain {
        let Ended { summary, explanation, .. } = observer.finish_each(|_| ());
        let Some(explanation) = explanation else {
            return Err(Unshown::Capture(format!("it has no flow {flow}: it has {}", summary.flows)));
        };
        lab_observe::render_explanation(&explanation, style, out)?;
        return Ok(summary);
    }
    if args.format == Format::Text {
        let mut table = Table::default();
        let ended = observer.finish_each(|record| table.add(&record));
        table.write(&ended.summary, name, style, out)?;
        return Ok(ended.summary);
    }
    // Flows are written as they are told: their records are many times what is kept of them.
    let mut lines = JsonLines::new(name);
    let mut written = Ok(());
    let ended = observer.finish_each(|record| {
        if written.is_ok() {
            written = lines.write(&record, out);
        }
    });
    written?;
    Ok(ended.summary)
}

/// Reads captures side by side; what each told comes in their order.
fn read_all(captures: &[PathBuf], explain: Option<u64>) -> Vec<Result<Observer, String>> {
    let [first, others @ ..] = captures else { return Vec::new() };
    std::thread::scope(|scope| {
        let others: Vec<_> =
            others.iter().map(|capture| scope.spawn(move || read(capture, explain))).collect();
        let mut observers = vec![read(first, explain)];
        observers.extend(
            others.into_iter().map(|reading| {
                reading.join().unwrap_or_else(|_| Err("it could not be read to its end".into()))
            }),
        );
        observers
    })
}

fn read(capture: &Path, explain: Option<u64>) -> Result<Observer, String> {
    let source: Box<dyn Read + Send> = match capture == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(capture).map_err(|error| error.to_string())?),
    };
    let source = Unpacked::new(source).map_err(|error| error.to_string())?;
    let mut observer = Observer::new(Options::default());
    if let Some(flow) = explain {
        observer.explain(flow);
    }
    let observed = match source.packing() {
        // Unpacking takes as long as all the rest.
        Some(_) if threads() > 1 => read_ahead(source, |ahead| observer.read(ahead)),
        // Reading takes no time beside it, and bytes that another core read lie far away.
        _ => observer.read(source),
    };
    observed.map(|()| observer).map_err(|error| error.to_string())
}

fn incomplete(summary: &Summary) -> Option<String> {
    if let Some(reason) = &summary.cut_reason {
        return Some(reason.clone());
    }
    if let Some(drops) = summary.drops.filter(|drops| *drops > 0) {
        return Some(format!("{drops} packets were dropped while it was captured"));
    }
    (!summary.complete()).then(|| "it has more flows, names or unordered bytes than are kept".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] =
        &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];

    fn observed(files: &[&[u8]]) -> (u8, String, String) {
        let folder = tempfile::tempdir().unwrap();
        let mut captures = Vec::new();
        for (number, bytes) in files.iter().enumerate() {
            captures.push(folder.path().join(format!("{number}.pcap")));
            std::fs::write(&captures[number], bytes).unwrap();
        }
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let args = ObserveArgs { captures, format: Format::Json, explain: None };
        let code = observe(&args, Style::Plain, &mut out, &mut err).unwrap();
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_cut_capture_is_shown_and_answers_3() {
        let (code, out, err) = observed(&[&[HEADER, &[1, 2, 3]].concat()]);
        assert_eq!(code, 3);
        assert!(out.starts_with(r#"{"summary":{"format":1,"packets":0"#), "{out}");
        assert!(err.contains("cut inside of a record header at byte 24"), "{err}");
    }

    #[test]
    fn what_is_no_capture_answers_2_and_the_others_are_shown_all_the_same() {
        let (code, out, err) = observed(&[b"hello, capture", HEADER]);
        assert_eq!(code, 2);
        assert_eq!(out.lines().count(), 1);
        assert!(err.contains("68 65 6c 6c"), "{err}");
    }

    #[test]
    fn a_cut_packed_capture_is_shown_and_answers_3() {
        // A gzip member with one stored block (RFC 1952, RFC 1951 §3.2.4), and without its checksum.
        let member = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 24, 0, !24, 0xff];
        let (code, out, err) = observed(&[&[&member, HEADER].concat()]);
        assert_eq!(code, 3);
        assert!(out.starts_with(r#"{"summary":{"format":1,"packets":0"#), "{out}");
        assert!(err.contains("the gzip stream is cut at byte 24"), "{err}");
    }

    #[test]
    fn captures_that_are_read_side_by_side_tell_what_each_tells_alone() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
        let capture =
            |name: &str| std::fs::read(fixtures.join(name).join("attempts/1/captures/phone.pcapng")).unwrap();
        let files = [capture("u8-nucleus"), capture("u8-nucleus-fixed"), capture("u8-nucleus")];
        // Without the file's name, and without the summary.
        let flows = |out: &str| {
            let told = |line: &str| line.split_once(",\"flow\":").map(|(_, told)| told.to_owned());
            out.lines().filter_map(told).collect::<Vec<_>>()
        };
        let alone: Vec<String> = files.iter().flat_map(|file| flows(&observed(&[file]).1)).collect();
        let (code, together, _) = observed(&files.each_ref().map(Vec::as_slice));
        assert_eq!(code, 0);
        assert!(!alone.is_empty());
        assert_eq!(flows(&together), alone);
    }
}

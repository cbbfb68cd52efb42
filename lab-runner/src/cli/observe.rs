//! `lab observe CAPTURE…`: the flows of captures, and who is at the other end of each.

mod ahead;
mod seen;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::thread;

use clap::{Args, ValueEnum};
use lab_observe::{Ended, Style, Summary};

use seen::Seen;

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
    let mut out = BufWriter::with_capacity(WRITTEN_AT_ONCE, stdout);
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

fn observe(
    args: &ObserveArgs,
    style: Style,
    out: &mut (impl Write + Send),
    err: &mut impl Write,
) -> io::Result<u8> {
    if args.explain.is_some() && args.captures.len() > 1 {
        let _ = writeln!(err, "error: --explain tells of a flow of one capture; give that one alone");
        return Ok(UNREADABLE);
    }
    let mut total: Option<Summary> = None;
    let mut code = 0;
    for captures in args.captures.chunks(threads()) {
        for (capture, seen) in captures.iter().zip(read_all(captures, args.explain)) {
            let name = capture.display().to_string();
            let seen = seen.map_err(Unshown::Capture);
            let summary = match seen.and_then(|seen| show(args, seen, &name, style, out)) {
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
    thread::available_parallelism().map_or(1, usize::from)
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
    seen: Seen,
    name: &str,
    style: Style,
    out: &mut (impl Write + Send),
) -> Result<Summary, Unshown> {
    if let Some(flow) = args.explain {
        let Ended { summary, explanation, .. } = seen.ended();
        let Some(explanation) = explanation else {
            return Err(Unshown::Capture(format!("it has no flow {flow}: it has {}", summary.flows)));
        };
        lab_observe::render_explanation(&explanation, style, out)?;
        return Ok(summary);
    }
    if args.format == Format::Text {
        let (table, ended) = seen.table();
        table.write(&ended.summary, name, style, out)?;
        return Ok(ended.summary);
    }
    Ok(seen.lines(name, out)?.summary)
}

/// Reads captures side by side; what each told comes in their order.
fn read_all(captures: &[PathBuf], explain: Option<u64>) -> Vec<Result<Seen, String>> {
    let [first, others @ ..] = captures else { return Vec::new() };
    let threads = threads() / captures.len();
    thread::scope(|scope| {
        let others: Vec<_> =
            others.iter().map(|capture| scope.spawn(move || Seen::read(capture, explain, threads))).collect();
        let mut seen = vec![Seen::read(first, explain, threads)];
        seen.extend(
            others.into_iter().map(|reading| {
                reading.join().unwrap_or_else(|_| Err("it could not be read to its end".into()))
            }),
        );
        seen
    })
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
    use std::path::Path;

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

    #[test]
    fn a_large_capture_that_two_read_tells_what_it_tells_to_one() {
        // A megabyte of datagrams between many hosts, cut in the last one.
        let mut large = HEADER.to_vec();
        for number in 0..1500_u16 {
            let [high, low] = number.to_be_bytes();
            let payload = [7; 700];
            let length = (28 + payload.len()) as u16;
            let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
            frame.extend(length.to_be_bytes());
            frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, low, 198, 51, 100, high]);
            frame.extend([0x9c, 0x40, 0x27, 0x0f]);
            frame.extend((length - 20).to_be_bytes());
            frame.extend([0, 0]);
            frame.extend(payload);
            for field in [u32::from(number), 0, frame.len() as u32, frame.len() as u32] {
                large.extend(field.to_le_bytes());
            }
            large.extend(frame);
        }
        large.truncate(large.len() - 1);
        let mut expected = Vec::new();
        let whole = lab_observe::observe(&large, lab_observe::Options::default()).unwrap();
        assert_eq!(whole.flows.len(), 1499);
        lab_observe::render_json(&whole, "large.pcap", &mut expected).unwrap();

        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join("large.pcap");
        std::fs::write(&capture, &large).unwrap();
        for (threads, in_halves) in [(1, false), (2, true)] {
            let seen = Seen::read(&capture, None, threads).unwrap();
            assert_eq!(matches!(seen, Seen::Halves(_)), in_halves);
            let mut told = Vec::new();
            let ended = seen.lines("large.pcap", &mut told).unwrap();
            lab_observe::render_json_summary(&ended.summary, &mut told).unwrap();
            assert!(told == expected, "{threads} threads tell something else");
            assert!(ended.summary.cut);
        }
        let tables = [1, 2].map(|threads| {
            let (table, ended) = Seen::read(&capture, None, threads).unwrap().table();
            let mut told = Vec::new();
            table.write(&ended.summary, "large.pcap", Style::Plain, &mut told).unwrap();
            told
        });
        assert!(tables[0] == tables[1]);
    }
}

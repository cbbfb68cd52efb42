//! A capture that was read, by one observer or by two that share it, and how its flows are told.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use lab_observe::capture::Unpacked;
use lab_observe::{Ended, Halves, JsonLines, JsonStretch, Observer, Options, Table};

use super::ahead::read_ahead;

/// A smaller file takes no longer than a millisecond anyway.
const SHARED_FROM_BYTES: u64 = 1 << 20;

/// A capture that was read to its end.
pub(super) enum Seen {
    Whole(Box<Observer>),
    Halves(Box<Halves>),
}

impl Seen {
    /// Reads a capture, with as many threads as help; says what is wrong where it can't be read.
    pub(super) fn read(capture: &Path, explain: Option<u64>, threads: usize) -> Result<Self, String> {
        if capture == Path::new("-") {
            return read(io::stdin(), explain, threads);
        }
        let file = File::open(capture).map_err(|error| error.to_string())?;
        let is_large = file.metadata().is_ok_and(|file| file.is_file() && file.len() >= SHARED_FROM_BYTES);
        if is_large
            && threads > 1
            && explain.is_none()
            && Unpacked::new(Placed::at_the_start(&file)).is_ok_and(|source| source.packing().is_none())
        {
            let sources = [Placed::at_the_start(&file), Placed::at_the_start(&file)];
            let halves = Halves::read(sources, &Options::default()).map_err(|error| error.to_string())?;
            if let Some(halves) = halves {
                return Ok(Self::Halves(Box::new(halves)));
            }
        }
        read(file, explain, threads)
    }

    /// Tells what there is to tell beside the flows.
    pub(super) fn ended(self) -> Ended {
        match self {
            Self::Whole(observer) => observer.finish_each(|_| ()),
            Self::Halves(halves) => halves.finish_each(|_| ()),
        }
    }

    /// Gathers the endpoints of all flows.
    pub(super) fn table(self) -> (Table, Ended) {
        match self {
            Self::Whole(observer) => {
                let mut table = Table::default();
                let ended = observer.finish_each(|record| table.add(record));
                (table, ended)
            }
            Self::Halves(halves) => {
                let ([mut table, other], ended) =
                    halves.gather(|table: &mut Table, record| table.add(record));
                table.merge(other);
                (table, ended)
            }
        }
    }

    /// Writes all flows as they are told, a line each: their records are many times what is kept of them.
    pub(super) fn lines(self, name: &str, out: &mut (impl Write + Send)) -> io::Result<Ended> {
        let lines = JsonLines::new(name);
        let mut written = Ok(());
        let ended = match self {
            Self::Whole(observer) => {
                let mut stretch = JsonStretch::default();
                let ended = observer.finish_each(|record| {
                    if written.is_ok() {
                        written = lines.write(record, &mut stretch, out);
                    }
                });
                written = written.and_then(|()| stretch.write(out));
                ended
            }
            Self::Halves(halves) => halves.tell(
                |stretch: &mut JsonStretch, record| lines.add(record, stretch),
                |stretch, number| {
                    if written.is_ok() {
                        written = out.write_all(stretch.line(number));
                    }
                },
            ),
        };
        written.map(|()| ended)
    }
}

fn read(source: impl Read + Send, explain: Option<u64>, threads: usize) -> Result<Seen, String> {
    let source = Unpacked::new(source).map_err(|error| error.to_string())?;
    let mut observer = Box::new(Observer::new(Options::default()));
    if let Some(flow) = explain {
        observer.explain(flow);
    }
    let observed = match source.packing() {
        // Unpacking takes as long as all the rest.
        Some(_) if threads > 1 => read_ahead(source, |ahead| observer.read(ahead)),
        // Reading takes no time beside it, and bytes that another core read lie far away.
        _ => observer.read(source),
    };
    observed.map(|()| Seen::Whole(observer)).map_err(|error| error.to_string())
}

/// A file that is read from a place of its own, whoever else reads it.
struct Placed<'a> {
    file: &'a File,
    at: u64,
}

impl<'a> Placed<'a> {
    fn at_the_start(file: &'a File) -> Self {
        Self { file, at: 0 }
    }
}

impl Read for Placed<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(out, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

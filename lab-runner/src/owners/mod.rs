//! Who an address belongs to, by databases that the user supplies: MaxMind's format, from whatever source.
//!
//! A statement about an endpoint that was judged already, with the date of the database that makes it. It is never a
//! reason for a verdict and never part of a snapshot.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::{LookupResult, PathElement, Reader, path};
use serde::Deserialize;

use crate::judge::{Owner, Verdict, printable};
use crate::manifest::Date;
use crate::record::read_regular;

/// The largest database that is read, in bytes; those of whole continents are below it.
const LARGEST: u64 = 1 << 30;
/// More of an owner's name is cut.
const LONGEST_NAME: usize = 120;

/// A database that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OwnersError {
    /// The file can't be read.
    #[error("{}: {error}", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is none of this format.
    #[error("{}: no database in MaxMind's format (mmdb): {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

struct Database {
    reader: Reader<Vec<u8>>,
    /// The file's name, without its folder.
    name: String,
    /// The day on which it was built, `2026-11-22`.
    date: String,
}

/// The databases of a run.
#[derive(Default)]
pub struct Owners {
    databases: Vec<Database>,
}

impl Owners {
    /// Reads databases, in the order in which they are to be shown.
    ///
    /// # Errors
    /// With the first that can't be used.
    pub fn load(files: &[PathBuf]) -> Result<Self, OwnersError> {
        let databases = files.iter().map(|file| database(file)).collect::<Result<_, _>>()?;
        Ok(Self { databases })
    }

    /// What the databases say of an address: one statement a database that knows it.
    pub fn of(&self, address: IpAddr) -> Vec<Owner> {
        self.databases.iter().filter_map(|database| database.of(address)).collect()
    }

    /// Adds to each finding what is known of the far end's address.
    pub fn annotate(&self, verdict: &mut Verdict) {
        for finding in &mut verdict.findings {
            finding.owners = finding.address.map_or_else(Vec::new, |address| self.of(address));
        }
    }
}

fn database(file: &Path) -> Result<Database, OwnersError> {
    let unread = |error| OwnersError::Unread { path: file.to_owned(), error };
    let refused = |error: maxminddb::MaxMindDbError| OwnersError::Format {
        path: file.to_owned(),
        reason: error.to_string(),
    };
    let reader = Reader::from_source(read_regular(file, LARGEST).map_err(unread)?).map_err(refused)?;
    let built = reader.metadata().build_time().map_err(refused)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    Ok(Database { name: printable(&name), date: Date::of(built).to_string(), reader })
}

impl Database {
    fn of(&self, address: IpAddr) -> Option<Owner> {
        let found = self.reader.lookup(address.to_canonical()).ok().filter(LookupResult::has_data)?;
        // MaxMind's and DB-IP's words, then IPinfo's.
        let asn = value(&found, &path!["autonomous_system_number"])
            .or_else(|| text(&found, &path!["asn"]).and_then(|asn| asn.strip_prefix("AS")?.parse().ok()));
        let name = text(&found, &path!["autonomous_system_organization"])
            .or_else(|| text(&found, &path!["as_name"]))
            .or_else(|| text(&found, &path!["organization"]));
        let country = text(&found, &path!["country", "iso_code"])
            .or_else(|| text(&found, &path!["country_code"]))
            .or_else(|| text(&found, &path!["country"]));
        if asn.is_none() && name.is_none() && country.is_none() {
            return None;
        }
        Some(Owner { asn, name, country, database: self.name.clone(), date: self.date.clone() })
    }
}

/// A field; whatever isn't there, or is of another type, isn't said.
fn value<'a, T: Deserialize<'a>>(found: &LookupResult<'a, Vec<u8>>, place: &[PathElement<'_>]) -> Option<T> {
    found.decode_path(place).ok().flatten()
}

fn text(found: &LookupResult<'_, Vec<u8>>, place: &[PathElement<'_>]) -> Option<String> {
    let text: String = value(found, place)?;
    let text: String = text.trim().chars().take(LONGEST_NAME).collect();
    (!text.is_empty()).then(|| printable(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{meant, verdict_of};
    use crate::observation::support::tls;

    /// Data of a database: the types of the format that are needed here.
    enum Data {
        Text(&'static str),
        /// Of so many bytes: 2, 4 or 8.
        Number(usize, u64),
        Map(Vec<(&'static str, Data)>),
    }

    fn write(data: &Data, out: &mut Vec<u8>) {
        let control = |out: &mut Vec<u8>, kind: u8, size: usize| {
            let (first, more) = if size < 29 { (size as u8, None) } else { (29, Some((size - 29) as u8)) };
            if kind < 8 {
                out.push(kind << 5 | first);
            } else {
                out.extend([first, kind - 7]);
            }
            out.extend(more);
        };
        match data {
            Data::Text(text) => {
                control(out, 2, text.len());
                out.extend(text.bytes());
            }
            Data::Number(bytes, number) => {
                control(out, [5, 6, 9][bytes / 4], *bytes);
                out.extend(&number.to_be_bytes()[8 - bytes..]);
            }
            Data::Map(pairs) => {
                control(out, 7, pairs.len());
                for (key, value) in pairs {
                    write(&Data::Text(key), out);
                    write(value, out);
                }
            }
        }
    }

    /// A database that knows 203.0.113.0/24 and nothing else.
    fn bytes(record: &Data) -> Vec<u8> {
        const NODES: u32 = 24;
        let mut out = Vec::new();
        for bit in 0..NODES {
            let next = if bit + 1 == NODES { NODES + 16 } else { bit + 1 };
            let right = 0xcb00_7100_u32 >> (31 - bit) & 1 == 1;
            for side in [false, true] {
                out.extend(&(if side == right { next } else { NODES }).to_be_bytes()[1..]);
            }
        }
        out.extend([0; 16]);
        write(record, &mut out);
        out.extend(b"\xab\xcd\xefMaxMind.com");
        let built = 1_795_305_600; // 2026-11-22
        let languages = [0x00, 0x04]; // an empty array
        let before = vec![
            ("binary_format_major_version", Data::Number(2, 2)),
            ("binary_format_minor_version", Data::Number(2, 0)),
            ("build_epoch", Data::Number(8, built)),
            ("database_type", Data::Text("test")),
            ("description", Data::Map(Vec::new())),
            ("ip_version", Data::Number(2, 4)),
            ("node_count", Data::Number(4, NODES.into())),
            ("record_size", Data::Number(2, 24)),
        ];
        let mut metadata = Vec::new();
        write(&Data::Map(before), &mut metadata);
        metadata[0] += 1;
        write(&Data::Text("languages"), &mut metadata);
        metadata.extend(languages);
        out.extend(metadata);
        out
    }

    fn owners(bytes: &[u8]) -> Result<Owners, OwnersError> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("owners.mmdb");
        std::fs::write(&file, bytes).expect("written");
        Owners::load(&[file])
    }

    fn known() -> Data {
        Data::Map(vec![
            ("autonomous_system_number", Data::Number(4, 64_496)),
            ("autonomous_system_organization", Data::Text("Example\u{1b}[31m Net")),
            ("country", Data::Map(vec![("iso_code", Data::Text("CN"))])),
        ])
    }

    #[test]
    fn a_finding_names_the_owner_of_its_address_with_the_databases_date() {
        let owners = owners(&bytes(&known())).expect("a database");
        let mut flows = meant();
        flows.push(tls(4_200, "203.0.113.66:443"));
        flows.push(tls(4_300, "[2001:db8:66::66]:443"));
        let mut verdict = verdict_of(flows);
        let before = verdict.clone();
        owners.annotate(&mut verdict);
        let owner = &verdict.findings[0].owners[0];
        assert_eq!((owner.asn, owner.country.as_deref()), (Some(64_496), Some("CN")));
        assert_eq!(owner.to_string(), "AS64496 Example\\u{1b}[31m Net, CN (owners.mmdb of 2026-11-22)");
        assert!(verdict.findings[1].owners.is_empty());
        verdict.findings[0].owners.clear();
        assert_eq!(verdict, before, "nothing else changes");
    }

    #[test]
    fn a_file_that_is_no_database_is_told_by_its_name() {
        let error = owners(b"not one").err().expect("an error").to_string();
        assert!(error.contains("owners.mmdb: no database in MaxMind's format"), "{error}");
        // Cut anywhere, it is refused or knows nothing; it never panics.
        let whole = bytes(&known());
        for end in (0..whole.len()).step_by(7) {
            if let Ok(owners) = owners(&whole[..end]) {
                owners.of("203.0.113.66".parse().expect("an address"));
            }
        }
    }
}

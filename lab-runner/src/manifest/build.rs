//! The builds that a manifest speaks of. What ran is somebody else's to find out; here the two are compared.

use crate::yaml::Position;

/// The builds that the manifest applies to. An empty list applies to any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Builds {
    /// Of the watch's firmware.
    pub firmware: Vec<Build>,
    /// Of the companion app.
    pub app: Vec<Build>,
}

/// One build, or a family of them. At least one of the two is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Its version; with `*` as its last part, every version that begins so.
    pub version: Option<String>,
    /// The SHA-256 of its file, 64 lower-case hexadecimal digits.
    pub sha256: Option<String>,
    /// Where it stands in the manifest.
    pub at: Position,
}

/// Whether a manifest applies to what ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// It does.
    Yes,
    /// What ran is another build.
    No,
    /// Too little is known of what ran.
    Unknown,
}

impl Build {
    /// Whether this is the build of that version and hash. `None`: it isn't known. The hash's case is free.
    pub fn applies(&self, version: Option<&str>, sha256: Option<&str>) -> Applies {
        let version =
            compare(self.version.as_deref(), version, |stated, known| match stated.strip_suffix('*') {
                Some(beginning) => known.starts_with(beginning),
                None => known == stated,
            });
        let sha256 =
            compare(self.sha256.as_deref(), sha256, |stated, known| known.eq_ignore_ascii_case(stated));
        match (version, sha256) {
            (Applies::No, _) | (_, Applies::No) => Applies::No,
            (Applies::Yes, Applies::Yes) => Applies::Yes,
            _ => Applies::Unknown,
        }
    }
}

fn compare(stated: Option<&str>, known: Option<&str>, same: impl Fn(&str, &str) -> bool) -> Applies {
    match (stated, known) {
        (None, _) => Applies::Yes,
        (Some(_), None) => Applies::Unknown,
        (Some(stated), Some(known)) if same(stated, known) => Applies::Yes,
        (Some(_), Some(_)) => Applies::No,
    }
}

/// Whether a list of builds has the one that ran. `None`: its version or hash isn't known. An empty list has any.
pub fn applies(builds: &[Build], version: Option<&str>, sha256: Option<&str>) -> Applies {
    if builds.is_empty() {
        return Applies::Yes;
    }
    let all = || builds.iter().map(|build| build.applies(version, sha256));
    if all().any(|one| one == Applies::Yes) {
        Applies::Yes
    } else if all().any(|one| one == Applies::Unknown) {
        Applies::Unknown
    } else {
        Applies::No
    }
}

/// Whether a text can be a build's version: printable, and a `*` only after a separator at its end.
pub(super) fn version(written: &str) -> Result<(), String> {
    let beginning = written.strip_suffix('*').unwrap_or(written);
    let after_separator = beginning.len() == written.len() || beginning.ends_with(['.', '-', '+']);
    let plain = beginning.chars().all(|c| c.is_ascii_graphic() && c != '*');
    if written.is_empty() || written.len() > 128 || !plain || !after_separator {
        return Err(format!(
            "`{}` is no version: write 1.4.2, or 1.4.* for all that begin so",
            written.chars().take(128).collect::<String>().escape_debug()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(version: Option<&str>, sha256: Option<&str>) -> Build {
        let text = |text: &str| text.to_owned();
        Build { version: version.map(text), sha256: sha256.map(text), at: Position::default() }
    }

    #[test]
    fn another_build_is_told_from_one_that_is_not_known() {
        let builds = [build(Some("1.4.*"), None), build(Some("2.0.0"), Some("ab"))];
        assert_eq!(applies(&builds, Some("1.4.7"), None), Applies::Yes);
        assert_eq!(applies(&builds, Some("1.40.7"), None), Applies::No);
        assert_eq!(applies(&builds, Some("2.0.0"), None), Applies::Unknown);
        assert_eq!(applies(&builds, Some("2.0.0"), Some("AB")), Applies::Yes);
        assert_eq!(applies(&builds, Some("2.0.0"), Some("cd")), Applies::No);
        assert_eq!(applies(&builds, None, None), Applies::Unknown);
        assert_eq!(applies(&[], None, None), Applies::Yes);
    }

    #[test]
    fn a_version_has_a_star_only_as_its_last_part() {
        assert!(["1.4.0", "1.4.*", "v2", "1.4.0-rc1"].iter().all(|good| version(good).is_ok()));
        assert!(["", "*", "1.*.0", "1.4*", "1 4", "1\u{202e}"].iter().all(|bad| version(bad).is_err()));
    }
}

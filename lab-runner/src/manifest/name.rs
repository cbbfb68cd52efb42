//! Host names as they are compared: one form for every way of writing one. It knows nothing of declarations.

use std::borrow::Cow;

/// The longest name, in characters: 255 octets on the wire leave 253 (RFC 1035 section 2.3.4).
pub(super) const LONGEST_NAME: usize = 253;
/// The longest label, in characters (RFC 1035 section 2.3.4).
const LONGEST_LABEL: usize = 63;

/// A host name as it is compared: lower case, no trailing dot, IDNA's ASCII form.
///
/// # Errors
/// In words, when it is no host name.
pub fn canonical_host(written: &str) -> Result<String, String> {
    canonical(written).map(Cow::into_owned).ok_or_else(|| refused(written))
}

fn refused(written: &str) -> String {
    format!("`{}` is not a host name", written.escape_debug())
}

/// The same without a copy where the name is in this form already, as most on the wire are. `None`: no host name.
pub(super) fn canonical(written: &str) -> Option<Cow<'_, str>> {
    let cut = written.strip_suffix('.').unwrap_or(written);
    // IDNA's work grows with the text, and a name that is too long stays too long.
    if cut.len() > 4 * LONGEST_NAME {
        return None;
    }
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    let name = if cut.bytes().all(plain) && !cut.contains("xn--") {
        Cow::Borrowed(cut)
    } else {
        idna::domain_to_ascii_cow(cut.as_bytes(), idna::AsciiDenyList::EMPTY).ok()?
    };
    (name.len() <= LONGEST_NAME && has_labels(&name)).then_some(name)
}

/// Whether a name is made of labels and of nothing else.
fn has_labels(name: &str) -> bool {
    let mut length = 0;
    for byte in name.bytes() {
        length = match byte {
            b'.' if length == 0 => return false,
            b'.' => 0,
            _ if length < LONGEST_LABEL && is_of_label(byte) => length + 1,
            _ => return false,
        };
    }
    length > 0
}

/// `_` is no letter of a host name and of many service names.
fn is_of_label(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The name itself and every name that it stands under, longest first: `a.b.c`, `b.c`, `c`.
pub(super) fn tails(name: &str) -> impl Iterator<Item = &str> {
    let after_dots = name.match_indices('.').map(|(at, _)| &name[at + 1..]);
    std::iter::once(name).chain(after_dots)
}

/// Whether a canonical name is this domain or stands under it, on a label boundary.
pub(crate) fn is_under(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The domain that somebody registered, under which a name stands (Public Suffix List); the name itself where nobody can.
pub(crate) fn registered_domain(name: &str) -> &str {
    psl::domain_str(name).unwrap_or(name)
}

/// Whether anybody may register a name under this one: it is a public suffix, or stands above one (Public Suffix List).
pub(crate) fn is_public_suffix(name: &str) -> bool {
    psl::suffix_str(name).is_none_or(|public| public == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_in_lower_case_without_the_trailing_dot_in_idna() {
        assert_eq!(canonical_host("BÜCHER.example.").unwrap(), "xn--bcher-kva.example");
        assert_eq!(canonical_host("Api.Nucleus-U8.example.").unwrap(), "api.nucleus-u8.example");
        for bad in ["", ".", "a..b", "a b", "a\u{1b}[31m", "x/../y", "a.example..", "xn--\u{7f}.example"] {
            assert!(canonical_host(bad).is_err(), "{bad:?}");
        }
        assert!(canonical(&"ü".repeat(1 << 20)).is_none());
    }

    #[test]
    fn a_name_that_is_plain_already_is_what_idna_makes_of_it() {
        let label = |length| "a".repeat(length);
        let full = format!("{0}.{0}.{0}.{1}", label(63), label(61));
        assert_eq!(full.len(), LONGEST_NAME);
        let odd = ["_dns.a-b.example", "-a-.example", "0.1", "a..b", ".a", "a.", "a..", "", ".", "a.b"];
        let long = [full.clone(), full + "a", label(63), label(64)];
        for name in odd.map(str::to_owned).into_iter().chain(long) {
            let cut = name.strip_suffix('.').unwrap_or(&name);
            let made = idna::domain_to_ascii_cow(cut.as_bytes(), idna::AsciiDenyList::EMPTY).ok();
            let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(is_of_label);
            let made = made.filter(|name| name.len() <= 253 && name.split('.').all(is_label));
            assert_eq!(canonical(&name), made, "{name:?}");
        }
    }

    #[test]
    fn a_name_stands_under_a_domain_on_label_boundaries_only() {
        assert!(is_under("a.u8.example", "u8.example") && is_under("u8.example", "u8.example"));
        assert!(!is_under("evilu8.example", "u8.example") && !is_under("example", "u8.example"));
        assert_eq!(tails("a.b.c").collect::<Vec<_>>(), ["a.b.c", "b.c", "c"]);
    }
}

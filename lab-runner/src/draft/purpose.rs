//! What an endpoint may be for, guessed from what it speaks and from the words in its name. Always a guess with its
//! reason: a person decides.

use crate::manifest::Purpose;

/// A guess.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// What it may be for.
    pub purpose: Purpose,
    /// Why, in words.
    pub reason: String,
}

/// What a protocol is for, whoever speaks it.
const PROTOCOLS: &[(&str, Purpose, &str)] = &[
    ("ntp", Purpose::TimeSync, "it speaks NTP"),
    ("stun", Purpose::NatTraversal, "it speaks STUN"),
    ("turn", Purpose::NatTraversal, "it speaks TURN"),
    ("icmp", Purpose::ConnectivityCheck, "it is only pinged"),
    ("dhcp", Purpose::CoreFunction, "a network is joined with DHCP"),
    ("dhcpv6", Purpose::CoreFunction, "a network is joined with DHCP"),
    ("dns", Purpose::CoreFunction, "names are looked up there"),
    ("mdns", Purpose::CoreFunction, "found on the local network with mDNS"),
    ("ssdp", Purpose::CoreFunction, "found on the local network with SSDP"),
];

/// Words in names, the first that fits counts. Each is a whole word between dots, hyphens and digits.
const WORDS: &[(Purpose, &[&str])] = &[
    (
        Purpose::ConnectivityCheck,
        &["connectivitycheck", "conncheck", "captive", "detectportal", "generate204", "ncsi", "connecttest"],
    ),
    (Purpose::CrashReport, &["crash", "crashes", "crashlytics", "crashreport", "sentry", "bugsnag"]),
    (
        Purpose::Advertising,
        &["ads", "ad", "adserver", "adservice", "doubleclick", "advertising", "adjust", "appsflyer"],
    ),
    (
        Purpose::Analytics,
        &[
            "analytics",
            "metrics",
            "metric",
            "telemetry",
            "stats",
            "statistics",
            "track",
            "tracking",
            "tracker",
            "beacon",
            "events",
            "localytics",
            "mixpanel",
            "amplitude",
            "flurry",
            "segment",
            "measurement",
        ],
    ),
    (Purpose::FirmwareUpdate, &["update", "updates", "upgrade", "fw", "firmware", "fota", "ota", "dfu"]),
    (Purpose::TimeSync, &["ntp", "time", "clock"]),
    (Purpose::Push, &["push", "mtalk", "fcm", "gcm", "apns", "notify", "notification", "notifications"]),
    (Purpose::NatTraversal, &["stun", "turn"]),
    (Purpose::Account, &["auth", "login", "account", "accounts", "oauth", "sso", "register", "signin"]),
    (Purpose::CloudBackup, &["backup"]),
    (Purpose::Support, &["support", "help"]),
    (Purpose::Content, &["cdn", "static", "assets", "img", "images", "media", "download", "downloads"]),
];

/// Ports that belong to one service only.
const PORTS: &[(u16, Purpose, &str)] = &[
    (5228, Purpose::Push, "port 5228 is that of Google's push service"),
    (5223, Purpose::Push, "port 5223 is that of Apple's push service"),
];

/// Guesses from the protocol, then from the name, then from the port.
pub(super) fn guess(protocol: &str, names: &[String], port: u16) -> Option<Guess> {
    if let Some((_, purpose, reason)) = PROTOCOLS.iter().find(|(word, ..)| *word == protocol) {
        return Some(Guess { purpose: *purpose, reason: (*reason).to_owned() });
    }
    for (purpose, words) in WORDS {
        for name in names {
            let told = words_of(name).find(|word| words.contains(word));
            if let Some(word) = told {
                return Some(Guess {
                    purpose: *purpose, reason: format!("its name has the word “{word}”")
                });
            }
        }
    }
    let (_, purpose, reason) = PORTS.iter().find(|(known, ..)| *known == port)?;
    Some(Guess { purpose: *purpose, reason: (*reason).to_owned() })
}

/// The words of a name, its public suffix left out.
fn words_of(name: &str) -> impl Iterator<Item = &str> {
    let public = psl::suffix_str(name).map_or(0, str::len);
    let own = name.get(..name.len().saturating_sub(public)).unwrap_or(name);
    own.split(|character: char| !character.is_ascii_alphabetic()).filter(|word| word.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(protocol: &str, name: &str) -> Option<Purpose> {
        guess(protocol, &[name.to_owned()], 443).map(|guess| guess.purpose)
    }

    #[test]
    fn a_protocol_says_more_than_a_name_and_only_whole_words_count() {
        assert_eq!(guessed("ntp", "update.vendor.example"), Some(Purpose::TimeSync));
        assert_eq!(guessed("tls", "fw-2.vendor.example"), Some(Purpose::FirmwareUpdate));
        assert_eq!(guessed("tls", "fwd.timely.example"), None);
        assert_eq!(guessed("tls", "x.vendor.help"), None);
    }
}

//! The closed lists of words that a declaration is written in, each with the place that it was taken from.
//!
//! It knows the words only; what they mean for a flow is the judge's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An enum whose variants are words of the manifest: the same word in YAML, in JSON and in what a person reads.
macro_rules! words {
    ($(#[$on:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$on])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $($(#[$of])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word, in the order of the list.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word for it in a manifest.
            pub fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }
        }
    };
}
pub(super) use words;

words! {
    /// Who talks.
    Talker {
        /// The watch itself.
        Watch = "watch",
        /// The companion app.
        App = "app",
        /// The phone's operating system.
        Os = "os",
    }
}

words! {
    /// What a declaration's ports are ports of.
    Transport {
        /// TCP.
        Tcp = "tcp",
        /// UDP, and so QUIC.
        Udp = "udp",
        /// ICMP and ICMPv6; no ports.
        Icmp = "icmp",
    }
}

words! {
    /// The least evidence that an endpoint's identity needs, strongest first: later ones are weaker.
    #[derive(Default)]
    Evidence {
        /// The client asserted the name, and a DNS answer gave it this address for it.
        #[default]
        Corroborated = "corroborated",
        /// A DNS answer alone.
        Dns = "dns",
        /// A name that the client asserted alone.
        Sni = "sni",
        /// A name in the certificate that the server showed.
        Cert = "cert",
        /// The address alone.
        Ip = "ip",
    }
}

words! {
    /// What a declaration asks of encryption.
    Encryption {
        /// Clear text is a failure.
        Required = "required",
    }
}

words! {
    /// Versions of TLS, in their order. QUIC is TLS 1.3 (RFC 9001 section 4.2).
    TlsVersion {
        /// RFC 2246; deprecated by RFC 8996.
        V1_0 = "1.0",
        /// RFC 4346; deprecated by RFC 8996.
        V1_1 = "1.1",
        /// RFC 5246.
        V1_2 = "1.2",
        /// RFC 8446.
        V1_3 = "1.3",
    }
}

words! {
    /// Whether the client may hide the name in an Encrypted Client Hello.
    Ech {
        /// It may.
        Allowed = "allowed",
        /// It may not.
        Forbidden = "forbidden",
    }
}

words! {
    /// What a declaration asks of the name in a ClientHello.
    Sni {
        /// A ClientHello without a server name is a failure.
        Required = "required",
    }
}

words! {
    /// Who opens the flow.
    #[derive(Default)]
    OpenedBy {
        /// The product: the ports are the peer's.
        #[default]
        Product = "product",
        /// The peer: the ports are the product's own.
        Peer = "peer",
    }
}

words! {
    /// What an endpoint is for.
    #[allow(missing_docs)] // the words are their own explanation
    Purpose {
        CoreFunction = "core-function",
        Account = "account",
        FirmwareUpdate = "firmware-update",
        AppUpdate = "app-update",
        TimeSync = "time-sync",
        Push = "push",
        ConnectivityCheck = "connectivity-check",
        NatTraversal = "nat-traversal",
        CrashReport = "crash-report",
        Analytics = "analytics",
        Advertising = "advertising",
        CloudBackup = "cloud-backup",
        Support = "support",
        Content = "content",
        Security = "security",
    }
}

words! {
    /// A category of personal data. The list is that of Apple's privacy manifests (`NSPrivacyCollectedDataType`), whose
    /// words are these in camel case, so that one can be checked against the other.
    #[allow(missing_docs)] // the words are their own explanation
    Data {
        Name = "name",
        EmailAddress = "email-address",
        PhoneNumber = "phone-number",
        PhysicalAddress = "physical-address",
        OtherUserContactInfo = "other-user-contact-info",
        Health = "health",
        Fitness = "fitness",
        PaymentInfo = "payment-info",
        CreditInfo = "credit-info",
        OtherFinancialInfo = "other-financial-info",
        PreciseLocation = "precise-location",
        CoarseLocation = "coarse-location",
        SensitiveInfo = "sensitive-info",
        Contacts = "contacts",
        EmailsOrTextMessages = "emails-or-text-messages",
        PhotosOrVideos = "photos-or-videos",
        AudioData = "audio-data",
        GameplayContent = "gameplay-content",
        CustomerSupport = "customer-support",
        OtherUserContent = "other-user-content",
        BrowsingHistory = "browsing-history",
        SearchHistory = "search-history",
        UserId = "user-id",
        DeviceId = "device-id",
        PurchaseHistory = "purchase-history",
        ProductInteraction = "product-interaction",
        AdvertisingData = "advertising-data",
        OtherUsageData = "other-usage-data",
        CrashData = "crash-data",
        PerformanceData = "performance-data",
        OtherDiagnosticData = "other-diagnostic-data",
        EnvironmentScanning = "environment-scanning",
        Hands = "hands",
        Head = "head",
        OtherDataTypes = "other-data-types",
    }
}

words! {
    /// What doubt leads to.
    #[derive(Default)]
    OnDoubt {
        /// The run is neither a pass nor a fail.
        #[default]
        Inconclusive = "inconclusive",
        /// The run fails.
        Fail = "fail",
    }
}

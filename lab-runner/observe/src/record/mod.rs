//! What an observation says: one [`FlowRecord`] a flow, and one [`Summary`].
//!
//! Scripts rely on the JSON of these types: fields and words may be added, never renamed or reordered. Every string
//! here is printable ASCII: bytes from the wire went through [`crate::escape`] first. Nothing here decides anything.

mod summary;
mod words;

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

pub use summary::{Aside, Summary};
pub use words::{BadMacAddr, L4, MacAddr, UnknownL4, Word};

/// The version of the records' format, written in [`Summary::format`].
pub const FORMAT: u32 = 1;

/// All that one capture told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The flows, in the order of their first packets.
    pub flows: Vec<FlowRecord>,
    /// Totals, and what could not be seen.
    pub summary: Summary,
    /// Frames of EtherType 0x88B5, with which the lab shows that a vantage point sees traffic. At most
    /// [`Observation::MAX_CANARIES`]; the rest only count in [`Summary::ether_types`].
    pub canaries: Vec<LinkFrame>,
}

impl Observation {
    /// More canary frames than this are counted and not kept.
    pub const MAX_CANARIES: usize = 1024;
}

/// One flow: a transport, both ends, and the VLAN. UDP rests for 60 s at most, ICMP for 30 s; what comes later is another
/// flow. An ICMP error counts into the flow that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowRecord {
    /// The capture file, as the caller names it; empty where there is none.
    pub file: String,
    /// The number of the flow in its capture, from 1, in the order of first packets.
    pub flow: u64,
    /// The transport.
    pub l4: L4,
    /// The end that opened the flow, or opened the one that this goes on from after a rest. The port is 0 where the
    /// transport has none.
    pub client: SocketAddr,
    /// The other end.
    pub server: SocketAddr,
    /// The outermost VLAN id (0–4095), where the frames carried a tag.
    pub vlan: Option<u16>,
    /// Time of the first packet, Unix nanoseconds.
    pub first_ns: u64,
    /// Time of the last packet, Unix nanoseconds.
    pub last_ns: u64,
    /// Packets: from the client, from the server.
    pub packets: [u64; 2],
    /// Bytes, of whole frames as they were on the wire: from the client, from the server.
    pub bytes: [u64; 2],
    /// What is spoken, known by its bytes: `tls`, `http`, `dns`, `ntp`, `nd`, …; or `unknown`.
    pub app: Word,
    /// All evidence for names, in the order in which it was seen.
    pub names: Vec<Name>,
    /// Whether the names tell who the server is.
    pub state: State,
    /// Why the flow is not named; `None` where it is.
    pub reason: Option<Reason>,
    /// A DNS answer to this client, before the flow, gave this server's address for every name that the client
    /// asserts (SNI, HTTP Host). True as well where DNS alone names the server; false where nothing does.
    pub corroborated: bool,
    /// The application protocols that the client offered (ALPN), in its order.
    pub alpn: Vec<Word>,
    /// The ClientHello hides its real name (Encrypted Client Hello or its forerunner ESNI).
    pub ech: bool,

    // Fields after this line came later; new ones go to the end.
    /// First and last frame of the flow; frames count from 1 in each capture.
    #[serde(default)]
    pub frames: [u64; 2],
    /// The link address that the client's first packet came from, where the link has any (`02:00:00:00:00:0a`).
    #[serde(default)]
    pub client_mac: Option<MacAddr>,
    /// The link address of the server's side.
    #[serde(default)]
    pub server_mac: Option<MacAddr>,
    /// The server sent at least one packet (for TCP: one that is not a reset).
    #[serde(default)]
    pub answered: bool,
    /// The first packet seen opens the flow (a TCP SYN; any other transport: anything but an answer of DNS). Where false, the flow is older
    /// than the capture, and who opened it was guessed.
    #[serde(default)]
    pub opening_seen: bool,
    /// Every packet was control traffic that no router forwards (neighbour discovery, MLD, IGMP).
    #[serde(default)]
    pub link_control: bool,
    /// Evidence that contradicts itself.
    #[serde(default)]
    pub disagreement: Vec<Disagreement>,
    /// `app` is a guess: only one side's bytes look like it.
    #[serde(default)]
    pub guessed: bool,
    /// The capture's interface on which the flow was first seen.
    #[serde(default)]
    pub interface: u32,
    /// The number of the flow that carries this one in a tunnel.
    #[serde(default)]
    pub tunnel: Option<u64>,
    /// Payload of this flow claimed to be of a parsed protocol and could not be read (malformed, cut, in fragments), or
    /// its header names another destination behind the server (source route): there may be more than the names tell.
    #[serde(default)]
    pub unread: bool,
    /// The version of `app`: as the server chose it, or as the client offered it (`1.3`, `v1`, `draft-29`, `Q046`); where
    /// TLS begins inside of another protocol, TLS's (`tls1.3`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Word>,
    /// The client's TLS fingerprint (JA4, FoxIO's technical description of 2023).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ja4: Option<String>,
    /// What the flow carries, in the clear, that identifies a user or device (`client_id`, `user_name`); never its value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carries: Vec<Word>,
    /// Oddities of this flow; the capture's are counted in [`Summary::weird`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weird: Vec<Weird>,
    /// Where the bytes told nothing: the service that is registered for the server's port. A guess, which no rule builds on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_suggests: Option<Word>,
    /// A TCP connection over which neither side sent a byte of payload, so that nothing was spoken at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
}

/// An oddity, and the first frame of a flow that had it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Weird {
    /// Its stable word, as in [`Summary::weird`].
    pub word: Word,
    /// The frame.
    pub frame: u64,
}

impl FlowRecord {
    /// A flow of which nothing is known but its ends.
    pub fn between(l4: L4, client: SocketAddr, server: SocketAddr) -> Self {
        Self {
            file: String::new(),
            flow: 0,
            l4,
            client,
            server,
            vlan: None,
            first_ns: 0,
            last_ns: 0,
            packets: [0; 2],
            bytes: [0; 2],
            app: "unknown".into(),
            names: Vec::new(),
            state: State::Unresolved,
            reason: None,
            corroborated: false,
            alpn: Vec::new(),
            ech: false,
            frames: [0; 2],
            client_mac: None,
            server_mac: None,
            answered: false,
            opening_seen: false,
            link_control: false,
            disagreement: Vec::new(),
            guessed: false,
            interface: 0,
            tunnel: None,
            unread: false,
            version: None,
            ja4: None,
            carries: Vec::new(),
            weird: Vec::new(),
            port_suggests: None,
            silent: false,
        }
    }

    /// Takes the record out of where it is lent; nothing is left there.
    pub fn take(&mut self) -> Self {
        let nowhere = (Ipv4Addr::UNSPECIFIED, 0).into();
        std::mem::replace(self, Self::between(L4::Other(0), nowhere, nowhere))
    }

    /// The names of one kind, in the order in which they were seen.
    pub fn names_of(&self, kind: NameKind) -> impl Iterator<Item = &str> {
        self.names.iter().filter(move |name| name.kind == kind).map(|name| name.name.as_str())
    }

    /// The name to show for the server: what the client asserts, else what DNS said; `None` if unnamed or ambiguous.
    pub fn best_name(&self) -> Option<&str> {
        if self.state != State::Named {
            return None;
        }
        let told = |name: &&Name| name.kind.is_asserted() && name.kind != NameKind::EchOuter;
        let own = self.server.ip();
        let mut asserted = self.names.iter().filter(told).filter(|name| name.name.parse() != Ok(own));
        let best = asserted.next().or_else(|| self.names.iter().find(|name| name.kind == NameKind::Dns));
        best.map(|name| name.name.as_str())
    }
}

/// One piece of name evidence.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Name {
    /// Where the name came from.
    pub kind: NameKind,
    /// The name: lower case, without a final dot, bytes that do not print as `\xNN`.
    pub name: String,
    /// The frame that carried it (the last of them, where it took several).
    pub frame: u64,
    /// For `dns`: the CNAMEs between the name that was asked for and the address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// For `dns`: how many seconds the answer holds, the least of the records on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// For `dns_query`: the type that was asked for, where it is none of addresses (`TXT`, `NULL`, `TYPE65399`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qtype: Option<String>,
    /// For `dns_query`: the answer holds keys for Encrypted Client Hello (RFC 9848).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ech: bool,
}

impl Name {
    /// A name as it was seen in a frame.
    pub fn new(kind: NameKind, name: impl Into<String>, frame: u64) -> Self {
        Self { kind, name: name.into(), frame, chain: Vec::new(), ttl: None, qtype: None, ech: false }
    }
}

/// Kinds of name evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NameKind {
    /// Server Name Indication of a TLS ClientHello over TCP.
    Sni,
    /// Server Name Indication of a ClientHello in QUIC.
    QuicSni,
    /// The Host of an HTTP/1 request.
    HttpHost,
    /// The authority of an HTTP request line or of HTTP/2.
    HttpAuthority,
    /// A name that this flow asked a resolver for. It does not name the resolver.
    DnsQuery,
    /// A DNS answer that this client got before the flow gives the server's address for this name.
    Dns,
    /// A subject name of the server's certificate.
    CertSan,
    /// A name in multicast DNS.
    Mdns,
    /// A name in LLMNR.
    Llmnr,
    /// A NetBIOS name.
    Netbios,
    /// A location in SSDP.
    Ssdp,
    /// The host name of a DHCP client, as it gives it to itself or its server does.
    Dhcp,
    /// An address that STUN mapped.
    StunMapped,
    /// An address that a TURN server relays.
    StunRelayed,
    /// SNI inside of a STARTTLS.
    StarttlsSni,
    /// The outer, untrusted SNI of an Encrypted Client Hello.
    EchOuter,
    /// An address that is reached through a TURN server, or another server that STUN sends the client to.
    StunPeer,
    /// The realm in which a STUN server asks for a password.
    StunRealm,
    /// The host that a CoAP request is for.
    CoapHost,
    /// The host in the URI that a SIP request is for.
    SipHost,
    /// A host that DNS gave this flow's client for a service (SRV).
    Srv,
    /// A name that DNS gave this flow's client for an address (PTR): whoever holds the address chose it.
    Ptr,
    /// What a server says of itself in its greeting: its host's name (SMTP, FTP), or its program (SSH).
    Greeting,
    /// What a client says of itself when it is greeted: its name (SMTP), or its program (SSH).
    Helo,
    /// The host that a SOCKS proxy is asked for.
    SocksHost,
    /// The domain that a stream of XMPP is opened to; its servers have names of their own (RFC 6120 §3.2).
    XmppHost,
    /// The host that an AMQP connection is opened to.
    AmqpHost,
    /// The host in the URI of an RTSP request.
    RtspHost,
    /// A host that SMB names: in a path that the client asks for, or as the server calls itself.
    SmbHost,
    /// The gateway in a command of MGCP.
    MgcpHost,
    /// Server Name Indication of a ClientHello that a relay passes on: it names whom the client reaches through the relay.
    RelayedSni,
}

impl NameKind {
    /// The client asserts it, and nothing else vouches for it.
    pub fn is_asserted(self) -> bool {
        matches!(
            self,
            Self::Sni
                | Self::QuicSni
                | Self::HttpHost
                | Self::HttpAuthority
                | Self::StarttlsSni
                | Self::EchOuter
                | Self::CoapHost
                | Self::SocksHost
                | Self::AmqpHost
                | Self::RtspHost
        )
    }

    /// The word in the records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sni => "sni",
            Self::QuicSni => "quic_sni",
            Self::HttpHost => "http_host",
            Self::HttpAuthority => "http_authority",
            Self::DnsQuery => "dns_query",
            Self::Dns => "dns",
            Self::CertSan => "cert_san",
            Self::Mdns => "mdns",
            Self::Llmnr => "llmnr",
            Self::Netbios => "netbios",
            Self::Ssdp => "ssdp",
            Self::Dhcp => "dhcp",
            Self::StunMapped => "stun_mapped",
            Self::StunRelayed => "stun_relayed",
            Self::StarttlsSni => "starttls_sni",
            Self::EchOuter => "ech_outer",
            Self::StunPeer => "stun_peer",
            Self::StunRealm => "stun_realm",
            Self::CoapHost => "coap_host",
            Self::SipHost => "sip_host",
            Self::Srv => "srv",
            Self::Ptr => "ptr",
            Self::Greeting => "greeting",
            Self::Helo => "helo",
            Self::SocksHost => "socks_host",
            Self::XmppHost => "xmpp_host",
            Self::AmqpHost => "amqp_host",
            Self::RtspHost => "rtsp_host",
            Self::SmbHost => "smb_host",
            Self::MgcpHost => "mgcp_host",
            Self::RelayedSni => "relayed_sni",
        }
    }
}

/// Whether a flow's names tell who the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// One name is asserted, or DNS gave this address for one name only.
    Named,
    /// DNS gave this address for several names, and nothing in the flow tells which is meant.
    Ambiguous,
    /// No name; [`FlowRecord::reason`] says why.
    Unresolved,
}

impl State {
    /// The word in the records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Ambiguous => "ambiguous",
            Self::Unresolved => "unresolved",
        }
    }
}

/// Why a flow has no one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The capture shows this client's look-ups, and none before the flow gave this address: it is hard-coded, or was
    /// looked up before the capture began.
    NeverQueried,
    /// The capture shows no look-up of this client before the flow. Where the capture began before the client was
    /// started, this is as good as [`Reason::NeverQueried`].
    NoDnsSeen,
    /// The flow was open before the capture began.
    BeforeCapture,
    /// The client had used DNS over TLS, HTTPS or QUIC, so its look-ups can't be seen.
    HiddenDns,
    /// The ClientHello hides its name, and DNS has none.
    Ech,
    /// The bytes that might have told were not captured (lost, cut, or above a bound).
    Loss,
    /// The server is a multicast, broadcast or link-local address, or the flow stays on the link: nobody looks it up.
    Local,
    /// The server answers look-ups itself; its address comes from configuration.
    Resolver,
    /// For [`State::Ambiguous`]: several names live on the address.
    SeveralNames,
}

impl Reason {
    /// The word in the records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeverQueried => "never_queried",
            Self::NoDnsSeen => "no_dns_seen",
            Self::BeforeCapture => "before_capture",
            Self::HiddenDns => "hidden_dns",
            Self::Ech => "ech",
            Self::Loss => "loss",
            Self::Local => "local",
            Self::Resolver => "resolver",
            Self::SeveralNames => "several_names",
        }
    }
}

/// Evidence that contradicts other evidence of the same flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Disagreement {
    /// DNS gave the address for other names than the one in the ClientHello.
    SniDns,
    /// DNS gave the address for other names than the one in the HTTP request.
    HostDns,
    /// The HTTP request and the ClientHello name different servers.
    HostSni,
    /// One flow asserts several names.
    SeveralAsserted,
    /// The server's certificate is for none of the hosts in the ClientHello: another server, or one that knows no better
    /// and shows what it has.
    SniCert,
}

/// A frame that carries no IP and that the lab itself sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFrame {
    /// The frame's number, from 1.
    pub frame: u64,
    /// Unix nanoseconds.
    pub ts_ns: u64,
    /// The capture's interface.
    pub interface: u32,
    /// The sender's link address.
    pub src_mac: MacAddr,
    /// The link address that it was sent to.
    pub dst_mac: MacAddr,
    /// What follows the EtherType: the first 32 bytes at most.
    pub payload: Vec<u8>,
}

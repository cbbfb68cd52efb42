//! The channel that the vendor told nobody about: telemetry to an address that the app carries in itself and
//! never looks up. What goes over it is real traffic, so that a lab can see it on the wire and nowhere else.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    os::fd::AsRawFd,
    sync::Arc,
    time::Duration,
};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrIn, SockaddrIn6, sendto, socket,
};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::web::IO_DEADLINE;

/// How long an answer is waited for where none is promised (UDP, ICMP, plain TCP).
const REPLY_WAIT: Duration = Duration::from_millis(300);

/// What carries the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TLS over TCP.
    Tls,
    /// Plain UDP datagrams.
    Udp,
    /// Plain TCP.
    Tcp,
    /// ICMP echo requests with the telemetry as payload.
    Icmp,
}

/// When the channel is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// When the app starts, before any watch is bonded.
    Start,
    /// Once the watch is paired.
    Paired,
}

/// The channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Covert {
    /// What carries it.
    pub transport: Transport,
    /// Where it goes.
    pub address: IpAddr,
    /// Port; unused with ICMP.
    #[serde(default = "Covert::default_port")]
    pub port: u16,
    /// When it is opened.
    #[serde(default = "Covert::default_when")]
    pub when: When,
    /// So many milliseconds after that.
    #[serde(default)]
    pub after_ms: u64,
    /// Name in the ClientHello; none leaves the extension out.
    #[serde(default)]
    pub sni: Option<String>,
}

impl Default for Covert {
    /// What version 2.3.0 of the app does.
    fn default() -> Self {
        Self {
            transport: Transport::Tls,
            address: Ipv4Addr::new(203, 0, 113, 66).into(),
            port: Self::default_port(),
            when: Self::default_when(),
            after_ms: 1_200,
            sni: None,
        }
    }
}

impl Covert {
    fn default_port() -> u16 {
        443
    }

    fn default_when() -> When {
        When::Paired
    }

    /// Sends the telemetry once.
    pub(super) fn send(&self, telemetry: &Value) -> io::Result<()> {
        std::thread::sleep(Duration::from_millis(self.after_ms));
        let mut payload = telemetry.to_string().into_bytes();
        payload.push(b'\n');
        let to = SocketAddr::new(self.address, self.port);
        match self.transport {
            Transport::Tls => over_tls(to, self.sni.as_deref(), &payload),
            Transport::Tcp => over_tcp(to, &payload),
            Transport::Udp => over_udp(to, &payload),
            Transport::Icmp => over_icmp(self.address, &payload),
        }
    }
}

fn over_tls(to: SocketAddr, sni: Option<&str>, payload: &[u8]) -> io::Result<()> {
    let name = match sni {
        Some(name) => ServerName::try_from(name.to_owned()).map_err(io::Error::other)?,
        // An address as name: the extension is left out (RFC 6066 §3).
        None => ServerName::IpAddress(to.ip().into()),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let tls = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(tls, connect(to, IO_DEADLINE)?);
    stream.write_all(payload)?;
    stream.flush()?;
    let mut answer = [0_u8; 256];
    let _ = stream.read(&mut answer)?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn over_tcp(to: SocketAddr, payload: &[u8]) -> io::Result<()> {
    let mut stream = connect(to, REPLY_WAIT)?;
    stream.write_all(payload)?;
    ignore_silence(stream.read(&mut [0_u8; 2048]))
}

fn over_udp(to: SocketAddr, payload: &[u8]) -> io::Result<()> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_read_timeout(Some(REPLY_WAIT))?;
    socket.send_to(payload, to)?;
    ignore_silence(socket.recv(&mut [0_u8; 2048]))
}

/// One echo request through the kernel's unprivileged ICMP socket, which fills in identifier and checksum.
fn over_icmp(to: IpAddr, payload: &[u8]) -> io::Result<()> {
    use nix::sys::socket::SockProtocol::{Icmp, IcmpV6};
    let (family, protocol, echo_request) = match to {
        IpAddr::V4(_) => (AddressFamily::Inet, Icmp, 8_u8),
        IpAddr::V6(_) => (AddressFamily::Inet6, IcmpV6, 128_u8),
    };
    let socket = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, protocol)?;
    let mut packet = vec![echo_request, 0, 0, 0, 0, 0, 0, 1];
    packet.extend_from_slice(payload);
    match to {
        IpAddr::V4(v4) => {
            let to = SockaddrIn::from(std::net::SocketAddrV4::new(v4, 0));
            sendto(socket.as_raw_fd(), &packet, &to, MsgFlags::empty())?;
        }
        IpAddr::V6(v6) => {
            let to = SockaddrIn6::from(std::net::SocketAddrV6::new(v6, 0, 0, 0));
            sendto(socket.as_raw_fd(), &packet, &to, MsgFlags::empty())?;
        }
    }
    Ok(())
}

fn connect(to: SocketAddr, read_deadline: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, IO_DEADLINE)?;
    stream.set_read_timeout(Some(read_deadline))?;
    stream.set_write_timeout(Some(IO_DEADLINE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn ignore_silence(read: io::Result<usize>) -> io::Result<()> {
    match read {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Takes any certificate, as such channels do; signatures are still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

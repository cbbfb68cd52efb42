//! The services that the U8 talks to: DNS, HTTPS, NTP, and a host that nobody declared. Real servers on the
//! addresses that they are given; they know nothing of a lab, and never leave the network they are started in.

mod accept;
mod authority;
mod cable;
mod dns;
mod echo;
mod https;
mod ntp;
pub mod zone;

use std::{
    convert::Infallible,
    io::{self, Write},
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    path::PathBuf,
    str::FromStr,
    sync::Arc,
    thread,
    time::Duration,
};

pub use zone::{Addresses, ZONE};

use authority::Authority;

/// Why the services could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// A socket could not be bound.
    #[error(
        "{service}: {address} can't be bound: {source}; is the address on an interface of this network, and may this user bind low ports?"
    )]
    Bind {
        /// Which service.
        service: &'static str,
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused the configuration.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The authority's certificate could not be written.
    #[error("the CA certificate can't be written to {path}: {source}")]
    CaFile {
        /// Where it was to go.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody takes what the services say.
    #[error("standard output can't be written: {0}")]
    Output(io::Error),
}

/// A further port of the undeclared host, written `tcp:8443` or `udp:3478`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EchoPort {
    /// Over TCP.
    Tcp(u16),
    /// Over UDP.
    Udp(u16),
}

impl FromStr for EchoPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = |number: &str| number.parse().map_err(|_| format!("`{number}` is no port (1–65535)"));
        match text.split_once(':') {
            Some(("tcp", number)) => Ok(Self::Tcp(port(number)?)),
            Some(("udp", number)) => Ok(Self::Udp(port(number)?)),
            _ => Err(format!("`{text}` is no port: write tcp:PORT or udp:PORT")),
        }
    }
}

/// Command line of the services.
#[derive(Debug, Clone, clap::Args)]
pub struct ServicesArgs {
    /// Where to write the certificate (PEM) of the throw-away CA that clients are to trust.
    #[arg(long, value_name = "FILE")]
    pub ca_file: PathBuf,
    /// A further port of the undeclared host, which sends back what it gets (tcp:PORT or udp:PORT).
    #[arg(long, value_name = "PROTO:PORT")]
    pub echo: Vec<EchoPort>,
    /// Fault: exit so many milliseconds after the start.
    #[arg(long, value_name = "MS")]
    pub die_after_ms: Option<u64>,
    /// Fault: exit at the first DNS query.
    #[arg(long)]
    pub die_at_first_query: bool,
    /// Fault: pull the cable to the phone so many milliseconds after the start.
    #[arg(long, value_name = "MS")]
    pub unplug_after_ms: Option<u64>,
}

impl From<ServicesArgs> for ServicesConfig {
    fn from(args: ServicesArgs) -> Self {
        Self {
            addresses: Addresses::default(),
            ports: Ports::default(),
            ca_file: args.ca_file,
            echo: args.echo,
            die_after: args.die_after_ms.map(Duration::from_millis),
            die_at_first_query: args.die_at_first_query,
            unplug_after: args.unplug_after_ms.map(Duration::from_millis),
        }
    }
}

/// Ports of the services; tests without privileges use high ones.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// DNS over UDP and TCP.
    pub dns: u16,
    /// HTTPS, and TLS on the undeclared host.
    pub https: u16,
    /// NTP.
    pub ntp: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { dns: 53, https: 443, ntp: 123 }
    }
}

/// What to serve and where.
#[derive(Debug, Clone)]
pub struct ServicesConfig {
    /// Addresses of the services.
    pub addresses: Addresses,
    /// Their ports.
    pub ports: Ports,
    /// Where the CA's certificate goes.
    pub ca_file: PathBuf,
    /// Further ports of the undeclared host.
    pub echo: Vec<EchoPort>,
    /// Fault: exit after this time.
    pub die_after: Option<Duration>,
    /// Fault: exit at the first DNS query.
    pub die_at_first_query: bool,
    /// Fault: pull the cable to the phone after this time.
    pub unplug_after: Option<Duration>,
}

/// Exit status of a death that was asked for.
const DEATH_STATUS: i32 = 70;

/// How the services are to end before their time.
#[derive(Debug)]
struct Life {
    die_at_first_query: bool,
}

impl Life {
    fn on_query(&self) {
        if self.die_at_first_query {
            std::process::exit(DEATH_STATUS);
        }
    }
}

/// Binds every service, writes the line `ready alive` and serves until the process is ended. Whoever then writes the line
/// `alive?` to the standard input gets the line `alive`.
///
/// # Errors
/// If a service can't be bound, or the CA can't be made or written. Once ready, it doesn't return.
pub fn run(config: ServicesConfig, mut said: impl Write) -> Result<Infallible, ServicesError> {
    bind(&config)?;
    say(&mut said, "ready alive")?;
    if let Some(time) = config.unplug_after {
        thread::spawn(move || {
            thread::sleep(time);
            if let Err(error) = cable::pull() {
                tracing::error!(%error, "the cable can't be pulled");
            }
        });
    }
    if let Some(time) = config.die_after {
        thread::spawn(move || {
            thread::sleep(time);
            std::process::exit(DEATH_STATUS);
        });
    }
    for line in io::stdin().lines().map_while(Result::ok) {
        if line == "alive?" {
            say(&mut said, "alive")?;
        }
    }
    // Nobody asks any more, which is no reason to go.
    loop {
        thread::park();
    }
}

fn say(to: &mut impl Write, line: &str) -> Result<(), ServicesError> {
    writeln!(to, "{line}").and_then(|()| to.flush()).map_err(ServicesError::Output)
}

/// Binds every service and serves from threads of this process; returns once all are bound and `ready` is told.
///
/// # Errors
/// If a service can't be bound, or the CA can't be made or written.
pub fn start(config: &ServicesConfig, mut ready: impl Write) -> Result<(), ServicesError> {
    bind(config)?;
    say(&mut ready, "ready")
}

fn bind(config: &ServicesConfig) -> Result<(), ServicesError> {
    let Addresses { dns, api, firmware, time, undeclared } = &config.addresses;
    let ports = config.ports;
    let life = Arc::new(Life { die_at_first_query: config.die_at_first_query });

    let authority = Authority::new()?;
    std::fs::write(&config.ca_file, authority.certificate_pem())
        .map_err(|source| ServicesError::CaFile { path: config.ca_file.clone(), source })?;

    let zone = Arc::new(config.addresses.zone());
    for address in dns {
        dns::serve_udp(udp("DNS", *address, ports.dns)?, Arc::clone(&zone), Arc::clone(&life));
        dns::serve_tcp(tcp("DNS", *address, ports.dns)?, Arc::clone(&zone), Arc::clone(&life));
    }
    let server = |label: &str| authority.server(&format!("{label}.{ZONE}"));
    https::serve(tcp("api", *api, ports.https)?, server("api")?, https::api);
    https::serve(tcp("fw", *firmware, ports.https)?, server("fw")?, https::firmware);
    ntp::serve(udp("time", *time, ports.ntp)?);
    for address in undeclared {
        let listener = tcp("undeclared host", *address, ports.https)?;
        https::serve_undeclared(listener, authority.server(&address.to_string())?);
        for port in &config.echo {
            match *port {
                EchoPort::Tcp(port) => echo::serve_tcp(tcp("undeclared host", *address, port)?),
                EchoPort::Udp(port) => echo::serve_udp(udp("undeclared host", *address, port)?),
            }
        }
    }
    Ok(())
}

fn udp(service: &'static str, address: IpAddr, port: u16) -> Result<UdpSocket, ServicesError> {
    let address = SocketAddr::new(address, port);
    UdpSocket::bind(address).map_err(|source| ServicesError::Bind { service, address, source })
}

fn tcp(service: &'static str, address: IpAddr, port: u16) -> Result<TcpListener, ServicesError> {
    let address = SocketAddr::new(address, port);
    TcpListener::bind(address).map_err(|source| ServicesError::Bind { service, address, source })
}

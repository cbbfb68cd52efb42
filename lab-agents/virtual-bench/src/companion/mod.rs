//! The U8 companion app: a program of its own that finds the bonded watch through the system's Bluetooth
//! service, reads who it is, and then talks to the vendor's cloud. It knows its own configuration and nothing
//! of a lab: nobody tells it when pairing is done.

#[cfg(all(test, feature = "services"))]
mod against_services;
mod clock;
mod covert;
mod resolver;
mod watch;
mod web;
#[cfg(all(test, feature = "services", feature = "radio"))]
mod whole_app;

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::json;

pub use covert::{Covert, Transport, When};

use watch::{About, Watch};

/// The version whose covert channel the U8 case is about; others have none of their own.
const VERSION_WITH_COVERT_CHANNEL: &str = "2.3.0";
/// How often a cloud service is tried, and the pause between.
const TRIES: u32 = 3;
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// What can go wrong in the app; each is told on its output.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The app's own configuration is unusable.
    #[error("{0}")]
    Setup(String),
    /// The Bluetooth service or D-Bus.
    #[error("Bluetooth: {0}")]
    Bus(#[from] zbus::Error),
    /// The watch isn't what the app expects.
    #[error("watch: {0}")]
    Watch(String),
    /// A DNS look-up.
    #[error("{host} can't be looked up: {why}")]
    Lookup {
        /// The name.
        host: String,
        /// The reason.
        why: String,
    },
    /// An HTTPS request.
    #[error("{host}: {why}")]
    Web {
        /// The server.
        host: String,
        /// The reason.
        why: String,
    },
    /// The time server.
    #[error("time server {server}: {why}")]
    Time {
        /// Its address.
        server: SocketAddr,
        /// The reason.
        why: String,
    },
    /// Standard output is gone.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

impl From<zbus::zvariant::Error> for AppError {
    fn from(error: zbus::zvariant::Error) -> Self {
        Self::Bus(error.into())
    }
}

/// A server by name and port, written `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// Host name.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("`{text}`: write host:port"))?;
        let port = port.parse().map_err(|_| format!("`{port}` is no port (1–65535)"))?;
        Ok(Self { host: host.to_owned(), port })
    }
}

/// The app's stages in their order; it can be made to crash after one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Stage {
    /// The app runs.
    Started,
    /// The watch is bonded, connected and read.
    Paired,
    /// The covert channel was used.
    Covert,
    /// The device is registered.
    Registered,
    /// The firmware was checked.
    Firmware,
    /// The time is synchronised.
    Time,
}

/// What became of the covert channel's option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CovertChoice {
    /// `none`.
    None,
    /// A JSON object.
    Channel(Covert),
}

impl FromStr for CovertChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        serde_json::from_str(text).map(Self::Channel).map_err(|error| format!("no covert channel: {error}"))
    }
}

/// Command line of the app.
#[derive(Debug, Clone, clap::Args)]
pub struct CompanionArgs {
    /// Which version of the app to be: 2.3.0 has the covert channel, others have none.
    #[arg(long, value_name = "VERSION", default_value = "2.3.1")]
    pub version_of_app: String,
    /// Certificate (PEM) of the authority to trust.
    #[arg(long, value_name = "FILE")]
    pub ca_file: PathBuf,
    /// DNS resolver.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::from((Ipv4Addr::new(203, 0, 113, 53), 53)))]
    pub resolver: SocketAddr,
    /// Name of the watch to look for.
    #[arg(long, value_name = "NAME", default_value = "U8 Nucleus")]
    pub watch: String,
    /// Where devices are registered.
    #[arg(long, value_name = "HOST:PORT", default_value = "api.nucleus-u8.example:443")]
    pub api: HostPort,
    /// Where firmware is checked.
    #[arg(long, value_name = "HOST:PORT", default_value = "fw.nucleus-u8.example:443")]
    pub firmware: HostPort,
    /// Time server.
    #[arg(long, value_name = "HOST:PORT", default_value = "time.nucleus-u8.example:123")]
    pub time: HostPort,
    /// The covert channel in place of the version's own: `none` or a JSON object such as
    /// {"transport":"udp","address":"203.0.113.66","port":3478,"when":"paired","sni":null}.
    #[arg(long, value_name = "JSON")]
    pub covert: Option<CovertChoice>,
    /// Fault: crash after this stage.
    #[arg(long, value_name = "STAGE")]
    pub crash_after: Option<Stage>,
    /// Send so many more packets to the time server, as fast as it goes.
    #[arg(long, value_name = "PACKETS", default_value_t = 0)]
    pub flood: u32,
}

/// The app's configuration.
#[derive(Debug, Clone)]
pub struct CompanionConfig {
    /// Version that the app says it has.
    pub version: String,
    /// Certificate of the authority to trust.
    pub ca_file: PathBuf,
    /// DNS resolver.
    pub resolver: SocketAddr,
    /// Name of the watch.
    pub watch: String,
    /// Where devices are registered.
    pub api: HostPort,
    /// Where firmware is checked.
    pub firmware: HostPort,
    /// Time server.
    pub time: HostPort,
    /// The covert channel, if it has one.
    pub covert: Option<Covert>,
    /// Crash after this stage.
    pub crash_after: Option<Stage>,
    /// Packets of the flood.
    pub flood: u32,
    /// D-Bus address of the Bluetooth service; absent: the system bus, which `DBUS_SYSTEM_BUS_ADDRESS` may move.
    pub bus: Option<String>,
}

impl From<CompanionArgs> for CompanionConfig {
    fn from(args: CompanionArgs) -> Self {
        let covert = match args.covert {
            Some(CovertChoice::None) => None,
            Some(CovertChoice::Channel(covert)) => Some(covert),
            None => (args.version_of_app == VERSION_WITH_COVERT_CHANNEL).then(Covert::default),
        };
        Self {
            version: args.version_of_app,
            ca_file: args.ca_file,
            resolver: args.resolver,
            watch: args.watch,
            api: args.api,
            firmware: args.firmware,
            time: args.time,
            covert,
            crash_after: args.crash_after,
            flood: args.flood,
            bus: None,
        }
    }
}

/// Runs the app until its standard input ends (it then returns) or it is signalled.
///
/// # Errors
/// If it can't be set up, or the Bluetooth service or the watch fails it. A cloud service that fails is told on
/// `output`, and the app goes on.
pub fn run(config: CompanionConfig, output: impl Write) -> Result<(), AppError> {
    // The app is closed by closing its standard input, at whatever stage it is.
    thread::spawn(|| {
        let mut sink = [0_u8; 256];
        while matches!(io::stdin().read(&mut sink), Ok(1..)) {}
        std::process::exit(0);
    });
    App { config, output }.run()
}

struct App<W> {
    config: CompanionConfig,
    output: W,
}

impl<W: Write> App<W> {
    fn run(mut self) -> Result<(), AppError> {
        let version = self.config.version.clone();
        let user_agent = format!("U8Companion/{version}");
        let web = web::Client::new(&self.config.ca_file, self.config.resolver, user_agent)?;
        self.say(&format!("U8 companion {version} started"))?;
        self.send_covertly(When::Start, None)?;
        self.reached(Stage::Started)?;

        let watch = Watch::wait_for(&self.config.watch, self.config.bus.as_deref())?;
        let about = watch.about()?;
        self.say(&format!("paired {} fw {}", self.config.watch, about.firmware))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        watch.set_time(u32::try_from(now).unwrap_or(u32::MAX))?;
        self.reached(Stage::Paired)?;
        self.send_covertly(When::Paired, Some(&about))?;
        self.reached(Stage::Covert)?;

        self.register(&web, &about)?;
        self.reached(Stage::Registered)?;
        self.check_firmware(&web, &about)?;
        self.reached(Stage::Firmware)?;
        self.synchronise()?;
        self.reached(Stage::Time)?;
        loop {
            thread::park();
        }
    }

    fn register(&mut self, web: &web::Client, about: &About) -> Result<(), AppError> {
        let device = json!({
            "model": about.model, "firmware": about.firmware, "app": self.config.version,
        });
        let api = self.config.api.clone();
        let answer = persist(|| web.request("POST", &api, "/v1/devices", Some(&device)));
        match answer {
            Ok((201, _)) => self.say("registered"),
            Ok((status, _)) => self.say(&format!("registration failed: status {status}")),
            Err(error) => self.say(&format!("registration failed: {error}")),
        }
    }

    fn check_firmware(&mut self, web: &web::Client, about: &About) -> Result<(), AppError> {
        let server = self.config.firmware.clone();
        let path = format!("/v1/firmware?model={}&current={}", query(&about.model), query(&about.firmware));
        match persist(|| web.request("GET", &server, &path, None)) {
            Ok((200, answer)) => {
                let latest = answer["latest"].as_str().unwrap_or("");
                if version_number(latest) <= version_number(&about.firmware) {
                    self.say("firmware up to date")
                } else {
                    self.say(&format!("firmware {latest} is available"))
                }
            }
            Ok((status, _)) => self.say(&format!("firmware check failed: status {status}")),
            Err(error) => self.say(&format!("firmware check failed: {error}")),
        }
    }

    fn synchronise(&mut self) -> Result<(), AppError> {
        let server = match persist(|| clock::locate(self.config.resolver, &self.config.time)) {
            Ok(server) => server,
            Err(error) => return self.say(&format!("time synchronisation failed: {error}")),
        };
        match persist(|| clock::ask(server)) {
            Ok(_) => self.say("time synchronised")?,
            Err(error) => self.say(&format!("time synchronisation failed: {error}"))?,
        }
        if self.config.flood > 0 {
            clock::flood(server, self.config.flood)?;
        }
        Ok(())
    }

    /// Uses the covert channel where its time has come. Silent on success and failure alike.
    fn send_covertly(&mut self, now: When, about: Option<&About>) -> Result<(), AppError> {
        if let Some(covert) = self.config.covert.as_ref().filter(|covert| covert.when == now) {
            let telemetry = json!({
                "app": self.config.version,
                "model": about.map(|about| &about.model),
                "fw": about.map(|about| &about.firmware),
                "event": if about.is_some() { "paired" } else { "start" },
            });
            if let Err(error) = covert.send(&telemetry) {
                tracing::debug!(%error, "telemetry failed");
            }
        }
        Ok(())
    }

    fn reached(&mut self, stage: Stage) -> Result<(), AppError> {
        if self.config.crash_after == Some(stage) {
            self.output.flush()?;
            std::process::abort();
        }
        Ok(())
    }

    fn say(&mut self, line: &str) -> Result<(), AppError> {
        writeln!(self.output, "{line}")?;
        self.output.flush()?;
        Ok(())
    }
}

/// Tries again where a service fails, as an app does.
fn persist<T>(mut attempt: impl FnMut() -> Result<T, AppError>) -> Result<T, AppError> {
    let mut tried = 1;
    loop {
        match attempt() {
            Err(_) if tried < TRIES => {
                tried += 1;
                thread::sleep(RETRY_PAUSE);
            }
            result => return result,
        }
    }
}

/// The characters of a value that may stand in a query as they are (RFC 3986 §2.3); others are left out.
fn query(value: &str) -> String {
    value.chars().filter(|c| c.is_ascii_alphanumeric() || "-._~".contains(*c)).collect()
}

fn version_number(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

//! The network agent: an isolated network on this host, with a phone's side and a services' side and one link between
//! them. Nothing on it reaches the host's own network. It starts what the bench says answers there, and sends the
//! canaries; it captures nothing.

pub mod holder;
mod offload;
mod packet;
mod program;
mod rtnetlink;
mod talk;
mod topology;

use std::{
    collections::VecDeque,
    fmt::Write as _,
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};

use ipnet::IpNet;
use lab_protocol::{Action, Event, Fault, NetworkFacts, Reply, Side, Vantage, binding};
use serde_json::{Value, json};

use crate::{
    Agent, Call, Outlet, canary,
    carrier::{die_with_parent, pass_fd},
};
use talk::{Order, Report};

/// Arguments with which this program starts itself again as [`holder::main`].
pub const HOLDER_ARGS: [&str; 2] = ["agent", "namespace-holder"];
/// Code of the fault where the holder took too long.
const TIMEOUT: &str = "network-timeout";
/// How long sending a canary may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the services' program may take to say that it still serves.
const SERVICES_PATIENCE: Duration = Duration::from_secs(2);
/// How long the holder may take to go.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often a wait looks whether it was cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(50);
/// How many of the services' last lines a fault quotes.
const LAST_LINES: usize = 5;

/// Makes the agent; nothing is touched before [`Action::NetworkUp`].
///
/// # Errors
/// If the binding is none for this agent.
pub fn start(binding: Value, outlet: &Outlet) -> Result<Box<dyn Agent>, Fault> {
    let network: binding::Network = serde_json::from_value(binding)
        .map_err(|error| Fault::bench("binding-invalid", format!("the bench's gateway: {error}")))?;
    Ok(Box::new(NetworkAgent { network, outlet: outlet.clone(), up: None }))
}

struct NetworkAgent {
    network: binding::Network,
    outlet: Outlet,
    up: Option<Up>,
}

/// A network that is up.
struct Up {
    keeper: Child,
    control: UnixStream,
    reports: Receiver<Report>,
    ended: Ended,
}

/// How the services' program or the holder ended, once either has.
type Ended = Arc<Mutex<Option<Fault>>>;

impl Agent for NetworkAgent {
    fn call(&mut self, call: &Call<'_>) -> Result<Reply, Fault> {
        match call.action {
            Action::NetworkUp => self.up(call),
            Action::Canary => self.canary(call),
            Action::CheckNetwork => self.check(call).map(|()| Reply::Ok),
            Action::NetworkDown => {
                self.release();
                Ok(Reply::Ok)
            }
            _ => Err(call.unknown()),
        }
    }

    fn release(&mut self) {
        if let Some(up) = self.up.take() {
            up.take_down();
        }
    }
}

impl NetworkAgent {
    fn up(&mut self, call: &Call<'_>) -> Result<Reply, Fault> {
        self.release();
        let up = self.up.insert(Up::start(&self.network, self.outlet.clone())?);
        // Keeper and holder both report, in no certain order.
        let (mut holding, mut made, mut ready) = (None, false, self.network.program.is_none());
        let result = up.wait(call, call.deadline, "make the network", |report| {
            match report {
                Report::Holding { pid, user_namespace } => holding = Some((pid, user_namespace)),
                Report::Made => made = true,
                Report::Ready => ready = true,
                _ => {}
            }
            holding.filter(|_| made && ready)
        });
        let (pid, user_namespace) = result.map_err(|fault| match fault.code.as_str() {
            TIMEOUT if made => Fault::bench(
                "services-not-ready",
                "the services' program did not print the line `ready` before the deadline",
            )
            .with_help("run the program that the bench names for them by hand"),
            _ => fault,
        })?;
        tracing::info!(user_namespace, "the isolated network is up");
        call.out.attach("phone", json!(binding::Handle { pid }));
        call.out.attach("services", json!(binding::Handle { pid: up.keeper.id() as i32 }));
        Ok(Reply::Network { facts: self.facts() })
    }

    fn canary(&mut self, call: &Call<'_>) -> Result<Reply, Fault> {
        self.alive()?;
        let Some(up) = &mut self.up else { return Err(not_up()) };
        let mut nonce = [0_u8; canary::NONCE];
        File::open("/dev/urandom")
            .and_then(|mut random| random.read_exact(&mut nonce))
            .map_err(|error| Fault::bench("no-randomness", format!("/dev/urandom: {error}")))?;
        let nonce = nonce.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string can't fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        up.order(&Order::Canary { nonce: nonce.clone() })?;
        let soon = Instant::now() + call.left(PATIENCE);
        up.wait(call, soon, "send a canary", |report| matches!(report, Report::CanarySent).then_some(()))?;
        Ok(Reply::CanarySent { nonce })
    }

    /// Fails unless the holder and the services' program still run, and the program answers where it can be asked.
    fn check(&mut self, call: &Call<'_>) -> Result<(), Fault> {
        self.alive()?;
        let Some(up) = &mut self.up else { return Err(not_up()) };
        up.order(&Order::AskServices)?;
        let soon = Instant::now() + call.left(SERVICES_PATIENCE);
        let answered =
            up.wait(call, soon, "ask the services", |report| matches!(report, Report::Alive).then_some(()));
        answered.map_err(|fault| match fault.code.as_str() {
            TIMEOUT => Fault::bench(
                "services-silent",
                format!(
                    "the bench's own services run but did not answer for {} s",
                    SERVICES_PATIENCE.as_secs()
                ),
            )
            .with_help("run the program that the bench names for them by hand; is this host overloaded?"),
            _ => fault,
        })
    }

    fn alive(&self) -> Result<(), Fault> {
        let up = self.up.as_ref().ok_or_else(not_up)?;
        up.ended.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }

    fn facts(&self) -> NetworkFacts {
        let side =
            |name: &str, mac, addresses: &[String], behind: &[std::net::IpAddr], only_companion| Side {
                name: name.to_owned(),
                macs: vec![mac_text(mac)],
                addresses: addresses
                    .iter()
                    .filter_map(|text| text.parse::<IpNet>().ok())
                    .map(|address| address.addr())
                    .chain(behind.iter().copied())
                    .map(|address| address.to_string())
                    .collect(),
                only_companion,
            };
        let Self { network, .. } = self;
        NetworkFacts {
            sides: vec![
                side("phone", topology::PHONE_MAC, &network.phone, &[], true),
                side(
                    "services",
                    topology::SERVICES_MAC,
                    &network.services,
                    &network.service_addresses,
                    false,
                ),
            ],
            vantages: vec![Vantage { name: "phone".to_owned(), side: "phone".to_owned() }],
            gateways: network.phone_via.iter().map(ToString::to_string).collect(),
            resolvers: network.resolvers.iter().map(ToString::to_string).collect(),
            networks: network
                .phone
                .iter()
                .filter_map(|text| text.parse::<IpNet>().ok())
                .map(|address| address.trunc().to_string())
                .collect(),
        }
    }
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn not_up() -> Fault {
    Fault::bench("network-not-up", "the isolated network is not up")
}

impl Up {
    fn start(network: &binding::Network, outlet: Outlet) -> Result<Self, Fault> {
        let fault =
            |error: std::io::Error| Fault::bench("network-broken", format!("the network's holder: {error}"));
        let (control, theirs) = UnixStream::pair().map_err(fault)?;
        let mut command = Command::new("/proc/self/exe");
        command.args(HOLDER_ARGS).stdin(Stdio::null()).stdout(Stdio::null());
        pass_fd(&mut command, theirs.into()).map_err(fault)?;
        die_with_parent(&mut command);
        let keeper = command.spawn().map_err(fault)?;
        // The command still holds the holder's end of the line.
        drop(command);

        let (sender, reports) = mpsc::channel();
        let ended = Ended::default();
        let (listening, told) = (control.try_clone().map_err(fault)?, Arc::clone(&ended));
        std::thread::Builder::new()
            .name("holder".to_owned())
            .spawn(move || listen(listening, &outlet, &sender, &told))
            .map_err(fault)?;
        let mut up = Self { keeper, control, reports, ended };
        up.order(&Order::Make { network: Box::new(network.clone()) })?;
        Ok(up)
    }

    fn order(&mut self, order: &Order) -> Result<(), Fault> {
        let gone = |error: &dyn std::fmt::Display| {
            Fault::bench("network-gone", format!("the network's holder takes no orders: {error}"))
        };
        let mut line = serde_json::to_vec(order).map_err(|error| gone(&error))?;
        line.push(b'\n');
        self.control.write_all(&line).map_err(|error| gone(&error))
    }

    /// Waits for a report of one kind; others are dropped.
    fn wait<T>(
        &self,
        call: &Call<'_>,
        until: Instant,
        doing: &str,
        mut wanted: impl FnMut(Report) -> Option<T>,
    ) -> Result<T, Fault> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || call.cancel.is_set() {
                return Err(Fault::bench(TIMEOUT, format!("it took too long to {doing}")));
            }
            match self.reports.recv_timeout(left.min(CANCEL_POLL)) {
                Ok(Report::Failed { fault }) => return Err(fault),
                Ok(report) => {
                    if let Some(found) = wanted(report) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    return Err(ended.unwrap_or_else(not_up));
                }
            }
            let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(fault) = ended {
                // What it said last explains more than that it ended.
                return Err(self.reports.try_iter().find_map(failure).unwrap_or(fault));
            }
        }
    }

    fn take_down(mut self) {
        // Not a fault from here on.
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(not_up());
        // The holder goes when its line ends, everything in the namespaces goes with it.
        let _ = self.control.shutdown(std::net::Shutdown::Both);
        let patience = Instant::now() + FAREWELL;
        while matches!(self.keeper.try_wait(), Ok(None)) {
            if Instant::now() > patience {
                let _ = self.keeper.kill();
                let _ = self.keeper.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn failure(report: Report) -> Option<Fault> {
    if let Report::Failed { fault } = report { Some(fault) } else { None }
}

/// Reads what the holder says until its line ends.
fn listen(control: UnixStream, outlet: &Outlet, reports: &Sender<Report>, ended: &Ended) {
    let end = |fault: Fault| {
        let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.is_none() {
            outlet.event(None, Event::Fault { fault: fault.clone() });
            *ended = Some(fault);
        }
    };
    let mut last_lines = VecDeque::new();
    for line in BufReader::new(control).lines() {
        let Ok(line) = line else { break };
        let Ok(report) = serde_json::from_str::<Report>(&line) else { continue };
        match &report {
            Report::Line { stream, text } => {
                if last_lines.len() == LAST_LINES {
                    last_lines.pop_front();
                }
                last_lines.push_back(text.clone());
                outlet.event(None, Event::Line { stream: stream.clone(), text: text.clone() });
            }
            Report::Exited { status } => {
                outlet.event(None, Event::Exited { what: "services".to_owned(), status: status.clone() });
                let words = Vec::from(last_lines.clone()).join(" / ");
                let said = if words.is_empty() { String::new() } else { format!("; it said last: {words}") };
                end(Fault::bench(
                    "services-ended",
                    format!("the bench's own services ended: {status}{said}"),
                )
                .with_help("run the program that the bench names for them by hand"));
            }
            _ => {}
        }
        // Nobody waits for reports of no interest.
        let _ = reports.send(report);
    }
    end(Fault::bench("network-gone", "the process that holds the isolated network is gone"));
}

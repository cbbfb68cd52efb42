//! One recording: a thread that takes packets from libpcap at a vantage point, stamps them steadily, writes them to
//! the capture file and looks out for canaries.

use std::{
    os::fd::AsFd,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use lab_protocol::{BlobRef, CanaryWay, Event, Fault, binding::VantagePoint};
use nix::poll::{PollFd, PollFlags, poll};
use pcap::{Active, Capture, Precision};

use super::{file::CaptureFile, steady::SteadyClock};
use crate::{Cancel, Outlet, canary, namespaces::Namespaces};

/// Longest packet kept whole, in bytes: more than any link has.
const SNAPLEN: u32 = 262_144;
/// The kernel's buffer in bytes where the bench says nothing.
const BUFFER: u32 = 32 << 20;
/// How long the kernel may collect packets before it hands them over, in milliseconds. Immediate mode loses packets.
const TIMEOUT_MS: i32 = 50;
/// After so many waits of that length without a packet, none that came before is on its way any more.
const QUIET_WAITS: u32 = 2;
/// A piece of the file is sent at least this often.
const FLUSH: Duration = Duration::from_millis(100);
/// Counters are reported this often.
const STATS: Duration = Duration::from_secs(1);
/// How often a wait looks whether it was cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// What a recording has counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counters {
    pub(super) received: u64,
    pub(super) dropped: u64,
    pub(super) if_dropped: u64,
    pub(super) written: u64,
}

/// What a recording gave.
pub(super) struct Recorded {
    pub(super) counters: Counters,
    /// The file, as far as it could be written.
    pub(super) file: Option<(String, BlobRef)>,
    /// Why it ended early, where it did.
    pub(super) fault: Option<Fault>,
}

/// A recording under way.
pub(super) struct Recorder {
    vantage: String,
    /// Set once it is to end; by when it has to.
    stop: Arc<OnceLock<Instant>>,
    canaries: Arc<Canaries>,
    thread: JoinHandle<Recorded>,
}

#[derive(Debug, Default)]
struct Canaries {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Seen {
    out: u32,
    back: u32,
    ended: Option<Fault>,
}

impl Canaries {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// Starts recording; returns once packets are being received.
    pub(super) fn start(
        vantage: &str,
        point: &VantagePoint,
        inside: Option<Namespaces>,
        out: &Outlet,
    ) -> Result<Self, Fault> {
        let (stop, canaries) = (Arc::new(OnceLock::new()), Arc::new(Canaries::default()));
        let (opened, is_open) = mpsc::channel();
        let (name, point, outlet) = (vantage.to_owned(), point.clone(), out.clone());
        let (stopped, told) = (Arc::clone(&stop), Arc::clone(&canaries));
        let thread = std::thread::Builder::new()
            .name(format!("capture {vantage}"))
            .spawn(move || match open(&name, &point, inside) {
                Ok((capture, file)) => {
                    // Whoever started this waits for it.
                    let _ = opened.send(Ok(()));
                    let clock = SteadyClock::new(outlet.epoch());
                    let counters = Counters::default();
                    Recording { name, capture, file, clock, counters, out: outlet, canaries: told }
                        .run(&stopped)
                }
                Err(fault) => {
                    let _ = opened.send(Err(fault));
                    Recorded { counters: Counters::default(), file: None, fault: None }
                }
            })
            .map_err(|error| Fault::bench("capture-not-started", error.to_string()))?;
        is_open
            .recv()
            .unwrap_or_else(|_| Err(Fault::bench("capture-not-started", "the capture's thread ended")))?;
        Ok(Self { vantage: vantage.to_owned(), stop, canaries, thread })
    }

    /// Waits until that many canaries were seen in each direction.
    pub(super) fn await_canaries(&self, count: u32, until: Instant, cancel: &Cancel) -> Result<(), Fault> {
        let mut seen = self.canaries.lock();
        loop {
            if seen.out.min(seen.back) >= count {
                return Ok(());
            }
            if let Some(fault) = &seen.ended {
                return Err(fault.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || cancel.is_set() {
                let (vantage, out, back) = (&self.vantage, seen.out, seen.back);
                return Err(Fault::doubt(
                    "canary-missing",
                    format!(
                        "vantage point {vantage} does not see all traffic: of {count} canaries it saw {out} from \
                         the phone and {back} to it"
                    ),
                ));
            }
            seen = self
                .canaries
                .changed
                .wait_timeout(seen, left.min(CANCEL_POLL))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Ends the recording once what was received until now is written, at the latest at `until`. What isn't written by
    /// then counts as dropped.
    pub(super) fn finish(self, until: Instant) -> Recorded {
        self.stop.get_or_init(|| until);
        self.thread.join().unwrap_or_else(|_| Recorded {
            counters: Counters::default(),
            file: None,
            fault: Some(Fault::bench("capture-broken", "the capture's thread panicked")),
        })
    }
}

fn open(
    vantage: &str,
    point: &VantagePoint,
    inside: Option<Namespaces>,
) -> Result<(Capture<Active>, CaptureFile), Fault> {
    let interface = &point.interface;
    let fault = |error: &dyn std::fmt::Display| {
        Fault::bench("capture-not-started", format!("{interface} can't be captured for {vantage}: {error}"))
            .with_help("check that the interface exists and that this user may capture on it (CAP_NET_RAW)")
    };
    if let Some(namespaces) = &inside {
        namespaces.enter_net().map_err(|error| fault(&error))?;
    }
    // In a namespace there is nothing to be promiscuous for, and libpcap would add the drops that /sys tells of the
    // interface of the same name in the host's own.
    let promiscuous = inside.is_none();
    let buffer = i32::try_from(point.buffer.unwrap_or(BUFFER)).unwrap_or(i32::MAX);
    let inactive = || {
        Capture::from_device(interface.as_str()).map(|capture| {
            capture.snaplen(SNAPLEN as i32).buffer_size(buffer).timeout(TIMEOUT_MS).promisc(promiscuous)
        })
    };
    let capture = inactive()
        .and_then(|capture| capture.precision(Precision::Nano).open())
        // Some interfaces have no nanoseconds.
        .or_else(|_| inactive().and_then(Capture::open))
        .and_then(Capture::setnonblock)
        .map_err(|error| fault(&error))?;
    let file = CaptureFile::begin(vantage, interface, capture.get_datalink().0, SNAPLEN)?;
    Ok((capture, file))
}

/// How a recording ended.
#[derive(Debug, Clone, Copy)]
enum Ended {
    /// All that the kernel had was written.
    Drained,
    /// There may have been more.
    Early,
}

struct Recording {
    name: String,
    capture: Capture<Active>,
    file: CaptureFile,
    clock: SteadyClock,
    counters: Counters,
    out: Outlet,
    canaries: Arc<Canaries>,
}

impl Recording {
    fn run(mut self, stop: &OnceLock<Instant>) -> Recorded {
        let (ended, mut fault) = match self.record(stop) {
            Ok(ended) => (ended, None),
            Err(fault) => (Ended::Early, Some(fault)),
        };
        if let Some(fault) = &fault {
            self.canaries.lock().ended = Some(fault.clone());
            self.canaries.changed.notify_all();
            self.out.event(None, Event::Fault { fault: fault.clone() });
        }
        self.count();
        self.settle(ended);
        let Counters { received, dropped, if_dropped, .. } = self.counters;
        let t = self.out.epoch().steady_wall_ns(self.out.now());
        let file = match self.file.finish(t, received, dropped, if_dropped, &self.out) {
            Ok(file) => Some(file),
            Err(error) => {
                fault.get_or_insert(error);
                None
            }
        };
        Recorded { counters: self.counters, file, fault }
    }

    fn record(&mut self, stop: &OnceLock<Instant>) -> Result<Ended, Fault> {
        // The file's head goes out at once.
        self.file.flush(&self.out);
        let nanoseconds = matches!(self.precision(), Precision::Nano);
        let (mut flushed, mut counted) = (Instant::now(), Instant::now());
        let (mut fresh, mut stopping, mut quiet) = (false, false, 0);
        loop {
            match self.capture.next_packet() {
                Ok(packet) => {
                    quiet = 0;
                    if !fresh {
                        self.clock.refresh();
                        fresh = true;
                    }
                    let header = packet.header;
                    let fraction = u64::try_from(header.ts.tv_usec).unwrap_or(0);
                    let stamp = u64::try_from(header.ts.tv_sec).unwrap_or(0) * 1_000_000_000
                        + if nanoseconds { fraction } else { fraction * 1000 };
                    let t = self.clock.steady_wall_ns(stamp);
                    let found = canary::parse(packet.data);
                    let frame = self.file.frame(t, packet.data, header.len)?;
                    if let Some((_, direction)) = found {
                        self.canary(direction, frame, t);
                    }
                }
                Err(pcap::Error::TimeoutExpired) => {
                    fresh = false;
                    quiet = if self.wait()? { 0 } else { quiet + 1 };
                    self.clock.refresh();
                }
                Err(error) => return Err(gone(&self.name, &error)),
            }
            let now = Instant::now();
            if now - flushed >= FLUSH || self.file.is_long() {
                self.file.flush(&self.out);
                flushed = now;
                fresh = false;
            }
            if now - counted >= STATS && !stopping {
                self.count();
                self.tell_counters();
                counted = now;
            }
            if let Some(until) = stop.get() {
                if !stopping {
                    stopping = true;
                    quiet = 0;
                    self.count();
                }
                let outstanding = self.counters.received.saturating_sub(self.counters.dropped);
                if self.file.frames() >= outstanding || quiet >= QUIET_WAITS {
                    return Ok(Ended::Drained);
                }
                if now >= *until {
                    return Ok(Ended::Early);
                }
            }
        }
    }

    /// Waits for packets, at most as long as the kernel collects them; says whether any came. Waited for here since libpcap, with this kind
    /// of buffer, would wait without end for the first packet.
    fn wait(&self) -> Result<bool, Fault> {
        let mut watched = [PollFd::new(self.capture.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, TIMEOUT_MS.unsigned_abs() as u16) {
            Ok(ready) => Ok(ready > 0),
            Err(nix::Error::EINTR) => Ok(true),
            Err(error) => Err(Fault::bench("capture-ended", format!("poll: {error}"))),
        }
    }

    fn precision(&self) -> Precision {
        // SAFETY: the handle is open as long as the capture lives; the call only reads from it.
        let precision = unsafe { pcap_get_tstamp_precision(self.capture.as_ptr().cast()) };
        if precision == 1 { Precision::Nano } else { Precision::Micro }
    }

    fn canary(&self, direction: u8, frame: u64, t: u64) {
        let way = if direction == canary::FROM_PHONE { CanaryWay::Out } else { CanaryWay::In };
        let since = t.saturating_sub(self.out.epoch().wall_ns);
        let event = Event::CanarySeen { vantage: self.name.clone(), way, frame };
        self.out.event_at(since, None, event);
        let mut seen = self.canaries.lock();
        match way {
            CanaryWay::Out => seen.out = seen.out.saturating_add(1),
            CanaryWay::In => seen.back = seen.back.saturating_add(1),
        }
        self.canaries.changed.notify_all();
    }

    fn count(&mut self) {
        self.counters.written = self.file.frames();
        // An interface that is gone counts no more; what it counted last stands.
        if let Ok(stats) = self.capture.stats() {
            self.counters.received = stats.received.into();
            self.counters.dropped = stats.dropped.into();
            self.counters.if_dropped = stats.if_dropped.into();
        }
    }

    /// Makes the last counters add up. Where all was written, what is lost is what the kernel says: on the loopback
    /// interface it also counts the packets' way out, which libpcap leaves aside. Where it ended early, what was
    /// received but can't be written any more is as good as dropped.
    fn settle(&mut self, ended: Ended) {
        let counters = &mut self.counters;
        counters.written = self.file.frames();
        let accounted = counters.written + counters.dropped;
        counters.received = match ended {
            Ended::Drained => accounted,
            Ended::Early => counters.received.max(accounted),
        };
        counters.dropped = counters.received - counters.written;
    }

    fn tell_counters(&self) {
        let Counters { received, dropped, if_dropped, written } = self.counters;
        let vantage = self.name.clone();
        self.out.event(None, Event::CaptureStats { vantage, received, dropped, if_dropped, written });
    }
}

fn gone(vantage: &str, error: &pcap::Error) -> Fault {
    Fault::bench("capture-ended", format!("the capture at vantage point {vantage} broke off: {error}"))
        .with_help("the interface may have been removed or switched off during the run")
}

unsafe extern "C" {
    /// Whether packets come with nanoseconds (1) or microseconds (0): pcap_get_tstamp_precision(3).
    fn pcap_get_tstamp_precision(handle: *mut std::ffi::c_void) -> std::ffi::c_int;
}

//! Traffic that was made to hurt: each kind stays within a stated time for a frame and a stated memory, and takes no more than
//! its share when there is four times as much of it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod memory;
mod packets;

use std::time::{Duration, Instant};

use lab_observe::{Frame, Observation, Observer, Options};
use packets::{Wire, client_hello, dns_query};

const MIB: usize = 1 << 20;

/// Processor time for a frame at most. A build without optimisation is some ten times slower.
const PER_FRAME: Duration = Duration::from_micros(if cfg!(debug_assertions) { 60 } else { 6 });

/// What is held of payload over all flows at most, and what an observer takes beside it.
const POOL: usize = 32 * MIB;
const FIXED: usize = 64_000_000;
const PER_FLOW: usize = 1024;

/// Processor time of this thread, so that a busy machine makes no difference; else the time that passed.
fn spent() -> Duration {
    static BEGUN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let begun = BEGUN.get_or_init(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next().and_then(|field| field.parse().ok()));
    nanos.map_or_else(|| begun.elapsed(), Duration::from_nanos)
}

/// Observes `count` frames that `make` writes into a buffer, each `work` times as much as a usual one.
struct Trial<'a> {
    options: Options,
    count: u32,
    work: u32,
    most_memory: usize,
    make: &'a dyn Fn(u32, &mut Vec<u8>),
}

impl Trial<'_> {
    fn run(&self) -> Observation {
        let _alone = memory::alone();
        let (_, quarter) = self.observe(self.count / 4);
        let ((seen, whole), held) = memory::peak(|| self.observe(self.count));
        let limit = PER_FRAME * self.work * self.count;
        println!("{} frames: {whole:?}, a quarter of them {quarter:?}, {} KiB held", self.count, held / 1024);
        assert!(whole < limit, "{whole:?}, limit {limit:?}");
        // Four times as much where it is linear, sixteen times where it is quadratic.
        assert!(
            whole < quarter * 8 + Duration::from_millis(50),
            "{quarter:?} for a quarter, {whole:?} for all"
        );
        assert!(held < self.most_memory, "{held} bytes held, limit {}", self.most_memory);
        assert_eq!(seen.summary.packets, u64::from(self.count));
        seen
    }

    fn observe(&self, count: u32) -> (Observation, Duration) {
        let mut observer = Observer::new(self.options.clone());
        let mut frame = Vec::new();
        let mut making = Duration::ZERO;
        let begun = spent();
        for number in 0..count {
            // Making some frames costs more than a look at the clock.
            let heavy = self.work > 1;
            let before = if heavy { spent() } else { Duration::ZERO };
            (self.make)(number, &mut frame);
            if heavy {
                making += spent() - before;
            }
            let orig_len = frame.len() as u32;
            let ts_ns = 1_700_000_000_000_000_000 + u64::from(number) * 1000;
            observer.push(Frame { ts_ns, data: &frame, orig_len, link_type: 1, interface: 0 });
        }
        let seen = observer.finish();
        (seen, (spent() - begun).saturating_sub(making))
    }
}

/// The trial of most kinds: a single flow.
fn trial(count: u32, make: &dyn Fn(u32, &mut Vec<u8>)) -> Trial<'_> {
    Trial { options: Options::default(), count, work: 1, most_memory: 2 * MIB, make }
}

const NEAR: &str = "192.0.2.10:40000";

/// A TCP segment to a server's port that holds `payload`, and the sequence number of the stream's first byte.
fn template(port: u16, payload: &[u8]) -> (Vec<Vec<u8>>, u32) {
    let mut wire = Wire::new();
    let far = format!("198.51.100.20:{port}");
    let seq = wire.tcp_handshake(NEAR, &far);
    wire.tcp_segment(NEAR, &far, seq, payload);
    (wire.frames, seq)
}

/// Writes a frame of the opening, or its last one with another sequence number and payload.
fn segment(template: &(Vec<Vec<u8>>, u32), number: u32, offset: u32, payload: &[u8], frame: &mut Vec<u8>) {
    let (frames, seq) = template;
    frame.clear();
    if let Some(opening) = frames.get(number as usize).filter(|_| number < 3) {
        frame.extend(opening);
        return;
    }
    let last = frames.last().unwrap();
    frame.extend(&last[..last.len().min(54)]);
    frame.extend(payload);
    frame[38..42].copy_from_slice(&seq.wrapping_add(offset).to_be_bytes());
    frame[16..18].copy_from_slice(&((40 + payload.len()) as u16).to_be_bytes());
}

/// Writes the first frame again, from a client of its own.
fn of_client(wire: &Wire, client: u32, frame: &mut Vec<u8>) {
    frame.clear();
    frame.extend(&wire.frames[0]);
    frame[26..30].copy_from_slice(&(0x0a00_0000 + client).to_be_bytes());
}

#[test]
fn a_million_segments_of_one_byte() {
    let template = template(80, b"G");
    let request = b"GET / HTTP/1.1\r\nX: ";
    let seen = trial(1_000_000, &|number, frame| {
        let at = number.saturating_sub(3);
        let byte = request.get(at as usize).copied().unwrap_or(b'x');
        segment(&template, number, at, &[byte], frame);
    })
    .run();
    assert_eq!(seen.flows.len(), 1);
}

#[test]
fn a_million_segments_of_one_byte_that_leave_gaps() {
    let template = template(80, b"G");
    let seen =
        trial(1_000_000, &|number, frame| segment(&template, number, 2 * number + 10, b"x", frame)).run();
    assert_eq!(seen.flows.len(), 1);
}

#[test]
fn segments_that_come_from_the_last_to_the_first() {
    let template = template(80, b"G");
    trial(400_000, &|number, frame| segment(&template, number, 60_000 - 3 * (number % 20_000), b"xx", frame))
        .run();
}

#[test]
fn segments_that_overlap_and_disagree() {
    let template = template(443, b"G");
    let hello = client_hello(Some("api.example"), &["h2"]);
    trial(400_000, &|number, frame| {
        let mut payload = hello.clone();
        payload.truncate(30);
        payload[(number % 30) as usize] ^= number as u8;
        segment(&template, number, 3 + number * 7 % 60_000, &payload, frame);
    })
    .run();
}

#[test]
fn a_million_flows_of_one_datagram() {
    let mut wire = Wire::new();
    wire.udp(NEAR, "198.51.100.20:4444", b"hello");
    let seen = Trial {
        most_memory: FIXED + PER_FLOW * 1_000_000,
        ..trial(1_000_000, &|number, frame| {
            of_client(&wire, number, frame);
        })
    }
    .run();
    assert_eq!(seen.flows.len(), 1_000_000);
    assert!(seen.summary.complete());
}

#[test]
fn a_million_flows_that_each_leave_half_a_hello() {
    let hello = client_hello(Some("api.example"), &["h2"]);
    let template = template(443, &hello[..60]);
    let seen = Trial {
        most_memory: FIXED + POOL + PER_FLOW * 250_000,
        ..trial(1_000_000, &|number, frame| {
            // Four frames a flow: a handshake and its first segment.
            segment(&template, number % 4, 0, &hello[..60], frame);
            let client = (0x0a00_0000 + number / 4).to_be_bytes();
            let at = if number % 4 == 1 { 30 } else { 26 };
            frame[at..at + 4].copy_from_slice(&client);
        })
    }
    .run();
    assert_eq!(seen.flows.len(), 250_000);
}

#[test]
fn names_by_the_hundred_in_small_datagrams() {
    // Questions whose names are but a label and a pointer to a long end, another for each of a flow's eight datagrams.
    let mut message =
        dns_query(7, &["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(40)].join("."));
    message[4..6].copy_from_slice(&61_u16.to_be_bytes());
    for _ in 0..60 {
        message.extend([3, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1]);
    }
    let first = message.len() - 600 + 42;
    let mut wire = Wire::new();
    wire.udp(NEAR, "203.0.113.53:53", &message);
    let seen = Trial {
        work: 60,
        most_memory: FIXED + PER_FLOW * 2000,
        ..trial(16_000, &|number, frame| {
            of_client(&wire, number / 8, frame);
            for question in 0..60 {
                let at = first + 10 * question + 1;
                frame[at..at + 3]
                    .copy_from_slice(format!("{:03}", number as usize % 8 * 60 + question).as_bytes());
            }
        })
    }
    .run();
    assert_eq!(seen.flows.len(), 2000);
    assert!(seen.summary.names_evicted > 500_000 && !seen.summary.complete());
}

#[test]
fn clients_that_each_ask_a_resolver() {
    let mut wire = Wire::new();
    wire.udp(NEAR, "203.0.113.53:53", &dns_query(7, "api.example"));
    let seen = Trial {
        most_memory: FIXED + PER_FLOW * 100_000,
        ..trial(100_000, &|number, frame| {
            of_client(&wire, number, frame);
        })
    }
    .run();
    // More than are kept apart.
    assert!(seen.summary.names_evicted > 30_000 && !seen.summary.complete());
}

#[test]
fn tables_of_fields_by_the_thousand() {
    // HTTP/2 in clear text: fields to be remembered, two bytes each (RFC 7541 §6.2.1).
    let fields = [0x44, 0].repeat(110);
    let opening =
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0, 0, fields.len() as u8, 1, 4, 0, 0, 0, 1][..], &fields];
    let opening = opening.concat();
    let template = template(8080, &opening);
    let seen = Trial {
        work: 4,
        most_memory: FIXED + POOL + PER_FLOW * 50_000,
        ..trial(200_000, &|number, frame| {
            segment(&template, number % 4, 0, &opening, frame);
            let client = (0x0a00_0000 + number / 4).to_be_bytes();
            let at = if number % 4 == 1 { 30 } else { 26 };
            frame[at..at + 4].copy_from_slice(&client);
        })
    }
    .run();
    assert_eq!(seen.flows.len(), 50_000);
    assert!(seen.summary.streams_evicted > 10_000 && !seen.summary.complete());
}

#[test]
fn flows_above_the_bound_are_counted_and_take_no_memory() {
    let mut wire = Wire::new();
    wire.udp(NEAR, "198.51.100.20:4444", b"hello");
    let seen = Trial {
        options: Options { max_flows: 1000, ..Options::default() },
        ..trial(1_000_000, &|number, frame| {
            of_client(&wire, number, frame);
        })
    }
    .run();
    assert_eq!(seen.flows.len(), 1000);
    assert_eq!(seen.summary.flows_refused, 999_000);
    assert!(!seen.summary.complete());
}

/// Fragments of datagrams: a frame to make them of, with so many bytes of payload.
fn fragments(length: usize) -> Vec<u8> {
    let mut wire = Wire::new();
    wire.ip("192.0.2.10", "198.51.100.20", 17, 64, &vec![7; length]);
    wire.frames.remove(0)
}

/// Writes a fragment that more follow, of the datagram with this id.
fn fragment(template: &[u8], id: u16, offset: u16, frame: &mut Vec<u8>) {
    frame.clear();
    frame.extend(template);
    frame[18..20].copy_from_slice(&id.to_be_bytes());
    frame[20..22].copy_from_slice(&((offset / 8) | 0x2000).to_be_bytes());
    // Bytes that differ from those of the fragment that this one overlaps.
    frame[40] = offset as u8;
}

#[test]
fn fragments_that_overlap_each_other_again_and_again() {
    let template = fragments(64);
    let seen = Trial {
        most_memory: FIXED,
        ..trial(200_000, &|number, frame| {
            fragment(&template, (number / 5000) as u16, (number * 8 % 60_000) as u16, frame);
        })
    }
    .run();
    assert!(!seen.summary.weird.is_empty());
}

#[test]
fn first_fragments_that_nothing_follows() {
    let template = fragments(1400);
    Trial {
        most_memory: FIXED,
        ..trial(200_000, &|number, frame| fragment(&template, number as u16, 0, frame))
    }
    .run();
}

#[test]
fn tunnels_in_tunnels() {
    // IPv4 in IPv4 as often as a frame takes it.
    let mut packet = Vec::new();
    for _ in 0..60 {
        let mut wire = Wire::new();
        wire.ip("192.0.2.10", "198.51.100.20", 4, 64, &packet);
        packet = wire.frames[0][14..].to_vec();
    }
    let mut wire = Wire::new();
    wire.ip("192.0.2.10", "198.51.100.20", 4, 64, &packet);
    let seen = Trial {
        work: 4,
        ..trial(100_000, &|number, frame| {
            frame.clear();
            frame.extend(&wire.frames[0]);
            // Each outermost pair of ends is another.
            frame[26..30].copy_from_slice(&(0x0a00_0000 + number % 16).to_be_bytes());
        })
    }
    .run();
    assert!(seen.summary.weird.contains_key("tunnel_too_deep"), "{:?}", seen.summary.weird);
}

/// DNS messages whose names point to each other.
#[test]
fn names_that_point_in_circles() {
    let question = dns_query(7, "a.example");
    let header = |answers: u16| {
        let mut header = question[..12].to_vec();
        header[2] = 0x81;
        header[6..8].copy_from_slice(&answers.to_be_bytes());
        header
    };
    // To itself, to each other, and backwards through as many labels as there is room for.
    let to_itself = [&header(1)[..], &[0xc0, 12, 0, 1, 0, 1]].concat();
    let to_each_other = [&header(1)[..], &[0xc0, 14, 0xc0, 12, 0, 1, 0, 1]].concat();
    let mut chain = header(600);
    chain.extend([1, b'a', 0, 0, 1, 0, 1]);
    for hop in 0..600u16 {
        let at = chain.len() as u16;
        let before = if hop == 0 { 12 } else { at - 16 };
        chain.extend([1, b'b']);
        chain.extend((0xc000 | before).to_be_bytes());
        chain.extend([0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        chain.extend([198, 51, 100, hop as u8].iter().take(2));
    }
    let mut wire = Wire::new();
    for message in [to_itself, to_each_other, chain] {
        wire.udp("203.0.113.53:53", "192.0.2.10:50000", &message);
    }
    let seen = Trial {
        work: 50,
        most_memory: 8 * MIB,
        ..trial(6_000, &|number, frame| {
            frame.clear();
            frame.extend(&wire.frames[number as usize % 3]);
        })
    }
    .run();
    assert!(seen.flows.iter().any(|flow| flow.unread), "{:?}", seen.summary.weird);
}

#[test]
fn a_hello_in_records_of_one_byte() {
    let hello = client_hello(Some("api.example"), &["h2"]);
    let template = template(443, b"x");
    // The handshake message, each byte in a record of its own, and then empty records without an end.
    let records: Vec<u8> = hello[5..].iter().flat_map(|byte| [22, 3, 1, 0, 1, *byte]).collect();
    let pieces: Vec<&[u8]> = records.chunks(6).collect();
    let seen = trial(400_000, &|number, frame| {
        let at = number.saturating_sub(3);
        let piece = pieces.get(at as usize).copied().unwrap_or(&[22, 3, 1, 0, 1, 0]);
        segment(&template, number, at * 6, piece, frame);
    })
    .run();
    assert!(seen.flows[0].names.iter().any(|name| name.name == "api.example"), "{:?}", seen.flows[0]);
}

/// Frames of each flow of a trickle.
const TRICKLE: u32 = 60_000;

/// Flow after flow whose client sends its stream byte by byte: what parsers hold is asked with each byte whether it is whole.
fn trickle(port: u16, byte: &dyn Fn(usize) -> u8) {
    let template = template(port, b"x");
    trial(5 * TRICKLE, &|number, frame| {
        let (flow, frame_of_flow) = (number / TRICKLE, number % TRICKLE);
        let at = frame_of_flow.saturating_sub(3);
        segment(&template, frame_of_flow, at, &[byte(at as usize)], frame);
        let place = if frame_of_flow == 1 { 30 } else { 26 };
        frame[place..place + 4].copy_from_slice(&(0x0a00_0000 + flow).to_be_bytes());
    })
    .run();
}

#[test]
fn long_hellos_that_trickle() {
    // A ClientHello of 65535 bytes, in records of one byte.
    let message = [1, 0, 0xff, 0xff];
    let record = |at: usize| [22, 3, 1, 0, 1, message.get(at).copied().unwrap_or(7)];
    trickle(443, &|at| record(at / 6)[at % 6]);
    // And in one record.
    let record = [&[22, 3, 1, 0x40, 0][..], &message].concat();
    trickle(443, &|at| record.get(at).copied().unwrap_or(7));
}

#[test]
fn headers_that_trickle() {
    let request = b"GET / HTTP/1.1\r\nX: ";
    trickle(80, &|at| request.get(at).copied().unwrap_or(b'x'));
    // Lines of one byte.
    trickle(80, &|at| request.get(at).copied().unwrap_or(b"x:\r\n"[at % 4]));
}

#[test]
fn look_ups_over_tcp_that_trickle() {
    let message = [&[0xff, 0xff][..], &dns_query(7, "api.example")].concat();
    trickle(53, &|at| message.get(at).copied().unwrap_or(0));
}

#[test]
fn headers_without_an_end() {
    let template = template(80, b"x");
    let begin = b"GET / HTTP/1.1\r\n";
    let line = b"x-header: some value that is of no use to anybody\r\n".repeat(20);
    let seen = trial(100_000, &|number, frame| match number.checked_sub(3) {
        Some(0) => segment(&template, number, 0, begin, frame),
        at => {
            let at = begin.len() as u32 + at.unwrap_or(1).saturating_sub(1) * line.len() as u32;
            segment(&template, number, at, &line, frame);
        }
    })
    .run();
    assert_eq!(seen.flows[0].app, "http");
}

#[test]
fn look_ups_over_tcp_without_an_end() {
    let query = dns_query(7, "api.example");
    let message = [&(query.len() as u16).to_be_bytes()[..], &query].concat();
    let template = template(53, b"x");
    Trial {
        work: 2,
        ..trial(200_000, &|number, frame| {
            segment(&template, number, number.saturating_sub(3) * message.len() as u32, &message, frame);
        })
    }
    .run();
}

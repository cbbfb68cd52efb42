//! One flow between a client and a server, on an Ethernet without checksums.

use lab_observe::{Frame, Observation, Observer, Options};

/// The bit of [`crate::Piece::how`] that says that the server speaks.
pub const SERVER: u8 = 1;
/// Of a segment: it acknowledges less than all that the other side sent, or more.
const LATE: u8 = 0x10;
const AHEAD: u8 = 0x20;

const ETHERNET: [u8; 14] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
const CLIENT_ADDRESS: [u8; 4] = [192, 0, 2, 10];
const SERVER_ADDRESS: [u8; 4] = [198, 51, 100, 20];
const CLIENT_PORT: u16 = 40000;
const TCP: u8 = 6;
const UDP: u8 = 17;
const SYN: u8 = 2;
const ACK: u8 = 16;
/// What fits into an IPv4 packet beside its headers.
const MOST: usize = 65_000;

/// Small bounds, so that they are reached.
pub fn options() -> Options {
    Options { max_flows: 64, max_answers: 16, stream_bytes: 1 << 17, kept_bytes: 1 << 16 }
}

/// A conversation that is observed while it is made.
pub struct Conversation {
    whole: Observer,
    again: Observer,
    port: u16,
    /// The next sequence number of each side.
    next: [u32; 2],
    frames: u64,
}

impl Conversation {
    /// With a server's port; nothing was said yet.
    pub fn new(port: u16) -> Self {
        let mut again = Observer::new(options());
        // On the slow path.
        again.explain(u64::MAX);
        Self { whole: Observer::new(options()), again, port, next: [1000, 0xffff_ff00], frames: 0 }
    }

    /// A TCP connection is opened.
    pub fn opens(&mut self) {
        for (side, flags) in [(0, SYN), (SERVER, SYN | ACK), (0, ACK)] {
            self.segment(side, flags, 0, &[], 0);
            self.next[usize::from(side)] =
                self.next[usize::from(side)].wrapping_add(u32::from(flags & SYN != 0));
        }
    }

    /// A datagram.
    pub fn says(&mut self, how: u8, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(MOST)];
        let (from, to) = self.ports(how);
        let header =
            [from.to_be_bytes(), to.to_be_bytes(), (bytes.len() as u16 + 8).to_be_bytes(), [0; 2]].concat();
        self.packet(how, UDP, &[&header, bytes].concat(), 0);
    }

    /// The bytes that follow on from those that this side sent before.
    pub fn goes_on(&mut self, how: u8, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(MOST)];
        self.segment(how, ACK, 0, bytes, 0);
        let next = &mut self.next[usize::from(how & SERVER)];
        *next = next.wrapping_add(bytes.len() as u32);
    }

    /// A segment somewhere else in a side's stream, of which `missing` further bytes were not captured.
    pub fn segment(&mut self, how: u8, flags: u8, offset: i32, bytes: &[u8], missing: u32) {
        let bytes = &bytes[..bytes.len().min(MOST)];
        let (from, to) = self.ports(how);
        let seq = self.next[usize::from(how & SERVER)].wrapping_add_signed(offset);
        let mut header = [from.to_be_bytes(), to.to_be_bytes()].concat();
        let sent = self.next[usize::from(!how & SERVER)];
        let ack = match how & (LATE | AHEAD) {
            0 => sent,
            LATE => sent.wrapping_sub(20),
            _ => sent.wrapping_add(20),
        };
        header.extend(seq.to_be_bytes());
        header.extend(ack.to_be_bytes());
        header.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        header.extend(bytes);
        self.packet(how, TCP, &header, missing);
    }

    fn ports(&self, how: u8) -> (u16, u16) {
        if how & SERVER == 0 { (CLIENT_PORT, self.port) } else { (self.port, CLIENT_PORT) }
    }

    fn packet(&mut self, how: u8, protocol: u8, payload: &[u8], missing: u32) {
        let (from, to) = if how & SERVER == 0 {
            (CLIENT_ADDRESS, SERVER_ADDRESS)
        } else {
            (SERVER_ADDRESS, CLIENT_ADDRESS)
        };
        let length = (20 + payload.len()).saturating_add(missing as usize).min(0xffff) as u16;
        let mut data = ETHERNET.to_vec();
        data.extend([0x45, 0]);
        data.extend(length.to_be_bytes());
        data.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
        data.extend(from);
        data.extend(to);
        data.extend(payload);
        self.frames += 1;
        let orig_len = data.len() as u32 + missing;
        let frame =
            Frame { ts_ns: self.frames * 1_000_000, data: &data, orig_len, link_type: 1, interface: 0 };
        let consulted = self.whole.push(frame);
        assert_eq!(self.again.push(Frame { data: &data[..consulted.0], ..frame }), consulted);
    }

    /// What was seen of it.
    ///
    /// # Panics
    /// Where frames that were cut to what was consulted tell something else, or a name doesn't print.
    pub fn ends(self) -> Observation {
        let (whole, again) = (self.whole.finish(), self.again.finish());
        assert_eq!(whole, again, "cut frames tell something else");
        for name in whole.flows.iter().flat_map(|flow| &flow.names) {
            assert!(name.name.bytes().all(|byte| (0x21..0x7f).contains(&byte)), "{name:?}");
        }
        whole
    }
}

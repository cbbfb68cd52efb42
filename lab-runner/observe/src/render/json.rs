//! The lines that scripts rely on: a flow each, and a summary at the end.
//!
//! Flows are many, so that their lines are put together by hand; they are, to the byte, what the record's own
//! serialisation gives, and a test holds them to that.

use std::io::{self, Write};

use serde::Serialize;

use super::ends::Written;
use crate::record::{FlowRecord, MacAddr, Name, Observation, Summary};

/// Writes a line a flow, and a line with the summary.
///
/// # Errors
/// What `out` reports.
pub fn render_json(observation: &Observation, file: &str, out: &mut impl Write) -> io::Result<()> {
    render_json_flows(observation, file, out)?;
    render_json_summary(&observation.summary, out)
}

/// Writes a line a flow; for several captures before one summary.
///
/// # Errors
/// What `out` reports.
pub fn render_json_flows(observation: &Observation, file: &str, out: &mut impl Write) -> io::Result<()> {
    let (lines, mut stretch) = (JsonLines::new(file), JsonStretch::default());
    for flow in &observation.flows {
        lines.write(flow, &mut stretch, out)?;
    }
    stretch.write(out)
}

/// Writes the last line.
///
/// # Errors
/// What `out` reports.
pub fn render_json_summary(summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        summary: &'a Summary,
    }
    serde_json::to_writer(&mut *out, &Line { summary })?;
    out.write_all(b"\n")
}

/// Bytes of a long stretch: more at once would not help, and less is copied once more by those who write at once.
const LONG_STRETCH: usize = 128 * 1024;

/// Writes the flows of one capture, a line each.
#[derive(Debug)]
pub struct JsonLines {
    /// The file's name as JSON; empty to leave each record its own.
    file: Vec<u8>,
}

impl JsonLines {
    /// For the flows of a capture of this name; records keep their own where it is empty.
    pub fn new(file: &str) -> Self {
        let mut name = Vec::new();
        if !file.is_empty() {
            string(&mut name, file);
        }
        Self { file: name }
    }

    /// Adds a flow's line to a stretch, and writes that once it is long; what is left in it at the end is to be written.
    ///
    /// # Errors
    /// What `out` reports.
    pub fn write(
        &self,
        flow: &FlowRecord,
        stretch: &mut JsonStretch,
        out: &mut impl Write,
    ) -> io::Result<()> {
        self.add(flow, stretch);
        if stretch.bytes.len() >= LONG_STRETCH { stretch.write(out) } else { Ok(()) }
    }

    /// Adds a flow's line to a stretch.
    pub fn add(&self, flow: &FlowRecord, stretch: &mut JsonStretch) {
        line(&self.file, flow, &mut stretch.bytes);
        stretch.ends.push(stretch.bytes.len());
    }
}

/// Lines of some flows of a capture, put together in one place.
#[derive(Debug, Default)]
pub struct JsonStretch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl JsonStretch {
    /// Writes all lines, which leaves none.
    ///
    /// # Errors
    /// What `out` reports.
    pub fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.bytes)?;
        self.bytes.clear();
        self.ends.clear();
        Ok(())
    }

    /// The line that was added after so many others; nothing where there were not so many.
    pub fn line(&self, number: usize) -> &[u8] {
        let before = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let end = self.ends.get(number).copied().unwrap_or_default();
        self.bytes.get(before.unwrap_or_default()..end).unwrap_or(&[])
    }
}

/// Writes a flow's line; `file` is the file's name as JSON, or empty to leave the record its own.
fn line(file: &[u8], flow: &FlowRecord, out: &mut Vec<u8>) {
    text(out, "{\"file\":");
    match file {
        [] => string(out, &flow.file),
        file => out.extend_from_slice(file),
    }
    text(out, ",\"flow\":");
    number(out, flow.flow);
    text(out, ",\"l4\":\"");
    text(out, &flow.l4.word());
    text(out, "\",\"client\":\"");
    out.extend_from_slice(Written::end(flow.client).as_bytes());
    text(out, "\",\"server\":\"");
    out.extend_from_slice(Written::end(flow.server).as_bytes());
    text(out, "\",\"vlan\":");
    match flow.vlan {
        Some(vlan) => number(out, vlan.into()),
        None => text(out, "null"),
    }
    text(out, ",\"first_ns\":");
    number(out, flow.first_ns);
    text(out, ",\"last_ns\":");
    number(out, flow.last_ns);
    pair(out, ",\"packets\":[", flow.packets);
    pair(out, ",\"bytes\":[", flow.bytes);
    text(out, ",\"app\":");
    string(out, &flow.app);
    list(out, ",\"names\":[", &flow.names, name);
    text(out, ",\"state\":\"");
    text(out, flow.state.as_str());
    match flow.reason {
        Some(reason) => {
            text(out, "\",\"reason\":\"");
            text(out, reason.as_str());
            out.push(b'"');
        }
        None => text(out, "\",\"reason\":null"),
    }
    flag(out, ",\"corroborated\":", flow.corroborated);
    list(out, ",\"alpn\":[", &flow.alpn, |out, alpn| string(out, alpn));
    flag(out, ",\"ech\":", flow.ech);
    pair(out, ",\"frames\":[", flow.frames);
    mac(out, ",\"client_mac\":", flow.client_mac);
    mac(out, ",\"server_mac\":", flow.server_mac);
    flag(out, ",\"answered\":", flow.answered);
    flag(out, ",\"opening_seen\":", flow.opening_seen);
    flag(out, ",\"link_control\":", flow.link_control);
    list(out, ",\"disagreement\":[", &flow.disagreement, small);
    flag(out, ",\"guessed\":", flow.guessed);
    text(out, ",\"interface\":");
    number(out, flow.interface.into());
    text(out, ",\"tunnel\":");
    match flow.tunnel {
        Some(tunnel) => number(out, tunnel),
        None => text(out, "null"),
    }
    flag(out, ",\"unread\":", flow.unread);
    for (key, value) in [(",\"version\":", flow.version.as_deref()), (",\"ja4\":", flow.ja4.as_deref())] {
        if let Some(value) = value {
            text(out, key);
            string(out, value);
        }
    }
    if !flow.carries.is_empty() {
        list(out, ",\"carries\":[", &flow.carries, |out, what| string(out, what));
    }
    if !flow.weird.is_empty() {
        list(out, ",\"weird\":[", &flow.weird, small);
    }
    if let Some(service) = &flow.port_suggests {
        text(out, ",\"port_suggests\":");
        string(out, service);
    }
    if flow.silent {
        text(out, ",\"silent\":true");
    }
    text(out, "}\n");
}

fn name(out: &mut Vec<u8>, name: &Name) {
    text(out, "{\"kind\":\"");
    text(out, name.kind.as_str());
    text(out, "\",\"name\":");
    string(out, &name.name);
    text(out, ",\"frame\":");
    number(out, name.frame);
    if !name.chain.is_empty() {
        list(out, ",\"chain\":[", &name.chain, |out, alias| string(out, alias));
    }
    if let Some(ttl) = name.ttl {
        text(out, ",\"ttl\":");
        number(out, ttl.into());
    }
    if let Some(qtype) = &name.qtype {
        text(out, ",\"qtype\":");
        string(out, qtype);
    }
    if name.ech {
        text(out, ",\"ech\":true");
    }
    out.push(b'}');
}

#[inline]
fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn string(out: &mut Vec<u8>, value: &str) {
    let is_plain = |byte: u8| matches!(byte, 0x20..=0x7e) & !matches!(byte, b'"' | b'\\');
    // Nearly all are plain: so no end is looked for, and many bytes are compared at once.
    if value.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        out.push(b'"');
        text(out, value);
        out.push(b'"');
    } else {
        small(out, value);
    }
}

/// Anything that is rare, or a word.
fn small<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Words and strings into memory: nothing here can fail.
    let _ = serde_json::to_writer(out, value);
}

fn number(out: &mut Vec<u8>, value: u64) {
    // Many are counts of a few packets.
    match value {
        0..10 => out.push(b'0' + value as u8),
        _ => text(out, itoa::Buffer::new().format(value)),
    }
}

#[inline]
fn pair(out: &mut Vec<u8>, key: &str, [first, second]: [u64; 2]) {
    text(out, key);
    number(out, first);
    out.push(b',');
    number(out, second);
    out.push(b']');
}

#[inline]
fn flag(out: &mut Vec<u8>, key: &str, value: bool) {
    text(out, key);
    match value {
        true => text(out, "true"),
        false => text(out, "false"),
    }
}

fn list<T>(out: &mut Vec<u8>, key: &str, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    text(out, key);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

#[inline]
fn mac(out: &mut Vec<u8>, key: &str, mac: Option<MacAddr>) {
    text(out, key);
    let Some(mac) = mac else { return text(out, "null") };
    out.push(b'"');
    out.extend_from_slice(&mac.letters());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Disagreement, L4, NameKind, Reason, State, Weird};

    fn both(flow: &FlowRecord) -> (String, String) {
        let (mut stretch, mut line) = (JsonStretch::default(), Vec::new());
        JsonLines::new("").add(flow, &mut stretch);
        stretch.write(&mut line).unwrap();
        assert!(stretch.line(0).is_empty());
        (String::from_utf8(line).unwrap(), serde_json::to_string(flow).unwrap() + "\n")
    }

    #[test]
    fn a_line_is_what_the_record_serialises_to() {
        let ends = |text: &str| text.parse().unwrap();
        let bare = FlowRecord::between(L4::Other(47), ends("192.0.2.10:0"), ends("[2001:db8::1]:443"));
        let (line, expected) = both(&bare);
        assert_eq!(line, expected);
        let full = FlowRecord {
            file: "a \"quoted\\\" näme.pcap".into(),
            flow: u64::MAX,
            l4: L4::Udp,
            vlan: Some(4095),
            packets: [1, 20],
            names: vec![
                Name {
                    chain: vec!["a.example".into(), "b\\x5c.example".into()],
                    ttl: Some(0),
                    qtype: Some("TXT".into()),
                    ech: true,
                    ..Name::new(NameKind::Dns, "api.example", 7)
                },
                Name::new(NameKind::EchOuter, "\\x1b", 8),
            ],
            state: State::Named,
            reason: Some(Reason::SeveralNames),
            alpn: vec!["h2".into(), "\"".into()],
            client_mac: Some(MacAddr([2, 0, 0xab, 0, 0, 0x0a])),
            disagreement: vec![Disagreement::SniDns, Disagreement::HostSni],
            tunnel: Some(12),
            version: Some("1.3".into()),
            ja4: Some("t13d".into()),
            carries: vec!["client_id".into()],
            weird: vec![Weird { word: "dns_cut".into(), frame: 9 }],
            port_suggests: Some("https".into()),
            silent: true,
            answered: true,
            ..bare
        };
        let (line, expected) = both(&full);
        assert_eq!(line, expected);
    }
}

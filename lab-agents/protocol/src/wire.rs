//! Framing on a byte stream: two 32-bit big-endian lengths, the message in JSON, then the bytes that go with it.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{FromAgent, ToAgent};

/// Longest message, in bytes. A longer one is an error, not an allocation.
pub const MAX_MESSAGE: u32 = 1 << 20;
/// Longest payload, in bytes: a firmware image or a stretch of capture.
pub const MAX_PAYLOAD: u32 = 64 << 20;

/// A message that may have bytes behind it.
pub trait Message: Serialize + DeserializeOwned {
    /// Its bytes.
    fn payload(&self) -> &[u8] {
        &[]
    }
    /// Puts the bytes back.
    fn set_payload(&mut self, _bytes: Vec<u8>) {}
}

impl Message for ToAgent {
    fn payload(&self) -> &[u8] {
        if let Self::Blob { bytes, .. } = self { bytes } else { &[] }
    }
    fn set_payload(&mut self, payload: Vec<u8>) {
        if let Self::Blob { bytes, .. } = self {
            *bytes = payload;
        }
    }
}

impl Message for FromAgent {
    fn payload(&self) -> &[u8] {
        if let Self::Chunk { bytes, .. } = self { bytes } else { &[] }
    }
    fn set_payload(&mut self, payload: Vec<u8>) {
        if let Self::Chunk { bytes, .. } = self {
            *bytes = payload;
        }
    }
}

/// Writes one message and flushes.
///
/// # Errors
/// What the stream says, or `InvalidInput` for a message that is too long.
pub fn write(out: &mut impl Write, message: &impl Message) -> io::Result<()> {
    let json = serde_json::to_vec(message)?;
    let payload = message.payload();
    let (Ok(head), Ok(tail)) = (u32::try_from(json.len()), u32::try_from(payload.len())) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "message too long"));
    };
    if head > MAX_MESSAGE || tail > MAX_PAYLOAD {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "message too long"));
    }
    let mut frame = Vec::with_capacity(8 + json.len() + payload.len());
    frame.extend_from_slice(&head.to_be_bytes());
    frame.extend_from_slice(&tail.to_be_bytes());
    frame.extend_from_slice(&json);
    frame.extend_from_slice(payload);
    out.write_all(&frame)?;
    out.flush()
}

/// Reads one message; `None` at the end of the stream between two messages.
///
/// # Errors
/// What the stream says, or `InvalidData` for lengths over the bounds or a message that isn't one.
pub fn read<M: Message>(input: &mut impl Read) -> io::Result<Option<M>> {
    let mut lengths = [0; 8];
    if !read_first(input, &mut lengths)? {
        return Ok(None);
    }
    let head = u32::from_be_bytes([lengths[0], lengths[1], lengths[2], lengths[3]]);
    let tail = u32::from_be_bytes([lengths[4], lengths[5], lengths[6], lengths[7]]);
    if head > MAX_MESSAGE || tail > MAX_PAYLOAD {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "message longer than the protocol allows"));
    }
    let mut message: M = serde_json::from_slice(&take(input, head)?)?;
    let payload = take(input, tail)?;
    message.set_payload(payload);
    Ok(Some(message))
}

/// Fills the buffer; false where the stream ended before its first byte.
fn read_first(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Reads as many bytes as announced, growing with what arrives rather than with what was announced.
fn take(input: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if input.take(u64::from(length)).read_to_end(&mut bytes)? != length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BlobRef;

    #[test]
    fn a_message_and_its_bytes_come_back_as_sent() {
        let bytes = vec![0, 1, 255];
        let sent = ToAgent::Blob { blob: BlobRef::of(&bytes), bytes };
        let mut stream = Vec::new();
        write(&mut stream, &sent).unwrap();
        let mut rest = stream.as_slice();
        assert_eq!(read::<ToAgent>(&mut rest).unwrap(), Some(sent));
        assert_eq!(read::<ToAgent>(&mut rest).unwrap(), None);
    }

    #[test]
    fn a_length_over_the_bound_is_refused_before_anything_is_read() {
        let mut stream: &[u8] = &[0xff; 8];
        assert_eq!(read::<ToAgent>(&mut stream).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_stream_cut_in_a_message_is_an_error_not_an_end() {
        let mut stream = Vec::new();
        write(&mut stream, &ToAgent::Shutdown).unwrap();
        stream.pop();
        assert!(read::<ToAgent>(&mut stream.as_slice()).is_err());
    }
}

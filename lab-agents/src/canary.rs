//! The canary: a frame that only the lab sends, to prove that a vantage point sees traffic in both directions. It is
//! no IP packet, so no flow is ever made by it.

/// EtherType of the canary: IEEE 802 local experimental 1 (IEEE Std 802-2014, table 9-3).
pub const ETHERTYPE: u16 = 0x88b5;
/// Length of the nonce, in bytes.
pub const NONCE: usize = 16;
/// Value of the byte after the nonce: the frame was sent from the phone's side.
pub const FROM_PHONE: u8 = 0;
/// Value of the byte after the nonce: the frame was sent towards the phone's side.
pub const TO_PHONE: u8 = 1;

/// Shortest Ethernet frame without its check sequence, in bytes (IEEE Std 802.3, 4A.4.2).
const MIN_FRAME: usize = 60;
const HEADER: usize = 14;

/// A canary frame from one address to another.
pub fn frame(to: [u8; 6], from: [u8; 6], nonce: [u8; NONCE], direction: u8) -> Vec<u8> {
    let mut frame = Vec::with_capacity(MIN_FRAME);
    frame.extend_from_slice(&to);
    frame.extend_from_slice(&from);
    frame.extend_from_slice(&ETHERTYPE.to_be_bytes());
    frame.extend_from_slice(&nonce);
    frame.push(direction);
    frame.resize(MIN_FRAME, 0);
    frame
}

/// Nonce and direction, where these bytes are a canary frame.
pub fn parse(frame: &[u8]) -> Option<([u8; NONCE], u8)> {
    let (header, payload) = frame.split_at_checked(HEADER)?;
    if header[12..] != ETHERTYPE.to_be_bytes() {
        return None;
    }
    let direction = *payload.get(NONCE)?;
    let nonce = payload.get(..NONCE)?.try_into().ok()?;
    matches!(direction, FROM_PHONE | TO_PHONE).then_some((nonce, direction))
}

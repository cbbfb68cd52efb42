//! The wire between the virtual board and the radio module: whole lines over the watch's only UART, plus the reset line.
//!
//! The board splits the UART: lines that start with `AT` go to the radio, everything else is console output. This
//! module only names what crosses that wire; it never parses a command and never opens anything.

use std::sync::mpsc;

/// What the board hands to the radio module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RadioLine {
    /// A line from the firmware that begins with `AT`, without its line end.
    Line(String),
    /// The chip was reset (debug probe, power): the radio's reset pin is wired to the board's.
    Reset,
}

/// The radio's end of the wire. The board keeps the other ends; dropping them means that the board is gone.
#[derive(Debug)]
pub struct RadioPort {
    /// Lines and resets from the board, in order.
    pub from_firmware: mpsc::Receiver<RadioLine>,
    /// Lines to the firmware, without a line end; the board adds CRLF.
    pub to_firmware: mpsc::Sender<String>,
}

/// The board's end of the wire, and the far side of a [`RadioPort`].
#[derive(Debug)]
pub struct BoardEnd {
    /// Lines and resets to the radio.
    pub to_radio: mpsc::Sender<RadioLine>,
    /// Lines from the radio to the firmware, without a line end.
    pub from_radio: mpsc::Receiver<String>,
}

impl RadioPort {
    /// Both ends of a new wire.
    #[must_use]
    pub fn pair() -> (Self, BoardEnd) {
        let (to_radio, from_firmware) = mpsc::channel();
        let (to_firmware, from_radio) = mpsc::channel();
        (Self { from_firmware, to_firmware }, BoardEnd { to_radio, from_radio })
    }
}

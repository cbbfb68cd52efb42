//! The debug access port (ADIv5.2): debug port registers, and one memory access port behind which the target lies.

use super::BoardError;
use super::coresight;
use super::target::Target;

/// An SW-DP of a Cortex-M0, version 1, minimal (ADIv5.2, B2.2.5).
const DPIDR: u32 = 0x0BB1_1477;
/// An AHB-AP (Cortex-M0).
const AP_IDR: u32 = 0x0477_0021;
/// Power-up requests, each acknowledged by the next higher bit.
const POWER_UP_REQUESTS: u32 = 1 << 28 | 1 << 30;
/// CSW: what can be written (size and increment), and DeviceEn.
const CSW_WRITABLE: u32 = 0x7F00_0037;
const CSW_ENABLED: u32 = 1 << 6;

#[derive(Debug)]
pub(super) struct Dap {
    pub(super) target: Target,
    select: u32,
    power: u32,
    csw: u32,
    tar: u32,
    last_read: u32,
}

impl Dap {
    pub(super) fn new(target: Target) -> Self {
        Self { target, select: 0, power: 0, csw: 2, tar: 0, last_read: 0 }
    }

    pub(super) fn read_dp(&mut self, address: u8) -> u32 {
        match address & 0xC {
            0x0 => DPIDR,
            0x4 if self.select & 0xF == 0 => self.power | self.power << 1,
            0xC => self.last_read,
            _ => 0,
        }
    }

    pub(super) fn write_dp(&mut self, address: u8, value: u32) {
        match address & 0xC {
            0x4 if self.select & 0xF == 0 => self.power = value & POWER_UP_REQUESTS,
            0x8 => self.select = value,
            // ABORT clears sticky errors, and there are none here.
            _ => {}
        }
    }

    /// Reads the register of the access port and bank that SELECT names, as the wire does.
    pub(super) fn read_selected_ap(&mut self, address: u8) -> Result<u32, BoardError> {
        let (port, bank) = ((self.select >> 24) as u8, (self.select & 0xF0) as u8);
        // The wire delivers the value of the access before.
        let value = self.read_ap(port, bank | address & 0xC)?;
        Ok(std::mem::replace(&mut self.last_read, value))
    }

    /// Writes the register of the access port and bank that SELECT names.
    pub(super) fn write_selected_ap(&mut self, address: u8, value: u32) -> Result<(), BoardError> {
        let (port, bank) = ((self.select >> 24) as u8, (self.select & 0xF0) as u8);
        self.write_ap(port, bank | address & 0xC, value)
    }

    pub(super) fn read_ap(&mut self, port: u8, address: u8) -> Result<u32, BoardError> {
        if port != 0 {
            return Ok(0);
        }
        match address {
            0x00 => Ok(self.csw | CSW_ENABLED),
            0x04 => Ok(self.tar),
            0x0C => {
                let value = self.target.read_word(self.tar & !3)?;
                self.advance();
                Ok(value)
            }
            0x10..=0x1C => self.target.read_word(self.tar & !0xF | u32::from(address & 0xC)),
            0xF8 => Ok(coresight::NORDIC_ROM | 3),
            0xFC => Ok(AP_IDR),
            _ => Ok(0),
        }
    }

    pub(super) fn write_ap(&mut self, port: u8, address: u8, value: u32) -> Result<(), BoardError> {
        if port != 0 {
            return Ok(());
        }
        match address {
            0x00 => self.csw = value & CSW_WRITABLE,
            0x04 => self.tar = value,
            0x0C => {
                self.target.write_word(self.tar & !3, value)?;
                self.advance();
            }
            0x10..=0x1C => self.target.write_word(self.tar & !0xF | u32::from(address & 0xC), value)?,
            _ => {}
        }
        Ok(())
    }

    fn advance(&mut self) {
        if self.csw >> 4 & 3 != 0 {
            self.tar = self.tar.wrapping_add(4);
        }
    }
}

//! Serial Wire Debug, bit by bit (ADIv5.2, B4): how a probe without accelerators first connects. It never fails loudly:
//! what is malformed gets no answer, and the wire waits for a line reset, as in hardware.

use std::collections::VecDeque;

use super::BoardError;
use super::dap::Dap;

/// Consecutive ones that reset the line.
const LINE_RESET: u32 = 50;
const ACK_OK: u32 = 0b001;
const REQUEST_BITS: u32 = 8;
/// Data and its parity.
const DATA_BITS: u32 = 33;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// After something malformed: only a line reset helps.
    Lost,
    /// After a line reset: further ones are still part of it.
    Reset,
    Idle,
    Request,
    /// Data of a write to come.
    Data(Register),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Register {
    access_port: bool,
    address: u8,
}

#[derive(Debug)]
pub(super) struct Wire {
    state: State,
    ones: u32,
    bits: u64,
    count: u32,
    answer: VecDeque<bool>,
}

impl Wire {
    pub(super) fn new() -> Self {
        Self { state: State::Lost, ones: 0, bits: 0, count: 0, answer: VecDeque::new() }
    }

    /// The probe drives `count` bits, the lowest first.
    pub(super) fn drive(&mut self, dap: &mut Dap, bits: u64, count: u32) -> Result<(), BoardError> {
        self.answer.clear();
        for index in 0..count.min(64) {
            self.clock(dap, bits >> index & 1 != 0)?;
        }
        Ok(())
    }

    /// The probe reads `count` bits. Nobody driving the line, it reads ones.
    pub(super) fn sample(&mut self, count: u32) -> u64 {
        (0..count.min(64))
            .fold(0, |bits, index| bits | u64::from(self.answer.pop_front().unwrap_or(true)) << index)
    }

    fn clock(&mut self, dap: &mut Dap, bit: bool) -> Result<(), BoardError> {
        let in_data = matches!(self.state, State::Data(_));
        self.ones = if bit && !in_data { self.ones + 1 } else { 0 };
        if self.ones >= LINE_RESET {
            self.state = State::Reset;
            return Ok(());
        }
        match self.state {
            State::Lost => {}
            State::Reset | State::Idle if !bit => self.state = State::Idle,
            State::Reset => {}
            State::Idle => {
                self.state = State::Request;
                (self.bits, self.count) = (1, 1);
            }
            State::Request => {
                self.push(bit);
                if self.count == REQUEST_BITS {
                    self.request(dap, self.bits as u8)?;
                }
            }
            State::Data(register) => {
                self.push(bit);
                if self.count == DATA_BITS {
                    self.write(dap, register)?;
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, bit: bool) {
        self.bits |= u64::from(bit) << self.count;
        self.count += 1;
    }

    fn request(&mut self, dap: &mut Dap, request: u8) -> Result<(), BoardError> {
        let (access_port, read) = (request & 2 != 0, request & 4 != 0);
        let parity = (request >> 1 & 0xF).count_ones() & 1 == u32::from(request >> 5 & 1);
        if !parity || request & 0xC1 != 0x81 {
            self.state = State::Lost;
            return Ok(());
        }
        let register = Register { access_port, address: (request >> 3 & 3) << 2 };
        self.answer.extend((0..3).map(|index| ACK_OK >> index & 1 != 0));
        (self.bits, self.count) = (0, 0);
        if !read {
            self.state = State::Data(register);
            return Ok(());
        }
        let value = match register.access_port {
            true => dap.read_selected_ap(register.address)?,
            false => dap.read_dp(register.address),
        };
        self.answer.extend((0..32).map(|index| value >> index & 1 != 0));
        self.answer.push_back(value.count_ones() & 1 != 0);
        self.state = State::Idle;
        Ok(())
    }

    fn write(&mut self, dap: &mut Dap, register: Register) -> Result<(), BoardError> {
        let (value, parity) = (self.bits as u32, self.bits >> 32 & 1);
        if u64::from(value.count_ones() & 1) != parity {
            self.state = State::Lost;
            return Ok(());
        }
        self.state = State::Idle;
        match register.access_port {
            true => dap.write_selected_ap(register.address, value),
            false => {
                dap.write_dp(register.address, value);
                Ok(())
            }
        }
    }
}

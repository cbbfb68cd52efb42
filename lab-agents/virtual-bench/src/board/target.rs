//! The target as its debug port sees it: memory, and the debug registers of a Cortex-M0, which are made here from what
//! the emulated core can do. It never knows which probe or wire is in front of it.
//!
//! Registers and bits: Armv6-M Architecture Reference Manual (DDI 0419), C1.6 and C1.8.

use std::sync::Arc;
use std::time::Duration;

use super::bus::FLASH_SIZE;
use super::core::XPSR;
use super::machine::Machine;
use super::uart::Uart;
use super::{BoardError, BoardFaults, coresight};

const AIRCR: u32 = 0xE000_ED0C;
/// Interrupt control and state: sets and clears the pending state of PendSV.
const ICSR: u32 = 0xE000_ED04;
const PENDSVSET: u32 = 1 << 28;
const PENDSVCLR: u32 = 1 << 27;
/// How long an instruction may take before the core is taken to be asleep.
const STEP_PATIENCE: Duration = Duration::from_millis(3);
const STEP_DEADLINE: Duration = Duration::from_secs(1);
/// From here on no instruction can lie (DDI 0419, B3.1).
const NO_CODE: u32 = 0xE000_0000;
const DFSR: u32 = 0xE000_ED30;
const DHCSR: u32 = 0xE000_EDF0;
const DCRSR: u32 = 0xE000_EDF4;
const DCRDR: u32 = 0xE000_EDF8;
const DEMCR: u32 = 0xE000_EDFC;
const BP_CTRL: u32 = 0xE000_2000;
const BP_COMP0: u32 = 0xE000_2008;
const COMPARATORS: usize = 4;
const BP_COMP_LAST: u32 = BP_COMP0 + 4 * (COMPARATORS as u32 - 1);

const C_DEBUGEN: u32 = 1;
const C_HALT: u32 = 1 << 1;
const C_STEP: u32 = 1 << 2;
const C_CONTROL: u32 = 0xF;
const S_REGRDY: u32 = 1 << 16;
const S_HALT: u32 = 1 << 17;
const S_LOCKUP: u32 = 1 << 19;
const S_RESET_ST: u32 = 1 << 25;
const DBGKEY: u32 = 0xA05F;
const VC_CORERESET: u32 = 1;
const VECTKEY: u32 = 0x05FA;
const SYSRESETREQ: u32 = 1 << 2;
const DFSR_HALTED: u32 = 1;
const DFSR_BKPT: u32 = 1 << 1;
const DFSR_VCATCH: u32 = 1 << 3;

/// What the core does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Running,
    Halted,
    /// Stopped by a fault within a fault, until a halt or a reset.
    LockedUp,
}

#[derive(Debug)]
pub(super) struct Target {
    machine: Machine,
    uart: Arc<Uart>,
    stuck_bit: Option<u32>,
    status: Status,
    control: u32,
    dfsr: u32,
    demcr: u32,
    dcrdr: u32,
    was_reset: bool,
    bp_enabled: bool,
    comparators: [u32; COMPARATORS],
    /// The core was halted while it slept. The emulator then has it sleep on, wherever its program counter is put.
    asleep: bool,
    /// Breakpoints that the running core has now.
    planted: Vec<u32>,
    /// The flash as it was at the last reset: an emulator whose core locks up ends and takes its flash along.
    kept_flash: Vec<u8>,
    flash_may_differ: bool,
}

impl Target {
    /// Powers the chip with erased flash: it locks up at once, as a real one does.
    pub(super) fn power_on(uart: Arc<Uart>, faults: &BoardFaults) -> Result<Self, BoardError> {
        let (machine, stream) = Machine::start(None)?;
        uart.connect(stream)?;
        let mut target = Self {
            machine,
            uart,
            stuck_bit: faults.stuck_bit.filter(|&address| address < FLASH_SIZE),
            status: Status::Halted,
            control: 0,
            dfsr: 0,
            demcr: 0,
            dcrdr: 0,
            was_reset: false,
            bp_enabled: false,
            comparators: [0; COMPARATORS],
            asleep: false,
            planted: Vec::new(),
            kept_flash: vec![0xFF; FLASH_SIZE as usize],
            flash_may_differ: false,
        };
        target.reset()?;
        Ok(target)
    }

    /// Resets the chip, as its pin or a debugger's request does. Debug settings survive, as in hardware.
    pub(super) fn reset(&mut self) -> Result<(), BoardError> {
        self.surviving(Self::try_reset)
    }

    fn try_reset(&mut self) -> Result<(), BoardError> {
        self.stop()?;
        if self.flash_may_differ {
            self.machine.bus.read(0, &mut self.kept_flash)?;
            self.flash_may_differ = false;
        }
        self.uart.chip_reset();
        self.machine.monitor.reset()?;
        self.asleep = false;
        self.was_reset = true;
        self.bp_enabled = false;
        self.dfsr = 0;
        if self.control & C_DEBUGEN != 0 && self.demcr & VC_CORERESET != 0 {
            self.status = Status::Halted;
            self.control |= C_HALT;
            self.dfsr |= DFSR_VCATCH;
            return Ok(());
        }
        self.control &= !(C_HALT | C_STEP);
        self.resume()
    }

    pub(super) fn read_word(&mut self, address: u32) -> Result<u32, BoardError> {
        if let Some(value) = coresight::read(address) {
            return Ok(value);
        }
        match address {
            DHCSR => {
                self.surviving(Self::observe)?;
                let mut value = self.control | S_REGRDY;
                value |= if std::mem::take(&mut self.was_reset) { S_RESET_ST } else { 0 };
                value |= match self.status {
                    Status::Running => 0,
                    Status::Halted => S_HALT,
                    Status::LockedUp => S_LOCKUP,
                };
                Ok(value)
            }
            DFSR => Ok(self.dfsr),
            DCRSR => Ok(0),
            DCRDR => Ok(self.dcrdr),
            DEMCR => Ok(self.demcr),
            BP_CTRL => Ok((COMPARATORS as u32) << 4 | u32::from(self.bp_enabled)),
            BP_COMP0..=BP_COMP_LAST => Ok(self.comparators[comparator(address)]),
            _ => self.surviving(|target| target.machine.bus.read_word(address)),
        }
    }

    pub(super) fn write_word(&mut self, address: u32, value: u32) -> Result<(), BoardError> {
        match address {
            DHCSR if value >> 16 == DBGKEY => self.surviving(|target| target.set_control(value & C_CONTROL)),
            DHCSR => Ok(()),
            DFSR => {
                self.dfsr &= !value;
                Ok(())
            }
            DCRSR => self.surviving(|target| target.transfer_register(value)),
            DCRDR => {
                self.dcrdr = value;
                Ok(())
            }
            DEMCR => {
                self.demcr = value;
                Ok(())
            }
            AIRCR if value >> 16 == VECTKEY && value & SYSRESETREQ != 0 => self.reset(),
            BP_CTRL => {
                // Bit 1 is the key without which a write is ignored.
                if value & 2 != 0 {
                    self.bp_enabled = value & 1 != 0;
                }
                Ok(())
            }
            BP_COMP0..=BP_COMP_LAST => {
                self.comparators[comparator(address)] = value;
                Ok(())
            }
            _ => {
                self.flash_may_differ = true;
                self.surviving(|target| target.machine.bus.write_word(address, value))
            }
        }
    }

    /// Reads memory of any alignment and length.
    pub(super) fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), BoardError> {
        if is_plain_memory(address, into.len()) {
            self.surviving(|target| target.machine.bus.read(address, into))?;
            let stuck = self.stuck_bit.and_then(|stuck| stuck.checked_sub(address));
            if let Some(byte) = stuck.and_then(|offset| into.get_mut(offset as usize)) {
                *byte &= !1;
            }
            return Ok(());
        }
        let mut cached = None;
        for (byte, at) in into.iter_mut().zip(address..) {
            let word = match cached {
                Some((base, word)) if base == at & !3 => word,
                _ => self.read_word(at & !3)?,
            };
            cached = Some((at & !3, word));
            *byte = word.to_le_bytes()[(at & 3) as usize];
        }
        Ok(())
    }

    /// Writes memory in units of `width` bytes (1, 2 or 4).
    pub(super) fn write(&mut self, address: u32, width: usize, bytes: &[u8]) -> Result<(), BoardError> {
        if is_plain_memory(address, bytes.len()) {
            self.flash_may_differ = true;
            return self.surviving(|target| target.machine.bus.write(address, bytes));
        }
        for (unit, at) in bytes.chunks(width.clamp(1, 4)).zip((address..).step_by(width.clamp(1, 4))) {
            match *unit {
                [a, b, c, d] => self.write_word(at, u32::from_le_bytes([a, b, c, d]))?,
                [a, b] => {
                    self.surviving(|target| target.machine.bus.write_half(at, u16::from_le_bytes([a, b])))?
                }
                _ => {
                    for (&byte, at) in unit.iter().zip(at..) {
                        self.surviving(|target| target.machine.bus.write_byte(at, byte))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Does `action`. Where the emulator ended meanwhile, which is what it does when the core locks up, powers it anew
    /// with the same flash, the core locked up, and does it again.
    fn surviving<T>(
        &mut self,
        mut action: impl FnMut(&mut Self) -> Result<T, BoardError>,
    ) -> Result<T, BoardError> {
        match action(self) {
            Err(BoardError::QemuEnded) => {
                tracing::debug!("the emulated core locked up");
                let (machine, stream) = Machine::start(Some(&self.kept_flash))?;
                self.machine = machine;
                self.uart.set_running(false);
                self.uart.connect(stream)?;
                self.planted.clear();
                self.asleep = false;
                self.status = Status::LockedUp;
                action(self)
            }
            done => done,
        }
    }

    /// Finds out whether a running core has stopped at a breakpoint.
    fn observe(&mut self) -> Result<(), BoardError> {
        if self.status == Status::Running && self.machine.core.stops_within(Duration::ZERO)? {
            self.stopped(DFSR_BKPT)?;
        }
        Ok(())
    }

    fn set_control(&mut self, control: u32) -> Result<(), BoardError> {
        self.observe()?;
        let debugged = control & C_DEBUGEN != 0;
        self.control = control;
        match (debugged && control & C_HALT != 0, self.status) {
            (true, Status::Running) => {
                self.machine.core.halt()?;
                self.stopped(DFSR_HALTED)?;
                self.asleep = self.fell_asleep()?;
                Ok(())
            }
            (true, Status::LockedUp) => {
                self.status = Status::Halted;
                self.dfsr |= DFSR_HALTED;
                Ok(())
            }
            (false, Status::Halted) if debugged && control & C_STEP != 0 => {
                self.flash_may_differ = true;
                self.step()
            }
            (false, Status::Halted) => self.resume(),
            _ => Ok(()),
        }
    }

    /// Executes one instruction.
    fn step(&mut self) -> Result<(), BoardError> {
        if self.has_no_code()? {
            self.status = Status::LockedUp;
            return Ok(());
        }
        self.dfsr |= DFSR_HALTED;
        self.machine.core.step()?;
        if !std::mem::take(&mut self.asleep) {
            return if self.machine.core.stops_within(STEP_DEADLINE)? {
                Ok(())
            } else {
                self.machine.core.halt()
            };
        }
        if self.machine.core.stops_within(STEP_PATIENCE)? {
            return Ok(());
        }
        // The real core wakes to be stepped; the emulated one needs an exception. As interrupts are held back during a
        // step, it is never taken.
        let pending = self.machine.bus.read_word(ICSR)? & PENDSVSET != 0;
        self.machine.bus.write_word(ICSR, PENDSVSET)?;
        let woken = self.machine.core.stops_within(STEP_DEADLINE)?;
        if !pending {
            self.machine.bus.write_word(ICSR, PENDSVCLR)?;
        }
        if woken { Ok(()) } else { self.machine.core.halt() }
    }

    /// Erased flash holds no vector table: the core faults in its first instruction, and again in the fault's handler.
    fn has_no_code(&mut self) -> Result<bool, BoardError> {
        Ok(self.machine.core.read_register(15)? >= NO_CODE)
    }

    /// Whether the core, which was just halted, had executed a WFI or WFE (Armv6-M ARM, A6.7.81 and A6.7.80).
    fn fell_asleep(&mut self) -> Result<bool, BoardError> {
        let Some(before) = self.machine.core.read_register(15)?.checked_sub(2) else { return Ok(false) };
        if !is_plain_memory(before, 2) {
            return Ok(false);
        }
        let mut instruction = [0; 2];
        self.machine.bus.read(before, &mut instruction)?;
        Ok(matches!(u16::from_le_bytes(instruction), 0xBF30 | 0xBF20))
    }

    fn resume(&mut self) -> Result<(), BoardError> {
        if self.has_no_code()? {
            self.status = Status::LockedUp;
            return Ok(());
        }
        // The emulator doesn't stop at a BKPT instruction. Flash algorithms return to one: stop there by a breakpoint.
        let return_address = self.machine.core.read_register(14)? & !1;
        let mut half = [0; 2];
        self.machine.bus.read(return_address, &mut half)?;
        if half[1] == 0xBE && self.control & C_DEBUGEN != 0 {
            self.planted.push(return_address);
        }
        if self.bp_enabled {
            for comparator in self.comparators.into_iter().filter(|comparator| comparator & 1 != 0) {
                let word = comparator & 0x1FFF_FFFC;
                let (lower, upper) = (comparator >> 30 & 1 != 0, comparator >> 31 != 0);
                self.planted.extend(lower.then_some(word));
                self.planted.extend(upper.then_some(word + 2));
            }
        }
        for &address in &self.planted {
            self.machine.core.set_breakpoint(address, true)?;
        }
        self.flash_may_differ = true;
        self.status = Status::Running;
        self.uart.set_running(true);
        self.machine.core.resume()
    }

    /// The core has stopped for `reason`, a bit of DFSR.
    fn stopped(&mut self, reason: u32) -> Result<(), BoardError> {
        self.status = Status::Halted;
        self.control |= C_HALT;
        self.uart.set_running(false);
        self.dfsr |= reason;
        for address in std::mem::take(&mut self.planted) {
            self.machine.core.set_breakpoint(address, false)?;
        }
        Ok(())
    }

    /// Makes a running core stand, whatever for.
    fn stop(&mut self) -> Result<(), BoardError> {
        if self.machine.core.is_running() {
            self.machine.core.halt()?;
            self.stopped(0)?;
        }
        Ok(())
    }

    /// Moves a core register to or from DCRDR.
    fn transfer_register(&mut self, selection: u32) -> Result<(), BoardError> {
        if self.status != Status::Halted {
            return Ok(());
        }
        // The emulator shows one stack pointer, the one in use, and none of the special registers (docs/fidelity.md).
        let number = match selection & 0x1F {
            general @ 0..=15 => general as u8,
            16 => XPSR,
            17 => 13,
            _ => {
                self.dcrdr = if selection >> 16 & 1 == 0 { 0 } else { self.dcrdr };
                return Ok(());
            }
        };
        if selection >> 16 & 1 == 0 {
            self.dcrdr = self.machine.core.read_register(number)?;
            return Ok(());
        }
        let value = if number == 15 { self.dcrdr & !1 } else { self.dcrdr };
        self.machine.core.write_register(number, value)
    }
}

/// Whether the range lies within flash (for reading and, ignored by the flash, writing) or RAM, where the order and
/// width of accesses do not matter.
fn is_plain_memory(address: u32, length: usize) -> bool {
    const RAM: u32 = 0x2000_0000;
    const RAM_SIZE: u32 = 16 * 1024;
    let end = u64::from(address) + length as u64;
    end <= u64::from(FLASH_SIZE) || (address >= RAM && end <= u64::from(RAM + RAM_SIZE))
}

fn comparator(address: u32) -> usize {
    ((address - BP_COMP0) / 4) as usize
}

//! Identification registers of the chip's debug components, which QEMU lacks: ROM tables, component and peripheral
//! ids, and the chip's configuration id. Read-only constants, by which tools detect the chip.

/// Nordic's ROM table, which the access port's BASE register points at.
pub(super) const NORDIC_ROM: u32 = 0xF000_0000;
/// Arm's ROM table of a Cortex-M0 (Cortex-M0 Technical Reference Manual r0p0, 6.2).
const ARM_ROM: u32 = 0xE00F_F000;
const SCS: u32 = 0xE000_E000;
const DWT: u32 = 0xE000_1000;
const BPU: u32 = 0xE000_2000;
/// FICR.CONFIGID (nRF51 Series Reference Manual v3.0, 7.2): hardware id 0x008F, an nRF51822_xxAA.
const FICR_CONFIGID: u32 = 0x1000_005C;
const HARDWARE_ID: u32 = 0xFFFF_008F;

/// JEP106 bank and code of a designer.
#[derive(Clone, Copy)]
struct Designer {
    bank: u32,
    code: u32,
}

const ARM: Designer = Designer { bank: 4, code: 0x3B };
const NORDIC: Designer = Designer { bank: 2, code: 0x44 };

/// The constant at `address`, where there is one.
pub(super) fn read(address: u32) -> Option<u32> {
    let offset = address & 0xFFF;
    match address & !0xFFF {
        NORDIC_ROM => Some(match offset {
            0 => entry(ARM_ROM, NORDIC_ROM),
            _ => identity(offset, 1, 0x001, NORDIC),
        }),
        ARM_ROM => Some(match offset {
            0x0 => entry(SCS, ARM_ROM),
            0x4 => entry(DWT, ARM_ROM),
            0x8 => entry(BPU, ARM_ROM),
            // MEMTYPE: system memory can be reached through this port.
            0xFCC => 1,
            _ => identity(offset, 1, 0x471, ARM),
        }),
        SCS if offset >= 0xFD0 => Some(identity(offset, 0xE, 0x008, ARM)),
        DWT if offset >= 0xFD0 => Some(identity(offset, 0xE, 0x00A, ARM)),
        BPU if offset >= 0xFD0 => Some(identity(offset, 0xE, 0x00B, ARM)),
        _ if address == FICR_CONFIGID => Some(HARDWARE_ID),
        _ => None,
    }
}

/// A ROM table entry: the component's distance from the table, 32-bit format, present.
const fn entry(component: u32, table: u32) -> u32 {
    component.wrapping_sub(table) | 3
}

/// Component and peripheral id registers (ADIv5.2, D1.2).
fn identity(offset: u32, class: u32, part: u32, designer: Designer) -> u32 {
    match offset {
        0xFD0 => designer.bank,
        0xFE0 => part & 0xFF,
        0xFE4 => (designer.code & 0xF) << 4 | part >> 8,
        0xFE8 => 1 << 3 | designer.code >> 4,
        0xFF0 => 0x0D,
        0xFF4 => class << 4,
        0xFF8 => 0x05,
        0xFFC => 0xB1,
        _ => 0,
    }
}

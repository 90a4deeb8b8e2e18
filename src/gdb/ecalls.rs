//! The program's ECALLs, by name: what they are called depends on the kernel beneath.

use crate::hart::Machine;
use crate::isa::Reg;
use crate::map::{Addr, Mode};

/// How a program says what it wants of its kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Abi {
    /// The default kernel's: a number in a7 (KERN-2, KERN-3).
    #[default]
    Numbers,
    /// RISC Zero's: a kind in t0, and for system calls the address of a name in a2.
    Risc0,
}

/// The numbers that the default kernel knows.
const NUMBERS: [(u32, &str); 8] = [
    (57, "close"),
    (62, "lseek"),
    (63, "read"),
    (64, "write"),
    (80, "fstat"),
    (93, "exit"),
    (94, "exit_group"),
    (214, "brk"),
];

/// RISC Zero's kinds, in order of their numbers.
const KINDS: [&str; 8] = ["halt", "input", "software", "sha", "bigint", "user", "bigint2", "poseidon2"];
/// The kind of a system call.
const SOFTWARE: u32 = 2;
/// The longest name of a system call; RISC Zero's own have 45 bytes.
const MAX_NAME_BYTES: u32 = 256;

impl Abi {
    /// The number of the ECALL that the user registers of `machine` ask for.
    pub fn number(self, machine: &Machine) -> u32 {
        match self {
            Abi::Numbers => user(machine, Reg::A7),
            Abi::Risc0 => user(machine, Reg::T0),
        }
    }

    /// Its name.
    pub fn name(self, machine: &Machine) -> String {
        let number = self.number(machine);
        match self {
            Abi::Numbers => {
                let known = NUMBERS.iter().find(|(known, _)| *known == number);
                known.map_or("ecall", |(_, name)| name).to_owned()
            }
            Abi::Risc0 if number == SOFTWARE => system_call(machine),
            Abi::Risc0 => KINDS.get(number as usize).map_or("ecall", |name| name).to_owned(),
        }
    }

    /// Its name, number and arguments.
    pub fn describe(self, machine: &Machine) -> String {
        let (name, number) = (self.name(machine), self.number(machine));
        let (register, arguments) = match self {
            Abi::Numbers => ("a7", [Reg::A0, Reg::A1, Reg::A2]),
            Abi::Risc0 if number == SOFTWARE => ("t0", [Reg::A3, Reg::A4, Reg::A5]),
            Abi::Risc0 => ("t0", [Reg::A0, Reg::A1, Reg::A2]),
        };
        let [a, b, c] = arguments.map(|reg| user(machine, reg));
        format!("{name} ({register} = {number}) ({a:#x}, {b:#x}, {c:#x})")
    }

    /// Whether `word` is a name that this ABI has, for all that is known here.
    pub fn knows(self, word: &str) -> bool {
        match self {
            Abi::Numbers => NUMBERS.iter().any(|(_, name)| *name == word),
            // The host's names are its own affair.
            Abi::Risc0 => true,
        }
    }

    /// What to say when it does not.
    pub fn names(self) -> String {
        NUMBERS.map(|(_, name)| name).join(", ")
    }
}

/// Whether the ECALL called `name` is what the user calls `wanted`: `SYS_READ` may be `read`, in any case.
pub fn is_called(name: &str, wanted: &str) -> bool {
    let plain = |text: &str| text.to_ascii_lowercase().trim_start_matches("sys_").to_owned();
    plain(name) == plain(wanted)
}

fn user(machine: &Machine, reg: Reg) -> u32 {
    machine.hart.file(Mode::User)[reg.index()]
}

/// The last part of the name at a2: `SYS_READ` of `risc0_zkvm_platform::syscall::nr::SYS_READ`.
fn system_call(machine: &Machine) -> String {
    let addr: Addr = user(machine, Reg::A2);
    let bytes = (0..MAX_NAME_BYTES).map(|i| machine.byte(addr.wrapping_add(i))).take_while(|byte| *byte != 0);
    let name = String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned();
    let last = name.rsplit("::").next().unwrap_or_default();
    if last.is_empty() { "software".to_owned() } else { last.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hart::Hart;
    use crate::mem::Memory;

    fn machine(registers: &[(Reg, u32)]) -> Machine {
        let mut machine = Machine { hart: Hart::new(0x2_0000, Mode::User), mem: Memory::new() };
        registers.iter().for_each(|(reg, value)| machine.hart.set_x(*reg, *value));
        machine.write_bytes(0x3_0000, b"risc0_zkvm_platform::syscall::nr::SYS_READ\0");
        machine
    }

    #[test]
    fn both_abis_have_names() {
        let write = machine(&[(Reg::A7, 64), (Reg::A0, 1), (Reg::A2, 6)]);
        assert_eq!(Abi::Numbers.describe(&write), "write (a7 = 64) (0x1, 0x0, 0x6)");
        let read = machine(&[(Reg::T0, 2), (Reg::A2, 0x3_0000), (Reg::A3, 7)]);
        assert_eq!(Abi::Risc0.describe(&read), "SYS_READ (t0 = 2) (0x7, 0x0, 0x0)");
        assert_eq!(Abi::Risc0.name(&machine(&[(Reg::T0, 3)])), "sha");
        assert_eq!(Abi::Risc0.name(&machine(&[(Reg::T0, 99)])), "ecall");
        assert!(is_called("SYS_READ", "read") && is_called("write", "write") && !is_called("SYS_READ", "write"));
    }
}

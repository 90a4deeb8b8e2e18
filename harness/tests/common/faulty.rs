//! An engine that makes one mistake.

use lockstep::ecall::Host;
use lockstep::exec::{Engine, Exit, Step, Until};
use lockstep::hart::Machine;
use lockstep::isa::Reg;
use lockstep::map::Addr;
use lockstep::trace::Sink;

/// What goes wrong in a [`Faulty`] engine after the step with a given number.
#[derive(Clone, Copy, Debug)]
pub enum Plant {
    Register(Reg),
    Pc,
    Memory(Addr),
}

/// The plain engine with one mistake.
pub struct Faulty {
    pub engine: Step,
    pub order: u64,
    pub plant: Plant,
}

impl Faulty {
    fn spoil(&self, machine: &mut Machine) {
        match self.plant {
            Plant::Register(reg) => machine.hart.set_x(reg, machine.hart.x(reg) ^ 0x100),
            Plant::Pc => machine.hart.pc ^= 8,
            Plant::Memory(addr) => machine.set_word(addr, machine.word(addr) ^ 0x0001_0000),
        }
    }
}

impl Engine for Faulty {
    fn run(&mut self, machine: &mut Machine, host: &mut dyn Host, until: Until<'_>, sink: &mut impl Sink) -> Exit {
        if machine.hart.instructions > self.order || until.order <= self.order {
            return self.engine.run(machine, host, until, sink);
        }
        match self.engine.run(machine, host, Until { order: self.order + 1, ..until }, sink) {
            Exit::Order => {
                self.spoil(machine);
                self.engine.run(machine, host, until, sink)
            }
            exit => exit,
        }
    }
}

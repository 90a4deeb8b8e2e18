//! The programs, and how much work each engine gets.

use lockstep::exec::EngineKind;

use super::Column;

/// A program. Its work is a number, the scale.
#[derive(Debug)]
pub struct Program {
    /// The name of its files.
    pub name: &'static str,
    /// The scale that keeps the fastest engines busy for some tenths of a second.
    pub full: u32,
    /// Two scales for counting host instructions under valgrind: what both share, start and compilation, cancels.
    pub probe: Option<[u32; 2]>,
    /// Whether it is a program for bare machines: see [`super::guest`].
    pub is_bare: bool,
}

/// All programs. One unit of `sort` is 200 million instructions: too many for valgrind.
pub const PROGRAMS: [Program; 7] = [
    Program { name: "dhrystone", full: 2000, probe: Some([10, 30]), is_bare: false },
    Program { name: "coremark", full: 3000, probe: None, is_bare: true },
    Program { name: "sha256", full: 400, probe: Some([2, 6]), is_bare: false },
    Program { name: "sort", full: 3, probe: None, is_bare: false },
    Program { name: "matrix", full: 300, probe: Some([2, 6]), is_bare: false },
    Program { name: "interp", full: 200, probe: Some([2, 6]), is_bare: false },
    Program { name: "recursion", full: 900, probe: Some([20, 60]), is_bare: false },
];

impl Program {
    /// The work for `column`: slower engines get less.
    pub fn scale(&self, column: Column) -> u32 {
        let share = match column {
            Column::Native | Column::Qemu | Column::Ours(EngineKind::Jit) => 1,
            Column::Spike | Column::Ours(EngineKind::Block) => 10,
            Column::Rrs | Column::Risc0 | Column::Ours(EngineKind::Step) => 40,
        };
        (self.full / share).max(1)
    }
}

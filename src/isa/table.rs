//! The instruction table: what the machine can do, in 49 rows (ISA-1).
//!
//! The table is the only list of instructions. A row gives the name of the operation, its
//! mnemonic, its encoding format, its family and the bits that identify it:
//! a word `w` is this instruction when `w & mask == match` (ISA-3).

/// Calls the macro `$with` with every row of the instruction table.
///
/// A row reads `Name "mnemonic" Format Class mask => match;`.
macro_rules! instructions {
    ($with:ident) => {
        $with! {
            Lui    "lui"    U     Upper  0x0000_007f => 0x0000_0037;
            Auipc  "auipc"  U     Upper  0x0000_007f => 0x0000_0017;
            Jal    "jal"    J     Jump   0x0000_007f => 0x0000_006f;
            Jalr   "jalr"   I     Jump   0x0000_707f => 0x0000_0067;
            Beq    "beq"    B     Branch 0x0000_707f => 0x0000_0063;
            Bne    "bne"    B     Branch 0x0000_707f => 0x0000_1063;
            Blt    "blt"    B     Branch 0x0000_707f => 0x0000_4063;
            Bge    "bge"    B     Branch 0x0000_707f => 0x0000_5063;
            Bltu   "bltu"   B     Branch 0x0000_707f => 0x0000_6063;
            Bgeu   "bgeu"   B     Branch 0x0000_707f => 0x0000_7063;
            Lb     "lb"     I     Load   0x0000_707f => 0x0000_0003;
            Lh     "lh"     I     Load   0x0000_707f => 0x0000_1003;
            Lw     "lw"     I     Load   0x0000_707f => 0x0000_2003;
            Lbu    "lbu"    I     Load   0x0000_707f => 0x0000_4003;
            Lhu    "lhu"    I     Load   0x0000_707f => 0x0000_5003;
            Sb     "sb"     S     Store  0x0000_707f => 0x0000_0023;
            Sh     "sh"     S     Store  0x0000_707f => 0x0000_1023;
            Sw     "sw"     S     Store  0x0000_707f => 0x0000_2023;
            Addi   "addi"   I     Alu    0x0000_707f => 0x0000_0013;
            Slti   "slti"   I     Less   0x0000_707f => 0x0000_2013;
            Sltiu  "sltiu"  I     Less   0x0000_707f => 0x0000_3013;
            Xori   "xori"   I     Alu    0x0000_707f => 0x0000_4013;
            Ori    "ori"    I     Alu    0x0000_707f => 0x0000_6013;
            Andi   "andi"   I     Alu    0x0000_707f => 0x0000_7013;
            Slli   "slli"   Shamt Shift  0xfe00_707f => 0x0000_1013;
            Srli   "srli"   Shamt Shift  0xfe00_707f => 0x0000_5013;
            Srai   "srai"   Shamt Shift  0xfe00_707f => 0x4000_5013;
            Add    "add"    R     Alu    0xfe00_707f => 0x0000_0033;
            Sub    "sub"    R     Alu    0xfe00_707f => 0x4000_0033;
            Sll    "sll"    R     Shift  0xfe00_707f => 0x0000_1033;
            Slt    "slt"    R     Less   0xfe00_707f => 0x0000_2033;
            Sltu   "sltu"   R     Less   0xfe00_707f => 0x0000_3033;
            Xor    "xor"    R     Alu    0xfe00_707f => 0x0000_4033;
            Srl    "srl"    R     Shift  0xfe00_707f => 0x0000_5033;
            Sra    "sra"    R     Shift  0xfe00_707f => 0x4000_5033;
            Or     "or"     R     Alu    0xfe00_707f => 0x0000_6033;
            And    "and"    R     Alu    0xfe00_707f => 0x0000_7033;
            Fence  "fence"  Fence System 0x0000_707f => 0x0000_000f;
            Ecall  "ecall"  Bare  System 0xffff_ffff => 0x0000_0073;
            Ebreak "ebreak" Bare  System 0xffff_ffff => 0x0010_0073;
            Mret   "mret"   Bare  System 0xffff_ffff => 0x3020_0073;
            Mul    "mul"    R     Mul    0xfe00_707f => 0x0200_0033;
            Mulh   "mulh"   R     Mul    0xfe00_707f => 0x0200_1033;
            Mulhsu "mulhsu" R     Mul    0xfe00_707f => 0x0200_2033;
            Mulhu  "mulhu"  R     Mul    0xfe00_707f => 0x0200_3033;
            Div    "div"    R     Div    0xfe00_707f => 0x0200_4033;
            Divu   "divu"   R     Div    0xfe00_707f => 0x0200_5033;
            Rem    "rem"    R     Div    0xfe00_707f => 0x0200_6033;
            Remu   "remu"   R     Div    0xfe00_707f => 0x0200_7033;
        }
    };
}

pub(crate) use instructions;

//! Agent expressions: the bytecode in which gdb sends breakpoint conditions and commands.
//!
//! GDB's manual, "The GDB Agent Expression Mechanism". Evaluating one here instead of stopping spares a round trip.

use smallvec::SmallVec;

use super::arch::RegId;
use crate::hart::Machine;
use crate::map::USER_START;

/// The most operations of one evaluation: a loop in the bytecode ends here.
const MOST_OPERATIONS: u32 = 100_000;
/// The deepest stack.
const DEEPEST: usize = 256;

/// Evaluates `code`; the value on top of the stack at its end, and what `printf` operations wrote to `out`.
///
/// # Errors
/// A sentence: an unknown operation, a stack that runs empty, memory that cannot be read.
pub fn evaluate(code: &[u8], machine: &Machine, out: &mut String) -> Result<u64, String> {
    let mut run = Run { code, pc: 0, stack: SmallVec::new(), machine };
    for _ in 0..MOST_OPERATIONS {
        if !run.step(out)? {
            return Ok(run.stack.pop().unwrap_or(0));
        }
    }
    Err("the expression does not end".to_owned())
}

struct Run<'a> {
    code: &'a [u8],
    pc: usize,
    /// Conditions are evaluated millions of times, and seldom need more than this: nothing is allocated for them.
    stack: SmallVec<[u64; 16]>,
    machine: &'a Machine,
}

impl Run<'_> {
    /// Executes one operation; false at the end. The numbers are those of the manual's list.
    fn step(&mut self, out: &mut String) -> Result<bool, String> {
        match self.operand(1)? {
            0x02 => self.binary(|a, b| Some(a.wrapping_add(b)))?,
            0x03 => self.binary(|a, b| Some(a.wrapping_sub(b)))?,
            0x04 => self.binary(|a, b| Some(a.wrapping_mul(b)))?,
            0x05 => self.binary(|a, b| (a as i64).checked_div(b as i64).map(|value| value as u64))?,
            0x06 => self.binary(u64::checked_div)?,
            0x07 => self.binary(|a, b| (a as i64).checked_rem(b as i64).map(|value| value as u64))?,
            0x08 => self.binary(u64::checked_rem)?,
            0x09 => self.binary(|a, b| Some(a.checked_shl(b as u32).unwrap_or(0)))?,
            0x0a => self.binary(|a, b| Some(((a as i64) >> b.min(63)) as u64))?,
            0x0b => self.binary(|a, b| Some(a.checked_shr(b as u32).unwrap_or(0)))?,
            0x0e => self.unary(|a| u64::from(a == 0))?,
            0x0f => self.binary(|a, b| Some(a & b))?,
            0x10 => self.binary(|a, b| Some(a | b))?,
            0x11 => self.binary(|a, b| Some(a ^ b))?,
            0x12 => self.unary(|a| !a)?,
            0x13 => self.binary(|a, b| Some(u64::from(a == b)))?,
            0x14 => self.binary(|a, b| Some(u64::from((a as i64) < (b as i64))))?,
            0x15 => self.binary(|a, b| Some(u64::from(a < b)))?,
            0x16 => {
                let unused = 64 - self.width()?;
                self.unary(|a| (((a << unused) as i64) >> unused) as u64)?;
            }
            op @ 0x17..=0x1a => self.fetch(1 << (op - 0x17))?,
            0x20 => {
                let target = self.operand(2)?;
                if self.pop()? != 0 {
                    self.pc = target as usize;
                }
            }
            0x21 => self.pc = self.operand(2)? as usize,
            op @ 0x22..=0x25 => {
                let value = self.operand(1 << (op - 0x22))?;
                self.push(value)?;
            }
            0x26 => self.register()?,
            0x27 => return Ok(false),
            0x28 => {
                let top = self.peek(0)?;
                self.push(top)?;
            }
            0x29 => drop(self.pop()?),
            0x2a => {
                let unused = 64 - self.width()?;
                self.unary(|a| (a << unused) >> unused)?;
            }
            0x2b => {
                let (b, a) = (self.pop()?, self.pop()?);
                self.push(b)?;
                self.push(a)?;
            }
            0x32 => {
                let depth = self.operand(1)? as usize;
                let value = self.peek(depth)?;
                self.push(value)?;
            }
            0x33 => {
                let (c, b, a) = (self.pop()?, self.pop()?, self.pop()?);
                [c, a, b].into_iter().try_for_each(|value| self.push(value))?;
            }
            0x34 => self.printf(out)?,
            other => return Err(format!("operation 0x{other:02x} of the expression is not supported")),
        }
        Ok(true)
    }

    /// The next `size` bytes of code, big-endian.
    fn operand(&mut self, size: usize) -> Result<u64, String> {
        let bytes = self.code.get(self.pc..self.pc + size).ok_or("the expression ends in the middle")?;
        self.pc += size;
        Ok(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A number of bits, 1 to 64.
    fn width(&mut self) -> Result<u32, String> {
        match self.operand(1)? {
            width @ 1..=64 => Ok(width as u32),
            other => Err(format!("a width of {other} bits")),
        }
    }

    fn push(&mut self, value: u64) -> Result<(), String> {
        if self.stack.len() == DEEPEST {
            return Err("the expression is too deep".to_owned());
        }
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<u64, String> {
        self.stack.pop().ok_or_else(|| "the expression pops an empty stack".to_owned())
    }

    fn peek(&self, depth: usize) -> Result<u64, String> {
        let index = self.stack.len().checked_sub(depth + 1).ok_or("the expression looks below its stack")?;
        Ok(self.stack[index])
    }

    fn unary(&mut self, op: impl Fn(u64) -> u64) -> Result<(), String> {
        let a = self.pop()?;
        self.push(op(a))
    }

    fn binary(&mut self, op: impl Fn(u64, u64) -> Option<u64>) -> Result<(), String> {
        let (b, a) = (self.pop()?, self.pop()?);
        let value = op(a, b).ok_or("the expression divides by zero")?;
        self.push(value)
    }

    fn fetch(&mut self, size: u32) -> Result<(), String> {
        let addr = self.pop()? as u32;
        if addr < USER_START {
            return Err(format!("the expression reads {addr:#010x}, which is in the invalid region (MAP-1)"));
        }
        let mut bytes = [0; 8];
        self.machine.read_bytes(addr, &mut bytes[..size as usize]);
        self.push(u64::from_le_bytes(bytes))
    }

    fn register(&mut self) -> Result<(), String> {
        let number = self.operand(2)? as usize;
        let id = RegId::new(number).ok_or_else(|| format!("the expression reads register {number}"))?;
        self.push(id.read(self.machine))
    }

    /// `printf`: function and channel, which mean nothing here, then the arguments from the first on.
    fn printf(&mut self, out: &mut String) -> Result<(), String> {
        let (count, length) = (self.operand(1)?, self.operand(2)? as usize);
        let format = self.code.get(self.pc..self.pc + length).ok_or("the expression ends in the middle")?;
        let format = String::from_utf8_lossy(format).into_owned();
        self.pc += length;
        self.pop()?;
        self.pop()?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.pop()?);
        }
        out.push_str(&self.formatted(format.trim_end_matches('\0'), &values));
        if out.len() > MOST_TEXT_BYTES { Err("the expression prints too much".to_owned()) } else { Ok(()) }
    }

    /// C's printf, for integers, characters and strings.
    fn formatted(&self, format: &str, values: &[u64]) -> String {
        let (mut text, mut values) = (String::new(), values.iter());
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c == '\\' {
                text.extend(escaped(&mut chars));
                continue;
            }
            if c != '%' {
                text.push(c);
                continue;
            }
            // Flags, width and length change the look only.
            let conversion = chars.by_ref().find(|c| c.is_alphabetic() && !matches!(c, 'l' | 'h' | 'z') || *c == '%');
            let mut next = || *values.next().unwrap_or(&0) as u32;
            match conversion {
                Some('%') => text.push('%'),
                Some('d' | 'i') => text += &(next() as i32).to_string(),
                Some('u') => text += &next().to_string(),
                Some('x') => text += &format!("{:x}", next()),
                Some('X') => text += &format!("{:X}", next()),
                Some('o') => text += &format!("{:o}", next()),
                Some('p') => text += &format!("{:#x}", next()),
                Some('c') => text.push(char::from(next() as u8)),
                Some('s') => text += &self.string(next()),
                _ => {}
            }
        }
        text
    }

    fn string(&self, addr: u32) -> String {
        let bytes = (0..LONGEST_STRING).map(|i| self.machine.byte(addr.wrapping_add(i)));
        String::from_utf8_lossy(&bytes.take_while(|byte| *byte != 0).collect::<Vec<u8>>()).into_owned()
    }
}

/// What a backslash and the characters behind it stand for in C: gdb sends the format as the user wrote it.
fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let first = chars.next()?;
    Some(match first {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'v' => '\x0b',
        'e' => '\x1b',
        '0'..='7' => octal(first, chars),
        other => other,
    })
}

/// Up to three octal digits.
fn octal(first: char, chars: &mut std::str::Chars<'_>) -> char {
    let mut value = first.to_digit(8).unwrap_or(0);
    for _ in 0..2 {
        let Some(digit) = chars.as_str().chars().next().and_then(|next| next.to_digit(8)) else { break };
        chars.next();
        value = 8 * value + digit;
    }
    char::from(value as u8)
}

/// The most bytes that the expressions of one breakpoint print at once, but for the last piece.
const MOST_TEXT_BYTES: usize = 64 << 10;
/// The most bytes of one `%s`.
const LONGEST_STRING: u32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hart::Hart;
    use crate::map::Mode;
    use crate::mem::Memory;

    fn check(code: &[u8], expected: Result<u64, &str>) {
        let mut machine = Machine { hart: Hart::new(0x2_0000, Mode::User), mem: Memory::new() };
        machine.set_word(0x3_0000, 0x8765_4321);
        let value = evaluate(code, &machine, &mut String::new());
        match expected {
            Ok(expected) => assert_eq!(value, Ok(expected), "{code:02x?}"),
            Err(part) => assert!(value.as_ref().is_err_and(|why| why.contains(part)), "{code:02x?}: {value:?}"),
        }
    }

    #[test]
    fn values() {
        check(&[0x22, 7, 0x22, 5, 0x03, 0x27], Ok(2));
        check(&[0x22, 0xFF, 0x16, 8, 0x27], Ok(u64::MAX));
        check(&[0x24, 0, 3, 0, 0, 0x19, 0x27], Ok(0x8765_4321));
        check(&[0x24, 0, 3, 0, 0, 0x17, 0x27], Ok(0x21));
        check(&[0x26, 0, 32, 0x27], Ok(0x2_0000));
        check(&[0x22, 1, 0x20, 0, 6, 0x27, 0x22, 9, 0x27], Ok(9));
        check(&[0x22, 1, 0x22, 2, 0x2b, 0x03, 0x27], Ok(1));
    }

    #[test]
    fn errors() {
        check(&[], Err("ends in the middle"));
        check(&[0x02], Err("empty stack"));
        check(&[0x22, 1, 0x22, 0, 0x05, 0x27], Err("divides by zero"));
        check(&[0x22, 4, 0x19, 0x27], Err("invalid region"));
        check(&[0x21, 0, 0], Err("does not end"));
        check(&[0x26, 0xFF, 0xFF, 0x27], Err("register 65535"));
        check(&[0xFF], Err("not supported"));
        check(&[0x22, 1, 0x28, 0x21, 0, 2], Err("too deep"));
    }
}

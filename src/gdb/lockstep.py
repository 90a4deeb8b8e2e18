# Commands for gdb. They come over the wire: python exec(gdb.execute("monitor python", False, True))
import gdb


def _flush():
    """Makes gdb ask again for everything: a monitor command may have moved the program."""
    gdb.execute("maintenance flush register-cache", False, True)


class _Flush(gdb.Command):
    """Forget what gdb knows of the program's registers."""

    def __init__(self):
        super().__init__("lockstep-flush", gdb.COMMAND_SUPPORT)

    def invoke(self, argument, from_tty):
        _flush()


class _Goto(gdb.Command):
    """goto N|NAME: go to the point before step N, or to a checkpoint, in either direction."""

    def __init__(self):
        super().__init__("goto", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        said = gdb.execute("monitor goto " + argument, False, True).splitlines()
        gdb.write([line for line in said if not line.startswith("gdb shows")][-1] + "\n")
        _flush()
        gdb.execute("frame")


class _WhereWritten(gdb.Command):
    """where-written EXPRESSION: the last write to a variable before now."""

    def __init__(self):
        super().__init__("where-written", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        value = gdb.parse_and_eval(argument)
        if value.address is None:
            raise gdb.GdbError(argument + " is in no memory")
        address = int(value.address) & 0xFFFFFFFF
        gdb.execute("monitor where-written %d %d" % (address, value.type.sizeof))


class _CatchEcall(gdb.Command):
    """Stop before these ECALLs of the program, by name or number, or before all; off: before none."""

    def __init__(self, name):
        super().__init__(name, gdb.COMMAND_BREAKPOINTS)

    def invoke(self, argument, from_tty):
        gdb.execute("monitor catch-ecall " + argument)


class _Checkpoint(gdb.Command):
    """checkpoint [NAME]: remember this point; restart N, restart NAME or goto NAME comes back to it."""

    def __init__(self):
        super().__init__("checkpoint", gdb.COMMAND_RUNNING)
        self.count = 0

    def invoke(self, argument, from_tty):
        if not argument:
            self.count += 1
            argument = "c%d" % self.count
        gdb.execute("monitor checkpoint " + argument)


class _Restart(gdb.Command):
    """restart N|NAME: go to the checkpoint with this number or name, in either direction."""

    def __init__(self):
        super().__init__("restart", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        gdb.execute("goto " + ("c" + argument if argument.isdigit() else argument))


class _InfoCheckpoints(gdb.Command):
    """The points remembered."""

    def __init__(self):
        super().__init__("info checkpoints", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        gdb.execute("monitor checkpoint list")


class _Ecalls(gdb.Command):
    """ecalls: the ECALLs of the program before now."""

    def __init__(self):
        super().__init__("ecalls", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        gdb.execute("monitor ecall list")


class _Symbols(gdb.Command):
    """symbols FILE [BASE]: load the symbols of another file, whose first segment lies at BASE."""

    def __init__(self):
        super().__init__("symbols", gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        gdb.execute("monitor symbols " + argument)
        gdb.execute("sharedlibrary")


for _command in (_Flush, _Goto, _WhereWritten, _Ecalls, _Symbols, _Checkpoint, _Restart, _InfoCheckpoints):
    _command()
# gdb's own `catch syscall` is refused on RISC-V, as its `checkpoint` is without fork: these take their places.
for _name in ("catch-ecall", "catch ecall", "catch syscall"):
    _CatchEcall(_name)
gdb.execute("define hookpost-monitor\nlockstep-flush\nend")

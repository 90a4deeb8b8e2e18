"""Runs one solver on one SMT-LIB file: its answers, then the CPU seconds it took.

Usage: solve.py SOLVER FILE SECONDS   or   solve.py --version
A run that exceeds its seconds is killed and prints no last line.
"""
import importlib.metadata
import resource
import subprocess
import sys

PACKAGES = {"bitwuzla": "bitwuzla", "cvc5": "cvc5", "z3": "z3-solver"}


def bitwuzla(path):
    import bitwuzla

    bitwuzla.Parser(bitwuzla.TermManager(), bitwuzla.Options()).parse(path)


def cvc5(path):
    import cvc5

    terms = cvc5.TermManager()
    solver, symbols = cvc5.Solver(terms), cvc5.SymbolManager(terms)
    parser = cvc5.InputParser(solver, symbols)
    parser.setFileInput(cvc5.InputLanguage.SMT_LIB_2_6, path)
    while not (command := parser.nextCommand()).isNull():
        print(command.invoke(solver, symbols), end="", flush=True)


def z3(path):
    # The binary lies beside the interpreter of the virtual environment.
    subprocess.run([f"{sys.prefix}/bin/z3", path])


def cpu_seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


if sys.argv[1] == "--version":
    for solver, package in PACKAGES.items():
        print(solver, importlib.metadata.version(package))
else:
    solver, path, seconds = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
    {"bitwuzla": bitwuzla, "cvc5": cvc5, "z3": z3}[solver](path)
    sys.stdout.flush()
    print(f"cpu {cpu_seconds():.3f}")

#!/usr/bin/env python3
"""Mutation gate: every latency, depth and arbitration rule of the machine is changed in turn, and a fast test must notice.

    scripts/mutate.py [--only TEXT] [--list] [--check] [--no-build] [--full]

The faults are listed in tests/mutation/mutations.txt. All of them are compiled at once into a copy of the sources
(build-mutation/source), each behind a switch; SYSTOLE_MUTANT=n turns on one of them. A fault is found when the streams of the
quick tests (tests/golden/quick.txt) or the recorded accounts (tests/golden/accounts.txt, tests/data/golden/pinned) differ, end with an
error or do not end, or when a quick test of the front end, the execute side, the announcements or the machine as a
whole fails, or one with random programs on the SoC's memory or with skip-ahead.
--full replays all streams with the faults that the quick ones do not find. Results: tests/mutation/RESULTS.md, which
scripts/scoreboard.sh puts into hw/EXACTNESS.md. Exit code 1 when a fault survives. Python 3 only, no packages.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIST = os.path.join(ROOT, "tests/mutation/mutations.txt")
BUILD = os.path.join(ROOT, "build-mutation")
SOURCE = os.path.join(BUILD, "source")
STREAMS = os.path.join(BUILD, "build/golden/rtl")
CHECK = os.path.join(BUILD, "build/tests/golden/golden_check")
# Folder of the build tree, what is built there, which of its quick tests.
UNIT_TESTS = (("tests/unit/ports", ["test_ports"], "."), ("tests/module/frontend", ["test_frontend"], "."),
              ("tests/module/execute", ["execute_module_test"], "."), ("tests/module/top", ["test_top"], "."),
              ("tests/tools", ["soc_fuzz", "skip_fuzz"], "^soc_|^skip_ahead_"))
FIELDS = ("old", "new", "part", "equivalent")


class Fault:
    def __init__(self, number, file, text):
        self.number, self.file, self.text = number, file, text
        self.old = self.new = self.part = self.equivalent = None
        self.occurrence = None
        self.result = self.detail = self.sources = ""


class Stale(Exception):
    """A fault's text is not in its file (any more)."""


def fail(message):
    sys.exit("mutate: " + message)


def read_faults():
    faults, file, current, field = [], None, None, None
    for number, line in enumerate(open(LIST), 1):
        line = line.rstrip("\n")
        words = line.split()
        key = words[0] if words else ""
        if line.startswith("  ") and current is not None:
            if not line.startswith("   ") and key in FIELDS:
                field = key
                setattr(current, field, line.strip()[len(field):].strip() if field != "part" else line[7:])
            else:
                setattr(current, field, getattr(current, field) + "\n" + line)
        elif not words or key.startswith("#"):
            continue
        elif key == "file":
            file = words[1]
        elif key == "fault":
            current = Fault(len(faults) + 1, file, line[6:])
            faults.append(current)
        elif key == "parameter":
            for change in words[2:]:
                current = Fault(len(faults) + 1, "hw/top/machine.cpp", "parameter: %s %s" % (words[1], change))
                current.old = "params(buildable(m))"
                current.part = "buildable(m)"
                current.new = "[&] { MachineParams x = buildable(m); x.%s += %s; return x; }()" % (words[1], change)
                faults.append(current)
        else:
            fail("%s:%d: cannot read '%s'" % (LIST, number, line))
    for fault in faults:
        match = re.search(r"  @(\d+)$", fault.old)
        if match:
            fault.occurrence = int(match.group(1))
            fault.old = fault.old[:match.start()]
        if fault.part is None:
            fault.part = fault.old
    return faults


def locate(fault, text):
    at, count = -1, text.count(fault.old)
    if count == 0 or (count > 1 and fault.occurrence is None) or (fault.occurrence or 1) > count:
        raise Stale("%s: '%s' occurs %d times (fault: %s)" % (fault.file, fault.old, count, fault.text))
    for _ in range(fault.occurrence or 1):
        at = text.index(fault.old, at + 1)
    if fault.old.count(fault.part) == 0:
        raise Stale("%s: '%s' is not part of '%s'" % (fault.file, fault.part, fault.old))
    begin = at + fault.old.index(fault.part)
    return begin, begin + len(fault.part)


DECLARATION = re.compile(r"^((?:constexpr |const |static )*[A-Za-z_:<>]+ (?:constexpr |const )?[a-z_A-Z]+ = )(.*);$", re.S)


def choose(old, faults):
    """`old` with its faults behind their switches."""
    alternatives = [(fault.number, fault.new) for fault in faults]
    declaration = DECLARATION.match(old)
    if declaration and not old.startswith("return"):
        prefix = declaration.group(1)
        values = []
        for number, new in alternatives:
            values.append((number, new[len(prefix):-1] if new.startswith(prefix) else new))
        return prefix + choose_expression(declaration.group(2), values) + ";"
    if old.rstrip().endswith((";", "}")):
        text = "{ "
        for number, new in alternatives:
            text += "if (::systole::kMutant == %d) { %s } else " % (number, new)
        return text + "{ %s } }" % old
    return choose_expression(old, alternatives)


def choose_expression(old, alternatives):
    text = "(" + old + ")"
    for number, new in reversed(alternatives):
        text = "(::systole::kMutant == %d ? (%s) : %s)" % (number, new, text)
    return text


def mutate(text, faults):
    spans = {}
    for fault in faults:
        spans.setdefault(locate(fault, text), []).append(fault)

    def render(begin, end, inside):
        """The text of [begin, end) with the faults of `inside`, which lie within it."""
        out, at = "", begin
        for span in sorted(inside, key=lambda s: (s[0], -s[1])):
            if span[0] < at:
                continue   # within the one before
            within = [s for s in inside if s != span and span[0] <= s[0] and s[1] <= span[1]]
            for s in inside:
                if s not in within and s != span and s[0] < span[1] and span[0] < s[1]:
                    raise Stale("faults overlap: %s | %s" % (text[s[0]:s[1]], text[span[0]:span[1]]))
            out += text[at:span[0]] + choose(render(span[0], span[1], within), spans[span])
            at = span[1]
        return out + text[at:end]

    result = render(0, len(text), list(spans))
    # What has a switch is no constant expression any more.
    return "\n".join(line.replace("constexpr ", "const ", 1) if "kMutant" in line else line for line in result.split("\n"))


def check(faults):
    """Whether every fault still fits the sources; prints those that do not."""
    stale = 0
    for name in dict.fromkeys(fault.file for fault in faults):
        path = os.path.join(ROOT, name)
        mine = [fault for fault in faults if fault.file == name]
        text = open(path, encoding="latin-1").read() if os.path.isfile(path) else ""
        fitting = []
        for fault in mine:
            try:
                locate(fault, text)
                fitting.append(fault)
            except Stale as problem:
                print("mutate: %s" % problem, file=sys.stderr)
                stale += 1
        try:
            mutate(text, fitting)
        except Stale as problem:
            print("mutate: %s: %s" % (name, problem), file=sys.stderr)
            stale += 1
    print("%d faults, %d do not fit the sources" % (len(faults), stale))
    return 1 if stale else 0


def write_if_changed(path, text):
    if os.path.exists(path) and open(path, encoding="latin-1").read() == text:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w", encoding="latin-1").write(text)


def copy_sources(faults):
    files = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    by_file = {}
    for fault in faults:
        by_file.setdefault(fault.file, []).append(fault)
    for name in files:
        path = os.path.join(ROOT, name)
        if not name or not os.path.isfile(path):
            continue
        target = os.path.join(SOURCE, name)
        if name.startswith("tests/data/"):
            if not os.path.exists(target):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.symlink(path, target)
            continue
        text = open(path, encoding="latin-1").read()
        write_if_changed(target, mutate(text, by_file.pop(name)) if name in by_file else text)
    if by_file:
        fail("no such file: " + ", ".join(by_file))


def build():
    output = os.path.join(BUILD, "build")
    flags = "-O1 -include " + os.path.join(SOURCE, "tests/mutation/mutant.h")
    command = ["cmake", "-G", "Ninja", "-S", SOURCE, "-B", output, "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_CXX_FLAGS=" + flags]
    if shutil.which("ccache"):
        command.append("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", output, "--target", "golden_check", "golden_streams", *(target for _, targets, _ in UNIT_TESTS for target in targets), "--parallel", os.environ.get("JOBS", "2"), "--", "-k", "0"], check=True)


def run(number, arguments, seconds):
    """(found, why)"""
    environment = dict(os.environ, SYSTOLE_MUTANT=str(number))
    try:
        done = subprocess.run([CHECK, "--max-cycles", "30000000"] + arguments, cwd=STREAMS, env=environment, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return True, "does not end"
    if done.returncode == 0:
        return False, ""
    if done.returncode not in (1, 3):
        fail("golden_check: " + done.stderr)
    return True, done.stdout.split("\n")[0]


def run_unit_tests(number):
    """The same for the unit tests, of which each case is a process of its own."""
    environment = dict(os.environ, SYSTOLE_MUTANT=str(number))
    for folder, _, names in UNIT_TESTS:
        done = subprocess.run(["ctest", "--test-dir", os.path.join(BUILD, "build", folder), "-L", "quick", "-R", names, "--parallel", os.environ.get("JOBS", "2"), "--stop-on-failure"],
                              env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            failed = re.search(r"- ([^\n]*) \(", done.stdout[done.stdout.find("FAILED"):])
            return True, failed.group(1) if failed else "a unit test fails"
    return False, ""


def words_of(path):
    return open(os.path.join(ROOT, path)).read().split()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="only faults whose text or file contains this")
    parser.add_argument("--list", action="store_true", help="print the faults and end")
    parser.add_argument("--check", action="store_true", help="only check that every fault still fits the sources")
    parser.add_argument("--no-build", action="store_true", help="use the copy as it is")
    parser.add_argument("--full", action="store_true", help="replay all streams with what the quick ones do not find")
    options = parser.parse_args()
    faults = read_faults()
    if options.list:
        for fault in faults:
            print("%3d %s (%s)" % (fault.number, fault.text, fault.file))
        return 0
    if options.check:
        return check(faults)
    if not options.no_build:
        try:
            copy_sources(faults)
        except Stale as problem:
            fail(str(problem))
        build()

    accounts = ["--accounts", os.path.join(ROOT, "tests/data/golden/accounts.txt"), "--jobs", "2"]
    quick = words_of("tests/golden/quick.txt")
    # Streams with recorded accounts first: they find most.
    first = words_of("tests/golden/accounts.txt")
    pinned = os.path.join(ROOT, "tests/data/golden/pinned")
    first += [os.path.join(pinned, name) for name in sorted(os.listdir(pinned)) if name.endswith(".trace")]
    order = first + [stream for stream in quick if stream not in set(first)]
    every = []
    for directory, _, names in sorted(os.walk(STREAMS)):
        every += [os.path.relpath(os.path.join(directory, name), STREAMS) for name in sorted(names) if name.endswith((".trace", ".trace.gz"))]
    found, why = run(0, accounts + order, 600)
    if found:
        fail("the tests fail without any fault: " + why)
    found, why = run_unit_tests(0)
    if found:
        fail("the unit tests fail without any fault: " + why)

    chosen = [f for f in faults if not options.only or options.only in f.text or options.only in f.file]
    started = time.time()
    for done, fault in enumerate(chosen, 1):
        found, fault.detail = run(fault.number, accounts + order, 120)
        if not found and not fault.equivalent:
            found, fault.detail = run_unit_tests(fault.number)
        fault.result = "found" if found else "survives"
        if not found and options.full and not fault.equivalent:
            found, fault.detail = run(fault.number, ["--jobs", "2"] + every, 600)
            if found:
                fault.result = "found by all streams only"
        if fault.equivalent:
            fault.result = "cannot show" if not found else "found"
        left = (time.time() - started) / done * (len(chosen) - done)
        note = fault.result if found or fault.equivalent else "SURVIVES"
        print("%d of %d, %.0f s left: %s: %s %s" % (done, len(chosen), left, fault.text, note, fault.detail), flush=True)

    survivors = [f for f in chosen if f.result not in ("found", "cannot show")]
    print("%d faults, %d found by the quick tests, %d cannot show, %d survive" % (
        len(chosen), sum(f.result == "found" for f in chosen), sum(f.result == "cannot show" for f in chosen), len(survivors)))
    for fault in survivors:
        print("survives: %s (%s): %s" % (fault.text, fault.file, fault.result))
    remember(faults, chosen)
    return 1 if survivors else 0


def remember(faults, chosen):
    """Results of a run of some faults are joined with earlier ones of the others; the page is written when there is one of each."""
    path = os.path.join(BUILD, "results.json")
    known = json.load(open(path)) if os.path.exists(path) else {}
    git = lambda *words: subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    sources = git("rev-parse", "--short", "HEAD").stdout.strip() or "unknown"
    if git("diff", "--quiet", "HEAD", "--", "hw").returncode != 0:
        sources += ", changed"
    for fault in chosen:
        known[fault.file + ": " + fault.text] = [fault.result, sources]
    json.dump(known, open(path, "w"), indent=0)
    missing = [fault for fault in faults if fault.file + ": " + fault.text not in known]
    if missing:
        print("tests/mutation/RESULTS.md not written: %d faults have never been run" % len(missing))
        return
    for fault in faults:
        fault.result, fault.sources = known[fault.file + ": " + fault.text]
    write_results(faults)


def write_results(faults):
    groups, revisions = {}, {}
    for fault in faults:
        groups.setdefault(fault.text.split(":")[0], []).append(fault)
        revisions[fault.sources] = revisions.get(fault.sources, 0) + 1
    rows = ["| kind of fault | faults | found | cannot show | survive |", "|---|---|---|---|---|"]
    for name, group in groups.items():
        found = sum(f.result == "found" for f in group)
        silent = sum(f.result == "cannot show" for f in group)
        rows.append("| %s | %d | %d | %d | %d |" % (name, len(group), found, silent, len(group) - found - silent))
    remarks = ["* %s (`%s`): %s" % (f.text, f.file, f.equivalent if f.result == "cannot show" else f.result)
               for f in faults if f.result != "found"]
    runs = ", ".join("%d with the sources of %s" % (count, name) for name, count in revisions.items())
    text = "\n".join(rows) + "\n\nFaults run: " + runs + ".\n" + ("\n" + "\n".join(remarks) + "\n" if remarks else "")
    with open(os.path.join(ROOT, "tests/mutation/RESULTS.md"), "w") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Writes hw/params/CHANGED_PARAMETERS.md: what a changed parameter does to the RTL and to Systole, one table per set of recorded streams.

    scripts/changed_parameters.py [--check]     --check: writes nothing; exit code 1 when the page would change

Every set v_*, g4, g8, g32, m_64_256, r25 and r25_norm was recorded on RTL with something changed against the default machine. Where the
same program (the same commands, gaps, fences and memory) was also recorded on the default RTL, both recorded numbers stand side by side;
where it was not, Systole simulates the default machine and the number says so. Systole's numbers are replayed now, from
build/golden/rtl (BUILD=directory for another build). Python 3 only, no packages.
"""
import difflib
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
STREAMS = os.path.join(BUILD, "golden/rtl")
PAGE = os.path.join(ROOT, "hw/params/CHANGED_PARAMETERS.md")
SETS = re.compile(r"^(v_.*|g\d+|m_64_256|r25|r25_norm)$")
GEOMETRY = {"array.dim": "16", "scratchpad.kib": "256", "accumulator.kib": "64"}


def fail(message):
    sys.exit("changed_parameters: " + message)


class Stream:
    def __init__(self, category, path):
        self.category, self.path = category, path
        self.name = os.path.basename(path)[:-len(".trace")]
        self.machine = {}
        self.lines = []
        program = hashlib.sha256()
        for line in open(path):
            self.lines.append(line)
            if line.startswith("machine "):
                self.machine = dict(word.split("=", 1) for word in line.split()[1:])
            elif not line.startswith("#"):
                # The memory's beats are as wide as the bus, which is a parameter.
                program.update(re.sub(r" beat_bytes=\d+", "", line).encode() if line.startswith("mem ") else line.encode())
        self.program = program.digest()
        self.rtl = json.load(open(path[:-len(".trace")] + ".expect.json"))["cycles"]
        self.systole = self.status = None

    def default_machine(self):
        """The default machine: the reference geometry of 2023, with a normaliser where this stream's machine has one (v_nonorm_a changes only the banks)."""
        return dict(GEOMETRY, **{"sfu.normaliser": self.machine.get("sfu.normaliser", "0")})

    def changes(self):
        base = self.default_machine()
        return {key: value for key, value in self.machine.items() if base.get(key) != value}


def replay(arguments):
    done = subprocess.run([os.path.join(BUILD, "systole"), "replay", "--jobs", os.environ.get("JOBS", "2"), "--json", "-", "--quiet"] + arguments,
                          capture_output=True, text=True)
    try:
        return {(r["category"], r["name"]): r for r in json.loads(done.stdout)["results"]}
    except ValueError:
        fail("systole replay: " + (done.stderr or done.stdout))


def defaults():
    """{key: default of the reference machine}"""
    text = subprocess.run([os.path.join(BUILD, "systole"), "show", "machine", "--markdown"], capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^\| `([^`]+)` \| *([^ |]*) *\|", text, re.M))


def number(value):
    return "{:,}".format(value)


def percent(changed, base):
    return "{:+.1f} %".format(100.0 * (changed - base) / base) if changed != base else "0"


def simulate_default(streams):
    """{stream: (cycles or None, status)} of the same programs on the default machine."""
    with tempfile.TemporaryDirectory() as folder:
        for stream in streams:
            line = "machine " + " ".join("%s=%s" % item for item in stream.default_machine().items()) + "\n"
            text = "".join(line if l.startswith("machine ") else re.sub(r" beat_bytes=\d+", " beat_bytes=16", l) if l.startswith("mem ") else l
                           for l in stream.lines)
            os.makedirs(os.path.join(folder, stream.category), exist_ok=True)
            open(os.path.join(folder, stream.category, stream.name + ".trace"), "w").write(text)
        results = replay([folder, "--no-expect", "--max-cycles", "20000000"])
    return {s: (results[s.category, s.name]["cycles"], results[s.category, s.name]["status"]) for s in streams}


def main():
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and sys.argv[1] not in ("--check", "-h", "--help")):
        fail("unknown arguments (known: --check)")
    if len(sys.argv) == 2 and sys.argv[1] != "--check":
        print(__doc__)
        return 0
    if not os.path.isdir(STREAMS):
        fail("no %s; run scripts/build.sh" % STREAMS)

    streams = [Stream(category, os.path.join(STREAMS, category, name))
               for category in sorted(os.listdir(STREAMS)) if os.path.isdir(os.path.join(STREAMS, category))
               for name in sorted(os.listdir(os.path.join(STREAMS, category))) if name.endswith(".trace")]
    # The streams of the default machine, by program; v_base first.
    recorded = {}
    for stream in sorted(streams, key=lambda s: s.category != "v_base"):
        if stream.category == "v_base" or not SETS.match(stream.category):
            key = (stream.program, stream.machine.get("sfu.normaliser", "0"))
            if not stream.changes():
                recorded.setdefault(key, stream)

    sets = {}
    for stream in streams:
        if SETS.match(stream.category) and stream.category != "v_base":
            sets.setdefault(stream.category, []).append(stream)
    pairs = {s: recorded.get((s.program, s.machine.get("sfu.normaliser", "0"))) for members in sets.values() for s in members}
    used = list(pairs) + list({s.path: s for s in pairs.values() if s is not None}.values())
    results = replay([s.path for s in used])
    for stream in used:
        result = results[stream.category, stream.name]
        stream.systole, stream.status = result["cycles"], result["status"]
    simulated = simulate_default([s for s, pair in pairs.items() if pair is None])

    page = ["# Changed parameters: the RTL and Systole", "",
            "Made by `scripts/changed_parameters.py`; do not edit.", "",
            "Each set of recorded streams ran on RTL that was elaborated with another parameter than the default machine (Gemmini v0.7.2, 16x16,",
            "256 KiB scratchpad, 64 KiB accumulator; `v_*` with normaliser, or without where the set's name says so). A stream of the set is",
            "compared with *the same program* - the same commands, gaps, fences and memory - on the default machine:", "",
            "* **RTL -> RTL**: both were recorded. Systole replays both; *equal* means every key of both recordings, not only cycles.",
            "* *(simulated)*: the default RTL's record is not at hand; Systole's number for the default machine stands in its place.",
            "* *does not run*: the program needs what only the changed machine has (larger memories, another array).", "",
            "On another array the same commands are other work (a tile has other rows), so that no change is given for `g4`, `g8` and `g32`.", "",
            "| set | changed | streams | with RTL pair | RTL default | RTL changed | change | Systole default | Systole changed | equal in every key |",
            "|---|---|---|---|---|---|---|---|---|---|"]
    default_of = defaults()
    totals = [0, 0, 0]
    detail = []
    for name, members in sorted(sets.items()):
        paired = [s for s in members if pairs[s] is not None]
        equal = sum(s.status == "equal" for s in members)
        bases = {pairs[s].path: pairs[s] for s in paired}.values()
        all_equal = equal == len(members) and all(b.status == "equal" for b in bases)
        changes = members[0].changes()
        what = ", ".join("%s=%s" % item for item in changes.items())
        if paired:
            a, b = sum(pairs[s].rtl for s in paired), sum(s.rtl for s in paired)
            c, d = sum(pairs[s].systole or 0 for s in paired), sum(s.systole or 0 for s in paired)
            numbers = [number(a), number(b), percent(b, a), number(c), number(d)]
        else:
            numbers = ["-", "-", "-", "-", "-"]
        page.append("| [`%s`](#%s) | %s | %d | %d | %s | %d of %d%s |" % (
            name, name, what, len(members), len(paired), " | ".join(numbers), equal, len(members), "" if all_equal else " **(differences)**"))
        totals = [totals[0] + len(members), totals[1] + len(paired), totals[2] + equal]

        detail += ["", "## %s" % name, "", "| parameter | default | here |", "|---|---|---|"]
        base_machine = members[0].default_machine()
        detail += ["| `%s` | %s | %s |" % (key, base_machine.get(key, default_of.get(key, "?")), value) for key, value in changes.items()]
        if paired:
            ratios = sorted(((s.rtl - pairs[s].rtl) / pairs[s].rtl, s.name) for s in paired)
            faster, slower = sum(r < 0 for r, _ in ratios), sum(r > 0 for r, _ in ratios)
            detail += ["", "Of %d programs recorded on both machines, the RTL is faster with %d, slower with %d, and takes the same cycles with %d; from %+.1f %% (`%s`) to %+.1f %% (`%s`)."
                       % (len(paired), faster, slower, len(paired) - faster - slower, 100 * ratios[0][0], ratios[0][1], 100 * ratios[-1][0], ratios[-1][1])]
        detail += ["", "| stream | default: RTL | changed: RTL | change | default: Systole | changed: Systole | equal |", "|---|---|---|---|---|---|---|"]
        for s in members:
            pair = pairs[s]
            verdict = "yes" if s.status == "equal" and (pair is None or pair.status == "equal") else "**no**"
            if pair is not None:
                row = [number(pair.rtl), number(s.rtl), percent(s.rtl, pair.rtl), number(pair.systole or 0), number(s.systole or 0)]
            else:
                cycles, status = simulated[s]
                ran = status not in ("failed", "error") and cycles
                row = ["-", number(s.rtl), percent(s.rtl, cycles) if ran and "array.dim" not in changes else "-", "%s (simulated)" % number(cycles) if ran else "does not run", number(s.systole or 0)]
            detail.append("| %s | %s | %s |" % (s.name, " | ".join(row), verdict))
    page.append("| **all** | | %d | %d | | | | | | %d of %d |" % (totals[0], totals[1], totals[2], totals[0]))
    text = "\n".join(page + detail) + "\n"

    if len(sys.argv) == 2:
        old = open(PAGE).read() if os.path.exists(PAGE) else ""
        difference = list(difflib.unified_diff(old.splitlines(True), text.splitlines(True), "hw/params/CHANGED_PARAMETERS.md", "new"))
        sys.stdout.writelines(difference[:40])
        print("changed_parameters: " + ("run scripts/changed_parameters.py and commit what it changes" if difference else "up to date"), file=sys.stderr)
        return 1 if difference else 0
    open(PAGE, "w").write(text)
    print("changed_parameters: %d streams, %d with an RTL pair, %d equal" % tuple(totals))
    return 0 if totals[2] == totals[0] else 1


if __name__ == "__main__":
    sys.exit(main())

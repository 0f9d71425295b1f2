#!/usr/bin/env python3
"""Speed of the simulator: micro-benchmarks, one product, whole models. Prints the table of tests/bench/BENCH.md.

  scripts/bench.sh [--quick] [--repeat N] [--json FILE] [--resume FILE] [--table FILE] [--compare BASELINE.json] [--page]

All times are CPU time of one process, the best of N runs. Absolute times depend on the computer; ratios are taken within one call.
  --quick      product and one layer only, fewer repetitions
  --repeat N   best of N (default 5; whole models at most 3)
  --json FILE  writes every number, after each step
  --resume F   takes what an earlier --json has, and measures the rest
  --table F    measures nothing: the table of an earlier --json
  --compare B  compares with an earlier --json by ratio to the yardsticks of each call, and names what got slower (exit code 1)
  --page       writes tests/bench/BENCH.md
"""
import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", "build")
SLOWER = 1.25      # a ratio that grew by more is reported
TOKENS = 16        # decoded behind a prompt, up to the 1,024 positions of GPT-2


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def google(binary, repeat, extra=()):
    """name -> best real time in seconds (manual time where a benchmark has its own), and the counters of the best run."""
    path = os.path.join(BUILD, "tests/bench", binary)
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        subprocess.run([path, "--benchmark_out=" + out.name, "--benchmark_out_format=json", f"--benchmark_repetitions={repeat}",
                        "--benchmark_min_time=0.1", *extra], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        report = json.load(open(out.name))
    unit = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
    best = {}
    for run in report["benchmarks"]:
        if run.get("run_type") != "iteration" or run.get("error_occurred"):
            continue
        name = run["run_name"].replace("/iterations:1", "").replace("/manual_time", "")
        manual = "manual_time" in run["run_name"]
        seconds = (run["real_time"] if manual else run["cpu_time"]) * unit[run["time_unit"]]
        if name not in best or seconds < best[name]["seconds"]:
            best[name] = {"seconds": seconds, **{k: v for k, v in run.items() if k not in ("run_name", "name") and isinstance(v, (int, float))}}
            best[name]["label"] = run.get("label", "")
    return best


def systole(arguments, repeat, keep="simulate"):
    """Best of `repeat` runs: phases, cycles, memory. CPU time of the child with all it starts."""
    best = None
    for _ in range(repeat):
        with tempfile.NamedTemporaryFile(suffix=".json") as out:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run([os.path.join(BUILD, "systole"), "run", *arguments, "--quiet", "--json", out.name], capture_output=True, text=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if done.returncode not in (0, 1):
                say(f"run {' '.join(arguments)}: {done.stderr.strip()[-300:]}")
                return None
            report = json.load(open(out.name))
        phases = {}
        for phase in report["simulator"]["phases"]:
            phases[phase["name"]] = phases.get(phase["name"], 0) + phase["cpu_seconds"]
        values = phases.get("computing values", 0)
        simulate = report["simulator"]["cpu_seconds"]
        result = {
            "simulate": simulate, "values": values, "timing": simulate - values,
            "prepare": phases.get("quantising", 0), "lower": phases.get("lowering", 0), "check": phases.get("checking values", 0),
            "total": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "cycles": report["cycles"], "macs": report["macs"], "wakeups": report["simulator"]["wakeups"],
            "peak_mib": report["simulator"]["peak_rss_bytes"] / 2**20, "skip": report["simulator"].get("skip_ahead", {}),
        }
        if best is None or result[keep] < best[keep]:
            best = result
    return best


class Table:
    def __init__(self):
        self.rows = []

    def add(self, name, value, unit, required=None, stretch=None, note=""):
        if value is None:
            self.rows.append((name, "not measured", unit, required, stretch, "-", note))
            return
        verdict = ""
        if required is not None:
            good = lambda limit: value >= limit[1] if limit[0] == ">=" else value <= limit[1]
            verdict = "stretch" if stretch is not None and good(stretch) else "met" if good(required) else "MISSED"
        self.rows.append((name, value, unit, required, stretch, verdict, note))

    @staticmethod
    def number(value):
        if isinstance(value, str):
            return value
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"

    def text(self):
        limit = lambda l: "" if l is None else f"{l[0]} {self.number(l[1])}"
        lines = ["| measure | value | unit | required | stretch | | remark |", "|---|---:|---|---|---|---|---|"]
        for name, value, unit, required, stretch, verdict, note in self.rows:
            lines.append(f"| {name} | {self.number(value)} | {unit} | {limit(required)} | {limit(stretch)} | {verdict} | {note} |")
        return "\n".join(lines)


def sfu_share(arguments):
    """Share of the special-function units in the CPU time of a simulation, by sampling; None without perf."""
    with tempfile.TemporaryDirectory() as work:
        data = os.path.join(work, "perf.data")
        try:
            subprocess.run(["perf", "record", "-o", data, "-F", "500", os.path.join(BUILD, "systole"), "run", *arguments, "--quiet"], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            report = subprocess.run(["perf", "report", "-i", data, "--stdio", "--no-children", "--percent-limit", "0", "-F", "overhead,symbol"],
                                    check=True, capture_output=True, text=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return None
    sfu = hw = 0.0
    for line in report.splitlines():
        parts = line.split(None, 1)
        if len(parts) != 2 or not parts[0].endswith("%"):
            continue
        share, symbol = float(parts[0][:-1]), parts[1]
        if "systole::hw::" not in symbol and "systole::Scheduler" not in symbol:
            continue
        hw += share
        if any(name in symbol for name in ("Normaliser", "ScaleUnits", "RowActivator", "activate", "MvinScale", "lane_sum", "lane_max", "iexp", "igelu", "ScalePipeline")):
            sfu += share
    return sfu / hw if hw else None


def computer():
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return {"cpu": cpu, "processors": os.cpu_count(), "load": os.getloadavg()[0]}


def measure(options):
    quick, repeat = options.quick, options.repeat
    whole = 1 if quick else min(3, repeat)
    numbers = json.load(open(options.resume)) if options.resume else {}
    numbers["quick"] = quick
    numbers["computer"] = computer()
    runs = numbers.setdefault("runs", {})

    def keep():
        if options.json:
            with open(options.json, "w") as out:
                json.dump(numbers, out, indent=1, sort_keys=True)

    def run(name, *arguments, times=whole):
        if name in runs:
            return
        say(name)
        runs[name] = systole(list(arguments), times)
        keep()

    if "parts" not in numbers:
        say("parts, and one product (512 x 768 x 768)")
        numbers["parts"] = google("simulator/bench_simulator", repeat)
        keep()

    layers = ["--layers", "1"] if quick else []
    run("bert-512", "bert-base", "--seq", "512", *layers)
    run("bert-512 timing only", "bert-base", "--seq", "512", "--timing-only", *layers)
    run("bert-512 timing only, no skipping", "bert-base", "--seq", "512", "--timing-only", "--skip-ahead", "off", *layers, times=1)
    if not quick:
        run("bert-512 no skipping", "bert-base", "--seq", "512", "--skip-ahead", "off", "--no-check", times=1)
    # A ratio of two short runs: in turn, so that both see the same computer.
    layer_128 = {"bert-128 layer": "ideal", "bert-128 layer on soc": "soc"}
    if any(name not in runs for name in layer_128):
        say("bert-128 layer, on ideal memory and on soc")
        for _ in range(max(repeat, 2)):
            for name, model in layer_128.items():
                once = systole(["bert-base", "--seq", "128", "--layers", "1", "--set", f"memory.model={model}", "--skip-ahead", "off", "--no-check"], 1)
                if not runs.get(name) or (once and once["simulate"] < runs[name]["simulate"]):
                    runs[name] = once
        keep()
    layer = os.path.join(ROOT, "tests/bench/simulator/layer.yaml")
    for rows in (128, 512) if quick else (128, 512, 2048, 4096):
        run(f"layer of {rows} rows", layer, "--seq", str(rows), "--timing-only", "--skip-ahead", "off", times=repeat if rows <= 512 else 1)
    run("gpt2 decode", "gpt2", "--seq", "8", "--generate", "4", "--no-head", *layers, "--timing-only", "--skip-ahead", "off", times=1)
    if not quick:
        prompt = 1024 - TOKENS
        run("gpt2 prompt", "gpt2", "--seq", str(prompt), "--no-head", "--no-check")
        run("gpt2 prompt and tokens", "gpt2", "--seq", str(prompt), "--generate", str(TOKENS), "--no-head", "--no-check")
        run("host-paced", "bert-base", "--machine", "survey-baseline", "--seq", "512", "--timing-only", times=1)
    if numbers.get("sfu_share") is None:
        numbers["sfu_share"] = sfu_share(["bert-base", "--seq", "128", "--layers", "1", "--no-check", "--skip-ahead", "off"])
    if not quick and not numbers.get("stream"):
        say("streaming attention")
        try:
            numbers["stream"] = google("stream/bench_stream", 1, ["--benchmark_filter=values_and_time.*N:8192.*d:64"])
        except (OSError, subprocess.CalledProcessError):
            numbers["stream"] = {}
    keep()
    return numbers


def table_of(numbers, quick):
    parts, runs = numbers["parts"], numbers["runs"]
    get = lambda name, key: runs[name][key] if runs.get(name) else None
    table = Table()
    values, timing, native = parts["gemm/values"], parts["gemm/timing"], parts["gemm/native"]
    pe = parts["pe_array"]["seconds_per_cycle"]
    plain = parts["plain_gemm"]["seconds"] if "plain_gemm" in parts else None
    skipped = f"{values['pieces']:.0f} pieces simulated, {values['repeated']:.0f} repeated" if values.get("pieces") else ""
    table.add("GEMM 512x768x768, values", values["seconds"] * 1e3, "ms", ("<=", 30), ("<=", 12), skipped)
    table.add("GEMM 512x768x768, timing only", timing["seconds"] * 1e3, "ms", None, None, skipped)
    if "gemm/whole" in parts:
        table.add("GEMM 512x768x768, values, without skip-ahead", parts["gemm/whole"]["seconds"] * 1e3, "ms")
    table.add("GEMM, native scheduler, values", native["seconds"] * 1e3, "ms", ("<=", 120), ("<=", 60))
    table.add("GEMM, ratio to a per-PE SC_METHOD array", pe * values["cycles"] / values["seconds"], "x", (">=", 300), (">=", 800), f"the array takes {pe * 1e6:.1f} us a cycle")
    if plain:
        table.add("GEMM, ratio to a plain AVX2 int8 GEMM", values["seconds"] / plain, "x", ("<=", 10), ("<=", 4), f"which takes {plain * 1e3:.2f} ms")
    table.add("GEMM, simulated cycles", values["cycles"] / values["seconds"] / 1e6, "million / s")
    table.add("GEMM, multiply-accumulates", values["macs"] / values["seconds"] / 1e9, "10^9 / s")
    table.add("GEMM, wake-ups", values["wakeups"] / values["cycles"] * 1e3, "per 1,000 cycles")
    table.add("GEMM, a 16x16x16 tile operation", values["seconds"] / values["tiles"] * 1e9, "ns")
    scope = "one layer" if quick else "12 layers"
    required = (lambda *limits: (None, None)) if quick else (lambda *limits: limits)
    full, time = "bert-512", "bert-512 timing only"

    def how(name):
        skip = get(name, "skip")
        if not skip:
            return ""
        if skip.get("refused"):
            return "not skipped: " + skip["refused"]
        return f"{skip['pieces_simulated']} pieces simulated, {skip['pieces_repeated']} repeated"

    table.add(f"BERT-Base l=512, {scope}, values on: simulate", get(full, "simulate"), "s", *required(("<=", 5), ("<=", 2)), how(full))
    table.add("- of that: values by the functional model", get(full, "values"), "s")
    table.add("- beside it: quantise the model", get(full, "prepare"), "s", None, None, "calibration with 4 sequences in float")
    table.add("- beside it: lower", get(full, "lower"), "s")
    table.add("- beside it: compare with integer reference and float model", get(full, "check"), "s")
    table.add(f"BERT-Base l=512, {scope}, timing only: simulate", get(time, "simulate"), "s", *required(("<=", 3), ("<=", 0.3)), how(time))
    table.add("- without skip-ahead", get(time + ", no skipping", "simulate"), "s")
    if runs.get("bert-512 no skipping"):
        table.add("- without skip-ahead, values on", get("bert-512 no skipping", "simulate"), "s")
    share = lambda of: get(time, "lower") / get(of, "simulate") * 100 if get(time, "lower") is not None and get(of, "simulate") else None
    table.add("lowering, share of the timing-only simulation", share(time), "%", ("<=", 10))
    table.add("- without skip-ahead", share(time + ", no skipping"), "%")
    table.add("peak memory, values on", get(full, "peak_mib"), "MiB", *required(("<=", 300), ("<=", 150)), "with the comparison of all boundaries")
    table.add("peak memory, timing only", get(time, "peak_mib"), "MiB", *required(("<=", 300), ("<=", 150)))
    rows = [r for r in (128, 512, 2048, 4096) if runs.get(f"layer of {r} rows")]
    rates = [runs[f"layer of {r} rows"]["simulate"] / runs[f"layer of {r} rows"]["cycles"] for r in rows]
    if rates:
        table.add(f"CPU time per simulated cycle, l = {rows[0]} to {rows[-1]}, largest over smallest", max(rates) / min(rates), "x", ("<=", 1.2), None,
                  ", ".join(f"{r}: {rate * 1e9:.1f} ns" for r, rate in zip(rows, rates)))
    prompt, tokens, decode = runs.get("gpt2 prompt"), runs.get("gpt2 prompt and tokens"), runs.get("gpt2 decode")
    if prompt and tokens:
        # The mean of the last tokens: the prompt takes far longer than one of them.
        step = lambda key: (tokens[key] - prompt[key]) / TOKENS
        table.add("GPT-2 small, one token with 1,024 keys, values on: simulate", step("simulate"), "s", ("<=", 1), None, f"{step('cycles'):,.0f} cycles; mean of {TOKENS} tokens")
        if decode:
            ns = decode["simulate"] / decode["cycles"]
            table.add("- without skip-ahead, timing only", step("cycles") * ns, "s", None, None, f"at {ns * 1e9:.1f} ns a cycle, as measured with few keys")
    share = numbers.get("sfu_share")
    table.add("share of special-function units and scalers in the simulation of a BERT layer", share * 100 if share is not None else None, "%", None, None, "by sampling (perf)")
    ideal, soc = get("bert-128 layer", "simulate"), get("bert-128 layer on soc", "simulate")
    table.add("BERT l=128 layer, memory.model=soc against ideal", soc / ideal if soc and ideal else None, "x", ("<=", 2), None, f"{ideal:.3f} s and {soc:.3f} s" if soc and ideal else "")
    host = runs.get("host-paced")
    if host:
        table.add("host-paced run (survey-baseline, BERT-Base l=512): simulated cycles", host["cycles"], "")
        table.add("host-paced run: CPU time for 10^10 cycles", host["simulate"] * 1e10 / host["cycles"], "s", ("<=", 8), ("<=", 3), f"{host['simulate']:.2f} s in all")
    for name, run in numbers.get("stream", {}).items():
        limit = 8 if "graph:0" in name else 30
        table.add(f"streaming attention, {name.split('/', 1)[1]}", run["seconds"], "s", ("<=", limit))
    return table


def ratios(numbers):
    """Every time as a multiple of a yardstick measured in the same call: comparable between computers."""
    parts = numbers["parts"]
    yardstick = parts["pe_array"]["seconds_per_cycle"]
    result = {}
    for name, part in parts.items():
        if name != "pe_array":
            result["part " + name] = part["seconds"] / yardstick
    for name, run in numbers["runs"].items():
        if run:
            for step in ("values", "timing", "lower", "prepare", "check"):
                if run[step] > 0.05:
                    result[f"{name}: {step}"] = run[step] / yardstick
    return result


def compare(numbers, path):
    old, new = ratios(json.load(open(path))), ratios(numbers)
    slower = [(new[name] / old[name], name) for name in new if name in old and new[name] > SLOWER * old[name]]
    faster = [(new[name] / old[name], name) for name in new if name in old and SLOWER * new[name] < old[name]]
    for factor, name in sorted(slower, reverse=True):
        print(f"slower, x{factor:.2f}: {name}")
    for factor, name in sorted(faster):
        print(f"faster, x{factor:.2f}: {name}")
    if not slower and not faster:
        print(f"no step differs by more than x{SLOWER}")
    return bool(slower)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json")
    parser.add_argument("--compare")
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--resume")
    parser.add_argument("--table")
    options = parser.parse_args()
    if options.repeat < 1:
        parser.error("--repeat: at least 1")
    for program in ("systole", "tests/bench/simulator/bench_simulator"):
        if not os.path.exists(os.path.join(BUILD, program)):
            say(f"no {BUILD}/{program}; run scripts/build.sh")
            return 2
    for path in (options.compare, options.resume, options.table):
        if path and not os.path.exists(path):
            say(f"no {path}")
            return 2
    numbers = json.load(open(options.table)) if options.table else measure(options)
    cpu, load = numbers["computer"]["cpu"], numbers["computer"]["load"]
    table = table_of(numbers, numbers["quick"])
    text = table.text()
    print(text)
    missed = [row[0] for row in table.rows if row[5] == "MISSED"]
    print(f"\n{len(missed)} required rows missed" + (": " + "; ".join(missed) if missed else "") + f" ({cpu}, {numbers['computer']['processors']} processors, load {load:.1f})")
    if options.page:
        head = open(os.path.join(ROOT, "tests/bench/bench_head.md")).read()
        with open(os.path.join(ROOT, "tests/bench/BENCH.md"), "w") as out:
            out.write(head + f"\n## Measured\n\n{cpu}, {numbers['computer']['processors']} processors, load {load:.1f} while measuring.\n\n{text}\n")
    return 1 if options.compare and compare(numbers, options.compare) else 0


if __name__ == "__main__":
    sys.exit(main())

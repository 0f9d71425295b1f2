#!/usr/bin/env python3
"""Draws the paper's figures with our numbers beside its own, from the tables of `systole reproduce E1 ... --out DIR`, as SVG files in DIR.
Draws what there is. Needs nothing but Python.

usage: plot_case_study.py DIR
"""
import csv
import math
import os
import re
import sys

HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 380, 70, 20, 60, 60
BAR, GAP = 14, 14
COLOURS = {"bert-base": "#1f5fa8", "bert-large": "#c0392b", "gpt2": "#2e8b57"}
OTHER = ["#1f5fa8", "#c0392b", "#2e8b57", "#8e5ea2"]

# experiment, file, title, vertical axis, pattern of the item (series, group), logarithmic
FIGURES = [
    ("E1", "figure_4", "Figure 4: FLOPs", "GFLOP", r"figure 4: (?P<series>[\w-]+), l=(?P<group>\d+), total, GFLOP", True),
    ("E1", "figure_5", "Figure 5: memory operations", "GMOP", r"figure 5: (?P<series>[\w-]+), l=(?P<group>\d+), total, GMOP", True),
    ("E1", "figure_6", "Figure 6: arithmetic intensity", "FLOP/byte", r"figure 6: (?P<series>[\w-]+), l=(?P<group>\d+), total, FLOP/byte", False),
    ("E2", "figure_32", "Figure 32: latency of the analytical model", "relative to BERT-Base at 128",
     r"figure 32: (?P<series>[\w-]+), l=(?P<group>\d+), latency over bert-base at 128", True),
    ("E3", "figure_13", "Figure 13: utilisation of matrix products", "%",
     r"figure 13: accumulator (?P<group>\d+) KiB, scratchpad (?P<series>\d+) KiB, % utilisation", False),
    ("E3", "figure_13_soc", "Figure 13: utilisation of matrix products, ours behind L2 and DRAM of 100 cycles", "%",
     r"figure 13: accumulator (?P<group>\d+) KiB, scratchpad (?P<series>\d+) KiB, % utilisation \(L2 and DRAM of 100 cycles\)", False),
    ("E4", "figure_14", "Figure 14: where time goes, l = 512", "% of time",
     r"figure 14: (?P<series>baseline|I-BERT units), l=512, (?P<group>[^,]+), % of time", False),
    ("E4", "figure_14_lengths", "Figure 14: where time goes with the I-BERT units", "% of time",
     r"figure 14: I-BERT units, l=(?P<group>\d+), (?P<series>[^,]+), % of time", False),
]
CHANGES = ("E5", "figure_21_22", "Figures 21 and 22: latency of fused relative to not fused, %",
           r"(?P<place>figure 2\d): (?P<case>.*), change of latency, %(?: \((?P<series>.*)\))?")


def write(path, text):
    with open(path + ".tmp", "w") as file:
        file.write(text)
    os.replace(path + ".tmp", path)


def bars(title, y_title, values, logarithmic):
    """values: {(group, series): (paper, ours)}. The paper's bar is pale, ours full."""
    groups = list(dict.fromkeys(g for g, _ in values))
    if all(g.isdigit() for g in groups):
        groups.sort(key=int)
    series = list(dict.fromkeys(s for _, s in values))
    width = LEFT + RIGHT + len(groups) * (len(series) * 2 * BAR + GAP)
    names = not all(g.isdigit() for g in groups)  # words need room
    step = max(len(series) * 2 * BAR + GAP, 130 if names else 0)
    width = max(LEFT + RIGHT + len(groups) * step, 420)
    numbers = [v for pair in values.values() for v in pair if v is not None and v > 0]
    low = 10 ** math.floor(math.log10(min(numbers))) if logarithmic else 0.0
    high = 10 ** math.ceil(math.log10(max(numbers))) if logarithmic else max(numbers) * 1.1

    def height(value):
        share = (math.log10(value / low) / math.log10(high / low)) if logarithmic else value / high
        return max(0.0, share) * (HEIGHT - TOP - BOTTOM)

    base = HEIGHT - BOTTOM
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{width / 2}" y="20" text-anchor="middle" font-size="14">{title}</text>',
           f'<text x="18" y="{HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 18 {HEIGHT / 2})">{y_title}</text>']
    if logarithmic:
        marks = [10.0**e for e in range(round(math.log10(low)), round(math.log10(high)) + 1)]
    else:
        step = 10 ** math.floor(math.log10(high / 3))
        step *= next(f for f in (1, 2, 5, 10) if high / (step * f) <= 6)
        marks = [step * i for i in range(int(high / step) + 1)]
    for mark in marks:
        y = base - height(mark) if mark else base
        out.append(f'<line x1="{LEFT}" x2="{width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{mark:g}</text>')
    for g, group in enumerate(groups):
        left = LEFT + GAP / 2 + g * step
        for s, name in enumerate(series):
            colour = COLOURS.get(name, OTHER[s % len(OTHER)])
            for k, value in enumerate(values.get((group, name), ())):
                if value is None:
                    continue
                x = left + (2 * s + k) * BAR
                h = height(value)
                out.append(f'<rect x="{x:.1f}" y="{base - h:.1f}" width="{BAR - 1}" height="{h:.1f}" fill="{colour}" '
                           f'fill-opacity="{0.35 if k == 0 else 1}"><title>{name}, {group}, {"paper" if k == 0 else "ours"}: {value:g}</title></rect>')
        out.append(f'<text x="{left + len(series) * BAR:.1f}" y="{base + 18}" text-anchor="middle">{group}</text>')
    out.append(f'<path d="M{LEFT} {TOP} V{base} H{width - RIGHT}" fill="none" stroke="black"/>')
    for s, name in enumerate(series):
        colour = COLOURS.get(name, OTHER[s % len(OTHER)])
        out.append(f'<text x="{LEFT + 8 + 90 * s if len(name) < 13 else LEFT + 8 + 150 * s}" y="{TOP - 12}" fill="{colour}">{name}</text>')
    out.append(f'<text x="{width - RIGHT}" y="{HEIGHT - 12}" text-anchor="end" fill="#555">pale: paper, full: ours</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def changes(title, rows):
    """rows: {case: {series: value}}, drawn as horizontal bars left and right of zero."""
    series = list(dict.fromkeys(name for values in rows.values() for name in values))
    left, unit, bar = 330, 3.0, 9
    low = min(0, min(v for values in rows.values() for v in values.values()))
    high = max(0, max(v for values in rows.values() for v in values.values()))
    zero = left - low * unit + 40
    width, height = zero + high * unit + 60, TOP + 30 + len(rows) * (len(series) * bar + GAP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
           f'<text x="{width / 2:.0f}" y="20" text-anchor="middle" font-size="14">{title}</text>']
    colours = ["#999999"] + OTHER
    for s, name in enumerate(series):
        out.append(f'<text x="{20 + 190 * s}" y="42" fill="{colours[s % len(colours)]}">{name}</text>')
    y = TOP
    for case, values in rows.items():
        out.append(f'<text x="{left}" y="{y + len(series) * bar / 2 + 4:.0f}" text-anchor="end">{case}</text>')
        for s, name in enumerate(series):
            if name in values:
                v = values[name]
                x = zero + min(0, v) * unit
                out.append(f'<rect x="{x:.1f}" y="{y + s * bar}" width="{max(abs(v) * unit, 1):.1f}" height="{bar - 1}" '
                           f'fill="{colours[s % len(colours)]}"><title>{case}, {name}: {v:g} %</title></rect>')
        y += len(series) * bar + GAP
    out.append(f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="{TOP - 6}" y2="{y}" stroke="black"/>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def draw_changes(folder):
    experiment, name, title, pattern = CHANGES
    path = os.path.join(folder, experiment + ".csv")
    if not os.path.exists(path):
        return
    rows = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            match = re.fullmatch(pattern, row["item"])
            if not match or not row["ours"]:
                continue
            values = rows.setdefault(match["case"], {})
            if row["paper"]:
                values["paper"] = float(row["paper"])
            values[match["series"] or "simulated"] = float(row["ours"])
    if rows:
        write(os.path.join(folder, f"{experiment}_{name}.svg"), changes(title, rows))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = sys.argv[1]
    for experiment, name, title, y_title, pattern, logarithmic in FIGURES:
        path = os.path.join(folder, experiment + ".csv")
        if not os.path.exists(path):
            continue
        values = {}
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                match = re.fullmatch(pattern, row["item"])
                if match and row["ours"]:
                    values[match["group"], match["series"]] = (float(row["paper"]) if row["paper"] else None, float(row["ours"]))
        if values:
            write(os.path.join(folder, f"{experiment}_{name}.svg"), bars(title, y_title, values, logarithmic))
    draw_changes(folder)


if __name__ == "__main__":
    main()

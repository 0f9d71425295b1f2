#!/usr/bin/env python3
"""Draws the plots of `systole reproduce sdpa --out DIR` from the tables in DIR, as SVG files beside them. Needs nothing but Python.

usage: plot_sdpa.py DIR
"""
import csv
import math
import os
import sys

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 60
COLOURS = ["#1f5fa8", "#c0392b", "#2e8b57", "#8e5ea2"]


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write(path, text):
    with open(path + ".tmp", "w") as file:
        file.write(text)
    os.replace(path + ".tmp", path)


def ticks(low, high, logarithmic):
    if logarithmic:
        return [10.0**e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    step = 10 ** math.floor(math.log10((high - low) / 4 or 1))
    step *= next(f for f in (1, 2, 5, 10) if (high - low) / (step * f) <= 6)
    first = math.ceil(low / step)
    return [step * i for i in range(first, math.floor(high / step) + 1)]


def chart(title, x_title, y_title, lines, log=False, markers=()):
    """lines: (name, [(x, y), ...]); markers: (x, text), drawn as vertical lines."""
    points = [p for _, line in lines for p in line]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    x_low, x_high = min(xs), max(xs)
    y_low, y_high = (min(ys), max(ys)) if log else (0.0, max(ys) * 1.1)
    if log:
        y_low, y_high = 10 ** math.floor(math.log10(y_low)), 10 ** math.ceil(math.log10(y_high))

    def place(value, low, high, size, logarithmic):
        if logarithmic:
            value, low, high = math.log10(value), math.log10(low), math.log10(high)
        return size * (value - low) / ((high - low) or 1)

    def x_at(x):
        return LEFT + place(x, x_low, x_high, WIDTH - LEFT - RIGHT, log)

    def y_at(y):
        return HEIGHT - BOTTOM - place(y, y_low, y_high, HEIGHT - TOP - BOTTOM, log)

    def number(value):
        return f"{value:g}"

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{WIDTH / 2}" y="22" text-anchor="middle" font-size="14">{title}</text>',
           f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 16}" text-anchor="middle">{x_title}</text>',
           f'<text x="18" y="{HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 18 {HEIGHT / 2})">{y_title}</text>']
    for y in ticks(y_low, y_high, log):
        if y_low <= y <= y_high:
            out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y_at(y):.1f}" y2="{y_at(y):.1f}" stroke="#ddd"/>')
            out.append(f'<text x="{LEFT - 6}" y="{y_at(y) + 4:.1f}" text-anchor="end">{number(y)}</text>')
    for x in sorted(set(xs)) if log else ticks(x_low, x_high, False):
        out.append(f'<text x="{x_at(x):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{number(x)}</text>')
    out.append(f'<path d="M{LEFT} {TOP} V{HEIGHT - BOTTOM} H{WIDTH - RIGHT}" fill="none" stroke="black"/>')
    for x, text in markers:
        out.append(f'<line x1="{x_at(x):.1f}" x2="{x_at(x):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#888" stroke-dasharray="4 3"/>')
        out.append(f'<text x="{x_at(x) + 4:.1f}" y="{TOP + 12}" fill="#555">{text}</text>')
    for i, (name, line) in enumerate(lines):
        colour = COLOURS[i % len(COLOURS)]
        path = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in line)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x_at(x):.1f}" cy="{y_at(y):.1f}" r="2.5" fill="{colour}"/>' for x, y in line]
        out.append(f'<text x="{WIDTH - RIGHT - 8}" y="{HEIGHT - BOTTOM - 12 - 16 * i}" text-anchor="end" fill="{colour}">{name}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def depth_lines(rows, graph, offset):
    lines = []
    for interval in ("2", "1"):
        line = [(int(r["depth"]) - offset, float(r["throughput"])) for r in rows if r["graph"] == graph and r["interval"] == interval]
        name = "all intervals 1" if interval == "1" else "the paper's intervals"
        lines.append((name, sorted(p for p in line if graph != "A" or -12 <= p[0] <= 40)))
    return lines


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = sys.argv[1]
    depths = read(os.path.join(folder, "sdpa_depths.csv"))
    n = int(depths[0]["rows"])
    write(os.path.join(folder, "sdpa_depths_a.svg"),
          chart(f"Graph A, N = {n}: throughput against the depth of the bypass", "depth - N", "elements per cycle", depth_lines(depths, "A", n),
                markers=[(0, "a row"), (24, "N + 24")]))
    write(os.path.join(folder, "sdpa_depths_d.svg"),
          chart(f"Graph D, N = {n}: throughput against the depth of all FIFOs", "depth", "elements per cycle", depth_lines(depths, "D", 0)))
    speed = read(os.path.join(folder, "sdpa_speed.csv"))
    lines = []
    for graph in ("A", "D"):
        of_graph = [r for r in speed if r["graph"] == graph]
        if of_graph:
            lines.append((f"{graph}, ours", [(int(r["rows"]), max(float(r["seconds"]), 1e-4)) for r in of_graph]))
            lines.append((f"{graph}, DAM (its authors' machine)", [(int(r["rows"]), float(r["published_seconds"])) for r in of_graph]))
    if lines:
        write(os.path.join(folder, "sdpa_speed.svg"), chart("Host time with values", "N", "seconds", lines, log=True))


if __name__ == "__main__":
    main()

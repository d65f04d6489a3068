# SPDX-License-Identifier: GPL-2.0
"""From what the guest wrote to a table, results.json and cost.svg: report.py DIR
NAME=VALUE...; the pairs say what it was measured with. Exit status 0 only if every
goal was met."""

import json
import os
import subprocess
import sys

PLOT = """
set terminal svg size 720,440 font "sans,12" background "white"
set output "{svg}"
set title "What it costs to learn a destination"
set xlabel "destinations known"
set ylabel "{unit} a message"
set logscale x
set format x "10^{{%L}}"
set yrange [0:*]
set key bottom right
set grid
plot {lines}
"""


def read(path):
    results, points = [], []
    with open(path, encoding="ascii") as f:
        for line in f:
            if not line.startswith("{"):
                continue
            entry = json.loads(line)
            (points if "curve" in entry else results).append(entry)
    return results, points


def figure(value):
    if value is None:
        return "-"
    if value >= 1e6:
        return f"{value / 1e6:,.2f} M"
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.1f}"


def row_order(result):
    digits = "".join(c for c in result["row"] if c.isdigit())
    return int(digits), result["row"]


def table(results):
    """Lines of cells, a heading first."""
    yield "row", "work", "stock", "module", "ratio", "goal", "spread", "verdict"
    for r in results:
        if r["verdict"] == "not measured":
            yield r["row"], r["work"], "-", "-", "-", "-", "-", f"not measured: {r['why']}"
            continue
        unit = "" if r["unit"] == "instructions" else " " + r["unit"]
        yield (r["row"], r["work"], figure(r["stock"]), figure(r["module"]) + unit,
               f"{r['ratio']:.4f}" if "ratio" in r else "-", r["goal"],
               f"{r['spread'] * 100:.2f} %", r["verdict"])


def show(lines):
    lines = [tuple(map(str, line)) for line in lines]
    # The last may be as long as it likes.
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]) - 1)]
    for line in lines:
        cells = [cell.ljust(width) if i < 2 else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join([*cells, line[-1]]).rstrip())


def plot(where, points, unit):
    """Cost of learning against the size of the table, a curve for each."""
    curves = {}
    for point in points:
        curves.setdefault(point["curve"], {})[point["size"]] = point["cost"]
    if not curves:
        return
    data, lines = os.path.join(where, "cost.dat"), []
    with open(data, "w", encoding="ascii") as f:
        for n, (name, curve) in enumerate(sorted(curves.items())):
            f.write(f'# {name}\n')
            f.writelines(f"{size} {cost:.1f}\n" for size, cost in sorted(curve.items()))
            f.write("\n\n")
            lines.append(f'"{data}" index {n} with linespoints linewidth 2 title "{name}"')
    script = PLOT.format(svg=os.path.join(where, "cost.svg"), unit=unit,
                         lines=", \\\n     ".join(lines))
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    where = sys.argv[1]
    made_with = dict(pair.split("=", 1) for pair in sys.argv[2:])
    results, points = read(os.path.join(where, "results"))
    # In the order of rows; those of one row stay as they came.
    results.sort(key=row_order)
    exact = made_with["time"] == "icount"
    with open(os.path.join(where, "results.json"), "w", encoding="ascii") as f:
        json.dump({"made_with": made_with, "results": results, "curves": points}, f, indent=1)
        f.write("\n")
    plot(where, points, "instructions" if exact else "nanoseconds")
    for name, value in made_with.items():
        print(f"{name}: {value}")
    print()
    show(table(results))
    counts = {}
    for r in results:
        counts[r["verdict"]] = counts.get(r["verdict"], 0) + 1
    print()
    print(", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items())))
    if not results:
        return 1
    if not exact:
        print("By the clock on the wall: not judged.")
        return 0
    failed = {"missed", "unsteady"} & set(counts)
    return 1 if failed or any(r.get("broken") for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())

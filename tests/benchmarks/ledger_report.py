"""A ledger as files: bench.json, bench.md, cost.png and training.png, each written whole."""

import json
import os
import platform
from importlib.metadata import version
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from attn.files import write_whole
from tests.benchmarks.ledger import Ledger, Ratio

SCHEMA_VERSION = 2


def write_ledger(ledger: Ledger, times: list[dict[str, Any]], folder: Path) -> None:
    """Write everything into `folder`, which is made if need be; what other benchmarks wrote there stays.

    times   what pytest-benchmark measured: one entry a benchmark, with its name and statistics
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = _read(folder / "bench.json")
    if before.get("schema_version") == SCHEMA_VERSION:
        ledger = ledger.over(Ledger.from_json(before))
        anew = {time["name"] for time in times}
        times = [time for time in before["times"] if time["name"] not in anew] + times
    content = {
        "schema_version": SCHEMA_VERSION,
        "environment": _environment(),
        **ledger.as_json(),
        "times": times,
    }
    _write(folder / "bench.json", json.dumps(content, indent=1).encode() + b"\n")
    _write(folder / "bench.md", markdown(ledger).encode())
    if ledger.costs:
        _write(folder / "cost.png", _plot_costs(ledger))
    if ledger.standings:
        _write(folder / "training.png", _plot_trainings(ledger))


def _read(path: Path) -> dict[str, Any]:
    """What an earlier session wrote; empty where there was none."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return content


def markdown(ledger: Ledger) -> str:
    """The ratios beside their targets, and the costs by size."""
    lines = ["# Benchmarks", "", _sentence(ledger), ""]
    lines += _table(
        ("what", "measured", "target", "verdict", "how"),
        [(r.name, shown(r), r.bound, r.verdict, r.note) for r in ledger.ratios],
    )
    if ledger.costs:
        lines += ["", "## Cost against size", "", "![cost against size](cost.png)", ""]
        lines += [
            "The exponent p is that of cost ~ size^p from the size before.",
            "",
            *_table(("way", "size", "ms", "exponent"), _cost_rows(ledger)),
        ]
    if ledger.standings:
        lines += ["", "## Gap to the exact GP against training time", "", "![gap](training.png)", ""]
        lines += [
            "Nats per target above the exact GP, autoregressive, with 95 % bootstrap intervals over pairs.",
            "",
            *_table(("model", "seconds of training", "gap"), _standing_rows(ledger)),
        ]
    return "\n".join(lines) + "\n"


def shown(ratio: Ratio) -> str:
    """The measured figure with its unit and interval, in three digits where that many mean something."""
    interval = "" if ratio.interval is None else " [{}, {}]".format(*map(_digits, ratio.interval))
    return f"{_digits(ratio.measured)}{interval} {ratio.unit}".rstrip()


def _digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _standing_rows(ledger: Ledger) -> list[tuple[str, ...]]:
    return [
        (model, f"{at.seconds:.0f}", "{:.3f} [{:.3f}, {:.3f}]".format(at.gap, *at.interval))
        for model, standings in ledger.trainings().items()
        for at in standings
    ]


def _sentence(ledger: Ledger) -> str:
    judged = [ratio for ratio in ledger.ratios if ratio.target is not None]
    num_met = sum(ratio.verdict == "met" for ratio in judged)
    env = _environment()
    return (
        f"`make bench`: {num_met} of {len(judged)} targets met, on {env['num_cores']} cores"
        f" ({env['machine']}), Python {env['python']}, TensorFlow {env['tensorflow']}."
        "  The ways of a ratio were timed side by side in one run; the times are those of this machine."
    )


def _cost_rows(ledger: Ledger) -> list[tuple[str, ...]]:
    return [
        (
            way,
            str(step.cost.size),
            f"{1e3 * step.cost.seconds:.3g}",
            "" if step.exponent is None else f"{step.exponent:.2f}",
        )
        for way, steps in ledger.ways().items()
        for step in steps
    ]


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    rule = ("---",) * len(head)
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def _environment() -> dict[str, Any]:
    packages = {name: version(name) for name in ("tensorflow", "keras", "numpy", "scipy")}
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "num_cores": os.cpu_count(),
        **packages,
    }


# Told apart by shape and dashes as well as by colour.
_LINES = tuple(zip("os^Dv*PX", ("-", "--", "-.", ":") * 2, strict=True))


def _plot_costs(ledger: Ledger) -> bytes:
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for (marker, dashes), (way, steps) in zip(cycle(_LINES), ledger.ways().items(), strict=False):
        sizes, seconds = [s.cost.size for s in steps], [s.cost.seconds for s in steps]
        axes.loglog(sizes, seconds, marker=marker, linestyle=dashes, label=way)
    sizes = sorted({cost.size for cost in ledger.costs})
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel="size", ylabel="seconds", title="Cost against size")
    return _png(figure)


def _plot_trainings(ledger: Ledger) -> bytes:
    """Gap against time, both on a log scale, where a gap whose interval reaches 0 cannot be shown."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for (marker, dashes), (model, standings) in zip(cycle(_LINES), ledger.trainings().items(), strict=False):
        shown = [at for at in standings if at.interval[0] > 0]
        gaps = np.array([at.gap for at in shown])
        below, above = np.abs(np.array([at.interval for at in shown]).T - gaps) if shown else ([], [])
        seconds = [at.seconds for at in shown]
        how = {"marker": marker, "linestyle": dashes, "capsize": 2}
        axes.errorbar(seconds, gaps, yerr=[below, above], label=model, **how)
    axes.set(xscale="log", yscale="log", xlabel="seconds of training on this machine")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    axes.set(ylabel="nats per target above the exact GP", title="Gap against training time")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    axes = figure.axes[0]
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    file = BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


def _write(path: Path, content: bytes) -> None:
    with write_whole(path) as file:
        file.write(content)

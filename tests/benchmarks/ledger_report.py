"""A ledger as files: bench.json, bench.md and cost.png, each written whole."""

import json
import os
import platform
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from attn.files import write_whole
from tests.benchmarks.ledger import Ledger, Ratio

SCHEMA_VERSION = 1


def write_ledger(ledger: Ledger, times: list[dict[str, Any]], folder: Path) -> None:
    """Write everything into `folder`, which is made if need be.

    times   what pytest-benchmark measured: one entry a benchmark, with its name and statistics
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "schema_version": SCHEMA_VERSION,
        "environment": _environment(),
        **ledger.as_json(),
        "times": times,
    }
    _write(folder / "bench.json", json.dumps(content, indent=1).encode() + b"\n")
    _write(folder / "bench.md", markdown(ledger).encode())
    if ledger.costs:
        _write(folder / "cost.png", _plot(ledger))


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
    return "\n".join(lines) + "\n"


def shown(ratio: Ratio) -> str:
    """The measured figure with its unit, in three digits where that many mean something."""
    digits = f"{ratio.measured:.0f}" if abs(ratio.measured) >= 100 else f"{ratio.measured:.3g}"
    return f"{digits} {ratio.unit}"


def _sentence(ledger: Ledger) -> str:
    judged = [ratio for ratio in ledger.ratios if ratio.target is not None]
    num_met = sum(ratio.verdict == "met" for ratio in judged)
    env = _environment()
    return (
        f"`make bench`: {num_met} of {len(judged)} targets met, on {env['num_cores']} cores"
        f" ({env['machine']}), Python {env['python']}, TensorFlow {env['tensorflow']}."
        "  Every ratio was measured side by side in one run; the times themselves are those of this machine."
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


def _plot(ledger: Ledger) -> bytes:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for way, steps in ledger.ways().items():
        axes.loglog([s.cost.size for s in steps], [s.cost.seconds for s in steps], marker="o", label=way)
    sizes = sorted({cost.size for cost in ledger.costs})
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel="size", ylabel="seconds", title="Cost against size")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    file = BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


def _write(path: Path, content: bytes) -> None:
    with write_whole(path) as file:
        file.write(content)

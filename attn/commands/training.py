"""Training at the terminal: a bar while it goes on, and a line an epoch."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attn.commands.output import say, shown

if TYPE_CHECKING:
    from attn.models import ModelConfig
    from attn.runs import Run
    from attn.stream import TrainingData
    from attn.train import TrainConfig
    from attn.workers import Workers


def join_workers() -> "Workers":
    """Those that the environment names; this process alone where it names none."""
    from attn.cluster import find_cluster
    from attn.workers import Workers

    return Workers(find_cluster(os.environ))


def train_visibly(
    directory: Path,
    model_config: "ModelConfig",
    config: "TrainConfig",
    source: "TrainingData",
    data: dict[str, Any] | None,
    start_from: Path | None,
    resume: bool,
    *,
    workers: "Workers | None" = None,
    quiet: bool,
    as_json: bool,
) -> "Run":
    """Train with a progress bar; every epoch leaves a line, on stderr where stdout is for JSON.

    Of several `workers` the chief alone says anything.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from attn.train import Progress as Standing
    from attn.train import train as train_run

    is_chief = workers is None or workers.is_chief
    quiet = quiet or not is_chief
    console = Console(highlight=False, quiet=quiet, stderr=as_json)
    columns = (
        TextColumn("{task.completed:.0f}/{task.total:.0f} steps"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("", total=config.num_steps, loss="-")

        def report(standing: Standing) -> None:
            loss = standing.loss if standing.epoch is None else standing.epoch["train_loss"]
            bar.update(task, completed=standing.step, loss=shown(loss))
            if standing.epoch is not None:
                console.print(_epoch_line(standing.epoch, config.steps_per_epoch), soft_wrap=True)

        run = train_run(
            directory,
            model_config,
            config,
            source,
            data=data,
            start_from=start_from,
            resume=resume,
            pictures=True,
            on_progress=report,
            workers=workers,
        )
    if not is_chief:
        return run
    found = {"run": str(directory), "num_steps": config.num_steps, "figures": run.history[-1]}
    say(found, [f"{directory}: trained, {config.num_steps} steps"], quiet=quiet, as_json=as_json)
    return run


def _epoch_line(figures: dict[str, float], steps_per_epoch: int) -> str:
    numbers = " ".join(f"{name} {shown(value)}" for name, value in figures.items() if name != "step")
    return f"epoch {figures['step'] / steps_per_epoch:.0f}: {numbers}"

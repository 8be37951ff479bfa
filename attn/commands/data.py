"""`attn data`: draw pairs and keep them, or write a real pair as a table."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attn.commands.complete import completer, kernel_names
from attn.commands.fits import require_drawing
from attn.commands.output import (
    CommandError,
    JsonOption,
    QuietOption,
    ask,
    is_interactive,
    progress_bar,
    save_figure,
    save_text,
    say,
    tell,
)

if TYPE_CHECKING:
    from attn.processes import PairProcess
    from attn.shards import Shards
    from attn.types import Pairs


def data(
    kernel: Annotated[
        str | None,
        typer.Option(
            help="Process to draw from: rbf, rbf_noise, periodic (single sequences), rbf_const_2D,"
            " rbf_rbf_2D, periodic_const_2D, matern_const_2D (pairs). Asked for when missing."
            " (original: kernel)",
            autocompletion=completer(kernel_names),
        ),
    ] = None,
    real_pair: Annotated[
        str | None,
        typer.Option(
            help="Write this real pair as FOLDER/NAME.csv, in long form, instead: temperatures or delays."
        ),
    ] = None,
    number: Annotated[
        int | None,
        typer.Option(help="Pairs to draw. Asked for when missing. (original: number of pairs)"),
    ] = None,
    shards: Annotated[
        int | None,
        typer.Option(
            help="Draw into this many files, in data/KERNEL/shards, for more pairs than memory holds:"
            " attn train --shards reads them. Some thousand pairs a shard are a good size. The same command"
            " goes on with what was interrupted.",
            min=1,
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool | None,
        typer.Option(
            "--overwrite/--no-overwrite",
            help="Draw anew, or reuse what the folder holds. Asked for when missing and the folder holds"
            " pairs, but for shards of the same draw: these are gone on with. (original: overwrite)",
        ),
    ] = None,
    num_points: Annotated[int, typer.Option(help="Points a series. (the original always drew 200)")] = 50,
    label: Annotated[
        str | None,
        typer.Option(help="random, or rank: label 1 is the lower offset, as in the original."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw.", min=0)] = 0,
    folder: Annotated[Path, typer.Option(help="Where the folder of the kernel is made.")] = Path("data"),
    plot: Annotated[
        bool, typer.Option("--plot", help="Also draw examples: 5 single sequences, or 4 pairs.")
    ] = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Draw pairs of sequences into data/KERNEL/pairs.npz, or reuse those that are there."""
    if real_pair is not None:
        if kernel is not None:
            raise CommandError("data must come from one source; got --kernel and --real-pair")
        if shards is not None:
            raise CommandError("--shards is for pairs that are drawn; got --real-pair")
        _write_table(real_pair, folder / f"{real_pair}.csv", overwrite)
        return
    from attn.processes import PRESETS, named_process

    kernel = kernel if kernel is not None else ask(f"Kernel ({', '.join(PRESETS)})", "--kernel", str)
    process = replace(named_process(kernel), num_points=num_points)
    if label is not None:
        process = replace(process, label=label)
    number = number if number is not None else ask("Number of pairs", "--number", int)
    if shards is None:
        drawn = _draw_pairs(folder / kernel, process, number, seed, overwrite, quiet=quiet)
    else:
        from attn.shards import Shards

        asked = Shards(folder / kernel / "shards", process, number, shards, seed)
        drawn = _draw_shards(asked, overwrite, quiet=quiet)
    lines, found = [drawn.line], drawn.found
    if plot:
        from attn.plots import examples_figure

        examples = folder / kernel / "examples.png"
        save_figure(examples, examples_figure(drawn.examples))
        lines.append(f"{examples}: examples")
        found["examples"] = str(examples)
    say(found, lines, quiet=quiet, as_json=json)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What was drawn, in a line and as JSON, and pairs of it to show."""

    line: str
    found: dict[str, Any]
    examples: "Pairs"


def _draw_pairs(
    folder: Path, process: "PairProcess", number: int, seed: int, overwrite: bool | None, *, quiet: bool
) -> _Drawn:
    from attn.files import cached_pairs

    require_drawing(process, number)
    path = folder / "pairs.npz"
    may_overwrite = _may_overwrite(path, overwrite)
    with progress_bar(number, f"drawing {folder.name}", quiet=quiet) as advance:
        pairs = cached_pairs(folder, process, number, seed, overwrite=may_overwrite, on_pair=advance)
    found = {"file": str(path), "num_pairs": pairs.num_pairs, "num_points": pairs.num_points}
    return _Drawn(f"{path}: {pairs.num_pairs} pairs of {pairs.num_points} points", found, pairs)


def _draw_shards(shards: "Shards", overwrite: bool | None, *, quiet: bool) -> _Drawn:
    from attn.shards import MANIFEST, is_begun, waiting, write_shards

    # What a kill may have ended at any moment goes on without a question.
    if overwrite is None and is_begun(shards):
        overwrite = False
    may_overwrite = _may_overwrite(shards.folder / MANIFEST, overwrite)
    num_waiting = sum(map(shards.size, waiting(shards, may_overwrite)))
    with progress_bar(num_waiting, f"drawing {shards.folder.parent.name}", quiet=quiet) as advance:
        num_drawn = write_shards(shards, overwrite=may_overwrite, on_pair=advance)
    line = (
        f"{shards.folder}: {shards.num_pairs} pairs of {shards.num_points} points in {shards.num_shards}"
        f" shards, of which {num_drawn} were drawn now"
    )
    found = {
        "folder": str(shards.folder),
        "num_pairs": shards.num_pairs,
        "num_points": shards.num_points,
        "num_shards": shards.num_shards,
        "num_shards_drawn": num_drawn,
    }
    return _Drawn(line, found, shards.load(0))


def _write_table(name: str, path: Path, overwrite: bool | None) -> None:
    """The table of a real pair; one that is there already is kept unless it may be overwritten."""
    from attn.real_pairs import named_real_pair

    pair = named_real_pair(name)
    if path.exists() and not _may_overwrite(path, overwrite):
        tell(f"{path}: kept")
        return
    frame = pair.read()
    save_text(path, frame.to_csv(index=False))
    x, series, y = pair.columns
    tell(f"{path}: {len(frame)} points, {pair.about}")
    words = ["--csv", str(path), "--x-column", x, "--series-column", series, "--y-column", y]
    tell(f"to read it: {shlex.join(words)}")


def _may_overwrite(path: Path, overwrite: bool | None) -> bool:
    """What the user said; asked for only where there is something to overwrite."""
    if overwrite is not None or not path.exists():
        return bool(overwrite)
    if not is_interactive():
        raise CommandError(
            f"--overwrite or --no-overwrite must be given where pairs exist and no terminal can be asked;"
            f" {path} exists"
        )
    return typer.confirm(f"{path} exists. Overwrite it?")

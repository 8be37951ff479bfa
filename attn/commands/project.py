"""`attn project`: a layer of a run, for TensorBoard's projector."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from attn.commands.complete import completer, run_names
from attn.commands.output import JsonOption, QuietOption, say


def project(
    run: Annotated[
        str,
        typer.Option(
            help="Name of a shipped run, or the directory of a run. (original: run)",
            autocompletion=completer(run_names),
        ),
    ],
    layer: Annotated[
        str, typer.Option(help="Layer to show, such as table; a wrong name lists those that there are.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of TensorBoard; missing: RUN/tensorboard, for a shipped run tensorboard/RUN.",
            show_default=False,
        ),
    ] = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Write the weights of a layer and what each row stands for, where TensorBoard's projector finds them."""
    from attn.projection import project_layer, write_projection
    from attn.runs import find_run, load_run

    directory = find_run(run)
    projection = project_layer(load_run(directory).model, layer)
    folder = out or _folder(directory)
    vectors = write_projection(folder, projection)
    num_rows, num_columns = projection.vectors.shape
    found = {"file": str(vectors), "folder": str(folder), "num_rows": num_rows, "num_columns": num_columns}
    lines = [
        f"{vectors}: {num_rows} rows of {num_columns}",
        f"{shlex.join(['tensorboard', '--logdir', str(folder)])} shows them under Projector",
    ]
    say(found, lines, quiet=quiet, as_json=json)


def _folder(directory: Path) -> Path:
    """Beside the scalars of the run; what ships with the package is not written to."""
    from attn.runs import BOARD, PRETRAINED

    return Path(BOARD) / directory.name if directory.parent == PRETRAINED else directory / BOARD

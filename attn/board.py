"""What TensorBoard shows of a training: scalars, weights, hyper-parameters, and pictures of a test pair."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tensorboard.plugins.hparams import api as hparams

from attn.models import PairModel
from attn.runs import BOARD
from attn.snapshot import Snapshot

# The parts of a spec that are hyper-parameters; the others say where and when it was trained.
_PARTS = ("model", "training", "process")


class Board:
    """The event files of a run, see `attn.runs`."""

    def __init__(self, run: Path, spec: Mapping[str, Any], snapshot: Snapshot | None) -> None:
        """Begin with the hyper-parameters; `snapshot` is what is pictured, None where nothing can be."""
        self.run_name = run.name
        self.snapshot = snapshot
        self.writer = tf.summary.create_file_writer(str(run / BOARD))
        with self.writer.as_default():
            # Without a name of its own a trial would be named after its values, and runs that differ in
            # none of them would be shown as one.
            hparams.hparams(settings(spec), trial_id=self.run_name)

    def write_epoch(self, model: PairModel, figures: Mapping[str, float]) -> None:
        """Scalars, a histogram of every weight, and the pictures, at the step that `figures` holds."""
        step = int(figures["step"])
        with self.writer.as_default(step):
            for name, value in figures.items():
                if name != "step":
                    # kept as float32: an error beyond it is infinite there, and no reason to end a training
                    tf.summary.scalar(name, tf.cast(tf.constant(value, tf.float64), tf.float32))
            for weight in model.trainable_variables:
                tf.summary.histogram(weight.path, tf.convert_to_tensor(weight))
            if self.snapshot is not None:
                title = f"{self.run_name}, step {step}"
                for name, figure in self.snapshot.figures(model, title).items():
                    tf.summary.image(name, _pixels(figure)[None])
        self.writer.flush()


def settings(spec: Mapping[str, Any]) -> dict[str, bool | float | str]:
    """The hyper-parameters of a run as `part.field`; a list of numbers as the command line takes it."""
    return {
        f"{part}.{field}": ",".join(map(str, value)) if isinstance(value, tuple | list) else value
        for part in _PARTS
        for field, value in (spec[part] or {}).items()
    }


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    """The figure as it looks on the screen [height,width,3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]

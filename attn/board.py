"""What TensorBoard shows of a training: scalars, weights, hyper-parameters, and pictures of a test pair."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.hparams import api as hparams

from attn.models import PairModel
from attn.runs import BOARD, RunError
from attn.snapshot import Snapshot

# The parts of a spec that are hyper-parameters; the others say where and when it was trained.
_PARTS = ("model", "training", "process")


class Board:
    """The event files of a run, see `attn.runs`."""

    def __init__(self, run: Path, spec: Mapping[str, Any], snapshot: Snapshot | None) -> None:
        """Begin with the hyper-parameters; `snapshot` is what is pictured, None where nothing can be.

        Raises RunError, as `write_epoch` does, if the disk fails.
        """
        self.run_name = run.name
        self.folder = run / BOARD
        self.snapshot = snapshot
        with self._told():
            self.writer = tf.summary.create_file_writer(str(self.folder))
        with self._told(), self.writer.as_default():
            # Without a name of its own a trial would be named after its values, and runs that differ in
            # none of them would be shown as one.
            hparams.hparams(settings(spec), trial_id=self.run_name)

    def write_epoch(self, model: PairModel, figures: Mapping[str, float]) -> None:
        """Scalars, a histogram of every weight, and the pictures, at the step that `figures` holds."""
        step = int(figures["step"])
        drawn = {}
        if self.snapshot is not None:
            title = f"{self.run_name}, step {step}"
            drawn = {name: _pixels(f) for name, f in self.snapshot.figures(model, title).items()}
        # scalars are float32: an error beyond them is infinite there
        with self._told(), self.writer.as_default(step), np.errstate(over="ignore"):
            for name, value in figures.items():
                if name != "step":
                    tf.summary.scalar(name, np.float32(value))
            for weight in model.trainable_variables:
                # numpy counts a weight ten times as fast as `tf.summary.histogram`, which traces conditions
                counted = histogram_pb(weight.path, weight.numpy())
                tf.summary.experimental.write_raw_pb(counted.SerializeToString())
            for name, pixels in drawn.items():
                tf.summary.image(name, pixels[None])
            self.writer.flush()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What TensorFlow raises when the disk refuses, in one sentence."""
        try:
            yield
        except tf.errors.OpError as error:
            # "{{where}} file; No space left on device [Op:name]" and more lines, or without the file
            said = re.sub(r"\{\{.*?\}\} ?| \[Op:.*", "", error.message).splitlines()[0]
            raise RunError(f"{self.folder} could not be written: {said.rpartition('; ')[2]}") from error


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

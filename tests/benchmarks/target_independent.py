"""A transformer whose targets do not see each other, used autoregressively.

In the style of the diagonal transformer neural process (Nguyen and Grover 2022, TNP-D): one pass predicts
every target from the context alone.  It is the corrected two-stream transformer with another mask, so that
nothing else differs; to be autoregressive each prediction needs a pass of its own, over a longer context.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import tensorflow as tf

from attn import masks
from attn.models import PairTransformerConfig, build_model
from attn.models.base import Points
from attn.models.pair_transformer import PairTransformer
from attn.rollout import teacher_force, to_points
from attn.stream import Stream
from attn.types import Batch, Prediction


class TargetIndependent(PairTransformer):
    """See the head of this file."""

    def _may_see(self, points: Points, first: tf.Tensor) -> tf.Tensor:
        """Content tokens and queries see the context, queries at context positions what is before them."""
        content_sees = masks.context_and_earlier(points.valid, points.num_context)
        is_context = points.is_context[:, None]
        query_sees = masks.earlier(points.valid)[:, first:] & is_context
        return tf.concat([content_sees & is_context, query_sees], axis=1)[:, None]


def build(config: PairTransformerConfig, seed: int) -> TargetIndependent:
    """The model, with the weights of the two-stream transformer of that seed."""
    model = TargetIndependent(config)
    pair = Batch(
        np.zeros((1, 2)), np.zeros((1, 2), int), np.zeros((1, 2)), np.ones((1, 2), bool), np.array([1])
    )
    model(to_points(pair))
    model.set_weights(build_model(config, seed).get_weights())
    return model


def any_context(batch: Batch, rng: np.random.Generator) -> Batch:
    """The batch with any number of its points observed: so many does it see when it is used."""
    return replace(batch, num_context=rng.integers(2, batch.num_points, batch.num_pairs))


def training_batches(stream: Stream, num_steps: int) -> Iterator[Batch]:
    """The batches of the stream, each with any number of points observed."""
    for step in range(num_steps):
        yield any_context(stream.batch(step), np.random.default_rng([stream.seed, 99, step]))


def autoregressive(model: TargetIndependent, batch: Batch) -> Prediction:
    """Every target given the true points before it, one pass a target; all rows observe as many points."""
    mean, scale = np.full((2, *batch.x.shape), np.nan, np.float32)
    for t in range(int(batch.num_context.min()), batch.num_points):
        whole = replace(batch.first(t + 1), num_context=np.full(batch.num_pairs, t))
        one = teacher_force(model, whole)
        mean[:, t], scale[:, t] = one.mean[:, t], one.scale[:, t]
    nan = np.where(batch.is_target, 0.0, np.nan).astype(np.float32)
    return Prediction(mean + nan, scale + nan)

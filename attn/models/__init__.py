"""The models: their configurations, presets, and how one is built."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from attn.config import checked
from attn.memory import of_weights, require_memory
from attn.models.base import PairModel, Points
from attn.models.historic import Historic, HistoricConfig
from attn.models.pair_smoother import PairSmoother, PairSmootherConfig
from attn.models.pair_transformer import PairTransformer, PairTransformerConfig

__all__ = [
    "PRESETS",
    "HistoricConfig",
    "ModelConfig",
    "PairModel",
    "PairSmootherConfig",
    "PairTransformerConfig",
    "build_model",
    "model_config",
    "num_weights",
]

ModelConfig = HistoricConfig | PairTransformerConfig | PairSmootherConfig

PRESETS: dict[str, ModelConfig] = {
    "historic": HistoricConfig(),
    "historic_full": HistoricConfig(width=512, num_heads=32, layer_dims=(256, 64, 32), bin_width=0.05),
    "pair_transformer": PairTransformerConfig(),
    "pair_smoother": PairSmootherConfig(),
}
_CONFIGS: dict[str, type[ModelConfig]] = {
    "historic": HistoricConfig,
    "pair_transformer": PairTransformerConfig,
    "pair_smoother": PairSmootherConfig,
}


def model_config(values: Mapping[str, Any]) -> ModelConfig:
    """The configuration from its JSON form; raises ValueError for an unknown kind, field or value."""
    if not isinstance(values, Mapping):
        raise ValueError(f"a model must be an object with its fields; got {type(values).__name__}")
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in _CONFIGS:
        raise ValueError(f"the kind of a model must be one of {', '.join(_CONFIGS)}; got {kind!r}")
    return checked(_CONFIGS[kind], values, f"a {kind} model")


def build_model(config: ModelConfig, seed: int) -> PairModel:
    """A model with weights drawn from `seed`; float32.  Raises MemoryLimitError where they cannot fit."""
    num_layers = getattr(config, "num_layers", 1)
    require_memory(of_weights(num_weights(config), num_layers), "a model of this size")
    model = _model_of(config)
    model(
        Points(
            x=tf.zeros([1, 2]),
            series=tf.zeros([1, 2], tf.int32),
            y=tf.zeros([1, 2]),
            valid=tf.ones([1, 2], tf.bool),
            num_context=tf.ones([1], tf.int32),
        )
    )
    _draw_weights(model, np.random.default_rng(seed))
    return model


def num_weights(config: ModelConfig) -> int:
    """The entries of the large matrices of a model, by the widths of its layers; the others add little."""
    width = config.width
    if isinstance(config, HistoricConfig):
        first, second, third = config.layer_dims
        after_attention = 3 * width * first + first * second + second * third
        return config.num_rows * width + 3 * width**2 + after_attention
    return config.num_layers * (4 * width**2 + 2 * width * config.hidden_dim)


def _model_of(config: ModelConfig) -> PairModel:
    if isinstance(config, HistoricConfig):
        return Historic(config)
    if isinstance(config, PairSmootherConfig):
        return PairSmoother(config)
    return PairTransformer(config)


def _draw_weights(model: PairModel, rng: np.random.Generator) -> None:
    """Glorot uniform for every matrix (Glorot and Bengio 2010, equation 16); vectors keep what they have.

    Keras would draw them from its global generator; here a seed decides alone.
    """
    for weight in model.trainable_variables:
        if len(weight.shape) == 2:
            limit = model.initial_gain(weight.path) * np.sqrt(6 / sum(weight.shape))
            weight.assign(rng.uniform(-limit, limit, weight.shape).astype(np.float32))

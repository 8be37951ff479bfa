"""The small models that faults are injected into, and those that learnt with a fault in place.

All see 20 points a series.  Those called `sound` are healthy; the others carry one fault from the first step
of their training on.  Their weights ship with the package; `train_all` makes them anew.
"""

import shutil
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import tensorflow as tf

from attn.layers import RelationBias
from attn.likelihood import gaussian_log_density, masked_mean
from attn.models import (
    HistoricConfig,
    ModelConfig,
    PairModel,
    PairSmootherConfig,
    PairTransformerConfig,
    build_model,
)
from attn.models.base import Normal, Points
from attn.processes import PairProcess
from attn.runs import Run, assign_weights, load_run, weights_of
from attn.train import train
from attn.trainer import TrainConfig
from diagnostics.faults.injection import InjectedSubject, Replacement, replaced

TRAINED = Path(__file__).parent / "trained"
SHIPPED_FILES = ("spec.json", "history.json", "weights.safetensors")

PROCESS = PairProcess(num_points=20)
TRANSFORMER = PairTransformerConfig(width=32, num_layers=2, num_heads=2, hidden_dim=64)
SMOOTHER = PairSmootherConfig(width=32, num_layers=2, num_heads=4, hidden_dim=64, estimate_dim=16)
# The historic decoder with all of its traits mended but the one that a recipe is about.
DECODER = HistoricConfig(
    num_heads=2,
    num_rows=220,
    labels_in_qk=True,
    relu_scores=False,
    previous_value_residual=False,
    half_log_sigma=False,
    binned_x=False,
    normalised_values=False,
    drops_zero_targets=False,
)
TRAIN_TRANSFORMER = TrainConfig(num_context=5, num_epochs=6, steps_per_epoch=500, batch_size=16)
TRAIN_SMOOTHER = replace(TRAIN_TRANSFORMER, optimizer="muon", batch_size=32, seed=4)
TRAIN_DECODER = TrainConfig(
    num_context=5, num_epochs=6, steps_per_epoch=500, batch_size=32, learning_rate=2e-3
)


@dataclass(frozen=True)
class Recipe:
    """What is trained; `replacements` are in force while it learns, and whenever it is used."""

    model: ModelConfig = TRANSFORMER
    training: TrainConfig = TRAIN_TRANSFORMER
    process: PairProcess = PROCESS
    replacements: tuple[Replacement, ...] = ()


_relate = RelationBias.call


def _relate_without_labels(
    layer: RelationBias, x_query: tf.Tensor, series_query: tf.Tensor, x_key: tf.Tensor, series_key: tf.Tensor
) -> list[tf.Tensor]:
    """All points count as one series."""
    return _relate(layer, x_query, tf.zeros_like(series_query), x_key, tf.zeros_like(series_key))


def _loss_of_half_log_scale(model: PairModel, points: Points, prediction: Normal) -> tf.Tensor:
    """The log of the scale counts half of what the density says."""
    density = gaussian_log_density(points.y, prediction.mean, prediction.scale)
    return -masked_mean(density + 0.5 * tf.math.log(prediction.scale), points.is_target)


def _loss_without_first(model: PairModel, points: Points, prediction: Normal) -> tf.Tensor:
    """The first target of every row is not scored."""
    density = gaussian_log_density(points.y, prediction.mean, prediction.scale)
    number = tf.cumsum(tf.cast(points.is_target, tf.int32), axis=1)
    return -masked_mean(density, points.is_target & (number > 1))


RECIPES: dict[str, Recipe] = {
    "sound": Recipe(),
    "label_blind_history": Recipe(replacements=(Replacement(RelationBias, "call", _relate_without_labels),)),
    "label_only_in_query": Recipe(replace(DECODER, labels_in_qk=False), TRAIN_DECODER),
    "previous_value_residual": Recipe(replace(DECODER, previous_value_residual=True), TRAIN_DECODER),
    "shuffled_training_only": Recipe(DECODER, replace(TRAIN_DECODER, regime="shuffle")),
    "attention_dilution": Recipe(replace(DECODER, relu_scores=True), TRAIN_DECODER),
    "label_is_rank": Recipe(DECODER, TRAIN_DECODER, process=replace(PROCESS, label="rank")),
    "level_compressed": Recipe(replace(DECODER, normalised_values=True), TRAIN_DECODER),
    "halved_log_scale": Recipe(replacements=(Replacement(PairModel, "loss_of", _loss_of_half_log_scale),)),
    "first_target_unscored": Recipe(replacements=(Replacement(PairModel, "loss_of", _loss_without_first),)),
    "sound_decoder": Recipe(DECODER, TRAIN_DECODER),
    # Sound variants, for the rate of false alarms.
    "sound_wide": Recipe(replace(TRANSFORMER, width=48, num_heads=4), replace(TRAIN_TRANSFORMER, seed=1)),
    "sound_one_head": Recipe(
        replace(TRANSFORMER, num_heads=1, num_layers=3), replace(TRAIN_TRANSFORMER, seed=2, regime="forecast")
    ),
    # A smoother: a transformer of this size keeps a drift of 0.05 at later targets of the rougher process.
    "sound_other_process": Recipe(
        SMOOTHER,
        replace(TRAIN_SMOOTHER, seed=3),
        process=replace(PROCESS, kernel="matern", num_points=24),
    ),
    "sound_smoother": Recipe(SMOOTHER, TRAIN_SMOOTHER),
}


def train_all(root: Path = TRAINED) -> None:
    """Train every recipe that `root` does not hold yet, and keep what a run needs to be loaded."""
    for name, recipe in RECIPES.items():
        if (root / name / "spec.json").exists():
            continue
        work = root.parent / ".training" / name
        with replaced(recipe.replacements):
            train(work, recipe.model, recipe.training, recipe.process)
        (root / name).mkdir(parents=True)
        for file in SHIPPED_FILES:
            shutil.copy(work / file, root / name / file)
        shutil.rmtree(work)


@cache
def shared_run(name: str) -> Run:
    """A trained run with the one model that all share: what was traced once is used again.

    For what is sound, and for faults outside of what is traced.
    """
    return load_run(TRAINED / name)


def fresh_run(name: str, config: ModelConfig | None = None) -> Run:
    """A trained run with a model of its own, for faults in what is traced: no trace of it is used elsewhere.

    `config` None = that of the training; another must have weights of the same shapes.
    """
    run = shared_run(name)
    model = build_model(config or run.model.config, seed=0)
    assign_weights(model, weights_of(run.model), run.directory)
    return replace(run, model=model)


def trained_subject(name: str) -> InjectedSubject:
    """The model of that recipe, with what was in force while it learnt."""
    return InjectedSubject(fresh_run(name), RECIPES[name].replacements)

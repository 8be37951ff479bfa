"""Pairs of sequences: the process that draws them, models that continue them, and their training.

What others may build on stands in `__all__`; a name is loaded when it is first asked for, because most need
TensorFlow.  `arrange`, `rollout` and `train` are modules, each named after its function.
"""

from typing import TYPE_CHECKING

from attn.lazy import lazily

__all__ = [
    "Attention",
    "Batch",
    "HistoricConfig",
    "PairProcess",
    "PairSmootherConfig",
    "PairTransformerConfig",
    "Pairs",
    "Prediction",
    "Rollout",
    "Run",
    "TrainConfig",
    "arrange",
    "build_model",
    "find_run",
    "load_pairs",
    "load_run",
    "named_process",
    "predict_next",
    "read_csv",
    "rollout",
    "save_pairs",
    "teacher_force",
    "train",
]

if TYPE_CHECKING:
    from attn import arrange, rollout, train
    from attn.files import load_pairs, save_pairs
    from attn.models import HistoricConfig, PairSmootherConfig, PairTransformerConfig, build_model
    from attn.processes import PairProcess, named_process
    from attn.rollout import predict_next, teacher_force
    from attn.runs import Run, find_run, load_run
    from attn.tables import read_csv
    from attn.trainer import TrainConfig
    from attn.types import Attention, Batch, Pairs, Prediction, Rollout
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "arrange": (),
            "files": ("load_pairs", "save_pairs"),
            "models": ("HistoricConfig", "PairSmootherConfig", "PairTransformerConfig", "build_model"),
            "processes": ("PairProcess", "named_process"),
            "rollout": ("rollout", "predict_next", "teacher_force"),
            "runs": ("Run", "find_run", "load_run"),
            "tables": ("read_csv",),
            "train": (),
            "trainer": ("TrainConfig",),
            "types": ("Attention", "Batch", "Pairs", "Prediction", "Rollout"),
        },
    )

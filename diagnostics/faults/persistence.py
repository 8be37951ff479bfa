"""Persistence: what is restored is not what was saved."""

from dataclasses import replace
from pathlib import Path

from attn import runs
from attn.models import HistoricConfig, PairModel
from attn.types import Floats
from diagnostics.faults.injection import InjectedSubject, Replacement, injection
from diagnostics.faults.trained import DECODER, fresh_run, shared_run
from diagnostics.subject import Subject


@injection(39, "head_count_mismatch", (32.0, 8.0, 1.0), twin="sound_decoder")
def head_count_mismatch(severity: float) -> Subject:
    """Trained with 2 heads, restored with that many: the shapes of all weights agree."""
    config: HistoricConfig = replace(DECODER, num_heads=int(severity))
    return InjectedSubject(fresh_run("sound_decoder", config), ())


@injection(40, "partial_restore", (8.0, 3.0, 1.0))
def partial_restore(severity: float) -> Subject:
    """So many of the saved weights are not restored and stay what they were initialised to."""
    real = runs.assign_weights

    def assign_most(model: PairModel, arrays: dict[str, Floats], path: Path) -> None:
        initial = runs.weights_of(model)
        left_out = sorted(name for name in arrays if name.endswith("kernel"))[: int(severity)]
        real(model, arrays | {name: initial[name] for name in left_out}, path)

    return InjectedSubject(shared_run("sound"), (Replacement(runs, "assign_weights", assign_most),))

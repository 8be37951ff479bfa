"""Persistence: what is restored is not what was saved."""

from dataclasses import replace

from attn.models import HistoricConfig, build_model
from attn.runs import assign_weights, weights_of
from diagnostics.faults.injection import InjectedSubject, injection
from diagnostics.faults.trained import DECODER, fresh_run
from diagnostics.subject import Subject


@injection(39, "head_count_mismatch", (32.0, 8.0, 1.0), twin="sound_decoder")
def head_count_mismatch(severity: float) -> Subject:
    """Trained with 2 heads, restored with that many: the shapes of all weights agree."""
    config: HistoricConfig = replace(DECODER, num_heads=int(severity))
    return InjectedSubject(fresh_run("sound_decoder", config), ())


@injection(40, "partial_restore", (8.0, 3.0, 1.0))
def partial_restore(severity: float) -> Subject:
    """So many of the weights were not restored and are still what they were initialised to."""
    run = fresh_run("sound")
    initial = weights_of(build_model(run.model.config, seed=0))
    restored = weights_of(run.model)
    left_out = sorted(name for name in restored if name.endswith("kernel"))[: int(severity)]
    kept = {name: initial[name] if name in left_out else value for name, value in restored.items()}
    assign_weights(run.model, kept, run.directory)
    return InjectedSubject(run, ())

"""Boundary: what was learnt is not what inference needs."""

from diagnostics.faults.injection import injection
from diagnostics.faults.trained import trained_subject
from diagnostics.subject import Subject


@injection(30, "shuffled_training_only", twin="sound_decoder")
def shuffled_training_only(severity: float) -> Subject:
    """Learnt from shuffled points alone."""
    return trained_subject("shuffled_training_only")


@injection(31, "attention_dilution", twin="sound_decoder")
def attention_dilution(severity: float) -> Subject:
    """Learnt with a relu on the scores: no visible point weighs less than exp(0)."""
    return trained_subject("attention_dilution")


@injection(32, "label_is_rank", twin="sound_decoder")
def label_is_rank(severity: float) -> Subject:
    """Learnt from pairs of which the lower series always has label 1."""
    return trained_subject("label_is_rank")


@injection(33, "level_compressed", twin="sound_decoder")
def level_compressed(severity: float) -> Subject:
    """Learnt with a normalisation on the path of the values."""
    return trained_subject("level_compressed")

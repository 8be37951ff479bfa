"""Subjects that need no TensorFlow: a sound one that answers at once, and one that ends its process."""

import os

from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject

PROCESS = PairProcess(num_points=6)


def sound():
    """Passes whatever it is asked."""
    return OracleSubject(PROCESS)


class Crashing(OracleSubject):
    """Takes its process with it."""

    def teacher_force(self, batch):
        """No answer."""
        os.abort()


def crashing():
    """As a model with a bug in compiled code."""
    return Crashing(PROCESS)

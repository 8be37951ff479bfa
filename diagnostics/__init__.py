"""Finds out why a model that looked good in training fails where its own predictions begin.

What others may build on stands in `__all__`; a name is loaded when it is first asked for, because some need
TensorFlow.  `check` and `diagnose` are modules, each named after its function.
"""

from typing import TYPE_CHECKING

from attn.lazy import lazily

__all__ = [
    "CHECKS",
    "AttnSubject",
    "Attribution",
    "CheckResult",
    "Diagnosis",
    "OracleSubject",
    "Report",
    "Subject",
    "SubjectError",
    "Symptom",
    "assert_passes",
    "attribute",
    "check",
    "diagnose",
    "load_subject",
    "measure_symptom",
    "parametrize_with_checks",
    "run_checks",
    "write_report",
]

if TYPE_CHECKING:
    from diagnostics import check, diagnose
    from diagnostics.adapters import OracleSubject, load_subject
    from diagnostics.ask import SubjectError
    from diagnostics.attribution.attribute import attribute
    from diagnostics.checks import CHECKS
    from diagnostics.report import write_report
    from diagnostics.result import Attribution, CheckResult, Diagnosis, Report, Symptom
    from diagnostics.run_subject import AttnSubject
    from diagnostics.runner import assert_passes, parametrize_with_checks, run_checks
    from diagnostics.subject import Subject
    from diagnostics.symptom import measure_symptom
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "adapters": ("OracleSubject", "load_subject"),
            "ask": ("SubjectError",),
            "attribution.attribute": ("attribute",),
            "check": (),
            "checks": ("CHECKS",),
            "diagnose": (),
            "report": ("write_report",),
            "result": ("Attribution", "CheckResult", "Diagnosis", "Report", "Symptom"),
            "run_subject": ("AttnSubject",),
            "runner": ("assert_passes", "parametrize_with_checks", "run_checks"),
            "subject": ("Subject",),
            "symptom": ("measure_symptom",),
        },
    )

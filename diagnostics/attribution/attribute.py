"""How much of the error at the boundary belongs to what: by intervention on the same pairs.

Letters: y the truth, and predictions of a target h of B, all of the same pairs in forecast order:
free      the subject's free running (own means fed back)
forced    the subject given the true past, in forecast order
trained   the subject given the same true past in training order: a random permutation of all points before
          the target; where training batches stand in forecast order, the same as forced
o_free    the exact posterior given the context alone
o_forced  the exact posterior given the true past
E(m) is the mean of (m - y)^2 over pairs and targets, in units of y^2; D(m, r) the drift fraction, the
regression through the origin of m - r on the level gap.

row             squared error                                      drift fraction
oracle          E(o_free)                                          0 by definition
training_order  E(trained) - E(o_forced)                           D(trained, o_forced)
history_order   E(forced) - E(trained)                             D(forced, trained)
free_running    (E(free) - E(o_free)) - (E(forced) - E(o_forced))  D(free - o_free, forced - o_forced)
total           E(free)                                            D(free, o_free)

The first four add up to the total, at the first target and at the later ones.  At the first target nothing
has been fed back yet: what is called `free_running` there is the step of inference against the parallel pass.
Without a process y stands for the exact posterior: `oracle` is left out, and what no one could know stays
in `training_order`.

Probes are counterfactuals of the first target, given the true past, and are not added: m' is the prediction
under the intervention (`interventions.py`), o' the exact posterior of the same truth given as many points
(o_forced, unless points were taken away).  Drift is D(m' - o', forced - o_forced), `after` is D(m', o'),
error is (E(m') - E(o')) - (E(forced) - E(o_forced)).
`in_training` is E(subject) - E(exact posterior) over all targets of fresh training batches: other targets,
so it stands beside the parts.

Every interval is a bootstrap over pairs of the difference within each pair.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from attn.processes import PairProcess
from attn.types import Batch, Pairs
from diagnostics.ask import SubjectError, ask_reload, ask_teacher_force
from diagnostics.attribution import words
from diagnostics.attribution.interventions import close_gap, flip_labels, hide_labels, permute_history, thin_a
from diagnostics.attribution.paired import Paired, predict_paired
from diagnostics.attribution.training_order import TrainingOrder, find_training_order
from diagnostics.check import build_scenario
from diagnostics.measures import Statistic, by_target, level_gap, mean_of
from diagnostics.result import Attribution, AttributionRow, Curve, Estimate, Where
from diagnostics.subject import Subject, offers

NUM_PAIRS = 128
LATER_TARGET = 11


def attribute(
    subject: Subject,
    source: PairProcess | Pairs,
    *,
    num_pairs: int = NUM_PAIRS,
    num_context: int | None = None,
    seed: int = 0,
) -> Attribution:
    """Attribute the error of `subject` on `num_pairs` pairs drawn from a process, or on that many given ones.

    Raises SubjectError where the subject cannot answer.
    """
    rng = np.random.default_rng([seed, 2])
    scenario = build_scenario(source, rng, num_pairs=num_pairs, num_context=num_context)
    training = find_training_order(subject, scenario.pairs.num_pairs, rng)
    work = _Work(subject, scenario.process, scenario.forecast, training, rng)
    later = _later_targets(scenario.forecast)
    permuted = () if training.is_forecast else (1, *later)
    paired = predict_paired(subject, scenario.process, scenario.forecast, permuted, rng)
    rows = list(work.parts(paired.at((1,)), "first"))
    rows += work.parts(paired.at(later), "later") if later else ()
    rows += [*work.in_training(), *work.probes(paired.at((1,)))]
    return Attribution(
        num_pairs=scenario.pairs.num_pairs,
        later=later,
        training_order=words.training_order(training),
        rows=tuple(rows),
        free_running=_curve(paired, rng),
        left_out=tuple(work.left_out()),
    )


def _later_targets(batch: Batch) -> tuple[int, ...]:
    """Of the targets that all rows have: the eleventh (or the last, where fewer), the last, one between."""
    last = int(batch.is_target.sum(axis=1).min())
    first = min(LATER_TARGET, last)
    return tuple(sorted({first, (first + last) // 2, last} - {1}))


@dataclass(frozen=True, eq=False)
class _Work:
    """One subject on one batch in forecast order: each method makes the rows of one kind.

    `refused` collects what the subject could not answer.
    """

    subject: Subject
    process: PairProcess | None
    batch: Batch
    training: TrainingOrder
    rng: np.random.Generator
    refused: list[str] = field(default_factory=list)

    def parts(self, p: Paired, where: Where) -> Iterator[AttributionRow]:
        """The parts that add up to the error of free running, and the total."""
        total = self._estimate(mean_of(p.square(p.free)).pooled())
        beyond_exact = p.square(p.trained) - p.square(p.oracle_forced)
        by_order = p.square(p.forced) - p.square(p.trained)
        fed_back = p.free - p.oracle_free - (p.forced - p.oracle_forced)
        parts = {
            "oracle": (p.square(p.oracle_free), p.drift(np.zeros_like(p.y))),
            "training_order": (beyond_exact, p.drift(p.trained - p.oracle_forced)),
            "history_order": (by_order, p.drift(p.forced - p.trained)),
            "free_running": (p.of_free_running(), p.drift(fed_back)),
        }
        left_out = {"oracle": self.process is None, "history_order": self.training.is_forecast}
        for name, (error, drift) in parts.items():
            if not left_out.get(name):
                found = self._estimate(mean_of(error).pooled())
                yield AttributionRow(
                    name=name,
                    title=words.part_title(name, where),
                    where=where,
                    role="part",
                    error=found,
                    drift=self._drift(drift),
                    sentence=words.part(name, where, found, total, self.training),
                )
        drifted = self._drift(p.drift(p.free - p.oracle_free))
        yield AttributionRow(
            name="total",
            title=words.part_title("total", where),
            where=where,
            role="total",
            error=total,
            drift=drifted,
            sentence=words.total(where, total, drifted),
        )

    def in_training(self) -> Iterator[AttributionRow]:
        """The error beyond the exact posterior's over all targets of training batches."""
        batch = self.training.batch
        if batch is None or self.process is None:
            return
        mean, exact = ask_teacher_force(self.subject, batch).mean, self.process.posterior(batch).mean
        beyond = by_target(batch, (mean - batch.y) ** 2 - (exact - batch.y) ** 2)
        found = self._estimate(mean_of(beyond).pooled())
        yield AttributionRow(
            name="in_training",
            title="in training, beyond the exact GP",
            where="training",
            role="beside",
            error=found,
            sentence=words.in_training(found),
        )

    def probes(self, p: Paired) -> Iterator[AttributionRow]:
        """What becomes of the first target, given the true past, under each intervention.

        One that the subject cannot answer is left out with what it said.
        """
        before = self._drift(p.drift(p.forced - p.oracle_forced))
        for name, intervene in self._interventions().items():
            try:
                subject, batch = intervene()
                mean = by_target(batch, ask_teacher_force(subject, batch).mean)[:, :1]
            except SubjectError as refusal:
                self.refused.append(words.refused(name, refusal))
                continue
            exact = p.oracle_forced
            if self.process is not None and batch.valid.sum() < self.batch.valid.sum():
                exact = by_target(batch, self.process.posterior(batch).mean)[:, :1]
            error = p.square(mean) - p.square(p.forced) - (p.square(exact) - p.square(p.oracle_forced))
            changed = self._estimate(mean_of(error).pooled())
            drift = self._drift(p.drift(mean - exact - (p.forced - p.oracle_forced)))
            after = self._drift(p.drift(mean - exact))
            yield AttributionRow(
                name=name,
                title=words.probe_title(name),
                where="first",
                role="probe",
                error=changed,
                drift=drift,
                after=after,
                sentence=words.probe(name, before, after, drift, changed),
            )

    def _interventions(self) -> dict[str, Callable[[], tuple[Subject, Batch]]]:
        subject, batch, rng = self.subject, self.batch, self.rng
        found: dict[str, Callable[[], tuple[Subject, Batch]]] = {}
        if self.training.is_forecast:
            found["random_order"] = lambda: (subject, permute_history(batch, 1, rng))
        if self._has_gap:
            found["labels_flipped"] = lambda: (subject, flip_labels(batch))
            found["labels_hidden"] = lambda: (subject, hide_labels(batch))
            found["gap_closed"] = lambda: (subject, close_gap(batch))
            found["half_of_a"] = lambda: (subject, thin_a(batch, 0.5, rng))
            found["quarter_of_a"] = lambda: (subject, thin_a(batch, 0.25, rng))
        if offers(subject, "reload"):
            found["reloaded"] = lambda: (ask_reload(subject), batch)
        return found

    def left_out(self) -> Iterator[str]:
        """What could not be asked, each with its reason."""
        if self.process is None:
            yield words.NO_ORACLE
        elif self.training.batch is None:
            yield words.no_training(self.training)
        if self.training.is_forecast:
            yield words.NO_ORDER
        if not self._has_gap:
            yield words.NO_GAP
        if not offers(self.subject, "reload"):
            yield words.NO_RELOAD
        yield from self.refused

    @property
    def _has_gap(self) -> bool:
        return not bool(np.isnan(level_gap(self.batch)).all())

    def _drift(self, statistic: Statistic | None) -> Estimate | None:
        return None if statistic is None else self._estimate(statistic)

    def _estimate(self, statistic: Statistic) -> Estimate:
        interval = statistic.interval(self.rng)
        value, low, high = (float(part[0]) for part in (interval.value, interval.low, interval.high))
        return Estimate(value=value, low=low, high=high)


def _curve(paired: Paired, rng: np.random.Generator) -> Curve:
    """The part of free running by target."""
    interval = mean_of(paired.of_free_running()).interval(rng)
    value, low, high = (list(map(float, part)) for part in (interval.value, interval.low, interval.high))
    return Curve(
        name="free_running", at=[h + 1.0 for h in range(len(value))], value=value, low=low, high=high
    )

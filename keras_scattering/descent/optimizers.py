"""Steps of descents, by SciPy's L-BFGS-B or by an optimiser of Keras, and the record of them."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import scipy.optimize

from keras_scattering.descent.objective import Objective, Value, Wanted
from keras_scattering.runtime.blas import on_one_thread

MEMORY = 20  # steps from which L-BFGS estimates curvature
_LINE_SEARCH = 20  # most evaluations per step of L-BFGS

Evaluate = Callable[[np.ndarray], Value]


@dataclasses.dataclass
class Course:
    """Where samples are that descend together, and how they came there."""

    place: np.ndarray  # (samples, ...)
    kinds: list[np.ndarray] = dataclasses.field(default_factory=list)
    """Errors by kind, (samples, kinds), at the start and after each step."""
    stop: str = "interrupted"

    @property
    def steps(self) -> int:
        """Steps until now."""
        return max(len(self.kinds) - 1, 0)

    @property
    def error(self) -> float:
        """The largest error of its samples now, over all kinds."""
        return float(np.sqrt((self.kinds[-1] ** 2).mean(1)).max())

    def begin(self, kinds: np.ndarray) -> None:
        """Note the errors at the start, once."""
        if not self.kinds:
            self.kinds.append(kinds)

    def step(self, place: np.ndarray, kinds: np.ndarray) -> None:
        """Go to a place."""
        self.place = place
        self.kinds.append(kinds)


class Progress:
    """A progress bar with the time left, over the steps of all courses."""

    def __init__(self, total: int, verbose: int):
        self._bar = keras.utils.Progbar(total, verbose=verbose, stateful_metrics=["error"])
        self._shown: tuple[int, float] | None = None

    def show(self, step: int, error: float) -> None:
        """Show the number of steps that are done, and an error."""
        self._shown = step, error
        self._bar.update(step, [("error", error)], finalize=False)

    def end(self) -> None:
        """End the line."""
        if self._shown:
            step, error = self._shown
            self._bar.update(step, [("error", error)], finalize=True)


def _kinds(value: Value) -> np.ndarray:
    """Errors by kind, which a loss of somebody else's may not have."""
    kinds = value.kinds.numpy()
    if np.isfinite(value.loss.numpy()).all() and np.isnan(kinds).any():
        raise ValueError(
            "Argument `loss` must be a function whose values are at least 0. "
            f"Received: values {value.loss.numpy()}"
        )
    return kinds


class _NotFinite(Exception):
    """The loss or its gradient is not finite."""


def lbfgs(
    evaluate: Evaluate,
    course: Course,
    steps: int,
    tolerance: float,
    bounds: tuple[Any, Any] | None,
    after_step: Callable[[], None],
) -> None:
    """Move samples by one L-BFGS, until each matches, or no step or descent is left.

    Args:
        evaluate: The objective of the samples.
        course: The samples, which move.
        steps: Largest number of steps.
        tolerance: Of the errors.
        bounds: Least and largest values of each number, that broadcast to the samples.
        after_step: Called after each step.
    """
    shape, first = course.place.shape, course.steps
    latest, value = course.place.ravel(), evaluate(course.place)
    course.begin(_kinds(value))

    def loss_and_gradient(z: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal latest, value
        if not np.array_equal(z, latest):  # SciPy begins at a place that is known
            latest, value = z.copy(), evaluate(z.reshape(shape))
        loss, gradient = float(value.loss.numpy().sum()), value.gradient.numpy().ravel()
        if not (np.isfinite(loss) and np.isfinite(gradient).all()):
            raise _NotFinite
        return loss, gradient

    def matched() -> bool:
        return bool(value.error.numpy().max() <= tolerance)

    def accept(intermediate_result: Any) -> None:
        course.step(intermediate_result.x.reshape(shape).copy(), value.kinds.numpy())
        after_step()
        if matched():
            raise StopIteration

    if not matched() and steps:
        options = {"maxiter": steps, "maxfun": np.inf, "maxls": _LINE_SEARCH, "maxcor": MEMORY}
        if bounds is not None:
            wide = [np.broadcast_to(bound, shape).ravel() for bound in bounds]
            bounds = scipy.optimize.Bounds(*wide)  # type: ignore[assignment]
        try:
            with on_one_thread():
                scipy.optimize.minimize(
                    loss_and_gradient,
                    latest,
                    jac=True,
                    method="L-BFGS-B",
                    bounds=bounds,
                    callback=accept,
                    options={**options, "ftol": 0, "gtol": 0},
                )
        except _NotFinite:
            course.stop = "stalled"
            return
    done = course.steps - first == steps
    course.stop = "tolerance" if matched() else "steps" if done else "stalled"


def updates(
    evaluate: Evaluate,
    courses: Sequence[Course],
    optimizer: keras.optimizers.Optimizer,
    steps: int,
    tolerance: float,
    bounds: tuple[Any, Any] | None,
    after_step: Callable[[], None],
) -> None:
    """Move all samples by an optimiser of Keras; one that matches, or is stuck, stays where it is.

    Args:
        evaluate: The objective of all samples.
        courses: One per sample, which move.
        optimizer: A copy of it makes the steps, with a memory of its own.
        steps: Number of steps.
        tolerance: Of the errors.
        bounds: Least and largest values of each number, that broadcast to the samples.
        after_step: Called after each step.
    """
    places = np.concatenate([course.place for course in courses])
    moved = keras.Variable(places, dtype="float64", name="moved")
    optimizer = type(optimizer).from_config(optimizer.get_config())
    optimizer.build([moved])
    active = np.ones(len(courses), bool)

    def end(i: int, stop: str) -> None:
        active[i], courses[i].stop = False, stop

    for step in range(steps + 1):
        value = evaluate(places)
        kinds, gradient, errors = _kinds(value), value.gradient.numpy(), value.error.numpy()
        flat = gradient.reshape(len(courses), -1)
        sound = np.isfinite(value.loss.numpy()) & np.isfinite(flat).all(1)
        for i in np.flatnonzero(active).tolist():
            courses[i].begin(kinds[i : i + 1])
            if step and sound[i]:
                courses[i].step(places[i : i + 1], kinds[i : i + 1])
            if not sound[i]:
                end(i, "stalled")
            elif errors[i] <= tolerance:
                end(i, "tolerance")
            elif step == steps:
                end(i, "steps")
            elif not flat[i].any():
                end(i, "stalled")
        if step:
            after_step()
        if not active.any():
            return
        still = active.reshape(-1, *[1] * (places.ndim - 1))
        optimizer.apply([keras.ops.convert_to_tensor(np.where(still, gradient, 0))], [moved])
        stepped = np.asarray(keras.ops.convert_to_numpy(moved))
        if bounds is not None:
            stepped = np.clip(stepped, *bounds)
        places = np.where(still, stepped, places)
        moved.assign(places)


def descend(
    objective: Objective,
    stages: Sequence[tuple[int, Wanted]],
    courses: Sequence[Course],
    unit: np.ndarray,
    optimizer: Any,
    tolerance: float,
    bounds: tuple[float, float] | None,
    verbose: int,
) -> None:
    """Move samples through stages: by L-BFGS one after the other, else all at once.

    Args:
        objective: Of samples, their unit, and what is wanted of them.
        stages: The number of steps of each, and what is wanted there.
        courses: One per sample, which move.
        unit: The unit that samples are moved in, one for each or one for all.
        optimizer: "lbfgs", or an optimiser of Keras.
        tolerance: Of the errors.
        bounds: Least and largest value of each number, before it is divided by the unit.
        verbose: Whether to show progress.
    """
    total = sum(steps for steps, _ in stages)

    def within(unit: np.ndarray) -> tuple[Any, Any] | None:
        return None if bounds is None else (bounds[0] / unit, bounds[1] / unit)

    alone = optimizer == "lbfgs"
    progress = Progress(total * (len(courses) if alone else 1), verbose)

    def show(before: int, shown: Sequence[Course]) -> None:
        progress.show(before + max(c.steps for c in shown), max(c.error for c in shown))

    try:
        for i, course in enumerate(courses if alone else ()):
            own = unit[min(i, len(unit) - 1) :][:1]
            after = functools.partial(show, i * total, [course])
            for steps, wanted in stages:
                value = functools.partial(objective, unit=own, wanted=wanted.of(i))
                lbfgs(value, course, steps, tolerance, within(own), after)
        for steps, wanted in () if alone else stages:
            value = functools.partial(objective, unit=unit, wanted=wanted.of())
            after = functools.partial(show, 0, courses)
            updates(value, courses, optimizer, steps, tolerance, within(unit), after)
    finally:
        progress.end()

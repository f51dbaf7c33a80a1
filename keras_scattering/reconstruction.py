"""Signals from scattering coefficients."""

import math
from typing import Any

import numpy as np

from keras_scattering import _validate
from keras_scattering.descent import starts
from keras_scattering.descent.objective import Wanted, make_objective
from keras_scattering.descent.optimizers import Course, Progress, lbfgs
from keras_scattering.layers.base import ScatteringLayer


def reconstruct(
    layer: ScatteringLayer,
    coefficients: Any,
    steps: int = 200,
    tolerance: float = 1e-3,
    start: Any = None,
    seed: int = 0,
    verbose: int = 1,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    r"""Signals whose scattering coefficients are close to given ones.

    $$\min_x \sum_b \frac{\|S x_b - y_b\|^2}{\|y_b\|^2}$$

    The minimum is over all signals b of a batch at once, by L-BFGS on the gradient of the layer.
    The result is one of many possible signals. Order 0 determines the local mean, if the layer has
    it. For all that oscillates, the coefficients determine neither the sign nor the phase, nor the
    place within the window of the average. Order 1 alone determines the amplitude in each band, but
    not its movement within the average; order 2 restores a part of it. For `T="global"` and
    `"signal"` the result is a texture with the same statistics. Fine averages (small `J`, `T` or
    `stride`) lose the least. With `T=0` order 0 is the signal itself.

    The problem is not convex. The error falls fast for some tens of steps, then slowly, and may not
    reach the tolerance; the history shows it. The errors on four signals of white noise were:

    * 2 % after 200 steps for 512 samples (`Scattering1D(J=5, Q=8)`),
    * 8 % after 200 steps for 28 × 28 (`Scattering2D(J=2)`),
    * 1.2 % after 200 steps for the joint transform of 512 samples (`J=5, J_fr=2, Q=8`),
    * 0.1 % after 132 steps for 12³ (`HarmonicScattering3D(J=2)`).

    Another seed gives another signal.

    Args:
        layer: A built scattering layer.
        coefficients: The layer's output for a batch of signals; a list of arrays for `T=0`, where
            the layer returns a list.
        steps: Largest number of steps; each takes about one gradient.
        tolerance: The search stops when no signal's relative error $\|S x - y\| / \|y\|$ exceeds
            this.
        start: Signals to start from, of the shape of the layer's input. None starts from white
            Gaussian noise, scaled so that its coefficients have the norm of the given ones.
        seed: Seed of the noise, an integer of at least 0.
        verbose: 1 or True for a progress bar, 0 or False for none.

    Returns:
        The signals, of the shape of the layer's input, and a history. Its entry `"error"` holds the
        relative errors, with one row for the start, one row per step, and one column per signal.

    Raises:
        ValueError: If the layer is no scattering layer or not built. Also if the coefficients or
            the start are not real, not finite, of another shape, or of signals too large or small
            for the layer's precision. Finally, if another argument has a value not stated here.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import Scattering1D, reconstruct
    >>> layer = Scattering1D(J=3, Q=4)
    >>> y = layer(np.sin(np.arange(128) ** 1.5 / 20)[None])
    >>> x, history = reconstruct(layer, y, tolerance=0.1, verbose=0)
    >>> x.shape, bool(history["error"][-1, 0] <= 0.1)
    ((1, 128), True)

    Moments divided by powers hardly depend on the signal's size. So a signal reconstructed from
    them may be far too large or small. `synthesize(layer, targets=…, start="white")` finds its
    size.

    Source: J. Bruna and S. Mallat, "Audio texture synthesis with scattering moments", 2013, for
    synthesis by gradient descent; L-BFGS-B is SciPy's.
    """
    if not isinstance(layer, ScatteringLayer):
        raise ValueError(
            f"Argument `layer` must be a scattering layer. Received: {_validate.shown(layer)}"
        )
    built = layer._built("reconstruct()")
    shape: tuple[Any, ...] = built.shape[1:]
    targets = _targets(layer, coefficients)
    steps = _validate.positive_int("steps", steps)
    tolerance = _validate.positive("tolerance", tolerance)
    seed = _validate.natural("seed", seed)
    _validate.one_of("verbose", verbose, (0, 1, False, True))
    batch = len(targets[0])
    per_signal = (batch, *[1] * len(shape))
    target = np.concatenate([y.reshape(batch, -1) for y in targets], 1)
    heard = np.any(target, 1)
    wanted = np.where(heard, starts.norms(target), 1.0)  # silence has no norm to divide by
    matching = Wanted(target, wanted[:, None], wanted[:, None])
    objective = make_objective(layer, np.zeros(target.shape[1], int))

    if start is None:
        # The noise of default_rng(seed) might be the wanted signal itself.
        z = np.random.default_rng([seed, 1]).standard_normal((batch, *shape))
        unit = heard * starts.matching_units(
            lambda unit: starts.norms(
                objective(z, unit.reshape(per_signal), matching).coefficients.numpy()
            ),
            wanted,
            built.plan.degrees.max(),
            lambda unit: _validate.refuse_beyond("coefficients", unit[heard], layer._precision),
        )
    else:
        z = _validate.signals("start", start, (batch, *shape))
        peak = np.abs(z).reshape(batch, -1).max(1)
        _validate.refuse_beyond("start", peak[peak > 0], layer._precision)
        unit = np.where(peak > 0, peak, 1.0)
        z = z / unit.reshape(per_signal)

    course, progress = Course(z), Progress(steps, verbose)
    unit = unit.reshape(per_signal)
    lbfgs(
        lambda z: objective(z, unit, matching),
        course,
        steps,
        tolerance,
        None,
        lambda: progress.show(course.steps, course.error),
    )
    progress.end()
    errors = np.concatenate(course.kinds, 1).T  # there is one kind
    return (course.place * unit).astype(layer._precision), {"error": errors}


def _targets(layer: ScatteringLayer, coefficients: Any) -> list[np.ndarray]:
    """Coefficients in double precision, one array per output of the layer."""
    built = layer._built("reconstruct()")
    listed = not built.plan.stacked and isinstance(coefficients, (list, tuple, np.ndarray))
    parts = list(coefficients) if listed else [coefficients]
    targets = [_validate.reals("coefficients", y) for y in parts]
    shapes = [y.shape for y in targets]
    allowed = layer.compute_output_shape(built.shape)
    expected = [allowed] if built.plan.stacked else allowed
    batch = shapes[0][:1] if shapes else ()
    if math.prod(batch) < 1 or shapes != [(*batch, *shape[1:]) for shape in expected]:
        received = shapes[0] if built.plan.stacked else shapes
        raise ValueError(
            "Argument `coefficients` must have the shape of the layer's output for a batch of at "
            f"least one, {_abridged(allowed)}. Received: {_abridged(received)}"
        )
    if not all(np.isfinite(y).all() for y in targets):
        raise ValueError("Argument `coefficients` must be finite. Received: NaN or infinity in it")
    return targets


def _abridged(shapes: Any) -> str:
    """A shape, or the first few of many."""
    if isinstance(shapes, tuple) or len(shapes) < 4:
        return f"shape {shapes}" if isinstance(shapes, tuple) else f"shapes {shapes}"
    return f"{len(shapes)} arrays of shapes {', '.join(map(str, shapes[:3]))}, ..."

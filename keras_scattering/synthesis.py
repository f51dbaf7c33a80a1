"""New signals from moments, by gradient descent from noise."""

import contextlib
import math
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_scattering import _validate
from keras_scattering.descent import models, starts
from keras_scattering.descent.objective import Objective, Wanted, make_objective, part_means
from keras_scattering.descent.optimizers import Course, descend
from keras_scattering.descent.rows import Rows, read_rows
from keras_scattering.descent.starts import Layout
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.points import PointPattern

_GROWS = 1.2  # coefficients that grow less when the signal doubles do not depend on its size


def synthesize(
    layer: ScatteringLayer,
    data: Any = None,
    targets: Any = None,
    shape: tuple[int, ...] | None = None,
    n: int = 1,
    start: Any = "gaussian",
    optimizer: Any = "lbfgs",
    steps: int = 300,
    tolerance: float = 1e-2,
    loss: Any = "balanced",
    bounds: Any = None,
    histogram: float = 0.0,
    schedule: str | None = None,
    through: Callable | None = None,
    seed: int = 0,
    verbose: int = 1,
) -> tuple[np.ndarray, dict[str, Any]]:
    r"""New signals with the moments of data: textures, time series, fields, patterns of points.

    For each kind of moment, such as `"power"` or `"phase"`, with coefficients y = S x of a sample
    and the mean t of the coefficients of data:

    $$e_{kind}^2 = \frac{\sum_k w_k^2 (y_k - t_k)^2}{\sum_k w_k^2 t_k^2} \qquad
      \min_x \; \frac{1}{\#kinds} \sum_{kind} e_{kind}^2$$

    Each sample starts from noise, and descends by the gradient of the layer until the root of this
    loss, its error, is at most `tolerance`. Moments that are powers have w_k = 1 / |t_k|, so that
    fine scales of little power count as much as coarse ones; others have w_k = 1. For the means of
    channels e is the difference over the deviation of the signal.

    The result is one of many signals with these moments. What they do not hold is that of the
    noise. Another seed gives another signal. A tolerance far below the error between two pieces of
    the data tends to copy these.

    Output and data may differ in size, for moments are means. The layer's `padding` is for data
    only: the output is a circle, and can be laid side by side with itself. Data that are a piece of
    something larger are no circle. Measure them with `padding="symmetric"`, or the jump at their
    border becomes a part of the model.

    `normalize=True` divides moments by powers: here by those of the data, fixed, as
    `normalize="adapted"` does. Without data it divides each signal by its own powers. A layer that
    has adapted keeps its powers. The given layer never changes.

    Args:
        layer: A layer of moments: scattering spectra, phase harmonics, rectifier covariances,
            `HarmonicScattering3D`, or a scattering with `T="global"`.
        data: Signals `(B, *signal)`, all of one law; or patterns of points `(B, points, 2)`, with
            `PointPattern`.
        targets: Coefficients to match in place of those of data, flattened to `(K,)` for all
            samples, or `(n, K)`. They are divided by the powers that the copy of the layer divides
            by. With both, data give the start, its scale, and these powers.
        shape: Shape of one output, with its channels. None for that of `through`, else that of
            data, else that which the layer is built for.
        n: Number of samples. Sample i does not depend on their number, except with Keras
            optimizers that compare samples.
        start: `"gaussian"` for the Gaussian field of the data's spectrum, `"white"` for white noise
            of its mean and variance, or an array `(n, *shape)`. Without data `"white"` has the size
            at which the norm of the coefficients that depend on size is right. With `through`,
            what is moved: an array, or `"white"` for uniform points.
        optimizer: `"lbfgs"`: SciPy's L-BFGS-B in float64, one descent per sample. Or a
            `keras.optimizers.Optimizer`, which moves all samples at once, in units of the
            signal's deviation. Each descent takes a copy of it.
        steps: Largest number of steps; each takes about one gradient.
        tolerance: A sample is done once its error is at most this.
        loss: `"balanced"` as above, `"plain"` for |y - t|² / |t|² over all rows, or a function of y
            and t, both `(n, K)`, with values `(n,)` of at least 0. Its root is the error.
        bounds: Least and greatest value of the output, with None for an open side. They are kept
            exactly.
        histogram: Weight h of a further term, the mean of (z_q - z*_q)² / s² over the means z_q of
            64 equal parts of the sorted values. It needs data, whose deviation is s.
        schedule: None, or `"coarse"`: first match the coarsest scale, then one more with each
            stage. A stage only counts rows all of whose filters are as coarse. Each has its share
            of steps.
        through: A differentiable function from what is moved, in float64, to signals `(n, *shape)`,
            such as a `PointPattern`. None moves the signals.
        seed: Seed of the noise, an integer of at least 0. Data that are noise need another seed
            than their own: `synthesize` warns if the start is the data.
        verbose: 1 or True for a progress bar, 0 or False for none.

    Returns:
        The signals `(n, *shape)`, in the precision of the layer, and a history, a dict:

        * `"error"`: the error of each sample, `(steps + 1, n)`, at the start and after each step.
          A sample that has ended repeats its last value.
        * `"kinds"`: the same for each kind, by its name.
        * `"steps"`: the number of steps of each sample.
        * `"stop"`: why each ended. `"tolerance"`, `"steps"`, or `"stalled"` where no step makes the
          loss smaller. `"interrupted"` after Ctrl-C, which returns what there is; errors of samples
          that had not begun are NaN.
        * `"variables"`: with `through`, what was moved, in pixels for a `PointPattern`.

    Raises:
        ValueError: If the layer gives no means over whole signals, or has trained weights. If there
            are neither data nor targets. If an array is not finite or has another shape, or the
            layer refuses that shape. If the layer is to divide by powers of data that nobody gave.
            For `start="gaussian"` or a histogram without data, `start="gaussian"` or bounds with
            `through`. Finally, if another argument has a value not stated here.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import ScatteringSpectra1D, synthesize
    >>> noise = np.random.default_rng(0).standard_normal((4, 128))
    >>> layer = ScatteringSpectra1D(J=3, padding="symmetric")
    >>> x, history = synthesize(layer, noise**3, shape=(256,), n=2, tolerance=0.1, verbose=0)
    >>> x.shape, history["stop"].tolist(), bool(history["error"][-1].max() <= 0.1)
    ((2, 256), ['tolerance', 'tolerance'], True)

    Sources: J. Bruna and S. Mallat, "Multiscale sparse microcanonical models", 2018 (arXiv
    1801.02013). A. Brochard, B. Błaszczyszyn, S. Mallat and S. Zhang, "Particle gradient descent
    model for point process generation", 2020 (arXiv 2010.14928).
    """
    models.refuse_others(layer)
    n = _validate.positive_int("n", n)
    steps = _validate.positive_int("steps", steps)
    tolerance = _validate.positive("tolerance", tolerance)
    histogram = _validate.nonnegative("histogram", histogram)
    seed = _validate.natural("seed", seed)
    box = None if bounds is None else _validate.interval("bounds", bounds)
    _validate.one_of("verbose", verbose, (0, 1, False, True))
    _validate.one_of("schedule", schedule, (None, "coarse"))
    _refuse_unknown("loss", loss, ("balanced", "plain"), callable(loss), "or a function")
    known = isinstance(optimizer, keras.optimizers.Optimizer)
    _refuse_unknown("optimizer", optimizer, ("lbfgs",), known, "or an optimizer of Keras")
    signals, points = _signals_of(layer, data, through)
    _refuse_contradictions(signals, targets, points, start, through, box, histogram)

    shape = _output_shape(layer, signals, shape, through)
    model, moments = _measured(layer, signals, shape, targets is None)
    if moments is None:
        moments = _targets(targets, n, model.compute_output_shape((1, *shape))[1:])
    if signals is None:  # each sample has a size of its own
        moments = np.broadcast_to(moments, (n, moments.shape[1]))
    rows = read_rows(model, shape)
    kinds = rows.kinds if loss == "balanced" else ("all",)
    layout = Layout(shape, layer._signals.channel_axis((None, *shape)))
    objective = make_objective(
        model,
        rows.group if loss == "balanced" else np.zeros_like(rows.group),
        through,
        loss if callable(loss) else None,
        histogram,
        layout.axis,
    )

    if not isinstance(start, str):
        z = _given_start(start, n, shape, through)
    elif isinstance(through, PointPattern):
        z = through.poisson(seed, n, points or 0)
    elif signals is not None:
        mean, deviation = layout.statistics(signals)
        if start == "white":
            z = mean + deviation * layout.noise(seed, n)
        else:
            z = mean + layout.field(seed, n, signals)
    else:
        together = 1 if optimizer == "lbfgs" else n
        z = _sized(layout.noise(seed, n), objective, moments, together, layout, model._precision)
    if isinstance(start, str) and start == "white" and data is not None:
        _warn_of_copies(z, np.asarray(data, "float64"), seed)
    z = z if box is None else np.clip(z, *box)

    # Values are moved in units of the deviation: that of data, or each sample's own.
    first, own = _drawn(through, z, shape), signals is None
    _, deviation = layout.statistics(first if signals is None else signals, each=own)
    deviation = np.where(deviation > 0, deviation, 1.0)
    unit = deviation if through is None else np.ones((1,) * z.ndim)
    courses = [Course(place) for place in np.split(z / unit, n)]
    wanted = _wanted(rows, moments, deviation, loss, schedule)
    if histogram and signals is not None:
        parts = part_means(tf.constant(signals), layout.axis).numpy().mean(0, keepdims=True)
        spread = deviation.reshape(1, -1)
        wanted = [stage._replace(parts=parts, deviations=spread) for stage in wanted]
    share, rest = divmod(steps, len(wanted))
    stages = [(share + (i < rest), stage) for i, stage in enumerate(wanted)]
    with contextlib.suppress(KeyboardInterrupt):  # the courses say how far they came
        descend(objective, stages, courses, unit, optimizer, tolerance, box, verbose)

    z = np.concatenate([course.place for course in courses]) * unit
    history = _history(courses, kinds)
    if through is not None:
        z = through.wrapped(z) if isinstance(through, PointPattern) else z
        history["variables"] = z
    return _rounded(_drawn(through, z, shape), box, model._precision), history


# Arguments


def _refuse_unknown(name: str, value: Any, names: tuple, other: bool, words: str) -> None:
    """Refuse what is neither one of a few names nor of another kind."""
    if not (other or (isinstance(value, str) and value in names)):
        raise ValueError(
            f"Argument `{name}` must be {', '.join([*map(repr, names), words])}. "
            f"Received: {name}={_validate.shown(value)}"
        )


def _warn_of_copies(z: np.ndarray, data: np.ndarray, seed: int) -> None:
    """Warn of a start that is the data, drawn from NumPy's generator with the same seed."""
    if data.shape[1:] != z.shape[1:]:
        return
    start, known = (x.reshape(len(x), -1) for x in (z, data))
    start, known = (x - x.mean(1, keepdims=True) for x in (start, known))
    norms = np.outer(np.linalg.norm(start, axis=1), np.linalg.norm(known, axis=1))
    if (np.abs(start @ known.T) > 0.999 * norms).any():
        warnings.warn(
            "The noise to start from is the data: these were drawn with the same seed, and the "
            f"result will be a copy. Give another seed. Received: seed={seed}",
            stacklevel=3,
        )


def _signals_of(
    layer: ScatteringLayer, data: Any, through: Any
) -> tuple[np.ndarray | None, int | None]:
    """Data as signals (B, *signal) in double precision; the number of points if they are points."""
    if data is None:
        return None, None
    signals, points = _validate.finite("data", _validate.reals("data", data)), None
    if isinstance(through, PointPattern) and signals.ndim == 3 and signals.shape[-1] == 2:
        points = signals.shape[1]
        signals = through.window(signals).numpy()
    rank = layer.rank
    if signals.ndim not in (rank + 1, rank + 2) or not signals.size:
        raise ValueError(
            f"Argument `data` must be signals, the batch first: (batch, {layer.axes}), with or "
            "without channels; or with a `PointPattern` positions (batch, points, 2). "
            f"Received: shape {signals.shape}"
        )
    return signals, points


def _refuse_contradictions(
    data: Any, targets: Any, points: Any, start: Any, through: Any, bounds: Any, histogram: float
) -> None:
    """Refuse arguments that do not go together."""
    if data is None and targets is None:
        raise ValueError("Argument `data` or `targets` must be given. Received: None for both")
    _refuse_unknown(
        "through", through, (), through is None or callable(through), "None or a function"
    )
    if isinstance(start, str):
        _refuse_unknown("start", start, ("gaussian", "white"), False, "or an array")
        if start == "gaussian" and (data is None or through is not None):
            raise ValueError(
                "Argument `start='gaussian'` is for signals, and needs `data`: give 'white' or an "
                f"array. Received: data={_validate.shown(data)}, through={through!r}"
            )
        if through is not None and points is None:
            raise ValueError(
                "Argument `start` must be an array of what is moved, or 'white' for a "
                "`PointPattern` and data that are points. "
                f"Received: start={start!r}, through={through!r}"
            )
    if bounds is not None and through is not None:
        raise ValueError(
            "Argument `bounds` is for the values of signals, and these are not moved where "
            f"`through` is given. Received: bounds={bounds}, through={through!r}"
        )
    if histogram and data is None:
        raise ValueError(
            "Argument `histogram` compares with the values of data: give `data`. "
            f"Received: histogram={histogram}, data=None"
        )


def _output_shape(
    layer: ScatteringLayer, signals: np.ndarray | None, shape: Any, through: Any
) -> tuple[int, ...]:
    """The shape of one output."""
    known = signals.shape[1:] if signals is not None else layer._state and layer._state.shape[1:]
    drawn = getattr(through, "shape", None)
    found = next((s for s in (shape, drawn, known) if s is not None), None)
    if found is None:
        raise ValueError(
            "Argument `shape` must be given, since neither data nor a built layer has a shape. "
            "Received: shape=None"
        )
    found = _validate.sizes("shape", found, "the shape of one output, without batch")
    if drawn is not None and found != tuple(drawn):
        raise ValueError(
            f"Argument `shape` must be that of `through`, {tuple(drawn)}. Received: shape={found}"
        )
    if known is not None:
        axis = layer._signals.channel_axis((None, *known))
        channels = None if axis is None else known[axis - 1]
        if len(found) != len(known) or (axis is not None and found[axis - 1] != channels):
            raise ValueError(
                f"Argument `shape` must have the axes and channels of {known}, the shape of data "
                f"or of the built layer. Received: shape={found}"
            )
    return found


def _targets(targets: Any, n: int, item: tuple[int, ...]) -> np.ndarray:
    """Targets of all samples, (1, K), or one for each, (n, K)."""
    t = _validate.reals("targets", targets)
    count = math.prod(item)
    if t.shape in ((count,), item):
        t = t.reshape(1, count)
    elif t.shape in ((n, count), (n, *item)):
        t = t.reshape(n, count)
    else:
        raise ValueError(
            f"Argument `targets` must have shape ({count},), or ({n}, {count}) with one row per "
            f"sample. Received: shape {t.shape}"
        )
    return _validate.finite("targets", t)


def _given_start(start: Any, n: int, shape: tuple[int, ...], through: Any) -> np.ndarray:
    """The place to start from that somebody gave: signals, or what is moved."""
    if through is None:
        return _validate.signals("start", start, (n, *shape))
    z = _validate.finite("start", _validate.reals("start", start))
    points = isinstance(through, PointPattern)
    if z.ndim < 2 or len(z) != n or not z.size or (points and (z.ndim, z.shape[-1]) != (3, 2)):
        wanted = f"({n}, points, 2)" if points else f"({n}, ...)"
        raise ValueError(f"Argument `start` must have shape {wanted}. Received: shape {z.shape}")
    return z


# What is matched


def _measured(
    layer: ScatteringLayer, signals: np.ndarray | None, shape: tuple[int, ...], wanted: bool
) -> tuple[Any, np.ndarray | None]:
    """The layer for outputs of a shape, which live on a circle; the moments of data, if wanted."""
    powers, moments = models.powers_of(layer), None
    normalize = getattr(layer, "normalize", None)
    if signals is not None:
        measure = models.model_of_data(layer, signals)
        models.refuse_local(measure)
        powers, normalize = models.powers_of(measure), getattr(measure, "normalize", None)
        if wanted:
            moments = models.mean_moments(measure, signals)[None]
            if not np.isfinite(moments).all():
                raise ValueError(
                    "Argument `data` must have finite moments. Received: data of size "
                    f"{np.abs(signals).max():.0e}, for a layer in {layer._precision}"
                )
    elif normalize == "adapted" and not powers:
        raise ValueError(
            "Argument `layer` divides by powers of data, and has seen none: call its `adapt`, or "
            f"give `data`. Received: layer {layer.name!r}, not adapted"
        )
    model = models.copy(layer, shape, powers, padding="periodic", normalize=normalize)
    models.refuse_local(model)
    models.refuse_extended(model)
    return model, moments


def _wanted(
    rows: Rows, t: np.ndarray, deviation: np.ndarray, loss: Any, schedule: str | None
) -> list[Wanted]:
    """What samples are to match in each stage."""
    s, balanced = deviation.reshape(len(deviation), -1), loss == "balanced"
    everything = np.ones(len(rows.group), bool)
    scales = rows.scales(t, s, everything, balanced)
    found = []
    for keep in rows.stages(schedule):
        kinds = len(np.unique(rows.group[keep])) if balanced else 1
        stage = rows.scales(t, s, keep, balanced) * math.sqrt(kinds)
        found.append(Wanted(*np.broadcast_arrays(t, scales, stage)))
    return found


# What moves


def _drawn(through: Any, z: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Signals of what is moved."""
    if through is None:
        return z
    x = np.asarray(through(tf.constant(z)), "float64")
    if x.shape != (len(z), *shape):
        raise ValueError(
            f"Argument `through` must make signals of shape {(len(z), *shape)} of what is moved. "
            f"Received: shape {x.shape}"
        )
    return x


def _sized(
    z: np.ndarray, objective: Objective, t: np.ndarray, together: int, layout: Layout, name: str
) -> np.ndarray:
    """Noise of the size at which coefficients that depend on size have the norm of targets."""
    n, all_rows = len(z), np.ones_like(t)

    def coefficients(unit: np.ndarray) -> np.ndarray:
        unit = layout.per_channel(np.repeat(unit[:, None], layout.channels, 1))
        wanted = Wanted(t, all_rows, all_rows)  # of no effect on coefficients
        values = [
            objective(
                z[i : i + together],
                unit=unit[i : i + together],
                wanted=wanted.of(i if together == 1 else None),
            )
            for i in range(0, n, together)
        ]
        return np.concatenate([value.coefficients.numpy() for value in values])

    once, twice = (coefficients(np.full(n, unit)) for unit in (1.0, 2.0))
    grows = np.abs(twice) > _GROWS * np.abs(once)
    some = grows.any(1)
    heard = some & (t * grows).any(1)
    wanted = np.where(heard, starts.norms(t * grows), 1.0)
    before = np.where(some, starts.norms(once * grows), 1.0)
    degree = np.log2(np.where(some, starts.norms(twice * grows), 2.0) / before)
    unit = starts.matching_units(
        lambda unit: np.where(some, starts.norms(coefficients(unit) * grows), 1.0),
        wanted,
        degree,
        lambda unit: _validate.refuse_beyond("targets", unit[heard], name),
        each=True,
    )
    unit = np.where(some & ~heard, 0.0, unit)  # silence
    return z * unit.reshape(n, *[1] * (z.ndim - 1))


def _rounded(x: np.ndarray, box: tuple[float, float] | None, precision: str) -> np.ndarray:
    """Signals in a precision, whose numbers are within bounds all the same."""
    x = x.astype(precision)
    if box is None:
        return x
    low, high = (np.asarray(end, precision) for end in box)
    low = low if float(low) >= box[0] else np.nextafter(low, np.asarray(np.inf, precision))
    high = high if float(high) <= box[1] else np.nextafter(high, np.asarray(-np.inf, precision))
    return np.clip(x, low, high)


def _history(courses: list[Course], names: tuple[str, ...]) -> dict[str, Any]:
    """The errors of all samples, whose last values are repeated, and their ends."""
    length = max(course.steps for course in courses) + 1
    kinds = np.full((length, len(courses), len(names)), np.nan)
    for i, course in enumerate(courses):
        for step, errors in enumerate(course.kinds):
            kinds[step:, i] = errors
    return {
        "error": np.sqrt((kinds**2).mean(2)),
        "kinds": {name: kinds[:, :, k] for k, name in enumerate(names)},
        "steps": np.array([course.steps for course in courses]),
        "stop": np.array([course.stop for course in courses]),
    }

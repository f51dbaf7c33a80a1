"""The loss of signals against wanted coefficients: its value, its gradient, and errors by kind."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

PARTS = 64  # equal parts of the sorted values that a histogram compares


class Wanted(NamedTuple):
    """What samples are to match, with one row per sample, or one for all."""

    coefficients: Any  # (samples, K)
    scales: Any  # (samples, K): what differences are divided by, for the errors by kind
    stage: Any  # the same for the loss; infinite for rows that do not count in this stage
    parts: Any = None  # (1, channels, PARTS): mean values of the parts of a histogram
    deviations: Any = None  # (1, channels): what differences of these are divided by

    def of(self, i: int | None = None) -> "Wanted":
        """What sample `i` is to match, or what all are, as tensors."""
        some = slice(None) if i is None else slice(i, i + 1)
        rows = [a if a is None or len(a) == 1 else a[some] for a in self]
        return Wanted(*[None if a is None else tf.constant(a) for a in rows])


class Value(NamedTuple):
    """The objective at one place, per sample."""

    loss: tf.Tensor  # (samples,)
    gradient: tf.Tensor  # of the sum of losses, by what is moved
    error: tf.Tensor  # (samples,): the root of the loss, without its histogram
    kinds: tf.Tensor  # (samples, kinds): errors over all rows, of this stage or not
    coefficients: tf.Tensor  # (samples, K)


Objective = Callable[..., Value]
"""The value at signals z * unit, for what is moved, z, its `unit`, and what is `wanted`."""


def rows_of(outputs: Any, samples: int) -> tf.Tensor:
    """All coefficients of each signal, (samples, K), in double precision."""
    parts = [tf.cast(y, tf.float64) for y in keras.tree.flatten(outputs)]
    return tf.concat([tf.reshape(y, (samples, -1)) for y in parts], 1)


def part_means(x: tf.Tensor, axis: int | None) -> tf.Tensor:
    """Means of the equal parts of the sorted values, (samples, channels, PARTS).

    A value on the boundary of two parts counts in both, by its shares.

    Args:
        x: Signals (samples, ...).
        axis: Where their channels are, if they have any.
    """
    x = x[:, None] if axis is None else tf.experimental.numpy.moveaxis(x, axis, 1)
    x = tf.sort(tf.reshape(x, (*x.shape[:2], -1)), axis=-1)
    count = int(x.shape[-1] or 0)
    bounds = np.arange(PARTS + 1) * count / PARTS
    whole = np.floor(bounds).astype(int)
    sums = tf.pad(tf.cumsum(x, axis=-1), [(0, 0), (0, 0), (1, 0)])
    partial = tf.gather(tf.pad(x, [(0, 0), (0, 0), (0, 1)]), whole, axis=-1) * (bounds - whole)
    sums = tf.gather(sums, whole, axis=-1) + partial
    return (sums[..., 1:] - sums[..., :-1]) * (PARTS / count)


def make_objective(
    layer: Callable,
    groups: np.ndarray,
    through: Callable | None = None,
    loss: Callable | None = None,
    histogram: float = 0.0,
    channel_axis: int | None = None,
) -> Objective:
    """A function that is traced once, whatever signals, targets and stages it is called with.

    Args:
        layer: From signals to coefficients.
        groups: The number of each row's kind, (K,).
        through: From what is moved to signals.
        loss: A loss (samples,) of coefficients and wanted ones, in place of scaled differences.
        histogram: Weight of the histogram.
        channel_axis: Where channels are in a batch of signals.
    """
    members = np.eye(groups.max() + 1)[groups]

    def moments(y: tf.Tensor, wanted: Wanted) -> tuple[tf.Tensor, tf.Tensor]:
        """The loss of coefficients, and errors by kind."""
        if loss is None:
            apart = y - wanted.coefficients
            errors = tf.sqrt(tf.matmul((apart / wanted.scales) ** 2, members))
            return tf.reduce_sum((apart / wanted.stage) ** 2, 1), errors
        matched = tf.where(tf.math.is_inf(wanted.stage), wanted.coefficients, y)
        loss_of_stage, whole = (_per_sample(loss(z, wanted.coefficients), y) for z in (matched, y))
        return loss_of_stage, tf.sqrt(whole)[:, None]

    @tf.function
    def evaluate(z: Any, unit: Any, wanted: Wanted) -> Value:
        with tf.GradientTape() as tape:
            tape.watch(z)
            x = z * unit if through is None else through(z * unit)
            y = rows_of(layer(x), len(z))
            matching, kinds = moments(y, wanted)
            total = matching
            if histogram:
                apart = part_means(tf.cast(x, tf.float64), channel_axis) - wanted.parts
                apart /= wanted.deviations[..., None]
                total += histogram * tf.reduce_mean(apart**2, (1, 2))
        gradient = tape.gradient(total, z, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return Value(total, gradient, tf.sqrt(matching), kinds, y)

    return evaluate


def _per_sample(values: Any, y: tf.Tensor) -> tf.Tensor:
    """The values of a loss that somebody else wrote, for coefficients y."""
    values = tf.cast(values, tf.float64)
    if values.shape != y.shape[:1]:
        raise ValueError(
            "Argument `loss` must be a function of coefficients (n, K) and targets, with one value "
            f"per sample, of shape {y.shape[:1]}. Received: a value of shape {values.shape}"
        )
    return values

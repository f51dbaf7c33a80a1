"""Rows of means divided by powers of the same signal, where these are not zero."""

import numpy as np
import tensorflow as tf

from keras_scattering.plans.plan import Ratios

# A filter's response to a constant signal is rounding, at most this many units in the last place.
_ROUNDING = 8


def _inverse_roots(powers: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """1 / sqrt(p), or 0 where p is within the rounding of the level, with a finite gradient."""
    unit = _ROUNDING * np.finfo(powers.dtype.name).eps
    above = powers > tf.stop_gradient(level) * unit**2
    return tf.where(above, tf.math.rsqrt(tf.where(above, powers, tf.ones_like(powers))), 0)


def powers(y: tf.Tensor, rule: Ratios) -> tf.Tensor:
    """The powers among the rows (..., R) of a design, and behind them the mean squares."""
    return tf.gather(y, np.array([*rule.powers, *rule.levels], int), axis=-1)


def ratios(y: tf.Tensor, known: tf.Tensor, rule: Ratios) -> tf.Tensor:
    """The rows (..., K) of the output from all rows (..., R) of a design, and from powers."""
    if rule.powers:
        divisors, levels = tf.split(known, [len(rule.powers), len(rule.levels)], -1)
        if len(rule.levels) > 1:
            levels = tf.gather(levels, rule.level_of, axis=-1)
        inverse = _inverse_roots(divisors, levels)
        batch_axes = len(inverse.shape) - 1
        inverse = tf.pad(inverse, [(0, 0)] * batch_axes + [(0, 1)], constant_values=1)
        for divisor in rule.divisors.T:
            y *= tf.gather(inverse, divisor, axis=-1)
    return tf.reduce_mean(tf.gather(y, rule.rows, axis=-1), -1)

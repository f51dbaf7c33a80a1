"""Coefficients divided by those before, their logarithms, and scattering along log-frequency."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from keras_scattering.engine.axes import multiply_last, sizes
from keras_scattering.engine.moduli import modulus
from keras_scattering.plans.plan import DeepSpectrum, Table


def deep_spectrum(y: tf.Tensor, rule: DeepSpectrum, arrays: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """The rows (b, K, ...) of a deep scattering spectrum, from coefficients (b, rows, ...)."""
    size = y.shape[2:]
    y = tf.transpose(y, (0, *range(2, len(y.shape)), 1))
    if rule.parents is not None:
        # Row 0 has no parent: it is divided by one.
        known = tf.pad(
            y + rule.epsilon, [(0, 0)] * (len(y.shape) - 1) + [(1, 0)], constant_values=1
        )
        y /= tf.gather(known, rule.parents + 1, axis=-1)
    if rule.log:
        y = tf.math.log(tf.abs(y) + rule.epsilon)
    if rule.tables:
        rows = [row for table in rule.tables for row in table.rows]
        parts = tf.split(tf.gather(y, rows, axis=-1), [len(t.rows) for t in rule.tables], axis=-1)
        made = [_along(x, t, rule, arrays) for x, t in zip(parts, rule.tables, strict=True)]
        y = tf.concat([tf.split(y, [1, sizes(y)[-1] - 1], -1)[0], *made], -1)
    last = len(size) + 1
    return tf.transpose(y, (0, last, *range(1, last)))


def _along(
    x: tf.Tensor, table: Table, rule: DeepSpectrum, arrays: Mapping[str, tf.Tensor]
) -> tf.Tensor:
    """Scattering along the last axis of a table (..., n): the average, then each path's."""
    low, lows, psi = (arrays[f"{table.name}_{name}"] for name in ("low", "lows", "psi"))
    u = _moduli(x, psi, rule.filters)
    outputs = [multiply_last(x, low), _flat(multiply_last(u, lows), 2)]
    if rule.pairs:
        v = _moduli(u, arrays[f"{table.name}_psi2"], rule.filters)
        v = _flat(multiply_last(v, lows), 2)
        kept = sizes(low)[1]
        v = tf.reshape(v, (-1, *v.shape[1:-2], rule.filters**2, kept))
        pairs = [(a - 1) * rule.filters + b - 1 for a, b in rule.pairs]
        outputs.append(_flat(tf.gather(v, np.array(pairs), axis=-2), 2))
    return tf.concat(outputs, -1)


def _moduli(x: tf.Tensor, psi: tf.Tensor, filters: int) -> tf.Tensor:
    """|x * psi| of signals (..., n), as (..., filters, N)."""
    u = modulus(*(multiply_last(x, matrix) for matrix in tf.unstack(psi)))
    return tf.reshape(u, (-1, *u.shape[1:-1], filters, sizes(u)[-1] // filters))


def _flat(x: tf.Tensor, axes: int) -> tf.Tensor:
    """The last axes as one."""
    count = int(np.prod(sizes(x)[-axes:]))
    return tf.reshape(x, (-1, *x.shape[1:-axes], count))

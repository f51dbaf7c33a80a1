"""Filters along log-frequency: the second axis of the joint time-frequency transform."""

from collections.abc import Sequence

import tensorflow as tf

from keras_scattering._spectral import Spectrum, apply, average, complete, convolve, modulus
from keras_scattering._weights import Weights
from keras_scattering.plans.plan import Bank, Stack


def pictures(
    sources: Sequence[tuple[Spectrum, Bank]], stack: Stack, weights: Weights
) -> list[tf.Tensor]:
    """Time-frequency coefficients (b, paths, *time) of a stack, or (b, paths, *time, frequency).

    The log-frequency axis is short, so that a filter along it is a matrix product.
    """
    planes = [convolve(x, bank, weights) for x, bank in sources]
    parts = [part[:, :, 0] for kind in zip(*planes, strict=True) for part in kind]
    y = tf.linalg.matrix_transpose(tf.concat(parts, 1))  # (b, time, real and imaginary n1)
    outputs: list[tf.Tensor] = []
    for mix in stack.mixes:
        with tf.control_dependencies(outputs[-1:]):
            y = tf.identity(y)
        u = modulus(*(apply(y, part) for part in tf.unstack(weights[mix.matrix])))
        if mix.lowpass:
            lowpass = weights[mix.lowpass]
            u = apply(tf.reshape(u, (-1, u.shape[1], mix.filters, lowpass.shape[0])), lowpass)
            u = tf.reshape(u, (-1, u.shape[1], mix.filters * lowpass.shape[1]))
        u = average(tf.linalg.matrix_transpose(u), mix.average, weights)
        u = complete(u, mix.average)
        if stack.joint:
            u = tf.reshape(u, (-1, mix.filters, u.shape[1] // mix.filters, *u.shape[2:]))
            if len(u.shape) == 4:
                u = tf.linalg.matrix_transpose(u)
        outputs.append(u)
    return outputs

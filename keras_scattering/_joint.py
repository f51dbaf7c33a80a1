"""Filters along log-frequency: the second axis of the joint time-frequency transform."""

from collections.abc import Sequence

import tensorflow as tf

from keras_scattering._spectral import Source, apply, average, complete, convolve, modulus
from keras_scattering._weights import Weights
from keras_scattering.plans.plan import Stack


def pictures(sources: Sequence[Source], stack: Stack, weights: Weights) -> list[tf.Tensor]:
    """Time-frequency coefficients (b, paths, *time) of a stack, or (b, paths, *time, frequency).

    The log-frequency axis is short, so that a filter along it is a matrix product.
    """
    planes = tf.concat(convolve(sources, weights), 1)
    y = tf.linalg.matrix_transpose(planes)  # (b, time, real and imaginary n1)
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

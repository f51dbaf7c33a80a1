"""Filters along a stack of signals, such as log-frequency in the joint transform, or an angle."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_scattering.engine.averages import complete
from keras_scattering.engine.axes import multiply_last, sizes
from keras_scattering.engine.lattice import Lattice, Source
from keras_scattering.engine.moduli import modulus
from keras_scattering.plans.banks import Paired
from keras_scattering.plans.plan import AlongStack, Stack


def _planes(real: tf.Tensor, imag: tf.Tensor, stacks: int) -> tf.Tensor:
    """Real and imaginary parts (b, signals, *size) of stacks, as (b, stacks, *size, 2 n)."""
    n = sizes(real)[1] // stacks
    parts = [tf.reshape(part, (-1, stacks, n, *part.shape[2:])) for part in (real, imag)]
    y = tf.concat(parts, 2)
    return tf.transpose(y, (0, 1, *range(3, len(y.shape)), 2))


def _conjugated(imag: tf.Tensor, sources: Sequence[Source]) -> tf.Tensor:
    """Imaginary parts (b, signals, *size), negated where a filter is a conjugate.

    A conjugate filter would not do: the coarsest line of a grid stands for both its frequencies.
    """
    turned = [
        bank.places(sizes(x.planes)[2])[1].ravel()
        for x, bank in sources
        if isinstance(bank, Paired)
    ]
    if not any(part.any() for part in turned):
        return imag
    signs = 1 - 2 * np.concatenate(turned).reshape(-1, *[1] * (len(imag.shape) - 2))
    return imag * tf.constant(signs, imag.dtype)


def _paths(u: tf.Tensor) -> tf.Tensor:
    """From (b, stacks, *size, c) to (b, stacks * c, *size)."""
    last = len(u.shape) - 1
    u = tf.transpose(u, (0, 1, last, *range(2, last)))
    return tf.reshape(u, (-1, math.prod(sizes(u)[1:3]), *u.shape[3:]))


def filter_stack(sources: Sequence[Source], stack: Stack, ops: Lattice) -> list[tf.Tensor]:
    """Averages of |(x * psi) o psi'|, where o convolves along the stack of the signals x * psi.

    The stack is short, so a filter along it is a product with a matrix.

    Returns:
        For each of `stack.along`, averages (b, rows, *outputs), or (b, rows, *outputs, stack) where
        the stack is joint.
    """
    real, imag = ops.convolve(sources)
    y = _planes(real, _conjugated(imag, sources), stack.stacks)
    outputs: list[tf.Tensor] = []
    for along in stack.along:
        with tf.control_dependencies(outputs[-1:]):
            y = tf.identity(y)
        u = _paths(_respond_along(y, along, ops))
        u = complete(ops.average(u, along.average), along.average)
        outputs.append(_joint(u, along.filters) if stack.joint else u)
    return outputs


def _respond_along(y: tf.Tensor, along: AlongStack, ops: Lattice) -> tf.Tensor:
    """Moduli (b, stacks, *size, filters * kept), averaged along the stack, of stacked signals y.

    The last axis of y (b, stacks, *size, 2 n) holds the real and imaginary parts of n signals.
    """
    arrays = ops.arrays
    u = modulus(*(multiply_last(y, matrix) for matrix in tf.unstack(arrays[along.matrix])))
    if not along.lowpass:
        return u
    lowpass = arrays[along.lowpass]
    size = u.shape[1:-1]
    stack, kept = sizes(lowpass)
    u = multiply_last(tf.reshape(u, (-1, *size, along.filters, stack)), lowpass)
    return tf.reshape(u, (-1, *size, along.filters * kept))


def _joint(u: tf.Tensor, filters: int) -> tf.Tensor:
    """From (b, filters * kept, *outputs) to (b, filters, *outputs, kept)."""
    u = tf.reshape(u, (-1, filters, sizes(u)[1] // filters, *u.shape[2:]))
    rank = len(u.shape)
    return tf.transpose(u, (0, 1, *range(3, rank), 2)) if rank > 3 else u

"""Signals of any amplitude, by way of signals of unit amplitude: S(c x) = c**q S(x) for c > 0."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_scattering.engine.averages import power
from keras_scattering.runtime.gradient import custom_gradient


def largest(x: tf.Tensor) -> tf.Tensor:
    """The largest absolute value of each signal; 1 for zero.

    The runtimes that have no Fourier transforms have no operations on bits either.
    """
    peak = _peak(x)
    normal = peak >= np.finfo(x.dtype.name).tiny
    return tf.stop_gradient(tf.where(normal, peak, tf.ones_like(peak)))


def power_of_two(x: tf.Tensor) -> tf.Tensor:
    """The power of two at or below the largest absolute value of each signal; 1 for zero.

    Dividing and multiplying by it rounds nothing. It is read off the exponent's bits, and has no
    gradient.
    """
    integer, mask = (tf.int64, 0x7FF << 52) if x.dtype == tf.float64 else (tf.int32, 0xFF << 23)
    bits = tf.bitwise.bitwise_and(tf.bitcast(_peak(x), integer), tf.constant(mask, integer))
    y = tf.bitcast(bits, x.dtype)
    return tf.stop_gradient(tf.where(y > 0, y, tf.ones_like(y)))


def _peak(x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_max(tf.abs(x), list(range(1, len(x.shape))), keepdims=True)


class Scale:
    """Divides signals x = c u by their amplitudes c, and restores coefficients S(x) = c**q S(u).

    The gradient by x is S'(u)^T c**q s / c for slopes s. Where c is large, c**q s may be out of the
    range of numbers, though the gradient is not. So slopes take c**(q - 1) at once, and pass the
    division unchanged. Both are linear and have each other as gradients, as for an inner product
    of signals u that is c times the usual one: so gradients of any order are right.

    Args:
        amplitude: c, one per signal.
        plainly: Whether to leave gradients to TensorFlow. Those by filters add signals of
            different amplitudes, and need slopes as they are.
    """

    def __init__(self, amplitude: tf.Tensor, plainly: bool):
        self._amplitude = amplitude
        self._plainly = plainly

    def divide(self, x: tf.Tensor) -> tf.Tensor:
        """Signals of unit amplitude."""
        return self._linear(lambda x: x / self._amplitude, lambda slope: slope)(x)

    def restore(self, y: tf.Tensor, degrees: np.ndarray) -> tf.Tensor:
        """Coefficients, from those of signals of unit amplitude."""
        return self._linear(
            lambda y: self._times_power(y, degrees),
            lambda slope: self._times_power(slope, degrees - 1),
        )(y)

    def _linear(self, function: Callable, adjoint: Callable) -> Callable:
        """A linear function with its adjoint, which has the function as its own."""
        if self._plainly:
            return function

        @custom_gradient
        def transform(x: tf.Tensor) -> tuple[tf.Tensor, Any]:
            y = function(x)

            def gradient(slope: tf.Tensor) -> tf.Tensor:
                slope.set_shape(y.shape)  # TensorFlow may not know it, of a gradient of a gradient
                return self._linear(adjoint, function)(slope)

            return y, gradient

        return transform

    def _times_power(self, y: tf.Tensor, degrees: np.ndarray) -> tf.Tensor:
        """c**q y, for degrees q of the rows of y or of what each row yields.

        Of degrees above 1 in two steps: c**q may be out of the range of numbers where c**q y is
        not.
        """
        once = np.minimum(degrees, 1)
        for part in (once, degrees - once):
            if part.any():
                y *= self._power(part, len(y.shape))
        return y

    def _power(self, degrees: np.ndarray, rank: int) -> tf.Tensor:
        """c**q, of a rank, with the batch in front."""
        amplitude = tf.reshape(self._amplitude, (-1, 1))
        distinct, index = np.unique(degrees, return_inverse=True)
        gain = tf.concat([power(amplitude, float(q)) for q in distinct], 1)
        if len(distinct) > 1:
            gain = tf.gather(gain, index.reshape(-1), axis=1)
        shape = degrees.shape if len(distinct) > 1 else (1,) * degrees.ndim
        return tf.reshape(gain, (-1, *shape, *[1] * (rank - 1 - len(shape))))

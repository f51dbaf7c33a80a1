"""Fourier transforms of real signals as pairs of real planes, with their adjoints as gradients.

TensorFlow's own gradients scale complex tensors, in a pass over memory as slow as the transform
itself. Its real transforms of volumes have no gradients. Here the complex transforms are sums
without a factor, and each is the adjoint of the other. The filters contain the normalisation.

y + i x is i times the conjugate of x + i y. So a swap of the planes before and after turns a
transform into its inverse, at no cost.
"""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_scattering.engine.axes import sizes
from keras_scattering.runtime.gradient import custom_gradient

_FFT = {1: tf.signal.fft, 2: tf.signal.fft2d, 3: tf.signal.fft3d}
_RFFT = {1: tf.signal.rfft, 2: tf.signal.rfft2d, 3: tf.signal.rfft3d}
_IRFFT = {1: tf.signal.irfft, 2: tf.signal.irfft2d, 3: tf.signal.irfft3d}

Planes = tuple[tf.Tensor, tf.Tensor]


def _fft(real: tf.Tensor, imag: tf.Tensor, rank: int) -> Planes:
    y = _FFT[rank](tf.complex(real, imag))
    return tf.math.real(y), tf.math.imag(y)


def swapped_inverse(real: tf.Tensor, imag: tf.Tensor, rank: int) -> tf.Tensor:
    """`inverse` as complex numbers, with the real and imaginary parts swapped."""
    return _FFT[rank](tf.complex(imag, real))


def inverse(real: tf.Tensor, imag: tf.Tensor, rank: int) -> Planes:
    """y[t] = sum_k x[k] exp(2 pi i k t / n) along the last `rank` axes."""

    @custom_gradient
    def transform(real: tf.Tensor, imag: tf.Tensor) -> tuple[Planes, Callable]:
        y_imag, y_real = _fft(imag, real, rank)
        return (y_real, y_imag), lambda real, imag: forward(real, imag, rank)

    return transform(real, imag)


def forward(real: tf.Tensor, imag: tf.Tensor, rank: int) -> Planes:
    """y[k] = sum_t x[t] exp(-2 pi i k t / n) along the last `rank` axes."""

    @custom_gradient
    def transform(real: tf.Tensor, imag: tf.Tensor) -> tuple[Planes, Callable]:
        return _fft(real, imag, rank), lambda real, imag: inverse(real, imag, rank)

    return transform(real, imag)


def _line_weights(size: tuple[int, ...], dtype: tf.DType) -> tf.Tensor:
    """Weights of lines 0 .. n/2 in an inverse: 2 over the samples, 1 for line 0 and Nyquist."""
    n = size[-1]
    twice = np.full(n // 2 + 1, 2 / math.prod(size))
    twice[0] /= 2
    if n % 2 == 0:
        twice[-1] /= 2
    return tf.constant(twice, dtype)


def half_spectrum(u: tf.Tensor, rank: int) -> Planes:
    """Lines 0 .. n/2 of the last axis, and all lines of the others, of signals' transforms."""
    size = sizes(u)[-rank:]

    @custom_gradient
    def transform(u: tf.Tensor) -> tuple[Planes, Callable]:
        y = _RFFT[rank](u)

        def gradient(real: tf.Tensor, imag: tf.Tensor) -> tf.Tensor:
            weights = _line_weights(size, real.dtype)
            return from_half(real / weights, imag / weights, size)

        return (tf.math.real(y), tf.math.imag(y)), gradient

    return transform(u)


def from_half(real: tf.Tensor, imag: tf.Tensor, size: tuple[int, ...]) -> tf.Tensor:
    """The inverse of `half_spectrum`, for signals of one size."""

    @custom_gradient
    def transform(real: tf.Tensor, imag: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        y = _IRFFT[len(size)](tf.complex(real, imag), size)

        def gradient(slope: tf.Tensor) -> list[tf.Tensor]:
            weights = _line_weights(size, slope.dtype)
            return [plane * weights for plane in half_spectrum(slope, len(size))]

        return y, gradient

    return transform(real, imag)

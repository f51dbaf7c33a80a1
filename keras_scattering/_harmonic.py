"""Solid harmonics on tensors: real transforms of volumes, and the norm over the harmonics."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_scattering.plans.plan import HarmonicBank


@tf.custom_gradient
def rfft3d(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """FFT of real volumes, half of its lines; unlike `tf.signal.rfft3d`, with a gradient."""
    size = x.shape[-3:]

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        # The adjoint: an unnormalised inverse transform, the other half of the lines zero.
        missing = size[-1] - upstream.shape[-1]
        padding = [(0, 0)] * (len(x.shape) - 1) + [(0, missing)]
        full = tf.signal.ifft3d(tf.pad(upstream, padding))
        return tf.math.real(full) * np.prod(size)

    return tf.signal.rfft3d(x), gradient


def irfft3d(x_hat: tf.Tensor, size: tuple[int, ...]) -> tf.Tensor:
    """Inverse of `rfft3d` to volumes of `size`; unlike `tf.signal.irfft3d`, with a gradient."""
    # A line away from 0 and Nyquist stands for its mirror image too.
    twice = np.full(size[-1] // 2 + 1, 2.0)
    twice[0] = 1
    if size[-1] % 2 == 0:
        twice[-1] = 1

    @tf.custom_gradient
    def inverse(x_hat: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            return rfft3d(upstream) * tf.constant(twice / np.prod(size), x_hat.dtype)

        return tf.signal.irfft3d(x_hat, size), gradient

    return inverse(x_hat)


def _nyquist(
    real: tf.Tensor, imag: tf.Tensor, bank: HarmonicBank, weights: dict[str, tf.Tensor]
) -> tf.Tensor:
    """What the Nyquist lines of even axes add to the responses (b, p, F, *size)."""
    total = None
    for axis, name in bank.nyquist:
        n = bank.size[axis]
        others = tuple(m for a, m in enumerate(bank.size) if a != axis)
        half = others[-1] // 2 + 1
        h = weights[name]
        plane_r, plane_i = (
            tf.expand_dims(tf.gather(part, n // 2, axis=2 + axis)[..., :half], 2)
            for part in (real, imag)
        )
        wave = tf.signal.irfft2d(tf.complex(plane_i * h, -plane_r * h), others)
        signs = np.where(np.arange(n) % 2, -1.0, 1.0) / n
        shape = [n if a == axis else 1 for a in range(3)]
        wave = tf.expand_dims(wave, 3 + axis) * tf.constant(signs.reshape(shape), wave.dtype)
        total = wave if total is None else total + wave
    return total


@tf.custom_gradient
def _root(energy: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Square root, with gradient zero at zero."""
    root = tf.sqrt(energy)
    return root, lambda upstream: tf.math.divide_no_nan(upstream, 2 * root)


def norm(planes: tf.Tensor, bank: HarmonicBank, weights: dict[str, tf.Tensor]) -> tf.Tensor:
    """sqrt(sum_m |x * psi_m|**2) (b, p, *size) from half spectra (2, b, p, *lines)."""
    real, imag = tf.unstack(planes)
    if bank.odd:
        real, imag = -imag, real  # times i, so that odd filters give real responses
    filters = weights[bank.filters]
    spectra = (tf.expand_dims(part, 2) * filters for part in (real, imag))
    y = irfft3d(tf.complex(*spectra), bank.size)
    if not bank.nyquist:
        return _root(tf.reduce_sum(y * y, 2))
    wave = _nyquist(real, imag, bank, weights)
    if bank.coherent:
        return _root(tf.reduce_sum((y + wave) ** 2, 2))
    return _root(tf.reduce_sum(y * y, 2) + tf.reduce_sum(wave * wave, 2))

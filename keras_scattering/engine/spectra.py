"""Spectra of real signals on a box of lines."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_scattering.engine.axes import join, sizes, take
from keras_scattering.engine.fourier import half_spectrum
from keras_scattering.plans.banks import Box


class Spectrum(NamedTuple):
    """Real planes (P, batch, paths, *lines) on a box of spectral lines.

    P is 2, for the real and the imaginary part. For volumes P is 1, since their lines are real
    coefficients of products of cas (see `solids`).
    """

    planes: tf.Tensor
    lines: Box


def spectrum(u: tf.Tensor, lines: Box) -> Spectrum:
    """FFT of real signals (batch, paths, *size) on a box of lines.

    The FFT gives half of the lines. X(-k) = conj X(k) gives the wanted lines of the other half.
    """
    rank = len(lines)
    planes = tf.stack(half_spectrum(u, rank))
    size = sizes(u)[-rank:]
    wanted = [np.arange(start, stop) for start, stop in lines]
    last = wanted[-1] % size[-1]
    direct = last <= size[-1] // 2
    pieces = []
    for run in np.split(np.arange(len(last)), np.nonzero(np.diff(direct))[0] + 1):
        mirrored = not direct[run[0]]
        index = [*wanted[:-1], last[run]]
        piece = planes
        for axis, (k, n) in enumerate(zip(index, size, strict=True), start=-rank):
            piece = take(piece, axis, (-k[::-1] if mirrored else k) % n)
        if mirrored:
            conjugate = tf.constant([1, -1], piece.dtype, (2, *[1] * (rank + 2)))
            piece = tf.reverse(piece, list(range(-rank, 0))) * conjugate
        pieces.append(piece)
    return Spectrum(join(pieces, -1), lines)

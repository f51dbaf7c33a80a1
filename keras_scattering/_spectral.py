"""The arithmetic of a plan on tensors: extend, transform, filter, take the modulus, average.

Signals are real tensors (batch, paths, *grid); a spectrum is a stack of two, real and imaginary
parts, cut to the box of lines that will be read. Wavelet spectra are real, so that apart from the
FFTs themselves everything is real arithmetic, which costs half of its complex counterpart.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_scattering import _harmonic, _products
from keras_scattering._folding import PlacedWindow, cut, fold, fold_by_products, join
from keras_scattering._fourier import Planes, forward, half_spectrum, inverse, swapped_inverse
from keras_scattering._gradient import adjoint_of, custom_gradient
from keras_scattering._parallel import in_pieces
from keras_scattering._weights import Weights
from keras_scattering.plans.grid import runs
from keras_scattering.plans.plan import (
    Average,
    Bank,
    Box,
    Crop,
    HarmonicBank,
    LowPass,
    Mean,
    Padding,
    Powers,
    SpectralLowPass,
)

# Samples of a piece of pictures, at most. Transforms of more than the second, TensorFlow 2.21 would
# divide among threads that wait for each other (`thread_count` of DUCC). By the first each thread
# has one of a single small picture too; gradients are taken of batches.
_PIECE = 2**14
_GRADIENT_PIECE = 2**15 - 1


class Spectrum(NamedTuple):
    """Real and imaginary parts (2, batch, paths, *lines) on a box of spectral lines."""

    planes: tf.Tensor
    lines: Box


Source = tuple[Spectrum, Any]  # with a `Bank` to filter it by, of volumes a `HarmonicBank`


def _run(x: tf.Tensor, axis: int, run: slice) -> tf.Tensor:
    """A run of one of the last axes (`axis` negative), perhaps backwards."""
    first, last = sorted((run.start, (run.stop if run.stop is not None else -1) - run.step))
    whole = x.shape[axis + 1 :] if axis < -1 else ()
    x = cut(x, [first, *[0] * len(whole)], [last - first + 1, *whole])
    return x if run.step > 0 else tf.reverse(x, [axis])  # a negative stride is far slower


def _take(x: tf.Tensor, axis: int, index: np.ndarray) -> tf.Tensor:
    """Elements of an axis by constant indices that make few runs."""
    return join([_run(x, axis, run) for run in runs(index)], axis)


def extend(x: tf.Tensor, padding: Sequence[Padding]) -> tf.Tensor:
    """Pad the last axes of a signal (..., *size)."""
    for axis, rule in enumerate(padding, start=-len(padding)):
        x = join([_run(x, axis, run) for run in rule.pieces], axis)
    if any(any(rule.zeros) for rule in padding):
        batch_axes = len(x.shape) - len(padding)
        x = tf.pad(x, [(0, 0)] * batch_axes + [rule.zeros for rule in padding])
    return x


def spectrum(u: tf.Tensor, lines: Box, weights: Weights) -> Spectrum:
    """FFT of a real signal on a box of lines.

    Half of the lines are computed; X(-k) = conj X(k) gives what is asked of the other half.
    """
    rank = len(lines)
    if rank == 3:
        planes = _harmonic.coefficients(u[:, 0], lines, weights)[None, :, None]
        return Spectrum(planes, lines)
    if weights.products:
        return Spectrum(_products.lines(u, lines), lines)
    planes = tf.stack(half_spectrum(u, rank))
    size = u.shape[-rank:]
    wanted = [np.arange(start, stop) for start, stop in lines]
    last = wanted[-1] % size[-1]
    direct = last <= size[-1] // 2
    pieces = []
    for run in np.split(np.arange(len(last)), np.nonzero(np.diff(direct))[0] + 1):
        mirrored = not direct[run[0]]
        index = [*wanted[:-1], last[run]]
        piece = planes
        for axis, (k, n) in enumerate(zip(index, size, strict=True), start=-rank):
            piece = _take(piece, axis, (-k[::-1] if mirrored else k) % n)
        if mirrored:
            conjugate = tf.constant([1, -1], piece.dtype, (2, *[1] * (rank + 2)))
            piece = tf.reverse(piece, list(range(-rank, 0))) * conjugate
        pieces.append(piece)
    return Spectrum(join(pieces, -1), lines)


def _windows(x: Spectrum, bank: Bank, weights: Weights) -> list[PlacedWindow]:
    """The windows of a bank, and where they begin among the lines of a spectrum."""
    corner = [start for start, _ in x.lines]
    return [
        PlacedWindow(weights[w.filters], tuple(np.subtract(w.origin, corner).tolist()), w.blocks)
        for w in bank.windows
    ]


def _joined(parts: Sequence[tf.Tensor], rank: int) -> tf.Tensor:
    """Filtered signals (..., b, p, F, *size) of several sources, as (..., b, paths, *size)."""
    y = join(parts, -rank - 2)
    *planes, _, p, F = y.shape[:-rank]
    return tf.reshape(y, (*planes, -1, p * F, *y.shape[-rank:]))


def _filtered(sources: Sequence[Source], weights: Weights) -> tf.Tensor:
    """Spectra (2, b, paths, *size) of filtered signals, sub-sampled."""
    parts = [fold_by_products(x.planes, _windows(x, b, weights), b.size) for x, b in sources]
    return _joined(parts, len(sources[0][1].size))


def convolve(sources: Sequence[Source], weights: Weights) -> Planes:
    """Filter signals (b, p, *n) to (b, paths, *size), sub-sampled: real and imaginary parts.

    The paths of a source are each of its signals by each filter of its bank, in turn.
    """
    planes = _filtered(sources, weights)
    rank = len(planes.shape) - 3
    if weights.products:
        return _products.inverse(planes, rank)
    real, imag = tf.unstack(planes)
    return inverse(real, imag, rank)


def _slopes(upstream: tf.Tensor, rho: tf.Tensor, real: tf.Tensor, imag: tf.Tensor) -> Planes:
    """The gradient of a modulus, zero where it is zero."""
    # Signals are scaled to unit size: what is far below their rounding is as good as zero.
    # (`divide_no_nan` would do as well, in many times the time.)
    scale = upstream / tf.maximum(rho, np.finfo(rho.dtype.as_numpy_dtype).eps ** 2)
    return scale * real, scale * imag


@custom_gradient
def modulus(real: tf.Tensor, imag: tf.Tensor) -> tuple:
    """sqrt(real**2 + imag**2), with gradient zero where it is zero."""
    rho = tf.sqrt(real * real + imag * imag)
    return rho, lambda upstream: _slopes(upstream, rho, real, imag)


def _compiled_modulus(real: tf.Tensor, imag: tf.Tensor, rank: int) -> tf.Tensor:
    """The modulus of the inverse of spectra, of operations that XLA is quick to compile.

    Real and imaginary parts and roots take 4 ms each, since they have a compiler of their own, and
    an ordinary graph takes twice as long for moduli of complex numbers.
    """

    @custom_gradient
    def transform(real: tf.Tensor, imag: tf.Tensor) -> tuple:
        y = swapped_inverse(real, imag, rank)
        rho = tf.abs(y)

        def gradient(upstream: tf.Tensor) -> Planes:
            y_real, y_imag = tf.math.imag(y), tf.math.real(y)
            return forward(*_slopes(upstream, rho, y_real, y_imag), rank)

        return rho, gradient

    return transform(real, imag)


def _pieces(sources: Sequence[Source], weights: Weights) -> tuple[Planes, int]:
    """Filtered spectra (b, paths, *size) of pictures, and how many paths make a piece."""
    folded = [fold(x.planes, _windows(x, bank, weights), bank.size) for x, bank in sources]
    real, imag = (_joined(parts, 2) for parts in zip(*folded, strict=True))
    paths, *size = real.shape[1:]
    piece = _GRADIENT_PIECE if weights.taped else _PIECE
    most = max(1, piece // math.prod(size))
    return (real, imag), max(d for d in range(1, paths + 1) if paths % d == 0 and d <= most)


def _moduli(real: tf.Tensor, imag: tf.Tensor) -> list[tf.Tensor]:
    return [modulus(*inverse(real, imag, 2))]


def _pictures(sources: Sequence[Source], weights: Weights) -> tf.Tensor:
    """Moduli (b, paths, *size) of filtered pictures, of a few at a time, which fit in a cache."""
    planes, few = _pieces(sources, weights)
    if weights.taped:
        return modulus(*in_pieces(lambda re, im: list(inverse(re, im, 2)), planes, few, 2))
    (u,) = in_pieces(_moduli, planes, few, 1)
    return u


def respond(sources: Sequence[Source], weights: Weights) -> tf.Tensor:
    """Moduli (b, paths, *size) of filtered signals; of the harmonics of one degree, their norm."""
    x, bank = sources[0]
    if isinstance(bank, HarmonicBank):
        return _harmonic.norm(x.planes[0, :, 0], x.lines, bank, weights)[:, None]
    rank = len(bank.size)
    if rank == 2 and weights.threads:
        return _pictures(sources, weights)
    if weights.xla and not weights.products:
        real, imag = tf.unstack(_filtered(sources, weights))
        return _compiled_modulus(real, imag, rank)
    return modulus(*convolve(sources, weights))


def power(u: tf.Tensor, exponent: float) -> tf.Tensor:
    """u**exponent, without the general power where there is a shorter way."""
    special = {0.5: tf.sqrt, 1.0: tf.identity, 2.0: tf.square}
    return special[exponent](u) if exponent in special else tf.pow(u, exponent)


def apply(u: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Multiply the last axis of a tensor by a matrix.

    As one product of two matrices: with broadcasting, such as (2, 1, 40, 40) times (40, 8), the
    float32 oneDNN kernel of TensorFlow 2.21 reads and writes out of bounds.
    """
    inputs, outputs = matrix.shape
    y = tf.matmul(tf.reshape(u, (-1, inputs)), matrix)
    return tf.reshape(y, (-1, *u.shape[1:-1], outputs))


def _matrix_lowpass(u: tf.Tensor, rule: LowPass, weights: Weights) -> tf.Tensor:
    *first, last = (weights[name] for name in rule.matrices)
    rows = (rule.blocks,) if rule.blocks > 1 else u.shape[2:-1]
    y = tf.matmul(tf.reshape(u, (-1, last.shape[0])), last)
    y = tf.reshape(y, (-1, u.shape[1], *rows, last.shape[1]))
    if not first:
        return y
    (matrix,) = first
    if weights.products:  # LiteRT has the unknown size of the batch in front only
        return tf.linalg.matrix_transpose(apply(tf.linalg.matrix_transpose(y), matrix))
    y = tf.reshape(tf.transpose(y, (2, 0, 1, 3)), (matrix.shape[0], -1))
    y = tf.matmul(matrix, y, transpose_a=True)
    y = tf.reshape(y, (matrix.shape[1], -1, u.shape[1], last.shape[1]))
    return tf.transpose(y, (1, 2, 0, 3))


def average(u: tf.Tensor, rule: Average, weights: Weights) -> tf.Tensor:
    """Average signals (b, p, *n) as the plan says, to what `complete` makes (b, p, *outputs)."""
    match rule:
        case LowPass():
            return _matrix_lowpass(u, rule, weights)
        case SpectralLowPass():
            x = spectrum(u, rule.bank.lines, weights)
            real, _ = convolve([(x, rule.bank)], weights)
            return real[..., slice(*rule.keep)]
        case Mean():
            return tf.reduce_mean(u, axis=list(range(2, len(u.shape))))
        case Powers():
            axes = list(range(2, len(u.shape)))
            sums = [tf.reduce_sum(power(u, q), axes) for q in rule.exponents]
            return tf.stack(sums, axis=-1)
        case Crop():
            return u[(..., *[slice(*span) for span in rule.keep])]


def averages(sources: Sequence[Source], rule: Average, weights: Weights) -> tf.Tensor:
    """Averages of what `respond` makes, where nothing filters it any further.

    A gradient has no need of their values: of pictures they are zeros there. Its own computation
    takes a few pictures at a time from spectra to slopes of spectra, and keeps no plane of others.
    """
    if not (weights.threads and weights.taped):
        return average(respond(sources, weights), rule, weights)
    planes, few = _pieces(sources, weights)
    silence = tf.zeros_like(planes[0])
    kept = average(silence, rule, weights).shape[1:]

    def of_moduli(u: tf.Tensor) -> list[tf.Tensor]:
        return [average(u, rule, weights)]

    @custom_gradient
    def transform(*planes: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradient(slope: tf.Tensor) -> list[tf.Tensor]:
            # Averages are linear: their adjoint is the same everywhere.
            (upstream,) = adjoint_of(of_moduli, 1)(silence, slope)
            return in_pieces(adjoint_of(_moduli, 2), [*planes, upstream], few, 2)

        return tf.zeros((tf.shape(silence)[0], *kept), silence.dtype), gradient

    return transform(*planes)


def complete(y: tf.Tensor, rule: Average | None) -> tf.Tensor:
    """What is left of averages by matrices, of many paths at once: it does not depend on those."""
    match rule:
        case LowPass(blocks=blocks) if blocks > 1:
            before, own, after = tf.split(y, 3, axis=-1)
            ring = np.arange(blocks)
            before, after = _take(before, -2, np.roll(ring, -1)), _take(after, -2, np.roll(ring, 1))
            total = tf.reshape(before + own + after, (-1, y.shape[1], blocks * own.shape[-1]))
            return _run(total, -1, slice(*rule.keep, 1))
    return y

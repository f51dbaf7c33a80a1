"""The operations of the cascade on signals on a regular grid, by FFTs.

Signals are real tensors (batch, paths, *grid). A spectrum is a stack of two planes, its real and
imaginary parts, cut to the box of lines that its readers need. Most wavelet spectra are real. So
all arithmetic outside of FFTs is real, at half the cost of complex arithmetic.

`Lattice` computes in the plainest way. Each class below it replaces one or two operations where
another way is faster, or the only one.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_scattering.engine import averages, matrix_fourier
from keras_scattering.engine.axes import join, sizes, take
from keras_scattering.engine.folding import PlacedWindow, fold, fold_by_pairs, fold_by_products
from keras_scattering.engine.fourier import Planes, inverse
from keras_scattering.engine.moduli import compiled_modulus, modulus
from keras_scattering.engine.spectra import Spectrum, spectrum
from keras_scattering.plans.averages import (
    Average,
    Crop,
    Inner,
    LowPass,
    Mean,
    OfMagnitude,
    Powers,
    SpectralLowPass,
    Variance,
)
from keras_scattering.plans.banks import Bank, Box, Paired
from keras_scattering.runtime.gradient import adjoint_of, custom_gradient, differentiated
from keras_scattering.runtime.parts import in_pieces
from keras_scattering.runtime.tensorflow_internals import DIVIDED_TRANSFORM

Source = tuple[Spectrum, Any]
"""Spectra of signals, and their filters: a `Bank`, or a `HarmonicBank` for volumes."""
Shift = tuple[int, ...]


def _joined(parts: Sequence[tf.Tensor], rank: int) -> tf.Tensor:
    """Join filtered signals (..., b, p, F, *size) of several sources to (..., b, paths, *size)."""
    y = join(parts, -rank - 2)
    *planes, _, p, F = sizes(y)[:-rank]
    return tf.reshape(y, (*planes, -1, p * F, *y.shape[-rank:]))


def crop(u: tf.Tensor, box: Box) -> tf.Tensor:
    """Signals on a box of their grid."""
    if box == tuple((0, n) for n in u.shape[-len(box) :]):
        return u
    inside = [slice(*span) for span in box]
    # The gradient of an index has a static shape, unlike that of `tf.slice`.
    return u[(..., *inside)]  # type: ignore[arg-type]  # the stubs lack `...`


class Lattice:
    """The operations by FFTs, for eager calls and for loops of a graph.

    Args:
        arrays: Filters and matrices of a design, by name.
    """

    def __init__(self, arrays: Mapping[str, tf.Tensor]):
        self.arrays = arrays

    def spectrum(self, u: tf.Tensor, lines: Box) -> Spectrum:
        """The Fourier transform of signals on a box of lines."""
        return spectrum(u, lines)

    def convolve(self, sources: Sequence[Source]) -> Planes:
        """Real and imaginary part (b, paths, *size) of x * psi, sub-sampled.

        A source has one path per signal and filter of its bank; the filters vary fastest.
        """
        real, imag = tf.unstack(self._filtered(sources))
        return inverse(real, imag, len(sources[0][1].size))

    def modulus(self, sources: Sequence[Source]) -> tf.Tensor:
        """|x * psi|, (b, paths, *size)."""
        return modulus(*self.convolve(sources))

    def average(self, u: tf.Tensor, rule: Average) -> tf.Tensor:
        """Averages of signals (b, p, *n), which `complete` turns into (b, p, *outputs)."""
        match rule:
            case LowPass():
                return averages.matrix_lowpass(u, rule, self.arrays)
            case SpectralLowPass():
                x = self.spectrum(u, rule.bank.lines)
                real, _ = self.convolve([(x, rule.bank)])
                return real[..., slice(*rule.keep)]  # type: ignore[arg-type]  # the stubs lack `...`
            case Mean():
                return tf.reduce_mean(crop(u, rule.keep), axis=list(range(2, len(u.shape))))
            case Variance():
                return averages.variance(crop(u, rule.keep), rule.centred)
            case Inner():
                axes = list(range(2, len(u.shape)))
                return tf.reduce_sum(u * self.arrays[rule.weights], axes)
            case Powers():
                return averages.sums_of_powers(u, rule)
            case Crop():
                return crop(u, rule.keep)
            case OfMagnitude():
                return self.average(tf.abs(u), rule.rule)

    def averaged_modulus(self, sources: Sequence[Source], rule: Average) -> tf.Tensor:
        """|x * psi| * phi, for moduli that no later node reads."""
        return self.average(self.modulus(sources), rule)

    def shifted(self, u: tf.Tensor, shift: Sequence[Any]) -> tf.Tensor:
        """u(. + shift) on the circle of each of the last axes."""
        return tf.roll(u, [-t for t in shift], list(range(-len(shift), 0)))

    def each(self, function: Callable[..., tf.Tensor], shifts: Sequence[Shift]) -> tf.Tensor:
        """The results of a function of a shift, one after the other, stacked along a last axis."""
        results: list[tf.Tensor] = []
        for shift in shifts:
            with tf.control_dependencies(results[-1:]):
                results.append(function(shift))
        return tf.stack(results, -1)

    def total(
        self, function: Callable[..., Planes], shifts: Sequence[Shift], slopes: tf.Tensor
    ) -> Planes:
        """The sum over shifts of a function of a shift and of its slope, the last axis."""
        total: Planes | None = None
        for shift, slope in zip(shifts, tf.unstack(slopes, axis=-1), strict=True):
            with tf.control_dependencies(list(total or ())):
                first, second = function(shift, slope)
            total = (total[0] + first, total[1] + second) if total else (first, second)
        assert total is not None
        return total

    def _filtered(self, sources: Sequence[Source]) -> tf.Tensor:
        """Spectra (2, b, paths, *size) of the filtered and sub-sampled signals."""
        parts = []
        for x, b in sources:
            if isinstance(b, Paired):
                (window,) = self._windows(x, b.bank)
                chosen, _ = b.places(sizes(x.planes)[2])
                parts.append(fold_by_pairs(x.planes, window, chosen, b.size))
            else:
                parts.append(fold_by_products(x.planes, self._windows(x, b), b.size))
        return _joined(parts, len(sources[0][1].size))

    def _windows(self, x: Spectrum, bank: Bank) -> list[PlacedWindow]:
        """The windows of a bank, placed among the lines of a spectrum."""
        corner = [start for start, _ in x.lines]
        return [
            PlacedWindow(
                self.arrays[w.filters],
                tuple(np.subtract(w.origin, corner).tolist()),
                w.blocks,
                self.arrays[w.imaginary] if w.imaginary else None,
            )
            for w in bank.windows
        ]


class CompiledLattice(Lattice):
    """The operations in a form that XLA is quick to compile."""

    def modulus(self, sources: Sequence[Source]) -> tf.Tensor:
        """|x * psi|, (b, paths, *size)."""
        real, imag = tf.unstack(self._filtered(sources))
        return compiled_modulus(real, imag, len(sources[0][1].size))

    def each(self, function: Callable[..., tf.Tensor], shifts: Sequence[Shift]) -> tf.Tensor:
        """The results of a function of a shift, stacked along a last axis; a loop compiles fast."""
        if len(shifts) == 1:
            return super().each(function, shifts)
        y = tf.map_fn(
            lambda shift: function(tf.unstack(shift)),
            tf.constant(shifts),
            fn_output_signature=next(iter(self.arrays.values())).dtype,
        )
        return tf.transpose(y, (*range(1, len(y.shape)), 0))

    def total(
        self, function: Callable[..., Planes], shifts: Sequence[Shift], slopes: tf.Tensor
    ) -> Planes:
        """The sum over shifts of a function of a shift and of its slope, the last axis."""
        first, *others = shifts
        slopes = tf.transpose(slopes, (4, 0, 1, 2, 3))
        start = function(first, slopes[0])
        if not others:
            return start
        items = tf.constant(others), slopes[1:]

        def add(total: Planes, item: tuple[tf.Tensor, tf.Tensor]) -> Planes:
            terms = function(tf.unstack(item[0]), item[1])
            return total[0] + terms[0], total[1] + terms[1]

        return tf.foldl(add, items, start)


class MatrixLattice(Lattice):
    """The operations by products with real matrices, for runtimes without Fourier transforms."""

    def spectrum(self, u: tf.Tensor, lines: Box) -> Spectrum:
        """The Fourier transform of signals on a box of lines."""
        return Spectrum(matrix_fourier.spectral_lines(u, lines), lines)

    def convolve(self, sources: Sequence[Source]) -> Planes:
        """Real and imaginary part (b, paths, *size) of x * psi, sub-sampled."""
        return matrix_fourier.inverse(self._filtered(sources), len(sources[0][1].size))

    def average(self, u: tf.Tensor, rule: Average) -> tf.Tensor:
        """Averages of signals (b, p, *n), which `complete` turns into (b, p, *outputs)."""
        if isinstance(rule, LowPass):
            return averages.batch_first_lowpass(u, rule, self.arrays)
        return super().average(u, rule)

    def shifted(self, u: tf.Tensor, shift: Sequence[Any]) -> tf.Tensor:
        """u(. + shift) on the circle of each of the last axes."""
        for axis, t in enumerate(shift, start=-len(shift)):
            u = take(u, axis, np.roll(np.arange(sizes(u)[axis]), -t))
        return u


class PiecewisePlane(Lattice):
    """The operations on images on one CPU thread, in pieces of a few paths that fit in a cache."""

    # Half of the samples above which a transform is divided. So even the 64 paths of one image of
    # 32 x 32 give one piece to each of two threads.
    _piece = DIVIDED_TRANSFORM // 2

    def modulus(self, sources: Sequence[Source]) -> tf.Tensor:
        """|x * psi|, (b, paths, *size)."""
        (u,) = in_pieces(self._moduli, *self._pieces(sources), outputs=1)
        return u

    @staticmethod
    def _moduli(real: tf.Tensor, imag: tf.Tensor) -> list[tf.Tensor]:
        return [modulus(*inverse(real, imag, 2))]

    def _pieces(self, sources: Sequence[Source]) -> tuple[Planes, int]:
        """Filtered spectra (b, paths, *size), and the number of paths per piece."""
        folded = [fold(x.planes, self._windows(x, bank), bank.size) for x, bank in sources]
        real, imag = (_joined(parts, 2) for parts in zip(*folded, strict=True))
        paths, *size = sizes(real)[1:]
        most = max(1, self._piece // math.prod(size))
        return (real, imag), max(d for d in range(1, paths + 1) if paths % d == 0 and d <= most)


class GradientPlane(PiecewisePlane):
    """The operations of `PiecewisePlane` for a gradient, which needs no coefficients."""

    _piece = DIVIDED_TRANSFORM - 1  # larger pieces, since gradients are taken of batches

    def modulus(self, sources: Sequence[Source]) -> tf.Tensor:
        """|x * psi|, (b, paths, *size), from pieces that return planes.

        Pieces that returned moduli would need one more transform for their own gradient.
        """
        planes, paths = self._pieces(sources)
        return modulus(*in_pieces(lambda re, im: list(inverse(re, im, 2)), planes, paths, 2))

    def averaged_modulus(self, sources: Sequence[Source], rule: Average) -> tf.Tensor:
        """Zeros in place of |x * psi| * phi, with the gradient of |x * psi| * phi.

        Averages are linear, so their adjoint is the same everywhere and needs no average. A piece
        takes spectra and slopes of moduli, and returns slopes of spectra at once.
        """
        if differentiated(self._matrices(rule)):  # the average is bilinear in u and its matrices
            return super().averaged_modulus(sources, rule)
        planes, paths = self._pieces(sources)
        silence = tf.zeros_like(planes[0])
        kept = self.average(silence, rule).shape[1:]

        @custom_gradient
        def transform(*planes: tf.Tensor) -> tuple[tf.Tensor, Callable]:
            def gradient(slope: tf.Tensor) -> list[tf.Tensor]:
                (upstream,) = adjoint_of(lambda u: [self.average(u, rule)], 1)(silence, slope)
                return in_pieces(adjoint_of(self._moduli, 2), [*planes, upstream], paths, 2)

            return tf.zeros((tf.shape(silence)[0], *kept), silence.dtype), gradient

        return transform(*planes)

    def _matrices(self, rule: Average) -> list[tf.Tensor]:
        return [self.arrays[name] for name in rule.matrices] if isinstance(rule, LowPass) else []

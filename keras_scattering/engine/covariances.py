"""Means over the grid of pointwise functions of filtered signals, and of their products."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_scattering.engine.axes import join, sizes
from keras_scattering.engine.lattice import Lattice, Source, crop
from keras_scattering.engine.moduli import modulus
from keras_scattering.plans.banks import Box
from keras_scattering.plans.fields import (
    Block,
    Covariances,
    Factors,
    Field,
    Harmonic,
    RealPart,
    Rectified,
)
from keras_scattering.runtime.gradient import custom_gradient

Planes = tuple[tf.Tensor, tf.Tensor]
"""Real and imaginary part of signals (b, signals, *size)."""


def covariances(sources: Sequence[Source], node: Covariances, ops: Lattice) -> tf.Tensor:
    """The rows of a node, (b, rows).

    Args:
        sources: Spectra, and the filters of each.
        node: The fields, and which of their means to keep.
        ops: The operations, and the arrays of the design.
    """
    signals = _Signals(_filtered(sources, ops), node)
    made = [signals.field(f, some) for f, some in zip(node.fields, node.signals, strict=True)]
    means, fields = zip(*made, strict=True)
    axes = list(range(2, len(fields[0].shape)))
    values = [tf.reshape(means[i], (-1, sizes(means[i])[1])) for i in node.means]
    for i in node.squares:
        box = node.keep if node.fields[i].step == 0 else _whole(fields[i], len(axes))
        values.append(tf.reduce_mean(tf.square(crop(fields[i], box)), axes))
    for block in node.blocks:
        left, right = (
            _factors(fields[some.field], node.fields[some.field], some, block)
            for some in (block.left, block.right)
        )
        y = _products(left, right, block.shifts, ops) / tf.constant(block.pairs, left.dtype)
        values.append(tf.reshape(y, (-1, math.prod(sizes(y)[1:]))))
    y = tf.gather(join(values, 1), node.values, axis=1)
    return tf.reduce_sum(y * tf.constant(node.signs, y.dtype), -1)


def _filtered(sources: Sequence[Source], ops: Lattice) -> Planes:
    """Real and imaginary part (b, signals, *size), of each channel and then of each filter."""
    each = []
    for x, bank in sources:
        channels = sizes(x.planes)[2]
        planes = ops.convolve([(x, bank)])
        each.append(
            [tf.reshape(p, (-1, channels, sizes(p)[1] // channels, *p.shape[2:])) for p in planes]
        )
    real, imag = (join(parts, 2) for parts in zip(*each, strict=True))
    count = math.prod(sizes(real)[1:3])
    return tuple(tf.reshape(plane, (-1, count, *plane.shape[3:])) for plane in (real, imag))  # type: ignore[return-value]


def _whole(u: tf.Tensor, rank: int) -> Box:
    return tuple((0, n) for n in sizes(u)[-rank:])


def _some(u: tf.Tensor, index: Sequence[int]) -> tf.Tensor:
    """Entries of the axis behind the batch; a run of them is cheaper."""
    first, count = index[0], len(index)
    if tuple(index) != tuple(range(first, first + count)):
        return tf.gather(u, np.array(index), axis=1)
    return u if count == u.shape[1] else u[:, first : first + count]


class _Signals:
    """Filtered signals, and the fields that are made of them."""

    def __init__(self, planes: Planes, node: Covariances):
        self._planes = planes
        self._node = node
        self._rank = len(node.keep)
        self._axes = list(range(2, 2 + self._rank))
        self._harmonics: dict[int, _Harmonics] = {}

    def field(self, field: Field, signals: Sequence[int]) -> tuple[tf.Tensor, tf.Tensor]:
        """The means (b, n, 1, ...) of a field over samples to keep, and the field (b, n, *size)."""
        u = self._function(field, signals)
        box = _whole(u, self._rank) if field.step else self._node.keep
        inside = crop(u, box)
        mean = tf.reduce_mean(inside, self._axes, keepdims=True)
        if field.masked and box != _whole(u, self._rank):
            outside = [(a, n - b) for (a, b), n in zip(box, sizes(u)[2:], strict=True)]
            inside = inside - mean if field.after else inside
            return mean, tf.pad(inside, [(0, 0), (0, 0), *outside])
        return mean, (u - mean if field.after else u)

    def _function(self, field: Field, signals: Sequence[int]) -> tf.Tensor:
        """The values of a function (b, n * width, *size)."""
        match field.function:
            case Harmonic(q) if q > 1:
                return self._chain(field.step).field(q, signals)
            case Harmonic(q):
                real, imag = self._sampled(field, signals)
                return modulus(real, imag) if q == 0 else _flat([real, imag])
            case RealPart(magnitude):
                real, _ = self._sampled(field, signals)
                return tf.abs(real) if magnitude else real
            case Rectified(phases):
                real, imag = self._sampled(field, signals)
                turns = np.exp(2j * np.pi * np.arange(phases) / phases)
                return _flat([tf.nn.relu(z.real * real - z.imag * imag) for z in turns.tolist()])

    def _sampled(self, field: Field, signals: Sequence[int]) -> Planes:
        """Some signals at the field's step, without their means if it says so."""
        step = [slice(None, None, 2**field.step)] * self._rank
        planes = [_some(plane, signals) for plane in self._planes]
        if field.step:
            planes = [plane[(slice(None), slice(None), *step)] for plane in planes]
        if field.before:
            box = _whole(planes[0], self._rank) if field.step else self._node.keep
            planes = [p - tf.reduce_mean(crop(p, box), self._axes, keepdims=True) for p in planes]
        return planes[0], planes[1]

    def _chain(self, step: int) -> "_Harmonics":
        """The harmonics of all signals at a step."""
        if step not in self._harmonics:
            wanted = {
                field.function.q: signals
                for field, signals in zip(self._node.fields, self._node.signals, strict=True)
                if isinstance(field.function, Harmonic)
                and field.function.q > 1
                and field.step == step
            }
            signals = sorted({s for some in wanted.values() for s in some})
            planes = self._sampled(Field(Harmonic(1), step), signals)
            self._harmonics[step] = _Harmonics(planes, signals, wanted)
        return self._harmonics[step]


class _Harmonics:
    """|z| exp(i q arg z) for q = 2, 4, ..., by squaring z / |z|."""

    def __init__(self, z: Planes, signals: Sequence[int], wanted: dict[int, Sequence[int]]):
        rho = modulus(*z)
        # Signals have unit amplitude, so moduli far below their rounding are as good as zero.
        least = tf.maximum(rho, np.finfo(rho.dtype.name).eps ** 2)
        unit: Planes = (z[0] / least, z[1] / least)
        self._fields: dict[int, tf.Tensor] = {}
        have, q = list(signals), 1
        while q < max(wanted):
            q *= 2
            need = sorted({s for p, some in wanted.items() if p >= q for s in some})
            where = [have.index(s) for s in need]
            real, imag = (_some(plane, where) for plane in unit)
            unit = (real * real - imag * imag, 2 * real * imag)
            have = need
            if q in wanted:
                size = _some(rho, [signals.index(s) for s in wanted[q]])
                where = [have.index(s) for s in wanted[q]]
                self._fields[q] = _flat([size * _some(plane, where) for plane in unit])

    def field(self, q: int, signals: Sequence[int]) -> tf.Tensor:
        """The harmonic q, (b, 2 n, *size)."""
        return self._fields[q]


def _flat(parts: Sequence[tf.Tensor]) -> tf.Tensor:
    """Parts (b, n, *size) of each signal, as (b, n * parts, *size)."""
    if len(parts) == 1:
        return parts[0]
    y = tf.stack(list(parts), 2)
    return tf.reshape(y, (-1, math.prod(sizes(y)[1:3]), *y.shape[3:]))


def _factors(u: tf.Tensor, field: Field, some: Factors, block: Block) -> tf.Tensor:
    """Fields (b, groups, n, *size) as a factor of a block's products."""
    width, size = field.function.width, sizes(u)[2:]
    u = tf.reshape(u, (-1, sizes(u)[1] // width, width, *size))
    u = _some(u, some.signals)
    u = tf.reshape(u, (-1, block.groups, len(some.signals) // block.groups * width, *size))
    if any(block.zeros):
        u = tf.pad(u, [(0, 0)] * 3 + [(0, zeros) for zeros in block.zeros])
    return u


def _products(
    left: tf.Tensor, right: tf.Tensor, shifts: Sequence[tuple[int, ...]], ops: Lattice
) -> tf.Tensor:
    """Sums over u of left(u) right(u + shift), (b, groups, left, right, shifts).

    The gradient shifts once more, since shifted fields take more memory than all else.
    """
    size = sizes(left)[3:]

    def rows(u: tf.Tensor) -> tf.Tensor:
        return tf.reshape(u, (-1, *u.shape[1:3], math.prod(size)))

    def grids(u: tf.Tensor) -> tf.Tensor:
        return tf.reshape(u, (-1, *u.shape[1:3], *size))

    @custom_gradient
    def transform(left: tf.Tensor, right: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def product(shift: tuple[int, ...], before: Sequence[tf.Tensor]) -> tf.Tensor:
            with tf.control_dependencies(before):
                moved = rows(ops.shifted(tf.identity(right), shift))
            return tf.matmul(rows(left), moved, transpose_b=True)

        def gradient(slope: tf.Tensor) -> Planes:
            by_left, by_right = tf.zeros_like(rows(left)), tf.zeros_like(right)
            for own, shift in zip(tf.unstack(slope, axis=-1), shifts, strict=True):
                with tf.control_dependencies([by_left, by_right]):
                    own = tf.identity(own)
                by_left += tf.matmul(own, rows(ops.shifted(right, shift)))
                moved = grids(tf.matmul(own, rows(left), transpose_a=True))
                by_right += ops.shifted(moved, tuple(-t for t in shift))
            return grids(by_left), by_right

        sums: list[tf.Tensor] = []
        for shift in shifts:
            sums.append(product(shift, sums[-1:]))
        return tf.stack(sums, -1), gradient

    return transform(left, right)

"""Means over the grid of pointwise functions of filtered signals, and of their products."""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_scattering.engine.axes import join, sizes
from keras_scattering.engine.lattice import Lattice, Source, crop
from keras_scattering.engine.moduli import harmonics, modulus
from keras_scattering.plans.banks import Box
from keras_scattering.plans.fields import Block, Covariances, Field, Harmonic, RealPart, Rectified
from keras_scattering.runtime.gradient import custom_gradient

Planes = tuple[tf.Tensor, tf.Tensor]
"""Real and imaginary part of signals (b, signals, *size)."""

_FEW = 8  # runs of entries that are cheaper to join than to gather one by one


def covariances(sources: Sequence[Source], node: Covariances, ops: Lattice) -> tf.Tensor:
    """The rows of a node, (b, rows).

    Args:
        sources: Spectra, and the filters of each.
        node: The fields, and which of their means to keep.
        ops: The operations, and the arrays of the design.
    """
    signals = _Signals(_filtered(sources, ops), node)
    raw = [
        signals.field(field, some) for field, some in zip(node.fields, node.signals, strict=True)
    ]
    boxes = [_box(field, node, u) for field, u in zip(node.fields, raw, strict=True)]
    axes = list(range(2, len(raw[0].shape)))
    values = [tf.reduce_mean(crop(raw[i], boxes[i]), axes) for i in node.means]
    fields = [
        _centred(field, u, box, axes) for field, u, box in zip(node.fields, raw, boxes, strict=True)
    ]
    values += [tf.reduce_mean(tf.square(crop(fields[i], boxes[i])), axes) for i in node.squares]
    factors = [factor for block in node.blocks for factor in (block.left, block.right)]
    entries = [
        _Entries(_by_signal(field, u), [some.signals for some in factors if some.field == i])
        for i, (field, u) in enumerate(zip(node.fields, fields, strict=True))
    ]
    for block in node.blocks:
        left, right = (
            _grouped(entries[some.field].read(some.signals), block)
            for some in (block.left, block.right)
        )
        y = _products(left, right, block.shifts, ops) / tf.constant(block.pairs, left.dtype)
        values.append(tf.reshape(y, (-1, math.prod(sizes(y)[1:]))))
    y = tf.gather(join(values, 1), node.values, axis=1)
    return tf.reduce_sum(y * tf.constant(node.signs, y.dtype), -1)


# Signals


def _filtered(sources: Sequence[Source], ops: Lattice) -> Planes:
    """Real and imaginary part of each channel and then of each filter."""
    each = []
    for x, bank in sources:
        channels = sizes(x.planes)[2]
        planes = ops.convolve([(x, bank)])
        filters = sizes(planes[0])[1] // channels
        each.append([tf.reshape(p, (-1, channels, filters, *p.shape[2:])) for p in planes])
    real, imag = (_merged(join(parts, 2)) for parts in zip(*each, strict=True))
    return real, imag


def _merged(u: tf.Tensor) -> tf.Tensor:
    """From (b, m, n, *size) to (b, m * n, *size)."""
    return tf.reshape(u, (-1, math.prod(sizes(u)[1:3]), *u.shape[3:]))


class _Entries:
    """Entries along the axis behind the batch, for readers of some of them.

    TensorFlow's gradient of a slice is as large as the whole. So the axis is cut only once, where
    a reader's run of entries begins or ends, and readers join the pieces.
    """

    def __init__(self, u: tf.Tensor, readers: Iterable[Sequence[int]]):
        self._u = u
        bounds = {0, sizes(u)[1]}
        for runs in map(_runs, readers):
            if len(runs) <= _FEW:
                bounds.update(bound for run in runs for bound in run)
        self._bounds = sorted(bounds)
        lengths = np.diff(self._bounds).tolist()  # 32 bits, as LiteRT needs
        self._pieces = tf.split(u, lengths, axis=1) if len(lengths) > 1 else [u]

    def read(self, index: Sequence[int]) -> tf.Tensor:
        """Some entries, in this order."""
        runs = _runs(index)
        if runs == [(0, self._bounds[-1])]:
            return self._u
        if len(runs) > _FEW or any(bound not in self._bounds for run in runs for bound in run):
            return tf.gather(self._u, np.array(index), axis=1)
        places = [(self._bounds.index(start), self._bounds.index(stop)) for start, stop in runs]
        return join([piece for first, last in places for piece in self._pieces[first:last]], 1)


def _runs(index: Sequence[int]) -> list[tuple[int, int]]:
    """Runs [start, stop) of rising integers."""
    turns = np.nonzero(np.diff(index) != 1)[0] + 1
    return [(int(run[0]), int(run[-1]) + 1) for run in np.split(np.asarray(index), turns)]


# Fields


def _box(field: Field, node: Covariances, u: tf.Tensor) -> Box:
    """The samples of a field's means; coarser signals have no padding."""
    return tuple((0, n) for n in sizes(u)[2:]) if field.step else node.keep


def _mean(u: tf.Tensor, box: Box) -> tf.Tensor:
    return tf.reduce_mean(crop(u, box), list(range(2, len(u.shape))), keepdims=True)


def _centred(field: Field, u: tf.Tensor, box: Box, axes: list[int]) -> tf.Tensor:
    """A field without its mean, and zero outside of the samples to keep, if it says so."""
    u = u - _mean(u, box) if field.after else u
    if not field.masked:
        return u
    outside = [(start, n - stop) for (start, stop), n in zip(box, sizes(u)[2:], strict=True)]
    return tf.pad(crop(u, box), [(0, 0), (0, 0), *outside])


def _by_signal(field: Field, u: tf.Tensor) -> tf.Tensor:
    """From (b, signals * width, *size) to (b, signals, width, *size)."""
    width = field.function.width
    return tf.reshape(u, (-1, sizes(u)[1] // width, width, *u.shape[2:]))


class _Signals:
    """Filtered signals, and functions of them."""

    def __init__(self, planes: Planes, node: Covariances):
        self._node = node
        self._planes = [_Entries(plane, node.signals) for plane in planes]
        self._harmonics = functools.cache(self._make_harmonics)

    def field(self, field: Field, signals: Sequence[int]) -> tf.Tensor:
        """The values of a field's function, (b, signals * width, *size)."""
        match field.function:
            case Harmonic(q) if q > 1:
                return _merged(self._harmonics(field.step)[q].read(signals))
            case Harmonic(q):
                real, imag = self._sampled(field, signals)
                return _merged(tf.stack([real, imag], 2)) if q else modulus(real, imag)
            case RealPart(magnitude):
                real, _ = self._sampled(field, signals)
                return tf.abs(real) if magnitude else real
            case Rectified(phases):
                real, imag = self._sampled(field, signals)
                turns = np.exp(2j * np.pi * np.arange(phases) / phases).tolist()
                turned = [z.real * real - z.imag * imag for z in turns]
                return _merged(tf.nn.relu(tf.stack(turned, 2)))

    def _sampled(self, field: Field, signals: Sequence[int]) -> Planes:
        """Some signals at the field's step, without their means if it says so."""
        planes = [plane.read(signals) for plane in self._planes]
        if field.step:
            every = [slice(None, None, 2**field.step)] * len(self._node.keep)
            planes = [plane[(slice(None), slice(None), *every)] for plane in planes]
        if field.before:
            planes = [plane - _mean(plane, _box(field, self._node, plane)) for plane in planes]
        return planes[0], planes[1]

    def _make_harmonics(self, step: int) -> dict[int, "_Numbered"]:
        """All harmonics q > 1 at a step, by the number of the signal.

        Signals that have the same harmonics share the squarings.
        """
        wanted = {
            field.function.q: signals
            for field, signals in zip(self._node.fields, self._node.signals, strict=True)
            if isinstance(field.function, Harmonic) and field.function.q > 1 and field.step == step
        }
        groups: dict[tuple[int, ...], list[int]] = {}
        for signal in sorted({signal for some in wanted.values() for signal in some}):
            orders = tuple(sorted(q for q, some in wanted.items() if signal in some))
            groups.setdefault(orders, []).append(signal)
        made: dict[int, list[tuple[list[int], tf.Tensor]]] = {q: [] for q in wanted}
        for orders, signals in groups.items():
            real, imag = self._sampled(Field(Harmonic(1), step), signals)
            for q, field in zip(orders, harmonics(real, imag, orders), strict=True):
                made[q].append((signals, field))
        return {q: _Numbered(some) for q, some in made.items()}


class _Numbered:
    """Entries in pieces, by numbers that stand for them."""

    def __init__(self, pieces: Sequence[tuple[list[int], tf.Tensor]]):
        self._numbers = [number for numbers, _ in pieces for number in numbers]
        self._entries = _Entries(join([piece for _, piece in pieces], 1), [])

    def read(self, numbers: Sequence[int]) -> tf.Tensor:
        """The entries of some numbers."""
        return self._entries.read([self._numbers.index(number) for number in numbers])


# Products


def _grouped(u: tf.Tensor, block: Block) -> tf.Tensor:
    """Fields (b, signals, width, *size) as a factor of a block, (b, groups, n, *size)."""
    *_, signals, width = sizes(u)[:3]
    u = tf.reshape(u, (-1, block.groups, signals // block.groups * width, *u.shape[3:]))
    if not any(block.zeros):
        return u
    return tf.pad(u, [(0, 0)] * 3 + [(0, zeros) for zeros in block.zeros])


def _products(
    left: tf.Tensor, right: tf.Tensor, shifts: Sequence[tuple[int, ...]], ops: Lattice
) -> tf.Tensor:
    """Sums over u of left(u) right(u + shift), (b, groups, left, right, shifts).

    Shifted fields take more memory than all else. So one shift comes after the other, and the
    gradient shifts once more.
    """
    size = sizes(left)[3:]

    def rows(u: tf.Tensor) -> tf.Tensor:
        return tf.reshape(u, (-1, *u.shape[1:3], math.prod(size)))

    def grids(u: tf.Tensor) -> tf.Tensor:
        return tf.reshape(u, (-1, *u.shape[1:3], *size))

    @custom_gradient
    def transform(left: tf.Tensor, right: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def product(shift: Any) -> tf.Tensor:
            return tf.matmul(rows(left), rows(ops.shifted(right, shift)), transpose_b=True)

        def gradient(slope: tf.Tensor) -> Planes:
            def term(shift: Any, own: tf.Tensor) -> Planes:
                by_left = tf.matmul(own, rows(ops.shifted(right, shift)))
                by_right = grids(tf.matmul(own, rows(left), transpose_a=True))
                return grids(by_left), ops.shifted(by_right, [-t for t in shift])

            return ops.total(term, shifts, slope)

        return ops.each(product, shifts), gradient

    return transform(left, right)

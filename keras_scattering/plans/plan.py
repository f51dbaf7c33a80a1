"""What a scattering transform does, written down before any tensor exists.

A `Plan` fixes padding, paths, output sizes and metadata; its `design` adds the arithmetic: which
compact filters meet which signals, at which resolution, and how each result is averaged. Output
shapes, `meta()` and the computation are all read from one plan. Nothing here imports TensorFlow.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

Box = tuple[tuple[int, int], ...]
"""Lines [start, stop) of a periodic spectrum an axis; negative lines are negative frequencies."""


def hull(boxes: Sequence[Box]) -> Box:
    """The smallest box around boxes."""
    return tuple(
        (min(start for start, _ in spans), max(stop for _, stop in spans))
        for spans in zip(*boxes, strict=True)
    )


@dataclasses.dataclass(frozen=True)
class Window:
    """Filters that share one box of spectral lines, beyond which they vanish.

    The box is `blocks` times the output grid on each axis: sub-sampling in space is summing the
    blocks in Fourier. Where the box starts does not matter to a modulus, which forgets the phase.
    """

    filters: str  # name of an array (F, blocks, *size), already divided by the samples of the input
    origin: tuple[int, ...]
    blocks: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Bank:
    """Filters whose outputs share one grid of `size` points."""

    windows: tuple[Window, ...]
    size: tuple[int, ...]
    responses = 1  # how many make one signal

    @property
    def lines(self) -> Box:
        """The smallest box that holds all windows."""
        return hull(
            [
                tuple((o, o + c * m) for o, c, m in zip(w.origin, w.blocks, self.size, strict=True))
                for w in self.windows
            ]
        )


def waves(n: int, lines: tuple[int, int], odd: Sequence[bool]) -> str:
    """The name of an array (F, n, lines): how filters that are odd or even along an axis end it."""
    return f"waves_{n}_{lines[1] - lines[0]}_{''.join(str(int(o)) for o in odd)}"


class Face(NamedTuple):
    """The lines at -n/2 of one axis, and what harmonics have there besides what mirrors want."""

    axis: int
    filters: str  # name of an array (F, *lines of the other axes)
    odd: tuple[tuple[bool, ...], ...]  # for each of the other axes, which filters are odd along it


@dataclasses.dataclass(frozen=True)
class HarmonicBank:
    """Solid harmonics of one degree, whose responses to a real signal are summed in squares.

    Along each axis a harmonic is even or odd, and so its response is real; but for lines at the end
    of an even axis, which stand for one sign of the frequency only. What these add is imaginary.
    """

    filters: str  # name of an array (F, *lines), already divided by the samples of the input
    odd: tuple[tuple[bool, ...], ...]  # for each axis, which filters are odd along it
    faces: tuple[Face, ...]
    coherent: bool  # whether faces add to the responses, or only to their squares
    lines: Box
    size: tuple[int, ...]

    @property
    def responses(self) -> int:
        """How many responses make one signal."""
        return len(self.odd[0])


@dataclasses.dataclass(frozen=True)
class LowPass:
    """An average by real matrices, one an axis, each giving the kept output samples.

    `matrices[a]` names an array (inputs, outputs). Where `blocks` > 1 (in one dimension only) the
    signal is cut into that many frames, and an array (inputs, 3 * outputs) of a frame gives what it
    contributes to the frame before it, to its own, and to the one after; then `keep` is cut out.
    """

    matrices: tuple[str, ...]
    blocks: int = 1
    keep: tuple[int, int] = (0, 0)


@dataclasses.dataclass(frozen=True)
class SpectralLowPass:
    """An average by multiplication in Fourier, for an output step much finer than the low-pass."""

    bank: Bank
    keep: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Mean:
    """The mean over the whole grid."""


@dataclasses.dataclass(frozen=True)
class Crop:
    """No average: the part of the grid that the unpadded signal covers, [start, stop) an axis."""

    keep: Box


@dataclasses.dataclass(frozen=True)
class Powers:
    """Sums over the grid of powers of a signal."""

    exponents: tuple[float, ...]


Average = LowPass | SpectralLowPass | Mean | Crop | Powers


@dataclasses.dataclass(frozen=True)
class Node:
    """Filter, take the modulus, average; perhaps hand the modulus on to later nodes."""

    sources: tuple[tuple[int, Bank | HarmonicBank], ...]  # 0 is the input, i node i of the branch
    average: Average | None
    rows: tuple[int, ...]  # where its averages stand in the output
    paths: int  # signals that come out of the modulus
    lines: Box | None = None  # spectral lines that later nodes read of it

    @property
    def samples(self) -> int:
        """Samples of its signals, for one item of a batch."""
        _, bank = self.sources[0]
        return self.paths * bank.responses * math.prod(bank.size)


@dataclasses.dataclass(frozen=True)
class Mix:
    """Filters along the log-frequency axis of a stack, the modulus, and the averages.

    `matrix` names an array (2, 2 n1, filters * samples) that takes the real and imaginary parts of
    the stack to the real, and to the imaginary, part of all filters' outputs; `lowpass`, an array
    (samples, kept) along frequency.
    """

    matrix: str
    filters: int
    lowpass: str | None
    average: Average  # in time
    rows: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Stack:
    """Earlier nodes filtered in time, without a modulus, and stacked by log-frequency."""

    sources: tuple[tuple[int, Bank], ...]  # their filters' windows all begin at the same line
    mixes: tuple[Mix, ...]
    joint: bool  # one path a filter, a picture, or one path a filter and frequency
    samples: int  # of its largest set of signals, for one item of a batch


@dataclasses.dataclass(frozen=True)
class Branch:
    """Nodes that are computed together and whose signals are then forgotten."""

    nodes: tuple[Node | Stack, ...]

    @property
    def samples(self) -> int:
        """Samples of the largest set of signals that live at once, for one item of a batch."""
        read = sum(n.samples for n in self.nodes if isinstance(n, Node) and n.lines)
        return max(read, *(node.samples for node in self.nodes), 1)

    @property
    def average(self) -> Average | None:
        """How its nodes are averaged, with other matrices: what of it is left to do is the same."""
        return next((n.average for n in self.nodes if isinstance(n, Node) and n.average), None)

    @property
    def rows(self) -> list[tuple[int, ...]]:
        """Where the averages stand in the output: one tuple for each that is made, in turn."""
        made: list[tuple[int, ...]] = []
        for node in self.nodes:
            made += [mix.rows for mix in node.mixes] if isinstance(node, Stack) else [node.rows]
        return [rows for rows in made if rows]


@dataclasses.dataclass(frozen=True)
class Padding:
    """How one axis is extended: by pieces of itself, possibly reversed, or by zeros."""

    pieces: tuple[slice, ...]  # of the signal, to concatenate
    zeros: tuple[int, int] = (0, 0)  # then zeros, before and after


@dataclasses.dataclass(frozen=True)
class Design:
    """The arithmetic of a plan."""

    padding: tuple[Padding, ...]  # of the signals: what outputs depend on, in this precision
    lines: Box  # spectral lines of the input that the branches read
    average: Average | None  # of the input itself: order 0, if there is one
    branches: tuple[Branch, ...]
    arrays: dict[str, np.ndarray]  # filters and averages, in the precision asked for

    @property
    def rows(self) -> list[tuple[int, ...]]:
        """Where the averages stand in the output: one tuple for each that is made, in turn."""
        return [(0,)] * (self.average is not None) + [r for b in self.branches for r in b.rows]


def column(values: Sequence[float], index: np.ndarray) -> np.ndarray:
    """Metadata of filters by index; index -1 is missing: -1 among integers, NaN among floats."""
    known = np.asarray(values)
    missing = -1 if known.dtype.kind == "i" else np.nan
    return np.append(known, missing).astype(known.dtype)[index]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What comes out for an input of a given size, and how to compute it."""

    meta: dict[str, np.ndarray]  # one row a path
    outputs: tuple[tuple[int, ...], ...]  # (channels, *size) if stacked, else each path's size
    stacked: bool  # all paths in one output, or each in its own
    design: Callable[[np.dtype], Design]
    degrees: tuple[float, ...] = (1.0,)  # S(c x) = c**q S(x) for c > 0, of the last axis if many
    steps: tuple[float, ...] = ()  # samples from a path's output to its next, NaN for a mean

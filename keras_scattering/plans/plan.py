"""What a scattering transform does, written down before any tensor exists.

A `Plan` fixes padding, paths, output sizes and metadata; its `design` adds the arithmetic: which
compact filters meet which signals, at which resolution, and how each result is averaged. Output
shapes, `meta()` and the computation are all read from one plan. Nothing here imports TensorFlow.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

Box = tuple[tuple[int, int], ...]
"""Lines [start, stop) of a periodic spectrum an axis; negative lines are negative frequencies."""


@dataclasses.dataclass(frozen=True)
class Window:
    """Filters that share one box of spectral lines, beyond which they vanish.

    The box is `blocks` times the output grid on each axis: sub-sampling in space is summing the
    blocks in Fourier. Where the box starts does not matter to a modulus, which forgets the phase.
    """

    filters: str  # name of an array (blocks, F, *size), already divided by the sub-sampling
    origin: tuple[int, ...]
    blocks: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Bank:
    """Filters whose outputs share one grid of `size` points."""

    windows: tuple[Window, ...]
    size: tuple[int, ...]

    @property
    def lines(self) -> Box:
        """The smallest box that holds all windows."""
        per_axis = [
            [(w.origin[a], w.origin[a] + w.blocks[a] * size) for w in self.windows]
            for a, size in enumerate(self.size)
        ]
        return tuple((min(s for s, _ in spans), max(e for _, e in spans)) for spans in per_axis)


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


Average = LowPass | SpectralLowPass | Mean | Crop


@dataclasses.dataclass(frozen=True)
class Node:
    """Filter, take the modulus, average; perhaps hand the modulus on to later nodes."""

    source: int  # 0 is the input, i the output of node i of the branch
    bank: Bank
    average: Average
    rows: tuple[int, ...]  # where its paths stand in the output
    lines: Box | None = None  # spectral lines that later nodes read of it


@dataclasses.dataclass(frozen=True)
class Branch:
    """Nodes that are computed together and whose signals are then forgotten."""

    nodes: tuple[Node, ...]

    @property
    def cost(self) -> int:
        """Samples of the largest set of signals that live at once, for one item of a batch."""
        paths = [1]
        peak = 1
        for node in self.nodes:
            paths.append(len(node.rows))
            peak = max(peak, paths[-1] * math.prod(node.bank.size))
        return peak


@dataclasses.dataclass(frozen=True)
class Design:
    """The arithmetic of a plan."""

    lines: Box  # spectral lines of the input that the branches read
    average: Average  # of the input itself: order 0
    branches: tuple[Branch, ...]
    arrays: dict[str, np.ndarray]  # filters and averages, in the precision asked for


@dataclasses.dataclass(frozen=True)
class Padding:
    """How one axis is extended: by pieces of itself, possibly reversed, or by zeros."""

    pieces: tuple[slice, ...]  # of the signal, to concatenate
    zeros: tuple[int, int] = (0, 0)  # then zeros, before and after


@dataclasses.dataclass(frozen=True)
class Plan:
    """What comes out for an input of a given size, and how to compute it."""

    padding: tuple[Padding, ...]
    meta: dict[str, np.ndarray]  # one row a path
    sizes: tuple[tuple[int, ...], ...]  # of each path's output
    averaged: bool  # all outputs of one size, stacked; else a list of them
    design: Callable[[np.dtype], Design]

    @property
    def paths(self) -> int:
        """The number of paths."""
        return len(self.meta["order"])



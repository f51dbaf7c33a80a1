"""What a scattering transform does, written down before any tensor exists.

A `Plan` fixes padding, paths, output sizes and metadata. Its `design` adds the arithmetic: which
compact filters meet which signals, at which resolution, and how each result is averaged. Output
shapes, `meta()` and the computation all read one plan. Nothing here imports TensorFlow.

Words of the package:

* line: one frequency of a discrete Fourier transform; a box of lines is an interval per axis.
* window: the box of lines outside of which filters vanish; its blocks have the output's size.
* bank: filters whose outputs share one grid.
* node: signals filtered by banks, with the modulus taken and averaged.
* branch: nodes that are computed together, and whose signals are then forgotten.
* row: one line of the output's table of paths, before an average's own axes.
* plane: the real or the imaginary part of signals or spectra, as a real tensor.
* part: some items of a batch that are computed together.
* piece: some paths of one image that are transformed together.
* degree: the q of S(c x) = c**q S(x), c > 0.
"""

import dataclasses
import enum
import math
from collections.abc import Callable, Sequence

import numpy as np

from keras_scattering.filters import FilterBank
from keras_scattering.plans.averages import Average
from keras_scattering.plans.banks import Bank, Box
from keras_scattering.plans.grid import Grid
from keras_scattering.plans.harmonics import HarmonicBank
from keras_scattering.plans.padding import Padding


class Domain(enum.Enum):
    """What signals live on. It decides by which operations the engine computes them."""

    LINE = "line"  # a regular grid, with FFTs of many short signals
    PLANE = "plane"  # a regular grid, with FFTs of few large images
    SOLID = "solid"  # a box of few samples a side, with transforms by products of real matrices


@dataclasses.dataclass(frozen=True)
class Node:
    """|x * psi| for signals x and the filters psi of a bank each, averaged; perhaps read on."""

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

    @property
    def outputs(self) -> tuple[tuple[int, ...], ...]:
        """Rows of each tensor of averages that it yields."""
        return (self.rows,) if self.average else ()


@dataclasses.dataclass(frozen=True)
class AlongStack:
    """Filters along a stack, the modulus, and the averages along the stack and over the grid.

    `matrix` names an array (2, 2 n, filters * samples). It takes the real and imaginary parts of n
    stacked signals to the real, and to the imaginary, part of all filters' outputs. `lowpass`
    names an array (samples, kept) along the stack.
    """

    matrix: str
    filters: int
    lowpass: str | None
    average: Average  # over the grid
    rows: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Stack:
    """|y * psi| along a stack of signals y = x * psi, whose axis has filters psi of its own.

    The axis may be log-frequency, an angle, or octaves; the signals may have any number of axes.
    The filters of all sources begin at one line, so that the phases of the signals agree.
    """

    sources: tuple[tuple[int, Bank], ...]
    along: tuple[AlongStack, ...]
    joint: bool  # one row per filter, with the stack's axis last, or one per filter and sample
    samples: int  # of its largest set of signals, for one item of a batch

    @property
    def outputs(self) -> tuple[tuple[int, ...], ...]:
        """Rows of each tensor of averages that it yields."""
        return tuple(along.rows for along in self.along)


@dataclasses.dataclass(frozen=True)
class Gram:
    r"""Means over the grid of products, $\langle (x_a * \psi_f)(x_c * \psi_f)^* \rangle$.

    By Parseval each is a sum over lines, $\sum_k w_f[k] \hat x_a[k] \hat x_c[k]^*$ with
    $w_f = |\hat\psi_f|^2 / N^2$, so no signal needs its inverse transform. All spectra cover one
    box of lines, and their phases agree.
    """

    sources: tuple[int, ...]  # 0 is the input, i node i of the branch, each read on `lines`
    lines: Box
    weights: str  # name of an array (F, *lines)
    products: tuple[tuple[int, int, int, bool], ...]  # filter f, signals a and c, imaginary or not
    rows: tuple[int, ...]  # of the products
    samples: int  # of the signals on these lines, for one item of a batch

    @property
    def outputs(self) -> tuple[tuple[int, ...], ...]:
        """Rows of each tensor of averages that it yields."""
        return (self.rows,)


@dataclasses.dataclass(frozen=True)
class Branch:
    """Nodes that are computed together and whose signals are then forgotten."""

    nodes: tuple[Node | Stack | Gram, ...]

    @property
    def samples(self) -> int:
        """Samples of the largest set of signals that live at once, for one item of a batch."""
        read = sum(n.samples for n in self.nodes if isinstance(n, Node) and n.lines)
        return max(read, *(node.samples for node in self.nodes), 1)

    @property
    def rows(self) -> list[tuple[int, ...]]:
        """Where the averages stand in the output: one tuple per tensor that is made, in turn."""
        return [rows for node in self.nodes for rows in node.outputs]


@dataclasses.dataclass(frozen=True)
class Design:
    """The arithmetic of a plan."""

    padding: tuple[Padding, ...]  # of the signals: what outputs depend on, in this precision
    lines: Box  # spectral lines of the input that the branches read
    average: Average | None  # of the input itself: order 0, if there is one
    branches: tuple[Branch, ...]
    arrays: dict[str, np.ndarray]  # filters and averages, in the precision asked for

    @property
    def joined(self) -> Average | None:
        """The rule by which all averages are completed at once, if all are those of nodes."""
        nodes = [node for branch in self.branches for node in branch.nodes]
        if not all(isinstance(node, Node) for node in nodes):
            return None
        return next((n.average for n in nodes if isinstance(n, Node) and n.average), None)

    @property
    def rows(self) -> list[tuple[int, ...]]:
        """Where the averages stand in the output: one tuple per tensor that is made, in turn."""
        return [(0,)] * (self.average is not None) + [r for b in self.branches for r in b.rows]

    @property
    def samples(self) -> int:
        """Samples of the largest set of signals that live at once, for one item of a batch."""
        return max(branch.samples for branch in self.branches)


def column(values: Sequence[float], index: np.ndarray) -> np.ndarray:
    """Metadata of filters by index; index -1 is missing: -1 among integers, NaN among floats."""
    known = np.asarray(values)
    missing = -1 if known.dtype.kind == "i" else np.nan
    return np.append(known, missing).astype(known.dtype)[index]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What comes out for an input of a given size, and how to compute it."""

    domain: Domain
    meta: dict[str, np.ndarray]  # one row per path
    outputs: tuple[tuple[int, ...], ...]  # (channels, *size) if stacked, else each path's size
    stacked: bool  # all paths in one output, or each in its own
    design: Callable[[np.dtype], Design]
    degrees: np.ndarray = dataclasses.field(default_factory=lambda: np.ones(1))
    """Of each row, or one for all, by what an average yields: shape (rows or 1, ...)."""
    steps: tuple[float, ...] = ()  # samples from a path's output to its next, NaN for a mean
    grid: Grid | None = None  # where signals are padded, sampled and averaged
    banks: tuple[FilterBank, ...] = ()  # the wavelets of each order on that grid

    def degrees_of(self, rows: Sequence[int]) -> np.ndarray:
        """The degrees of some rows, or the one of all."""
        return self.degrees if len(self.degrees) == 1 else self.degrees[list(rows)]

"""The language of plans, which describe a scattering transform before any tensor exists.

A `Plan` fixes padding, paths, output sizes and metadata. Its `design` adds the arithmetic: the
compact filters for each signal, the resolution, and the average of each result. Output shapes,
`meta()` and the computation all read one plan. Nothing here imports TensorFlow.

Words of the package:

* line: one frequency of a discrete Fourier transform; a box of lines is an interval per axis.
* window: a box of lines outside of which filters vanish, cut into blocks of the output's size.
* bank: filters whose outputs share one grid.
* node: the averaged moduli of signals filtered by banks.
* branch: nodes computed together, whose signals are then dropped.
* row: one entry of the output's axis of paths; an average may add axes of its own.
* plane: the real or the imaginary part of signals or spectra, as a real tensor.
* part: some items of a batch, computed together.
* piece: some paths of one image, transformed together.
* degree: the q of S(c x) = c**q S(x), c > 0; for solid harmonics also the angular degree l.
"""

import dataclasses
import enum
import math
from collections.abc import Callable, Sequence

import numpy as np

from keras_scattering.filters import FilterBank
from keras_scattering.plans.averages import Average
from keras_scattering.plans.banks import Bank, Box, Paired, Weights
from keras_scattering.plans.fields import Covariances
from keras_scattering.plans.grid import Grid
from keras_scattering.plans.harmonics import HarmonicBank
from keras_scattering.plans.padding import Padding


class Domain(enum.Enum):
    """The kind of grid that signals live on. The engine chooses its operations by it."""

    LINE = "line"  # a regular grid, with FFTs of many short signals
    PLANE = "plane"  # a regular grid, with FFTs of few large images
    SOLID = "solid"  # a box of few samples per axis, with transforms by products of real matrices


@dataclasses.dataclass(frozen=True)
class Node:
    """Averages of |x * psi|, where each source gives signals x and a bank of filters psi.

    Later nodes may take |x * psi| as their source.
    """

    sources: tuple[tuple[int, Bank | HarmonicBank], ...]  # 0 is the input, i node i of the branch
    average: Average | None
    rows: tuple[int, ...]  # rows of its averages in the output
    paths: int  # number of moduli |x * psi|
    lines: Box | None = None  # spectral lines of the moduli that later nodes read

    @property
    def samples(self) -> int:
        """Samples of its signals, for one item of a batch."""
        _, bank = self.sources[0]
        return self.paths * bank.responses * math.prod(bank.size)

    @property
    def outputs(self) -> tuple[tuple[int, ...], ...]:
        """Rows of each tensor of averages."""
        return (self.rows,) if self.average else ()


@dataclasses.dataclass(frozen=True)
class AlongStack:
    """Filters along a stack, the modulus, and the averages along the stack and over the grid.

    `matrix` names an array (2, 2 n, filters * samples). It maps the real and imaginary parts of n
    stacked signals to the real part, and to the imaginary part, of all filters' outputs. `lowpass`
    names an array (samples, kept) along the stack.
    """

    matrix: str
    filters: int
    lowpass: str | None
    average: Average  # over the grid
    rows: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Stack:
    """Averages of |y * psi'| along a stack of signals y = x * psi, with filters psi' of its own.

    The axis of the stack may be log-frequency, an angle, or octaves. The signals may have any
    number of axes. The filters of all sources begin at one line, so the phases of the signals
    agree. The signals may be several stacks, one after the other.
    """

    sources: tuple[tuple[int, Bank | Paired], ...]
    along: tuple[AlongStack, ...]
    joint: bool  # one row per filter, with the stack's axis last, or one per filter and sample
    samples: int  # samples of its largest set of signals, for one item of a batch
    stacks: int = 1

    @property
    def outputs(self) -> tuple[tuple[int, ...], ...]:
        """Rows of each tensor of averages."""
        return tuple(along.rows for along in self.along)


@dataclasses.dataclass(frozen=True)
class Samples:
    """The part of the grid over which means of products run, and the filters' banks."""

    banks: tuple[Bank, ...]  # of one filter each
    keep: Box


@dataclasses.dataclass(frozen=True)
class Gram:
    r"""Means over the grid of products, $\langle (x_a * \psi_f)(x_c * \psi_f)^* \rangle$.

    By Parseval a mean over the whole grid is a sum over lines,
    $\sum_k w_f[k] \hat x_a[k] \hat x_c[k]^*$ with $w_f = |\hat\psi_f|^2 / N^2$, so no signal needs
    its inverse transform. A mean over a part of the grid is taken sample by sample.

    A source may be sampled more coarsely than the input. Then its gain is the number of samples of
    the input per sample of its own, and its spectrum vanishes beyond its own lines.
    """

    sources: tuple[tuple[int, float], ...]  # 0 is the input, i node i of the branch; gains
    over: Weights | Samples
    products: tuple[tuple[int, int, int, bool], ...]  # filter f, signals a and c, imaginary or not
    rows: tuple[int, ...]  # rows of the products in the output
    samples: int  # samples of the signals that it compares, for one item of a batch

    @property
    def outputs(self) -> tuple[tuple[int, ...], ...]:
        """Rows of each tensor of averages."""
        return (self.rows,)


@dataclasses.dataclass(frozen=True)
class Branch:
    """Nodes computed together, whose signals are then dropped."""

    nodes: tuple[Node | Stack | Gram | Covariances, ...]

    @property
    def samples(self) -> int:
        """Samples of the largest set of signals that live at once, for one item of a batch."""
        read = sum(n.samples for n in self.nodes if isinstance(n, Node) and n.lines)
        return max(read, *(node.samples for node in self.nodes), 1)

    @property
    def rows(self) -> list[tuple[int, ...]]:
        """Rows of the averages in the output: one tuple per tensor, in the order of computation."""
        return [rows for node in self.nodes for rows in node.outputs]


@dataclasses.dataclass(frozen=True)
class Design:
    """The arithmetic of a plan."""

    padding: tuple[Padding, ...]  # as far as outputs depend on it, in this precision
    lines: Box  # spectral lines of the input that the branches read
    averages: tuple[Average, ...]  # of the input itself, for the first rows
    branches: tuple[Branch, ...]
    arrays: dict[str, np.ndarray]  # filters and averages, in the design's precision
    signals: int = 1  # of one item: channels if moments compare them, else one

    @property
    def joined(self) -> Average | None:
        """The one rule that completes all averages, or None where not every node is a `Node`."""
        nodes = [node for branch in self.branches for node in branch.nodes]
        if not all(isinstance(node, Node) for node in nodes):
            return None
        return next((n.average for n in nodes if isinstance(n, Node) and n.average), None)

    @property
    def rows(self) -> list[tuple[int, ...]]:
        """Rows of the averages in the output: one tuple per tensor, in the order of computation."""
        rows = [group for branch in self.branches for group in branch.rows]
        n = self.signals
        first = [tuple(range(n * i, n * (i + 1))) for i in range(len(self.averages))]
        return first + rows

    @property
    def samples(self) -> int:
        """Samples of the largest set of signals that live at once, for one item of a batch."""
        return max((branch.samples for branch in self.branches), default=1)


@dataclasses.dataclass(frozen=True)
class Ratios:
    r"""Rows of the output as means of $y_r / (\sqrt{p_a} \sqrt{p_b})$, of rows y that are computed.

    The powers p are rows too, or means of such rows over many signals. Where one is not above the
    rounding of the mean square, the ratio is zero.
    """

    powers: tuple[int, ...]  # the rows of the powers p
    levels: tuple[int, ...]  # the rows of the mean squares of signals
    level_of: tuple[int, ...]  # the mean square of each power's signal, among the levels
    divisors: np.ndarray  # (rows, 2): the powers a and b of each row, len(powers) for none
    rows: np.ndarray  # (output rows, terms of their mean)
    own: bool  # whether each signal is divided by its own powers, or the layer knows others


def refuse_missing(domain: Domain, design: Design) -> None:
    """Refuse nodes that the engine has no operations for on a domain."""
    kinds = {type(node) for branch in design.branches for node in branch.nodes}
    if domain is Domain.SOLID and (missing := kinds - {Node}):
        names = " and ".join(sorted(kind.__name__ for kind in missing))
        raise ValueError(
            "Domain.SOLID has operations for a `Node` alone: its spectra are cas coefficients, of "
            "which `engine/solids.py` makes norms over harmonics, and no filtered signals or "
            f"products. Received: a design with {names}"
        )


def column(values: Sequence[float], index: np.ndarray) -> np.ndarray:
    """Metadata of filters by index; for index -1 it is missing: -1 for integers, NaN for floats."""
    known = np.asarray(values)
    missing = -1 if known.dtype.kind == "i" else np.nan
    return np.append(known, missing).astype(known.dtype)[index]


@dataclasses.dataclass(frozen=True)
class Plan:
    """The outputs for inputs of one size, and the way to compute them."""

    domain: Domain
    meta: dict[str, np.ndarray]  # one row per path
    outputs: tuple[tuple[int, ...], ...]  # (channels, *size) if stacked, else each path's size
    stacked: bool  # whether one output holds all paths, not one output per path
    design: Callable[[np.dtype], Design]
    degrees: np.ndarray = dataclasses.field(default_factory=lambda: np.ones(1))
    """The degree of each row, or one for all rows: shape (rows or 1, *powers of the average)."""
    steps: tuple[float, ...] = ()  # samples from one output of a path to the next, NaN for a mean
    grid: Grid | None = None  # where signals are padded, sampled and averaged
    banks: tuple[FilterBank, ...] = ()  # the wavelets of each order on that grid
    ratios: Ratios | None = None  # from the rows of the design to those of the output

    def degrees_of(self, rows: Sequence[int]) -> np.ndarray:
        """The degrees of some rows, or the one degree of all rows."""
        return self.degrees if len(self.degrees) == 1 else self.degrees[list(rows)]

r"""Covariances of pointwise functions of filtered signals, as a plan describes them.

With fields $y_a = f(x * \psi_a)$ and $z_b = g(x * \psi_b)$ the means are
$\langle y_a(u) \, z_b(u + \tau) \rangle$. The functions are not linear, so these means have no
short sum over lines. They are products of matrices over the samples, one product per shift.
"""

import dataclasses

import numpy as np

from keras_scattering.plans.banks import Bank, Box


@dataclasses.dataclass(frozen=True)
class RealPart:
    """Re z, or |Re z|."""

    magnitude: bool = False
    width = 1  # real fields per signal


@dataclasses.dataclass(frozen=True)
class Harmonic:
    """The harmonic |z| exp(i q arg z): |z| for q = 0, z for q = 1, or q a larger power of two."""

    q: int

    @property
    def width(self) -> int:
        """Real fields per signal: the real and the imaginary part, if there is one."""
        return 2 if self.q else 1


@dataclasses.dataclass(frozen=True)
class Rectified:
    """max(Re(exp(2 pi i a / phases) z), 0) for a = 0..phases-1."""

    phases: int

    @property
    def width(self) -> int:
        """Real fields per signal."""
        return self.phases


Function = RealPart | Harmonic | Rectified


@dataclasses.dataclass(frozen=True)
class Field:
    """A pointwise function of signals, at some of their samples."""

    function: Function
    step: int = 0  # log2 of the sampling step
    before: bool = False  # whether the signal's mean is subtracted first
    after: bool = True  # whether the function's mean is subtracted
    masked: bool = False  # whether it is zero outside of the samples to keep


@dataclasses.dataclass(frozen=True)
class Factors:
    """Fields of some signals as one factor of products, in groups of equal size."""

    field: int
    signals: tuple[int, ...]  # places among the field's signals, group by group


@dataclasses.dataclass(frozen=True)
class Block:
    """Products of all left and all right fields of a group, for each group and shift."""

    left: Factors
    right: Factors
    groups: int
    shifts: tuple[tuple[int, ...], ...]  # the right factor is read at u + shift, on a circle
    pairs: tuple[int, ...]  # number of samples in the mean, per shift
    zeros: tuple[int, ...]  # zeros behind each axis, so that nothing meets across the circle's end


@dataclasses.dataclass(frozen=True)
class Covariances:
    """Means over the grid of fields, of their squares, and of their products at shifts.

    These are values, in this order. A row of the output is a sum of some of them, with signs.
    """

    sources: tuple[tuple[int, Bank], ...]  # 0 is the input, i node i of the branch
    keep: Box  # the samples of means
    fields: tuple[Field, ...]
    signals: tuple[tuple[int, ...], ...]  # of each field, among the filtered signals
    means: tuple[int, ...]  # fields whose means are values
    squares: tuple[int, ...]  # fields whose mean squares are values
    blocks: tuple[Block, ...]
    values: np.ndarray  # (rows, terms)
    signs: np.ndarray  # (rows, terms)
    rows: tuple[int, ...]  # rows in the output
    samples: int  # samples of its fields, for one item of a batch

    @property
    def outputs(self) -> tuple[tuple[int, ...], ...]:
        """Rows of each tensor of averages."""
        return (self.rows,)

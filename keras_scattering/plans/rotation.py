r"""The plan of roto-translation scattering of images (Sifre & Mallat 2013; Oyallon & Mallat 2015).

Moduli $U_1(l) = |x * \psi_{j_1, l}|$ of a real image have the period L in the index l of the angle.
The joint transform follows them by wavelets at a fixed angle from their own,

$$Y(l) = U_1(l) * \psi_{j_2, l + \delta}, \qquad \psi_{j, l + L} = \psi_{j, l}^*$$

so that a rotation of the image moves Y along l, on 2 L points. Wavelets along l keep what their
averages lose.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import block_diag

from keras_scattering.filters import FilterBank, MorletBank1D, MorletBank2D
from keras_scattering.filters.gaussian import SIGMA0, lowpass
from keras_scattering.plans.averages import Average
from keras_scattering.plans.banks import Bank, Paired, hull
from keras_scattering.plans.compact import Arrays, circulant
from keras_scattering.plans.grid import lowpass_support
from keras_scattering.plans.image import ImagePlane
from keras_scattering.plans.limits import refuse_design, refuse_paths
from keras_scattering.plans.plan import (
    AlongStack,
    Branch,
    Design,
    Domain,
    Node,
    Plan,
    Stack,
    column,
)
from keras_scattering.plans.stack import StackAxis, StackFilter
from keras_scattering.plans.wavelet import First, first_order, spectra_of


@dataclasses.dataclass(frozen=True)
class Angles:
    """The circle of angles, its filters, and the average along it.

    Args:
        L: Angles in a half turn.
        J: log2 of the largest scale along the circle.
        T: Support of the average along it, None, "global" or 0.
        stride: Output step, or None for the largest.
        covariant: Whether second wavelets turn with the first, on a full turn of angles.
    """

    L: int
    J: int
    T: float | str | None
    stride: int | None
    covariant: bool

    @property
    def size(self) -> int:
        """Points of the circle."""
        return 2 * self.L if self.covariant else self.L

    @functools.cached_property
    def _axis(self) -> StackAxis:
        support = lowpass_support(self.T, self.J)
        # On a full turn the spin -1 has the moduli of spin 1, half a turn later.
        spins = (1,) if self.covariant else (1, -1)
        banks: dict[int, FilterBank] = {
            spin: MorletBank1D(self.size, self.J, 1, support, spin) for spin in spins
        }
        return StackAxis(self.size, self.J, self.T, self.stride, banks)

    @property
    def filters(self) -> tuple[StackFilter, ...]:
        """The low-pass, then the wavelets of each spin."""
        return self._axis.filters

    @property
    def step(self) -> int:
        """Step of the outputs along the circle."""
        return 2**self._axis.log2_stride if self._axis.local else 1

    def of_order(self, order: int) -> list[int]:
        """The filters of an order; moduli of real signals need one spin."""
        return [n for n, f in enumerate(self.filters) if order == 2 or f.spin >= 0]

    def points(self, order: int, n: int) -> int:
        """Points of a filter's modulus; half a turn where the other half is a copy."""
        return self.size if order == 2 and self.filters[n].spin else self.L

    def kept(self, order: int, n: int) -> int:
        """Samples of a filter's output."""
        return 1 if self.T == "global" else self.points(order, n) // self.step

    def kinds(self, order: int) -> list[list[int]]:
        """The filters of an order, in groups of one average."""
        groups: dict[bool, list[int]] = {}
        for n in self.of_order(order):
            groups.setdefault(self.T != "global" and self.filters[n].spin == 0, []).append(n)
        return list(groups.values())

    def along(
        self,
        arrays: Arrays,
        name: str,
        order: int,
        group: Sequence[int],
        average: Average,
        rows: tuple[int, ...],
    ) -> AlongStack:
        """Filters along the circle of one kind, on stacks of L signals.

        Args:
            arrays: The arrays of the design, to which this adds matrices.
            name: Name of the matrices.
            order: The order of the paths.
            group: Indices of the filters.
            average: The average over the grid.
            rows: Rows of the averages in the output.
        """
        low: np.ndarray | None = None
        if self.T == "global":
            points = [self.points(order, n) for n in group]
            outputs = [range(p) for p in points]
            low = np.asarray(block_diag(*(np.full((p, 1), 1 / p) for p in points)))
        elif self.T != 0 and self.filters[group[0]].spin != 0:
            outputs = [range(self.size)] * len(group)
            low = self._lowpass(self.kept(order, group[0]))
        else:
            kept = self.kept(order, group[0])
            outputs = [range(0, kept * self.step, self.step)] * len(group)
        matrices = [self._matrix(n, some, order) for n, some in zip(group, outputs, strict=True)]
        arrays.add(name, np.concatenate(matrices, -1))
        return AlongStack(
            matrix=name,
            filters=1 if self.T == "global" else len(group),  # the means of all make one matrix
            lowpass=None if low is None else arrays.add(f"{name}_low", low),
            average=average,
            rows=rows,
        )

    def _matrix(self, n: int, outputs: range, order: int) -> np.ndarray:
        """A filter as a matrix (2, 2 L, outputs), from the planes of L signals to those of outputs.

        On a full turn the second half holds the conjugates of the first.
        """
        response = circulant(self._axis.response(n), 1, outputs)
        first, second = response[: self.L], response[self.L :]
        if not self.covariant:
            second = np.zeros_like(first)
        even, odd = first + second, first - second
        if order == 1:
            odd = np.zeros_like(odd)  # the signals are real
        (a, b), (c, d) = ((np.real(matrix), np.imag(matrix)) for matrix in (even, odd))
        return np.stack([np.concatenate([a, -d]), np.concatenate([b, c])])

    def _lowpass(self, kept: int) -> np.ndarray:
        """The average along the circle, (size, kept)."""
        phi = lowpass(SIGMA0 / self._axis.support, self.size)
        return circulant(np.fft.ifft(phi).real, self.step, range(kept))


class _Path(NamedTuple):
    """A path: its order, scales, relative angle, filter along the circle, and angle."""

    order: int
    j1: int
    j2: int
    delta: int
    n: int
    theta: int


def _paths(J: int, angles: Angles, max_order: int) -> list[_Path]:
    """All paths, in their order."""

    def outputs(order: int, j1: int, j2: int, delta: int) -> list[_Path]:
        return [
            _Path(order, j1, j2, delta, n, -1 if angles.T == "global" else i * angles.step)
            for n in angles.of_order(order)
            for i in range(angles.kept(order, n))
        ]

    paths = [_Path(0, -1, -1, -1, -1, -1)]
    for j1 in range(J):
        paths += outputs(1, j1, -1, -1)
    if max_order == 2:
        for j1 in range(J):
            for j2 in range(j1 + 1, J):
                for delta in range(angles.L):
                    paths += outputs(2, j1, j2, delta)
    return paths


class _Designer:
    """Makes the branches of a design: the finest scale, then all coarser ones."""

    def __init__(
        self, arrays: Arrays, plane: ImagePlane, bank: MorletBank2D, angles: Angles, paths: list
    ):
        self.arrays = arrays
        self.plane = plane
        self.bank = bank
        self.angles = angles
        self.row = {path: i for i, path in enumerate(paths)}
        self.average = functools.cache(lambda k: plane.average(arrays, k))
        self.lowpass = functools.cache(self._lowpass)
        self.follower = functools.cache(self._follower)

    def branch(self, firsts: Sequence[First], max_order: int) -> Branch:
        """First-order wavelets of some scales, and all stacks that follow them."""
        stacks = [self._order1(firsts)]
        if max_order == 2:
            for j2 in range(min(first.j for first in firsts) + 1, self.bank.J):
                stacks += self._order2(firsts, j2)
        nodes = []
        for i, first in enumerate(firsts, start=1):
            boxes = [bank.lines for stack in stacks for s, bank in stack.sources if s == i]
            nodes.append(Node(((0, first.bank),), None, (), len(first.filters), hull(boxes)))
        return Branch((*nodes, *stacks))

    def _lowpass(self, k: int) -> Bank:
        """The low-pass at the output step, for signals sampled every 2**k."""
        phi = self.plane.coarsen(self.bank.phi()[None], k)
        size = self.plane.size(self.plane.log2_stride)
        box = self.arrays.box(phi, size, aligned=True)
        return self.arrays.bank(f"phi1_{k}", phi, size, box)

    def _follower(self, k: int, j2: int, angle: int | None) -> Bank:
        """Second wavelets for signals sampled every 2**k: of all angles, or of one."""
        L = self.angles.L
        some = range(j2 * L, (j2 + 1) * L) if angle is None else [j2 * L + angle]
        psi = self.plane.coarsen(spectra_of(self.bank, some), k)
        size = self.plane.size(self.plane.sampling(j2))
        box = self.arrays.box(psi, size, aligned=True)
        return self.arrays.bank(f"psi2_{k}_{some[0]}", psi, size, box)

    def _order1(self, firsts: Sequence[First]) -> Stack:
        plane = self.plane
        sources = [
            (i, self.lowpass(plane.sampling(first.j))) for i, first in enumerate(firsts, start=1)
        ]
        scales = sorted({first.j for first in firsts})
        done = plane.reduce(plane.log2_stride)
        return self._stack(tuple(sources), scales, 1, -1, [-1], done)

    def _order2(self, firsts: Sequence[First], j2: int) -> list[Stack]:
        """The stacks of a second scale, of all relative or absolute second angles."""
        before = [(i, first) for i, first in enumerate(firsts, start=1) if first.j < j2]
        scales = sorted({first.j for _, first in before})
        average, L = self.average(self.plane.sampling(j2)), self.angles.L
        # Coarse signals take many angles at once, and no more memory than the finest take for one.
        most = 1
        if self.angles.covariant:
            finest, own = (math.prod(self.plane.size(self.plane.sampling(j))) for j in (1, j2))
            most = max(n for n in range(1, L + 1) if L % n == 0 and n * own * len(scales) <= finest)
        stacks = []
        for start in range(0, L, most):
            deltas = range(start, start + most)
            sources: list[tuple[int, Bank | Paired]] = []
            for i, first in before:
                k, angle = self.plane.sampling(first.j), first.filters[0] % L
                if self.angles.covariant:
                    turns = tuple(angle + delta for delta in deltas)
                    sources.append((i, Paired(self.follower(k, j2, None), L, turns)))
                else:
                    sources.append((i, self.follower(k, j2, start)))
            stacks.append(self._stack(tuple(sources), scales, 2, j2, deltas, average))
        return stacks

    def _stack(
        self,
        sources: tuple,
        scales: Sequence[int],
        order: int,
        j2: int,
        deltas: Sequence[int],
        average: Average,
    ) -> Stack:
        angles, along = self.angles, []
        for group in angles.kinds(order):
            rows = tuple(
                self.row[_Path(order, j1, j2, delta, n, theta)]
                for j1 in scales
                for delta in deltas
                for n in group
                for theta in self._thetas(order, n)
            )
            name = f"angles{order}_{group[0]}"
            along.append(angles.along(self.arrays, name, order, group, average, rows))
        size, stacks = math.prod(sources[0][1].size), len(scales) * len(deltas)
        widest = max(2 * angles.L, *(self.arrays[a.matrix].shape[-1] for a in along))
        return Stack(sources, tuple(along), False, 2 * size * widest * stacks, stacks)

    def _thetas(self, order: int, n: int) -> Sequence[int]:
        angles = self.angles
        if angles.T == "global":
            return (-1,)
        return [i * angles.step for i in range(angles.kept(order, n))]


def plan_rototranslation2d(
    shape: tuple[int, int],
    J: int,
    angles: Angles,
    T: float | str | None,
    stride: int | None,
    max_order: int,
    padding: str,
) -> Plan:
    """The plan of `RotoTranslationScattering2D` for images of `shape`."""
    plane = ImagePlane(shape, J, T, stride, padding)
    L = angles.L
    refuse_paths(J**2 // 2 * L * len(angles.filters) * (1 if angles.T == "global" else L))
    bank = MorletBank2D(plane.padded, J, L)
    paths = _paths(J, angles, max_order)
    refuse_paths(len(paths))

    def design(dtype: np.dtype) -> Design:
        refuse_design(math.prod(plane.padded) * (L + 4), plane.padded)
        arrays = Arrays(dtype)
        firsts = first_order(arrays, plane, bank)
        designer = _Designer(arrays, plane, bank, angles, paths)
        finest = [first for first in firsts if first.j == 0]
        shares = [finest, [first for first in firsts if first.j > 0]]
        return Design(
            plane.extension,
            hull([first.bank.lines for first in firsts]),
            (designer.average(0),),
            tuple(designer.branch(share, max_order) for share in shares if share),
            arrays,
        )

    def sampling(path: _Path) -> int:
        """log2 of the step at which a path's signal is averaged."""
        if path.order == 2:
            return plane.sampling(path.j2)
        return plane.log2_stride if path.order else 0

    scales = [sampling(path) for path in paths]
    sizes = tuple(plane.output_size(k) for k in scales)
    return Plan(
        domain=Domain.PLANE,
        meta=_meta(paths, angles, bank),
        outputs=((len(paths), *sizes[0]),) if T != 0 else sizes,
        stacked=T != 0,
        design=design,
        steps=tuple(plane.output_step(k) for k in scales),
        grid=plane,
        banks=(bank, bank),
    )


def _meta(paths: Sequence[_Path], angles: Angles, bank: MorletBank2D) -> dict[str, np.ndarray]:
    """One row per path."""
    order, j1, j2, delta, n, theta = np.array(paths).T
    filters = angles.filters
    directions = [bank.angle(i % angles.L) - math.pi * (i >= angles.L) for i in range(angles.size)]
    return {
        "order": order,
        "j1": j1,
        "j2": j2,
        "delta": delta,
        "n_theta": n,
        "xi_theta": column([f.xi for f in filters], n),
        "sigma_theta": column([f.sigma for f in filters], n),
        "j_theta": column([f.j for f in filters], n),
        "spin": np.where(n >= 0, [filters[i].spin for i in n], 0),
        "theta": theta,
        "angle": column(directions, theta),
    }

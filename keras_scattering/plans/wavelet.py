r"""The plan of a wavelet scattering transform on any grid (Mallat 2012; Bruna & Mallat 2013).

$$S_0 x = x * \phi \quad S_1 x = |x * \psi_{n_1}| * \phi \quad
  S_2 x = ||x * \psi_{n_1}| * \psi_{n_2}| * \phi$$

over all n1, and all (n1, n2) with j2 > j1: a modulus moves energy towards low frequencies only.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from keras_scattering.filters import FilterBank
from keras_scattering.plans.compact import Arrays
from keras_scattering.plans.grid import Grid
from keras_scattering.plans.plan import (
    Average,
    Bank,
    Box,
    Branch,
    Design,
    Node,
    Plan,
    column,
    hull,
)

# Samples of the first-order signals that are computed together, for one item of a batch.
_GROUP = 2**20


def by_scale(j: Sequence[int]) -> dict[int, list[int]]:
    """Filter indices by their scale j."""
    groups: dict[int, list[int]] = {}
    for n, scale in enumerate(j):
        groups.setdefault(scale, []).append(n)
    return groups


def spectra_of(bank: FilterBank, group: Sequence[int]) -> np.ndarray:
    """Spectra of a group of filters, stacked."""
    return np.stack([bank.psi(n) for n in group])


class First(NamedTuple):
    """First-order filters of one scale, or an equal part of them."""

    j: int
    filters: tuple[int, ...]
    bank: Bank

    @property
    def samples(self) -> int:
        """Samples of their outputs."""
        return len(self.filters) * math.prod(self.bank.size)


def first_order(arrays: Arrays, grid: Grid, filters: FilterBank) -> list[First]:
    """All filters of the first order, those of a scale in equal parts of about `_GROUP` samples."""
    firsts = []
    for j, group in by_scale(filters.j).items():
        size = grid.size(grid.sampling(j))
        count = round(len(group) * math.prod(size) / _GROUP)
        for part in np.array_split(group, np.clip(count, 1, len(group))):
            some = tuple(part.tolist())
            bank = arrays.bank(f"psi1_{some[0]}", spectra_of(filters, some), size)
            firsts.append(First(j, some, bank))
    return firsts


def _shares(firsts: Sequence[First]) -> list[list[First]]:
    """Filters, in their order, in shares of no more samples than the largest of them has.

    All coarse scales together have about as many as the finest: so they take one share, and a
    second-order filter one transform for all of them.
    """
    most = max(first.samples for first in firsts)
    shares: list[list[First]] = []
    room = 0
    for first in firsts:
        if first.samples > room:
            shares.append([])
            room = most
        shares[-1].append(first)
        room -= first.samples
    return shares


def plan_wavelet(
    setting: Callable[[float], tuple[Grid, tuple[FilterBank, FilterBank]]],
    max_order: int,
    columns: Sequence[dict[str, Sequence[float]]],
) -> Plan:
    """The plan of a scattering transform of order 1 or 2.

    Args:
        setting: Gives the grid where signals live, as far as outputs depend on it by more than a
            threshold, and the wavelets of the first and of the second order on it.
        max_order: 1 or 2.
        columns: For each order, metadata of its filters: a name and one value a filter.
    """
    whole, filters = setting(0.0)
    j1, j2 = (bank.j for bank in filters)
    groups = by_scale(j1), by_scale(j2) if max_order == 2 else {}
    paths: list[tuple[int, ...]] = [(), *((n1,) for n1 in range(len(j1)))]
    paths += [
        (n1, n2) for n1 in range(len(j1)) for j in groups[1] if j > j1[n1] for n2 in groups[1][j]
    ]
    row = {path: i for i, path in enumerate(paths)}

    def design(dtype: np.dtype) -> Design:
        arrays = Arrays(dtype)
        grid, banks = setting(arrays.threshold)

        @functools.cache
        def average(k: int) -> Average:
            return grid.average(arrays, k)

        @functools.cache
        def psi2(j: int) -> np.ndarray:
            return spectra_of(banks[1], groups[1][j])

        @functools.cache
        def second(k: int, j: int) -> Bank:
            spectra = grid.coarsen(psi2(j), k)
            return arrays.bank(f"psi2_{k}_{j}", spectra, grid.size(grid.sampling(j)))

        def branch(firsts: Sequence[First]) -> Branch:
            """First-order filters, and all second-order ones that follow them."""
            followers = []
            lines: list[list[Box]] = [[] for _ in firsts]
            for later in groups[1]:
                sources: list[tuple[int, Bank]] = []
                rows: list[int] = []
                for i, first in enumerate(firsts):
                    if first.j < later:
                        bank = second(grid.sampling(first.j), later)
                        sources.append((i + 1, bank))
                        lines[i].append(bank.lines)
                        rows += [row[n1, n2] for n1 in first.filters for n2 in groups[1][later]]
                if sources:
                    low = average(grid.sampling(later))
                    followers.append(Node(tuple(sources), low, tuple(rows), len(rows)))
            nodes = [
                Node(
                    sources=((0, first.bank),),
                    average=average(grid.sampling(first.j)),
                    rows=tuple(row[(n1,)] for n1 in first.filters),
                    paths=len(first.filters),
                    lines=hull(boxes) if boxes else None,
                )
                for first, boxes in zip(firsts, lines, strict=True)
            ]
            return Branch((*nodes, *followers))

        firsts = first_order(arrays, grid, banks[0])
        lines = hull([first.bank.lines for first in firsts])
        branches = tuple(branch(share) for share in _shares(firsts))
        return Design(grid.extension, lines, average(0), branches, arrays)

    def scale(path: tuple[int, ...]) -> int:
        """log2 of the step at which the modulus of a path is kept."""
        return whole.sampling((0, *(j[n] for j, n in zip((j1, j2), path, strict=False)))[-1])

    stacked = whole.T != 0
    sizes = tuple(whole.output_size(scale(path)) for path in paths)
    outputs = ((len(paths), *sizes[0]),) if stacked else sizes
    steps = tuple(whole.output_step(scale(path)) for path in paths)
    return Plan(_meta(paths, columns), outputs, stacked, design, steps=steps)


def _meta(
    paths: Sequence[tuple[int, ...]], columns: Sequence[dict[str, Sequence[float]]]
) -> dict[str, np.ndarray]:
    """One row a path: its order, and for each order the filter's index and columns."""
    meta = {"order": np.array([len(path) for path in paths])}
    for o, filters in enumerate(columns):
        n = np.array([path[o] if len(path) > o else -1 for path in paths])
        meta[f"n{o + 1}"] = n
        meta |= {f"{name}{o + 1}": column(values, n) for name, values in filters.items()}
    return meta

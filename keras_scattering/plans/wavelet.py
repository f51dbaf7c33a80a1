r"""The plan of a wavelet scattering transform on any grid (Mallat 2012; Bruna & Mallat 2013).

$$S_0 x = x * \phi \quad S_1 x = |x * \psi_{n_1}| * \phi \quad
  S_2 x = ||x * \psi_{n_1}| * \psi_{n_2}| * \phi$$

over all n1, and all (n1, n2) with j2 > j1, since a modulus moves energy only towards low
frequencies. Deeper orders follow the same pattern, with one bank of wavelets per order.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from keras_scattering.filters import FilterBank
from keras_scattering.plans.averages import Average
from keras_scattering.plans.banks import Bank, Box, hull
from keras_scattering.plans.compact import Arrays
from keras_scattering.plans.grid import Grid
from keras_scattering.plans.limits import refuse_design, refuse_paths
from keras_scattering.plans.plan import Branch, Design, Domain, Node, Plan, column

# Samples of the first-order signals computed together, for one item of a batch.
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
    """All first-order filters of one scale, or an equal share of them."""

    j: int
    filters: tuple[int, ...]
    bank: Bank

    @property
    def samples(self) -> int:
        """Samples of the filters' outputs."""
        return len(self.filters) * math.prod(self.bank.size)


def first_order(arrays: Arrays, grid: Grid, filters: FilterBank) -> list[First]:
    """The first-order filters of each scale, in equal shares of about `_GROUP` samples."""
    firsts = []
    for j, group in by_scale(filters.j).items():
        size = grid.size(grid.sampling(j))
        count = round(len(group) * math.prod(size) / _GROUP)
        for share in np.array_split(group, np.clip(count, 1, len(group))):
            some = tuple(share.tolist())
            bank = arrays.bank(f"psi1_{some[0]}", spectra_of(filters, some), size)
            firsts.append(First(j, some, bank))
    return firsts


def _shares(firsts: Sequence[First]) -> list[list[First]]:
    """Split filters, in their order, into shares; none has more samples than the largest `First`.

    All coarse scales together have about as many samples as the finest. So they form one share, and
    a second-order filter needs one transform for all of them.
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


class _Draft(NamedTuple):
    """A node without the lines that later nodes read."""

    sources: tuple[tuple[int, Bank], ...]
    j: int  # scale of the last wavelet of each path
    paths: list[tuple[int, ...]]

    def node(self, average: Average, row: dict[tuple[int, ...], int], boxes: list[Box]) -> Node:
        """The node, with the boxes of lines that later nodes read."""
        rows = tuple(row[path] for path in self.paths)
        return Node(self.sources, average, rows, len(rows), hull(boxes) if boxes else None)


class _Designer:
    """Makes the branches of a design: first-order wavelets, and all wavelets that follow."""

    def __init__(
        self, arrays: Arrays, grid: Grid, banks: Sequence[FilterBank], row: dict[tuple, int]
    ):
        self.arrays = arrays
        self.grid = grid
        self.banks = banks
        self.row = row
        self.groups = [by_scale(bank.j) for bank in banks]
        self.average = functools.cache(self._average)
        self.spectra = functools.cache(self._spectra)
        self.follower = functools.cache(self._follower)

    def _average(self, k: int) -> Average:
        """The rule for averages of signals sampled every 2**k."""
        return self.grid.average(self.arrays, k)

    def _spectra(self, order: int, j: int) -> np.ndarray:
        """Spectra of the wavelets of one scale."""
        return spectra_of(self.banks[order], self.groups[order][j])

    def _follower(self, order: int, k: int, j: int) -> Bank:
        """The wavelets of one scale, for signals sampled every 2**k."""
        spectra = self.grid.coarsen(self.spectra(order, j), k)
        size = self.grid.size(self.grid.sampling(j))
        return self.arrays.bank(f"psi{order + 1}_{k}_{j}", spectra, size)

    def branch(self, firsts: Sequence[First]) -> Branch:
        """First-order wavelets, and the nodes of all later orders."""
        drafts = [_Draft(((0, f.bank),), f.j, [(n,) for n in f.filters]) for f in firsts]
        previous = range(len(drafts))
        for order in range(1, len(self.banks)):
            start = len(drafts)
            drafts += [
                draft
                for j in self.groups[order]
                if (draft := self._join(drafts, previous, order, j))
            ]
            previous = range(start, len(drafts))
        read: list[list[Box]] = [[] for _ in range(len(drafts) + 1)]
        for source, bank in (pair for draft in drafts for pair in draft.sources):
            read[source].append(bank.lines)
        return Branch(
            tuple(
                draft.node(self.average(self.grid.sampling(draft.j)), self.row, boxes)
                for draft, boxes in zip(drafts, read[1:], strict=True)
            )
        )

    def _join(self, drafts: Sequence[_Draft], previous: range, order: int, j: int) -> _Draft | None:
        """One node for all signals of the previous order that wavelets of scale j follow."""
        sources: list[tuple[int, Bank]] = []
        paths: list[tuple[int, ...]] = []
        for i in previous:
            if drafts[i].j < j:
                sources.append((i + 1, self.follower(order, self.grid.sampling(drafts[i].j), j)))
                paths += [(*path, n) for path in drafts[i].paths for n in self.groups[order][j]]
        return _Draft(tuple(sources), j, paths) if sources else None


def _count(scales: Sequence[Sequence[int]]) -> int:
    """How many paths there are, order 0 among them."""
    total, before = 1, {-1: 1}  # paths of the last order by their last scale
    for j in scales:
        groups = {scale: len(group) for scale, group in by_scale(j).items()}
        before = {
            scale: count * sum(paths for last, paths in before.items() if last < scale)
            for scale, count in groups.items()
        }
        total += sum(before.values())
    return total


def widest_group(j: Sequence[int]) -> int:
    """How many filters the scale with the most of them has."""
    return max(map(len, by_scale(j).values()))


def _paths(scales: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """All paths of wavelets of rising scale, as indices; sorted by order, then by index."""
    last: list[tuple[int, ...]] = [()]
    paths = list(last)
    for order, j in enumerate(scales):
        last = [
            (*path, n)
            for path in last
            for n in range(len(j))
            if not path or j[n] > scales[order - 1][path[-1]]
        ]
        paths += last
    return paths


def plan_wavelet(
    domain: Domain,
    setting: Callable[[float], tuple[Grid, Sequence[FilterBank]]],
    max_order: int,
) -> Plan:
    """The plan of a scattering transform.

    Args:
        domain: The kind of grid that signals live on.
        setting: A function of a threshold that returns the grid, and the wavelets of each order on
            it. The grid may leave out padding that outputs depend on by less than the threshold.
        max_order: The last order, at most the number of banks. `meta` has columns for all banks.
    """
    whole, banks = setting(0.0)
    scales = [bank.j for bank in banks[:max_order]]
    refuse_paths(_count(scales))
    paths = _paths(scales)
    row = {path: i for i, path in enumerate(paths)}

    def design(dtype: np.dtype) -> Design:
        arrays = Arrays(dtype)
        grid, working = setting(arrays.threshold)
        # Filters are made scale by scale, with a few more arrays in the making.
        filters = max(widest_group(bank.j) for bank in working) + 4
        refuse_design(math.prod(grid.padded) * filters, grid.padded)
        designer = _Designer(arrays, grid, working[:max_order], row)
        firsts = first_order(arrays, grid, working[0])
        lines = hull([first.bank.lines for first in firsts])
        branches = tuple(designer.branch(share) for share in _shares(firsts))
        return Design(grid.extension, lines, (designer.average(0),), branches, arrays)

    # log2 of the sampling step of each path's modulus
    kept = [whole.sampling(scales[len(path) - 1][path[-1]] if path else 0) for path in paths]
    stacked = whole.T != 0
    sizes = tuple(whole.output_size(k) for k in kept)
    return Plan(
        domain=domain,
        meta=_meta(paths, [bank.columns for bank in banks]),
        outputs=((len(paths), *sizes[0]),) if stacked else sizes,
        stacked=stacked,
        design=design,
        steps=tuple(whole.output_step(k) for k in kept),
        grid=whole,
        banks=tuple(banks),
    )


def _meta(
    paths: Sequence[tuple[int, ...]], columns: Sequence[dict[str, Sequence[float]]]
) -> dict[str, np.ndarray]:
    """One row per path: its order, and for each order the filter's index and columns."""
    meta = {"order": np.array([len(path) for path in paths])}
    for order, filters in enumerate(columns, start=1):
        n = np.array([path[order - 1] if len(path) >= order else -1 for path in paths])
        meta[f"n{order}"] = n
        meta |= {f"{name}{order}": column(values, n) for name, values in filters.items()}
    return meta

r"""The plan of a wavelet scattering transform on any grid (Mallat 2012; Bruna & Mallat 2013).

$$S_0 x = x * \phi \quad S_1 x = |x * \psi_{n_1}| * \phi \quad
  S_2 x = ||x * \psi_{n_1}| * \psi_{n_2}| * \phi$$

over all n1, and all (n1, n2) with j2 > j1: a modulus moves energy towards low frequencies only.
"""

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np

from keras_scattering.filters import FilterBank
from keras_scattering.plans.compact import Arrays
from keras_scattering.plans.grid import Grid
from keras_scattering.plans.plan import Average, Bank, Branch, Design, Node, Plan, column, hull

# Samples of the signals that are computed together, for one item of a batch.
_GROUP = 2**20


def pieces(group: Sequence[int], samples: int) -> list[tuple[int, ...]]:
    """Cut a group of filters so that their outputs, of `samples` each, stay small together."""
    count = max(1, _GROUP // samples)
    return [tuple(group[i : i + count]) for i in range(0, len(group), count)]


def by_scale(j: Sequence[int]) -> dict[int, list[int]]:
    """Filter indices by their scale j."""
    groups: dict[int, list[int]] = {}
    for n, scale in enumerate(j):
        groups.setdefault(scale, []).append(n)
    return groups


def spectra_of(bank: FilterBank, group: Sequence[int]) -> np.ndarray:
    """Spectra of a group of filters, stacked."""
    return np.stack([bank.psi(n) for n in group])


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

        def branch(first: Bank, piece: tuple[int, ...], j: int) -> Branch:
            """First-order filters of one scale, and all second-order ones that follow them."""
            k = grid.sampling(j)
            followers = [
                Node(
                    source=1,
                    bank=second(k, later),
                    average=average(grid.sampling(later)),
                    rows=(rows := tuple(row[n1, n2] for n1 in piece for n2 in groups[1][later])),
                    paths=len(rows),
                )
                for later in groups[1]
                if later > j
            ]
            rows = tuple(row[(n1,)] for n1 in piece)
            lines = hull([node.bank.lines for node in followers]) if followers else None
            return Branch((Node(0, first, average(k), rows, len(rows), lines), *followers))

        branches, boxes = [], []
        for j, group in groups[0].items():
            size = grid.size(grid.sampling(j))
            for piece in pieces(group, math.prod(size)):
                first = arrays.bank(f"psi1_{piece[0]}", spectra_of(banks[0], piece), size)
                branches.append(branch(first, piece, j))
                boxes.append(first.lines)
        return Design(grid.extension, hull(boxes), average(0), tuple(branches), arrays)

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

"""The plan of joint time-frequency scattering (Andén, Lostanlen & Mallat 2019)."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import numpy as np

from keras_scattering.filters import FilterBank, MorletBank1D
from keras_scattering.filters.morlet1d import schedule
from keras_scattering.plans.averages import Average
from keras_scattering.plans.banks import Bank, hull
from keras_scattering.plans.compact import Arrays
from keras_scattering.plans.grid import lowpass_support
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
from keras_scattering.plans.stack import StackAxis
from keras_scattering.plans.time import TimeAxis
from keras_scattering.plans.wavelet import First, first_order, spectra_of, widest_group


def log_frequency(
    J: int,
    Q: int,
    J_fr: int,
    Q_fr: int,
    F: float | str | None,
    stride_fr: int | None,
    J_oct: int | None = None,
) -> StackAxis:
    """The log-frequency axis of the first-order wavelets in time, padded by zeros.

    Args:
        J: log2 of the largest scale in time.
        Q: Wavelets per octave, of the first order in time.
        J_fr: log2 of the largest scale along frequency.
        Q_fr: Wavelets per octave along frequency.
        F: Support of the average along frequency, None, "global" or 0.
        stride_fr: Output step, or None for 2**floor(log2 F).
        J_oct: log2 of the largest scale across octaves, or None for no filters across them.
    """
    support = lowpass_support(F, J_fr)
    size = math.floor(((J + 1) * Q + 8 * min(support, 2**J_fr)) / 2**J_fr) * 2**J_fr
    octaves = None
    if J_oct is not None:
        margin = max(math.floor(8 * min(support, 2**J_fr)), 8 * 2**J_oct * Q)
        whole = math.lcm(2**J_fr, Q)
        size = -(-((J + 1) * Q + margin) // whole) * whole
        across: dict[int, FilterBank] = {
            spin: MorletBank1D(size // Q, J_oct, 1, 2.0**J_oct, spin) for spin in (1, -1)
        }
        octaves = StackAxis(size // Q, J_oct, None, None, across)
    count = len(schedule(J, Q))
    if count > size:
        raise ValueError(
            f"The {count} first-order wavelets do not fit on the frequency axis of {size} "
            f"samples: take a larger `J_fr` or `F`. "
            f"Received: J={J}, Q={Q}, J_fr={J_fr}, F={F}"
        )
    banks: dict[int, FilterBank] = {
        spin: MorletBank1D(size, J_fr, Q_fr, support, spin) for spin in (1, -1)
    }
    return StackAxis(size, J_fr, F, stride_fr, banks, octaves)


@dataclasses.dataclass(frozen=True)
class _Map:
    """The signals of one filter in time and one along frequency: one path, or one per frequency."""

    order: int
    n2: int  # -1 for the low-pass in time
    n_fr: int
    kept: int  # samples along frequency


@dataclasses.dataclass(frozen=True)
class _Designer:
    """Makes the stacks of a design."""

    arrays: Arrays
    time: TimeAxis
    frequency: StackAxis
    second: FilterBank
    firsts: Sequence[First]
    stacked: dict[int, int]  # number of first-order wavelets that each second-order one stacks
    rows: dict[tuple[int, int], tuple[int, ...]]
    joint: bool
    average: Callable[[int], Average]  # rule in time, for signals sampled every 2**k

    def filters_in_time(self, n2: int, scales: Sequence[int]) -> dict[int, Bank]:
        """A second-order wavelet, or the low-pass, for signals of each sampling step."""
        time, arrays = self.time, self.arrays
        if n2 < 0:
            return {k: time.spectral_lowpass(arrays, f"phi1_{k}", k) for k in scales}
        psi = spectra_of(self.second, [n2])
        size = time.size(time.sampling(self.second.j[n2]))
        coarse = {k: time.coarsen(psi, k) for k in scales}
        # All take the origin of the finest, since the phases of a stack must agree.
        origin, (blocks,) = arrays.box(coarse[min(scales)], size)
        return {
            k: arrays.bank(
                f"psi2_{n2}_{k}",
                spectra,
                size,
                (origin, (min(blocks, spectra.shape[1] // size[0]),)),
            )
            for k, spectra in coarse.items()
        }

    def stack(self, n2: int, maps: Sequence[_Map]) -> Stack:
        """The stack of first-order signals of one filter in time, with its maps."""
        later = self.second.j[n2] if n2 >= 0 else math.inf
        scales = {
            i: self.time.sampling(f.j) for i, f in enumerate(self.firsts, start=1) if f.j < later
        }
        banks = self.filters_in_time(n2, sorted(set(scales.values())))
        sources = [(i, banks[k]) for i, k in scales.items()]
        kinds: dict[tuple[int, bool], list[_Map]] = {}
        for m in maps:
            low = self.frequency.filters[m.n_fr].low
            kinds.setdefault((self.frequency.sampling(m.n_fr), low), []).append(m)
        along = [self.along(n2, kind) for kind in kinds.values()]
        (size,) = sources[0][1].size
        widest = max(self.arrays[a.matrix].shape[-1] for a in along)
        return Stack(tuple(sources), tuple(along), self.joint, size * widest)

    def along(self, n2: int, kind: Sequence[_Map]) -> AlongStack:
        """Filters along frequency of one sampling step, averaged along frequency or not."""
        time, group = self.time, [m.n_fr for m in kind]
        # The low-pass in time has averaged the stack of the first order already.
        done = time.reduce(time.log2_stride)
        return self.frequency.along(
            self.arrays,
            f"fr_{n2}_{group[0]}" if n2 >= 0 else f"fr_{group[0]}",
            group,
            self.stacked[n2],
            kind[0].kept,
            done if n2 < 0 else self.average(time.sampling(self.second.j[n2])),
            sum((self.rows[n2, n_fr] for n_fr in group), ()),
        )


def plan_timefrequency(
    whole: TimeAxis, frequency: StackAxis, Q: tuple[int, int], joint: bool
) -> Plan:
    """The plan of `TimeFrequencyScattering`."""

    def wavelets(axis: TimeAxis) -> tuple[FilterBank, FilterBank]:
        first, second = (MorletBank1D(axis.samples, axis.J, q, axis.support) for q in Q)
        return first, second

    banks = first, second = wavelets(whole)
    # Number of first-order wavelets that each second-order one, or the low-pass (-1), stacks.
    stacked = {n2: sum(j1 < j2 for j1 in first.j) for n2, j2 in enumerate(second.j)}
    stacked = {-1: len(first)} | {n2: count for n2, count in stacked.items() if count}

    def kept(n2: int, n_fr: int) -> int:
        step = frequency.step(n_fr)
        return frequency.size // step if joint else -(-stacked[n2] // step)

    maps = [
        _Map(1 if n2 < 0 else 2, n2, n_fr, kept(n2, n_fr))
        for n2 in stacked
        for n_fr, f in enumerate(frequency.filters)
        if n2 >= 0 or f.rising
    ]
    counts = [1 if joint else m.kept for m in maps]
    refuse_paths(sum(counts))
    first_row = np.cumsum([0 if joint else 1, *counts])
    rows = {
        (m.n2, m.n_fr): tuple(range(start, start + count))
        for m, start, count in zip(maps, first_row, counts, strict=False)
    }

    def design(dtype: np.dtype) -> Design:
        arrays = Arrays(dtype)
        time = whole.working(banks, arrays.threshold)
        refuse_design(time.samples * (widest_group(first.j) + 4), time.padded)
        refuse_design(3 * len(first) * frequency.size, time.padded)  # a filter along frequency
        bank1, bank2 = wavelets(time)
        firsts = first_order(arrays, time, bank1)
        average = functools.cache(lambda k: time.average(arrays, k))
        designer = _Designer(arrays, time, frequency, bank2, firsts, stacked, rows, joint, average)
        stacks = [designer.stack(n2, [m for m in maps if m.n2 == n2]) for n2 in stacked]
        nodes = []
        for i, f in enumerate(firsts, start=1):
            boxes = [bank.lines for s in stacks for source, bank in s.sources if source == i]
            nodes.append(Node(((0, f.bank),), None, (), len(f.filters), hull(boxes)))
        lines = hull([f.bank.lines for f in firsts])
        order0 = () if joint else (average(0),)
        return Design(time.extension, lines, order0, (Branch((*nodes, *stacks)),), arrays)

    def sampling(n2: int) -> int:
        """log2 of the step in time of the paths of a filter in time; -1 is the low-pass."""
        return whole.log2_stride if n2 == -1 else whole.sampling(second.j[n2])

    sizes = [] if joint else [whole.output_size(0)]
    steps = [] if joint else [whole.output_step(0)]
    for m, count in zip(maps, counts, strict=True):
        k = sampling(m.n2)
        sizes += [(*whole.output_size(k), *([m.kept] if joint else []))] * count
        steps += [whole.output_step(k)] * count
    return Plan(
        domain=Domain.LINE,
        meta=_meta(maps, frequency, banks, joint),
        outputs=((len(sizes), *sizes[0]),) if whole.T != 0 else tuple(sizes),
        stacked=whole.T != 0,
        design=design,
        steps=tuple(steps),
        grid=whole,
        banks=banks,
    )


def _meta(
    maps: Sequence[_Map],
    frequency: StackAxis,
    banks: Sequence[FilterBank],
    joint: bool,
) -> dict[str, np.ndarray]:
    """One row per path: a map, or one sample of a map along frequency."""
    rows = [] if joint else [(0, -1, -1, -1, False)]
    for m in maps:
        # A mean over all frequencies belongs to no single wavelet.
        step = frequency.step(m.n_fr)
        single = not joint and step < frequency.size
        positions = [-1] if joint else [i * step for i in range(m.kept)]
        rows += [(m.order, n1, m.n2, m.n_fr, single) for n1 in positions]
    order, n1, n2, n_fr, single = np.array(rows).T

    wavelet1 = np.where(single, n1, -1)
    filters = frequency.filters
    first, second = (bank.columns for bank in banks)
    meta = {
        "order": order,
        "n1": n1,
        "j1": column(first["j"], wavelet1),
        "xi1": column(first["xi"], wavelet1),
        "sigma1": column(first["sigma"], wavelet1),
        "n2": n2,
        "j2": column(second["j"], n2),
        "xi2": column(second["xi"], n2),
        "sigma2": column(second["sigma"], n2),
        "n_fr": column([f.n for f in filters], n_fr),
        "xi_fr": column([f.xi for f in filters], n_fr),
        "sigma_fr": column([f.sigma for f in filters], n_fr),
        "j_fr": column([f.j for f in filters], n_fr),
        "spin": np.where(n_fr >= 0, [filters[i].spin for i in n_fr], 0),
    }
    across = [f.across for f in filters if f.across]
    if across:
        meta |= {
            "n_oct": column([f.n for f in across], n_fr),
            "xi_oct": column([f.xi for f in across], n_fr),
            "sigma_oct": column([f.sigma for f in across], n_fr),
            "spin_oct": np.where(n_fr >= 0, [across[i].spin for i in n_fr], 0),
        }
    return meta

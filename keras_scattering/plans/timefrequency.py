"""The plan of joint time-frequency scattering (Andén, Lostanlen & Mallat 2019)."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np

from keras_scattering.filters.morlet1d import MorletBank1D
from keras_scattering.plans.compact import Arrays
from keras_scattering.plans.frequency import FrequencyAxis
from keras_scattering.plans.plan import (
    Average,
    Bank,
    Branch,
    Crop,
    Design,
    Mean,
    Mix,
    Node,
    Plan,
    Stack,
    column,
    hull,
)
from keras_scattering.plans.scattering1d import TimeAxis
from keras_scattering.plans.wavelet import first_order, spectra_of


@dataclasses.dataclass(frozen=True)
class _Picture:
    """What one time filter and one frequency filter make: a path, or one for each frequency."""

    order: int
    n2: int
    n_fr: int
    kept: int  # samples along frequency


def plan_timefrequency(
    whole: TimeAxis, frequency: FrequencyAxis, Q: tuple[int, int], joint: bool
) -> Plan:
    """The plan of `TimeFrequencyScattering`."""
    wavelets1, wavelets2 = whole.banks(Q)
    # The wavelets of the first order that each of the second, or the low-pass (-1), stacks.
    stacked = {n2: sum(j1 < j2 for j1 in wavelets1.j) for n2, j2 in enumerate(wavelets2.j)}
    stacked = {-1: len(wavelets1)} | {n2: count for n2, count in stacked.items() if count}

    def kept(n2: int, n_fr: int) -> int:
        step = frequency.step(n_fr)
        return frequency.size // step if joint else -(-stacked[n2] // step)

    pictures = [
        _Picture(1 if n2 < 0 else 2, n2, n_fr, kept(n2, n_fr))
        for n2 in stacked
        for n_fr, f in enumerate(frequency.filters)
        if n2 >= 0 or f.spin >= 0
    ]
    counts = [1 if joint else picture.kept for picture in pictures]
    first_row = np.cumsum([0 if joint else 1, *counts])
    rows = {
        (p.n2, p.n_fr): tuple(range(start, start + count))
        for p, start, count in zip(pictures, first_row, counts, strict=False)
    }

    def design(dtype: np.dtype) -> Design:
        arrays = Arrays(dtype)
        time = whole.working(Q, arrays.threshold)
        bank1, bank2 = time.banks(Q)
        firsts = first_order(arrays, time, bank1)

        @functools.cache
        def average(k: int) -> Average:
            return time.average(arrays, k)

        def in_time(n2: int, scales: Sequence[int]) -> dict[int, Bank]:
            """A second-order wavelet, or the low-pass, for signals of each sampling."""
            if n2 < 0:
                return {k: time.spectral_lowpass(arrays, f"phi1_{k}", k) for k in scales}
            psi = spectra_of(bank2, [n2])
            size = time.size(time.sampling(bank2.j[n2]))
            coarse = {k: time.coarsen(psi, k) for k in scales}
            # One origin for all, that of the finest: the phases of a stack must agree.
            origin, (blocks,) = arrays.box(coarse[min(scales)], size)
            return {
                k: arrays.bank(
                    f"psi2_{n2}_{k}", c, size, (origin, (min(blocks, c.shape[1] // size[0]),))
                )
                for k, c in coarse.items()
            }

        def stack(n2: int) -> Stack:
            later = bank2.j[n2] if n2 >= 0 else math.inf
            scales = {i: time.sampling(f.j) for i, f in enumerate(firsts, start=1) if f.j < later}
            banks = in_time(n2, sorted(set(scales.values())))
            sources = [(i, banks[k]) for i, k in scales.items()]
            chosen = [p for p in pictures if p.n2 == n2]
            kinds: dict[tuple[int, bool], list[_Picture]] = {}
            for p in chosen:
                key = frequency.sampling(p.n_fr), frequency.filters[p.n_fr].spin == 0
                kinds.setdefault(key, []).append(p)
            mixes = [mix(n2, kind) for kind in kinds.values()]
            (size,) = sources[0][1].size
            widest = max(arrays[m.matrix].shape[-1] for m in mixes)
            return Stack(tuple(sources), tuple(mixes), joint, size * widest)

        def mix(n2: int, kind: Sequence[_Picture]) -> Mix:
            group = [p.n_fr for p in kind]
            name = f"fr_{n2}_{group[0]}" if n2 >= 0 else f"fr_{group[0]}"
            low = frequency.lowpass(group[0], kind[0].kept)
            c = frequency.matrix(group, stacked[n2], kind[0].kept if low is None else len(low))
            if low is not None:
                # Far from the stack the filters' outputs vanish, and need not be averaged.
                peak = np.abs(c).max((0, 1))
                near = peak > arrays.threshold * peak.max()
                c, low = c[..., near], low[near]
            # The stack of the first order has been averaged in time already.
            done = Mean() if time.T == "global" else Crop(time.keep(time.log2_stride))
            flat = c.reshape(stacked[n2], -1)
            real, imag = np.real(flat), np.imag(flat)
            parts = np.stack([np.concatenate([real, -imag]), np.concatenate([imag, real])])
            return Mix(
                arrays.add(name, parts),
                len(group),
                None if low is None else arrays.add(f"{name}_low", low),
                done if n2 < 0 else average(time.sampling(bank2.j[n2])),
                sum((rows[n2, n_fr] for n_fr in group), ()),
            )

        stacks = [stack(n2) for n2 in stacked]
        nodes = []
        for i, first in enumerate(firsts, start=1):
            boxes = [bank.lines for s in stacks for source, bank in s.sources if source == i]
            nodes.append(Node(((0, first.bank),), None, (), len(first.filters), hull(boxes)))
        lines = hull([first.bank.lines for first in firsts])
        order0 = None if joint else average(0)
        return Design(time.extension, lines, order0, (Branch((*nodes, *stacks)),), arrays)

    def sampling(n2: int) -> int:
        """log2 of the step in time of the paths of a time filter; -1 stands for the low-pass."""
        return whole.log2_stride if n2 == -1 else whole.sampling(wavelets2.j[n2])

    sizes = [] if joint else [whole.output_size(0)]
    steps = [] if joint else [whole.output_step(0)]
    for p, count in zip(pictures, counts, strict=True):
        k = sampling(p.n2)
        sizes += [(*whole.output_size(k), *([p.kept] if joint else []))] * count
        steps += [whole.output_step(k)] * count
    outputs = ((len(sizes), *sizes[0]),) if whole.T != 0 else tuple(sizes)
    meta = _meta(pictures, frequency, wavelets1, wavelets2, joint)
    return Plan(meta, outputs, whole.T != 0, design, steps=tuple(steps))


def _meta(
    pictures: Sequence[_Picture],
    frequency: FrequencyAxis,
    bank1: MorletBank1D,
    bank2: MorletBank1D,
    joint: bool,
) -> dict[str, np.ndarray]:
    """One row a path: a picture, or a picture's sample along frequency."""
    rows = [] if joint else [(0, -1, -1, -1, False)]
    for p in pictures:
        # A mean over all frequencies belongs to no one wavelet.
        step = frequency.step(p.n_fr)
        single = not joint and step < frequency.size
        positions = [-1] if joint else [i * step for i in range(p.kept)]
        rows += [(p.order, n1, p.n2, p.n_fr, single) for n1 in positions]
    order, n1, n2, n_fr, single = np.array(rows).T

    wavelet1 = np.where(single, n1, -1)
    f = frequency.filters
    return {
        "order": order,
        "n1": n1,
        "j1": column(bank1.j, wavelet1),
        "xi1": column(bank1.xi, wavelet1),
        "sigma1": column(bank1.sigma, wavelet1),
        "n2": n2,
        "j2": column(bank2.j, n2),
        "xi2": column(bank2.xi, n2),
        "sigma2": column(bank2.sigma, n2),
        "n_fr": n_fr,
        "xi_fr": column([g.xi for g in f], n_fr),
        "sigma_fr": column([g.sigma for g in f], n_fr),
        "j_fr": column([g.j for g in f], n_fr),
        "spin": np.where(n_fr >= 0, [f[i].spin for i in n_fr], 0),
    }

r"""The plan of the deep scattering spectrum (Andén & Mallat 2014).

Each order is divided by the one before, and the logarithm is taken. So the amplitude of the signal
and that of each band change one row each. A scattering transform along log-frequency then makes a
description that a transposition hardly moves.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from keras_scattering.filters import MorletBank1D
from keras_scattering.filters.gaussian import SIGMA0, lowpass
from keras_scattering.plans.averages import OfMagnitude
from keras_scattering.plans.compact import circulant
from keras_scattering.plans.plan import DeepSpectrum, Design, Plan, Table, column


@dataclasses.dataclass(frozen=True)
class FrequencyScattering:
    """Scattering along log-frequency of tables of n rows.

    Args:
        J: log2 of the largest scale, in first-order wavelets.
        Q: Wavelets per octave along frequency.
        F: Support of the average, in first-order wavelets, or "global".
        stride: Output step, or None for 2**floor(log2 F).
        max_order: The last order, 1 or 2.
    """

    J: int
    Q: int
    F: float | str
    stride: int | None
    max_order: int

    def bank(self, n: int) -> MorletBank1D:
        """The wavelets for tables of n rows, which are continued on both sides."""
        return MorletBank1D(n + 2 * self._margin, self.J, self.Q, 2.0**self.J)

    @property
    def _margin(self) -> int:
        return 8 * 2**self.J

    def positions(self, n: int) -> list[int]:
        """The rows of a table at which averages are kept; -1 for a mean over all."""
        if isinstance(self.F, str):
            return [-1]
        return list(range(0, n, self.stride or 2 ** math.floor(math.log2(self.F))))

    def paths(self) -> list[tuple[int, int]]:
        """The filters of each path, counted from 1: none, one, or two of rising scale."""
        j = self.bank(1).j
        single = [(a + 1, -1) for a in range(len(j))]
        if self.max_order == 1:
            return [(0, -1), *single]
        pairs = [(a + 1, b + 1) for a in range(len(j)) for b in range(len(j)) if j[b] > j[a]]
        return [(0, -1), *single, *pairs]

    def matrices(self, n: int) -> dict[str, np.ndarray]:
        """Real matrices for a table of n rows.

        "low" is the average of the table, (n, kept), and "lows" that of a modulus, (N, kept).
        "psi" (2, n, filters * N) yields the planes of all filters' outputs, and "psi2"
        (2, N, filters * N) those for one modulus.
        """
        bank, margin = self.bank(n), self._margin
        N = bank.N
        mirrored = np.arange(-margin, n + margin) % (2 * n)
        mirrored = np.minimum(mirrored, 2 * n - 1 - mirrored)
        extend = np.zeros((n, N))
        extend[mirrored, np.arange(N)] = 1
        if isinstance(self.F, str):
            inside = np.zeros((N, 1))
            inside[margin : margin + n] = 1 / n
            lows = inside
            low = np.full((n, 1), 1 / n)
        else:
            kept = [margin + position for position in self.positions(n)]
            phi = np.fft.ifft(lowpass(SIGMA0 / self.F, N)).real
            lows = phi[(np.array(kept)[None] - np.arange(N)[:, None]) % N]
            low = extend @ lows
        responses = [np.fft.ifft(bank.psi(a)) for a in range(len(bank))]
        filters = np.stack([circulant(h, 1, range(N)) for h in responses], 1)  # (N, A, N)
        flat = filters.reshape(N, -1)
        first = extend @ flat
        made = {"low": low, "lows": lows, "psi": np.stack([np.real(first), np.imag(first)])}
        if self.max_order == 2:
            made["psi2"] = np.stack([np.real(flat), np.imag(flat)])
        return made


def _tables(meta: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Rows of the tables along n1: all of order 1, then those of each second wavelet."""
    order, n2 = meta["order"], meta["n2"]
    seconds = range(n2.max() + 1)
    groups = [
        np.nonzero(order == 1)[0],
        *(np.nonzero((order == 2) & (n2 == n))[0] for n in seconds),
    ]
    return [rows for rows in groups if len(rows)]


def _parents(meta: dict[str, np.ndarray]) -> np.ndarray:
    """The row by which each row is divided, -1 for row 0."""
    order, n1 = meta["order"], meta["n1"]
    first = {n: row for row, n in enumerate(n1) if order[row] == 1}
    return np.array(
        [-1 if o == 0 else 0 if o == 1 else first[n] for o, n in zip(order, n1, strict=True)]
    )


def plan_deep_spectrum(
    plan: Plan,
    epsilon: float,
    normalize: bool,
    log: bool,
    frequency: FrequencyScattering | None,
) -> Plan:
    """The plan of `DeepScatteringSpectrum` for the plan of a scattering transform.

    Args:
        plan: The plan, whose row 0 is of order 0.
        epsilon: What is added to divisors, and to what logarithms are taken of.
        normalize: Whether to divide each order by the one before.
        log: Whether to take logarithms.
        frequency: Scattering along log-frequency, or None for none.
    """
    found = _tables(plan.meta) if frequency else []
    tables = tuple(Table(tuple(rows.tolist()), f"table_{len(rows)}") for rows in found)

    def design(dtype: np.dtype) -> Design:
        made = plan.design(dtype)
        if normalize:
            averages = tuple(OfMagnitude(rule) for rule in made.averages)
            made = dataclasses.replace(made, averages=averages)
        for table in tables:
            if frequency and f"{table.name}_low" not in made.arrays:
                for name, matrix in frequency.matrices(len(table.rows)).items():
                    made.arrays[f"{table.name}_{name}"] = np.ascontiguousarray(matrix, dtype)
        return made

    paths = frequency.paths() if frequency else []
    pairs = tuple((a, b) for a, b in paths if b > 0)
    meta = _meta(plan, found, frequency) if frequency else _without_frequency(plan.meta)
    count = len(meta["order"])
    return dataclasses.replace(
        plan,
        meta=meta,
        outputs=((count, *plan.outputs[0][1:]),),
        steps=(plan.steps[0],) * count,
        design=design,
        deep=DeepSpectrum(
            _parents(plan.meta) if normalize else None,
            epsilon,
            log,
            tables,
            sum(a > 0 > b for a, b in paths),
            pairs,
        ),
    )


def _without_frequency(meta: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The metadata of the coefficients, with columns of filters that there are none of."""
    count = len(meta["order"])
    absent = {name: np.full(count, -1) for name in ("n_fr", "n_fr2")}
    missing = {name: np.full(count, math.nan) for name in ("xi_fr", "sigma_fr")}
    return {**meta, **absent, **missing, "j_fr": np.full(count, -1)}


def _meta(
    plan: Plan, tables: Sequence[np.ndarray], frequency: FrequencyScattering
) -> dict[str, np.ndarray]:
    """One row per path: row 0, then each table's paths along frequency."""
    inner, entries = plan.meta, [(0, -1, -1, -1)]  # inner row, n1, n_fr, n_fr2
    for rows in tables:
        for a, b in frequency.paths():
            entries += [(rows[0], i, a, b) for i in frequency.positions(len(rows))]
    row, n1, a, b = np.array(entries).T
    bank = frequency.bank(1)
    F = frequency.F
    low = (
        (0.0, math.nan, frequency.J)
        if isinstance(F, str)
        else (0.0, SIGMA0 / F, math.floor(math.log2(F)))
    )
    first = plan.banks[0].columns
    meta = {name: values[row] for name, values in inner.items()}
    meta["n1"] = n1
    for name, values in first.items():
        meta[f"{name}1"] = column(values, n1)
    return {
        **meta,
        "n_fr": a,
        "n_fr2": b,
        "xi_fr": column([low[0], *bank.xi], a),
        "sigma_fr": column([low[1], *bank.sigma], a),
        "j_fr": column([low[2], *bank.j], a),
    }

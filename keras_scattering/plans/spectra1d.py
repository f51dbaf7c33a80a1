"""The plan of scattering spectra of signals in time (Morel et al. 2022)."""

import functools
from collections.abc import Callable, Hashable

import numpy as np

from keras_scattering.filters import MorletBank1D
from keras_scattering.plans.averages import Average, Inner, Mean, Variance
from keras_scattering.plans.compact import Arrays
from keras_scattering.plans.limits import refuse_paths
from keras_scattering.plans.moments import LEVEL, Ground, Row, Term, ground, part_name, parts
from keras_scattering.plans.plan import Domain, Plan, column
from keras_scattering.plans.spectra import Group, Product, plan_spectra
from keras_scattering.plans.time import TimeAxis

# Two centres are the same if they differ by less, in units of the first.
_SAME = 1e-6


def time_ground(N: int, J: int, padding: str) -> Ground:
    """The grid of signals in time, whose padding is that of scale J."""
    return ground(lambda kind: TimeAxis(N, J, None, None, kind), (N,), padding)


def _mean(bank: MorletBank1D, where: Ground, arrays: Arrays) -> Average:
    """The mean of x * phi over the signal's samples."""
    if where.whole:
        return Mean(where.keep)
    ((start, stop),) = where.keep
    inside = np.zeros(bank.N)
    inside[start:stop] = 1 / (stop - start)
    weights = np.fft.ifft(np.fft.fft(inside) * bank.phi().conj()).real
    return Inner(arrays.add("mean", weights))


class _Moments:
    """The rows of scattering spectra with two banks; filter `low` of the second is its low-pass."""

    def __init__(self, first: MorletBank1D, second: MorletBank1D):
        self.first = first
        self.second = second
        self.low = len(second)
        self.alike = first.Q == second.Q  # so that powers of the second bank are the first's

    def power(self, order: int, n: int) -> Hashable:
        """The key of the power of a filter."""
        return "power", 2 if self.alike else order, n

    def below(self, a: int, b: int, margin: float) -> bool:
        """Whether the centre of filter b lies below that of filter a, times 1 + margin."""
        return b == self.low or self.second.xi[b] < self.first.xi[a] * (1 + margin)

    def phase(self, diagonal: bool) -> list[tuple[int, int]]:
        """The pairs (a, b) of phase moments."""
        a, b = range(len(self.first)), range(self.low)
        margin = _SAME if diagonal else -_SAME
        pairs = [(n1, n2) for n1 in a for n2 in b if self.below(n1, n2, margin)]
        return pairs + [(n1, self.low) for n1 in a]

    def modulus(self) -> list[tuple[int, int, int]]:
        """The triples (a, c, b) of modulus moments."""
        return [
            (a, c, b)
            for b in range(self.low + 1)
            for a in range(len(self.first))
            for c in range(a + 1)
            if self.below(a, b, -_SAME) and self.below(c, b, -_SAME)
        ]


def _rows(moments: _Moments, diagonal: bool, ratio: int, product: int) -> list[Row]:
    """All rows, in their order, for degrees of sparsity and of products."""
    power, low, filters = moments.power, moments.low, range(len(moments.first))

    def row(kind: str, a: int, c: int, b: int, degree: int, term: Term, part: bool = False) -> Row:
        return Row((kind, a, c, b, part_name(part)), degree, [term])

    rows = [row("mean", -1, -1, low, 1, Term("mean"))]
    rows += [row("power", a, -1, -1, 2, Term(power(1, a))) for a in filters]
    rows.append(row("power", -1, -1, low, 2, Term(power(2, low))))
    for a in filters:
        term = Term(("sparsity", a), (power(1, a), None))
        rows.append(row("sparsity", a, -1, -1, ratio, term))
    for a, b in moments.phase(diagonal):
        for imaginary in parts(b != low):
            term = Term(("phase", a, b, imaginary), (power(2, b), power(1, a)))
            rows.append(row("phase", a, -1, b, product, term, imaginary))
    for a, c, b in moments.modulus():
        for imaginary in parts(a != c and b != low):
            term = Term(("modulus", a, c, b, imaginary), (power(1, a), power(1, c)))
            rows.append(row("modulus", a, c, b, product, term, imaginary))
    return rows


def _groups(moments: _Moments, rows: list[Row]) -> list[Group]:
    """The products that rows need, one group per filter."""
    products: list[list[Product]] = [[] for _ in range(moments.low + 1)]
    for term in (term for row in rows for term in row.terms):
        match term.key:
            case ("phase", a, b, imaginary):
                products[b].append(Product(None, a, imaginary, term.key))
            case ("modulus", a, c, b, imaginary):
                products[b].append(Product(a, c, imaginary, term.key))

    def group(order: int, n: int, psi: Callable[[], np.ndarray], some: list[Product]) -> Group:
        own = Product(None, None, False, moments.power(order, n))
        return Group(f"products{order}_{n}", [psi], [[*some, own]])

    second = [functools.partial(moments.second.psi, b) for b in range(moments.low)]
    groups = [
        group(2, b, psi, some)
        for b, (psi, some) in enumerate(zip([*second, moments.second.phi], products, strict=True))
    ]
    if not moments.alike:
        first = moments.first
        groups += [group(1, a, functools.partial(first.psi, a), []) for a in range(len(first))]
    return groups


def plan_spectra1d(
    N: int,
    J: int,
    Q: tuple[int, int],
    normalize: bool | str,
    diagonal: bool,
    oversampling: int | None,
    padding: str,
) -> Plan:
    """The plan of `ScatteringSpectra1D` for signals of `N` samples."""
    where = time_ground(N, J, padding)
    (samples,) = where.size
    first, second = (MorletBank1D(samples, J, q, 2.0**J) for q in Q)
    moments = _Moments(first, second)
    refuse_paths(len(first) ** 2 * len(second) // 8)
    rows = _rows(moments, diagonal, *((0, 0) if normalize else (1, 2)))
    refuse_paths(len(rows))
    plan = plan_spectra(
        Domain.LINE,
        where,
        {
            "mean": functools.partial(_mean, first, where),
            LEVEL: lambda _: Variance(where.keep, centred=False),
        },
        first,
        _groups(moments, rows),
        rows,
        ("kind", "n1", "n1b", "n2", "part"),
        normalize,
        oversampling,
    )
    for name, bank in (("1", first), ("1b", first), ("2", second)):
        plan.meta[f"xi{name}"] = column(bank.xi, plan.meta[f"n{name}"])
    return plan

"""The plan of covariances of wavelet phase harmonics of signals in time."""

import functools
import itertools
import math
from collections.abc import Collection

import numpy as np

from keras_scattering.filters import MorletBank1D
from keras_scattering.filters.gaussian import SIGMA0, lowpass
from keras_scattering.plans.covariances import Filters, plan_covariances
from keras_scattering.plans.limits import refuse_paths
from keras_scattering.plans.phase import Pair, Pairs, Shift, Wavelets, phase_rows
from keras_scattering.plans.plan import Domain, Plan, column
from keras_scattering.plans.spectra1d import time_ground
from keras_scattering.plans.wavelet import spectra_of

_NONE = Shift((0,), (0,))
# Two centres are the same if they differ by less, in units of the first.
_SAME = 1e-6


def _shifts(dn: int, signs: tuple[int, ...]) -> list[Shift]:
    """No shift, and shifts of 2**n samples, later and earlier."""
    taus = [sign * 2**n for n in range(1, dn + 1) for sign in signs]
    return [_NONE, *(Shift((tau,), (tau,)) for tau in taus)]


def _harmonic(high: float, low: float) -> int:
    """The power of two that is the ratio of two frequencies; 0 if there is none."""
    octaves = round(math.log2(high / low))
    return 2**octaves if octaves >= 1 and abs(high / low / 2**octaves - 1) <= _SAME else 0


def _lowpasses(N: int, J: int) -> np.ndarray:
    """Spectra of the low-passes of all scales."""
    return np.stack([lowpass(SIGMA0 / 2 ** (j + 1), N) for j in range(J)])


def plan_phase_harmonics1d(
    N: int,
    J: int,
    Q: int,
    moments: Collection[str],
    dj: int | None,
    dn: int,
    normalize: bool | str,
    oversampling: int | None,
    padding: str,
) -> Plan:
    """The plan of `PhaseHarmonics1D` for signals of `N` samples."""
    where = time_ground(N, J, padding)
    if dn and 2**dn > N // 2:
        raise ValueError(
            "Argument `dn` must be so small that the longest shift, 2**dn samples, is at most half "
            f"of the signal. Received: dn={dn}, a signal of {N} samples"
        )
    (samples,) = where.size
    bank = MorletBank1D(samples, J, Q, 2.0**J)
    refuse_paths(len(bank) ** 2 * (1 + 2 * dn) // 2)
    both = _shifts(dn, (1, -1))
    alone = [Pair(n, n, _shifts(dn, (1,))) for n in range(len(bank))]
    xi = bank.xi
    least = 0.0 if dj is None else 2.0**-dj * (1 - _SAME)
    apart = [
        Pair(a, b, both)
        for a, b in itertools.product(range(len(bank)), repeat=2)
        if xi[a] * least <= xi[b] < xi[a] * (1 - _SAME)
    ]
    harmonic = [pair._replace(q=q) for pair in apart if (q := _harmonic(xi[pair.a], xi[pair.b]))]
    lows = J if "L" in moments else 0
    wavelets = Wavelets(bank.j, [(n,) for n in range(len(bank))], lows, [(j,) for j in range(J)])
    pairs = Pairs(alone, apart, harmonic)
    rows = phase_rows(moments, wavelets, pairs, where, normalize, oversampling, _NONE.meta)
    groups = [("psi", functools.partial(spectra_of, bank, range(len(bank))))]
    if lows:
        groups.append(("phi", functools.partial(_lowpasses, samples, J)))
    plan = plan_covariances(
        Domain.LINE,
        where,
        Filters(groups, len(bank) + lows),
        rows,
        ("kind", "n1", "p1", "n2", "p2", "tau", "part"),
        normalize,
    )
    for name in ("1", "2"):
        n = np.where(plan.meta["kind"] == "L", -1, plan.meta[f"n{name}"])
        plan.meta[f"xi{name}"] = column(xi, n)
    return plan

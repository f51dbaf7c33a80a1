"""The plan of covariances of wavelet phase harmonics of images (Allys et al. 2020)."""

import functools
import itertools
import math
from collections.abc import Collection

import numpy as np

from keras_scattering.filters import BumpSteerableBank2D, MorletBank2D
from keras_scattering.filters.bump2d import lowpass_deviation
from keras_scattering.filters.gaussian import lowpass_in_plane
from keras_scattering.plans.covariances import Filters, plan_covariances
from keras_scattering.plans.limits import refuse_paths
from keras_scattering.plans.phase import Pair, Pairs, Shift, Wavelets, phase_rows
from keras_scattering.plans.plan import Domain, Plan
from keras_scattering.plans.spectra2d import image_ground
from keras_scattering.plans.wavelet import spectra_of

_NONE = Shift((0, 0), (0, -1, 0, 0))
BANKS = {"morlet": MorletBank2D, "bump_steerable": BumpSteerableBank2D}


def _shifts(angle: float, dn: int, A: int, directions: int) -> list[Shift]:
    """No shift, and shifts of 2**n samples in directions pi / A apart, from an angle on."""
    shifts = [_NONE]
    for n, a in itertools.product(range(1, dn + 1), range(directions)):
        beta = angle + a * math.pi / A
        tau = tuple(round(2**n * turn(beta)) for turn in (math.cos, math.sin))
        shifts.append(Shift(tau, (n, a, *tau)))
    return shifts


def _lowpasses(size: tuple[int, int], J: int, wavelet: str) -> np.ndarray:
    """Spectra of the low-passes of all scales."""
    deviations = (0.8 * 2**j if wavelet == "morlet" else lowpass_deviation(j) for j in range(J))
    return np.stack([lowpass_in_plane(size, sigma) for sigma in deviations])


def plan_phase_harmonics2d(
    shape: tuple[int, int],
    J: int,
    L: int,
    wavelet: str,
    moments: Collection[str],
    dj: int,
    dl: int,
    dn: int,
    A: int,
    normalize: bool | str,
    oversampling: int | None,
    padding: str,
) -> Plan:
    """The plan of `PhaseHarmonics2D` for images of `shape`."""
    where = image_ground(shape, J, padding)
    if dn and 2**dn > min(shape) // 2:
        raise ValueError(
            "Argument `dn` must be so small that the longest shift, 2**dn samples, is at most half "
            f"of the image's shorter side. Received: dn={dn}, an image of shape {shape}"
        )
    near = min(2 * dl + 1, L)
    refuse_paths(2 * J * min(dj, J) * L * (near + 4 * A * dn) if J > 1 else L)
    rows, columns = where.size
    bank = BANKS[wavelet]((rows, columns), J, L)
    scales, angles = range(J), range(L)
    alone = [
        Pair(n, n, _shifts(bank.angle(n % L), dn, A, A), group=n % L) for n in range(len(bank))
    ]
    apart, harmonic = [], []
    for j1, j2 in itertools.combinations(scales, 2):
        if j2 - j1 > dj:
            continue
        for l1, l2 in itertools.product(angles, angles):
            a, b = j1 * L + l1, j2 * L + l2
            shifts = _shifts(bank.angle(l2), dn, A, 2 * A) if l1 == l2 else [_NONE]
            if min((l1 - l2) % L, (l2 - l1) % L) <= dl:
                apart.append(Pair(a, b, shifts, group=l1))
            if l1 == l2:
                harmonic.append(Pair(a, b, shifts, q=2 ** (j2 - j1)))
    wavelets = Wavelets(
        bank.j,
        [divmod(n, L) for n in range(len(bank))],
        J if "L" in moments else 0,
        [(j, -1) for j in scales],
    )
    pairs = Pairs(alone, apart, harmonic)
    found = phase_rows(moments, wavelets, pairs, where, normalize, oversampling, _NONE.meta)
    groups = [("psi", functools.partial(spectra_of, bank, range(len(bank))))]
    if wavelets.lows:
        groups.append(("phi", functools.partial(_lowpasses, (rows, columns), J, wavelet)))
    return plan_covariances(
        Domain.PLANE,
        where,
        Filters(groups, len(bank) + wavelets.lows),
        found,
        ("kind", "j1", "l1", "p1", "j2", "l2", "p2", "n", "a", "tau0", "tau1", "part"),
        normalize,
    )

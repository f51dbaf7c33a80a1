"""The plan of the solid harmonic scattering transform (Eickenberg et al. 2017, 2018)."""

import math
from collections.abc import Sequence

import numpy as np

from keras_scattering.filters.solid_harmonics import SolidHarmonics
from keras_scattering.plans.averages import Powers
from keras_scattering.plans.banks import Box, hull
from keras_scattering.plans.compact import Arrays
from keras_scattering.plans.harmonics import Face, HarmonicBank, cas_name
from keras_scattering.plans.limits import refuse_design
from keras_scattering.plans.padding import Padding
from keras_scattering.plans.plan import Branch, Design, Domain, Node, Plan


def _by_axis(odd: np.ndarray) -> tuple[tuple[bool, ...], ...]:
    return tuple(map(tuple, odd.T.tolist()))


def _lines(spectra: np.ndarray, threshold: float) -> Box:
    """The smallest box around line 0 with all lines of filters (F, *n) above a threshold.

    The filters are in FFT order.
    """
    above = np.abs(spectra) > threshold
    box = []
    for axis, n in enumerate(above.shape[1:], start=1):
        (on,) = np.nonzero(np.moveaxis(above, axis, 0).reshape(n, -1).any(1))
        most = int(np.minimum(on, n - on).max(initial=0))  # 0 for filters that vanish
        box.append((-most, most + 1) if 2 * most < n else (-most, most))
    return tuple(box)


def _real_and_imaginary(
    psi: np.ndarray, odd: np.ndarray, lines: Box, size: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Filters (F, *lines) whose responses are real, and those whose responses are imaginary.

    A filter has one factor i for each axis along which it is odd. Products of waves along the axes
    account for these factors, except at the end of an even axis, whose mirrored line is the line
    itself. Filters of odd degree leave one factor out.
    """
    ends = (2 * np.arange(*span) == -n for span, n in zip(lines, size, strict=True))
    planes = np.meshgrid(*ends, indexing="ij", sparse=True)
    per_axis = odd.reshape(*odd.shape, 1, 1, 1)
    factors = sum(np.uint8(per_axis[:, axis] & end) for axis, end in enumerate(planes))
    signs = np.uint8(odd.sum(1).reshape(-1, 1, 1, 1) // 2) + factors // 2
    psi = np.where(signs & 1, -psi, psi)
    return np.where(factors & 1, 0, psi), np.where(factors & 1, psi, 0)


def _faces(
    arrays: Arrays,
    name: str,
    minor: np.ndarray,
    odd: np.ndarray,
    ends: Sequence[bool],
    least: float,
) -> tuple[Face, ...]:
    """Planes of filters (F, *lines) that vanish except at the ends of even axes.

    A plane that nowhere exceeds `least` is left out.
    """
    minor = minor.copy()
    faces = []
    for axis in np.flatnonzero(ends):
        plane = (slice(None),) * (axis + 1) + (0,)
        if np.abs(minor[plane]).max() > least:
            others = tuple(odds for a, odds in enumerate(_by_axis(odd)) if a != axis)
            faces.append(Face(int(axis), arrays.add(f"{name}_face_{axis}", minor[plane]), others))
            minor[plane] = 0  # since another plane may share these lines
    return tuple(faces)


def _add_cas(arrays: Arrays, n: int, lines: tuple[int, int], odd: tuple[bool, ...]) -> None:
    """Add cas(2 pi k t / n), or cas(-2 pi k t / n) where odd, with cas = cosine + sine."""
    angles = 2 * np.pi / n * (np.outer(np.arange(n), np.arange(*lines)) % n)
    ways = np.cos(angles) + np.sin(angles), np.cos(angles) - np.sin(angles)
    arrays.add(cas_name(n, lines, odd), np.stack([ways[is_odd] for is_odd in odd]))


def _harmonic_bank(
    arrays: Arrays, name: str, psi: np.ndarray, odd: np.ndarray, covariant: bool
) -> HarmonicBank:
    """The harmonics of one degree, filters (2l + 1, *box).

    Without rotation covariance only the harmonics of the highest order remain.
    """
    size = psi.shape[1:]
    odd_minor = odd
    lines = _lines(psi, arrays.threshold * np.abs(psi).max())
    for axis, span in enumerate(lines, start=1):
        psi = np.take(psi, range(*span), axis, mode="wrap")
    main, minor = _real_and_imaginary(psi, odd, lines, size)
    if not covariant and len(odd) > 1:
        # exp(-i l phi) is (cosine - i sine) / sqrt(2) of the orthonormal harmonics. So the real
        # response of each is added to the imaginary response of the other.
        main = main[[-1, 0]] / np.sqrt(2)
        minor = np.stack([minor[0], -minor[-1]]) / np.sqrt(2)
        odd, odd_minor = odd[[-1, 0]], odd[[0, -1]]
    # Responses below the root of the rounding add nothing to sums of squares.
    least = (arrays.threshold**0.5 if covariant else arrays.threshold) * np.abs(main).max()
    ends = [2 * start == -n for (start, _), n in zip(lines, size, strict=True)]
    faces = _faces(arrays, name, minor, odd_minor, ends, least)
    for n, span, *patterns in zip(size, lines, _by_axis(odd), _by_axis(odd_minor), strict=True):
        for pattern in ((False,), *patterns):
            _add_cas(arrays, n, span, pattern)
    filters = arrays.add(name, main)
    return HarmonicBank(filters, _by_axis(odd), faces, not covariant, lines, size)


def plan_harmonic3d(
    box: tuple[int, int, int],
    J: int,
    L: int,
    sigma_0: float,
    max_order: int,
    rotation_covariant: bool,
    integral_powers: tuple[float, ...],
) -> Plan:
    """The plan of `HarmonicScattering3D` for volumes of size `box`."""
    paths: list[tuple[int, ...]] = [(j,) for j in range(J + 1)]
    if max_order == 2:
        paths += [(j1, j2) for j1 in range(J + 1) for j2 in range(j1 + 1, J + 1)]

    def row(path: tuple[int, ...], degree: int) -> tuple[int]:
        return (paths.index(path) * (L + 1) + degree,)

    def design(dtype: np.dtype) -> Design:
        arrays = Arrays(dtype)
        # Of the largest degree, twice, and of coordinates.
        refuse_design(math.prod(box) * (2 * (2 * L + 1) + 4), box)
        harmonics = SolidHarmonics(box, sigma_0)
        branches, boxes = [], []
        for degree in range(L + 1):
            angular, odd = harmonics.angular(degree), harmonics.odd(degree)
            radials = (harmonics.radial(j, degree) / math.prod(box) for j in range(J + 1))
            banks, gains = [], []
            for j, radial in enumerate(radials):
                psi = radial * angular
                # A power of two, which rounds nothing; filters that vanish stay as they are.
                gains.append(2.0 ** math.frexp(np.abs(psi).max())[1])
                name = f"psi_{j}_{degree}"
                banks.append(_harmonic_bank(arrays, name, psi / gains[-1], odd, rotation_covariant))
            for j1, bank in enumerate(banks):
                later = range(j1 + 1, J + 1 if max_order == 2 else 0)
                once = Powers(integral_powers, gains[j1])
                twice = {j2: Powers(integral_powers, gains[j1] * gains[j2]) for j2 in later}
                followers = [
                    Node(((1, banks[j2]),), twice[j2], row((j1, j2), degree), 1) for j2 in later
                ]
                lines = hull([banks[j2].lines for j2 in later]) if later else None
                first = Node(((0, bank),), once, row((j1,), degree), 1, lines)
                branches.append(Branch((first, *followers)))
                boxes.append(bank.lines)
        padding = tuple(Padding((slice(0, n, 1),)) for n in box)
        return Design(padding, hull(boxes), (), tuple(branches), arrays)

    j1, j2 = np.array([(*path, -1)[:2] for path in paths]).T
    meta = {"order": np.where(j2 < 0, 1, 2), "n1": j1, "j1": j1, "n2": j2, "j2": j2}
    outputs = ((len(integral_powers), len(paths), L + 1),)
    degrees = np.array([integral_powers])
    return Plan(Domain.SOLID, meta, outputs, True, design, degrees)

"""The plan of the solid harmonic scattering transform (Eickenberg et al. 2017, 2018)."""

import numpy as np

from keras_scattering.filters.bank import mirror
from keras_scattering.filters.solid_harmonics import SolidHarmonics
from keras_scattering.plans.compact import Arrays
from keras_scattering.plans.plan import (
    Branch,
    Design,
    HarmonicBank,
    Node,
    Padding,
    Plan,
    Powers,
    hull,
)


def _harmonic_bank(
    arrays: Arrays, name: str, spectra: np.ndarray, odd: bool, covariant: bool
) -> HarmonicBank:
    """The harmonics of one degree, split into the part of their parity and the Nyquist lines."""
    size = spectra.shape[1:]
    sign = -1 if odd else 1
    main = (spectra + sign * mirror(spectra, axes=(1, 2, 3))) / 2
    minor = spectra - main  # zero but on Nyquist lines
    if not covariant and len(spectra) > 1:
        # exp(-i l phi) is (cosine - i sine) / sqrt(2) of the orthonormal harmonics, so that each
        # real response meets the Nyquist lines of the other.
        sine, cosine = main[0], main[-1]
        main = np.stack([cosine, sine]) / np.sqrt(2)
        minor = np.stack([minor[0], -minor[-1]]) / np.sqrt(2)
    half = size[-1] // 2 + 1
    # In squares, what is below the root of the rounding adds nothing.
    threshold = (arrays.threshold**0.5 if covariant else arrays.threshold) * np.abs(main).max()
    planes = []
    for axis, n in enumerate(size):
        plane = minor[(slice(None),) * (axis + 1) + (slice(n // 2, n // 2 + 1),)]
        if n % 2 == 0 and np.abs(plane).max() > threshold:
            values = np.squeeze(plane, axis + 1)
            other = [m for a, m in enumerate(size) if a != axis]
            values = values[..., : other[-1] // 2 + 1]
            planes.append((axis, arrays.add(f"{name}_nyquist_{axis}", values)))
            minor[(slice(None),) * (axis + 1) + (n // 2,)] = 0  # each line once
    filters = arrays.add(name, main[..., :half])
    return HarmonicBank(filters, odd, tuple(planes), not covariant, size)


def plan_harmonic3d(
    box: tuple[int, int, int],
    J: int,
    L: int,
    sigma_0: float,
    max_order: int,
    rotation_covariant: bool,
    integral_powers: tuple[float, ...],
) -> Plan:
    """The plan of `HarmonicScattering3D` for volumes of the size of `box`."""
    paths: list[tuple[int, ...]] = [(j,) for j in range(J + 1)]
    if max_order == 2:
        paths += [(j1, j2) for j1 in range(J + 1) for j2 in range(j1 + 1, J + 1)]

    def row(path: tuple[int, ...], degree: int) -> tuple[int]:
        return (paths.index(path) * (L + 1) + degree,)

    def design(dtype: np.dtype) -> Design:
        arrays = Arrays(dtype)
        harmonics = SolidHarmonics(box, sigma_0)
        average = Powers(integral_powers)
        branches, boxes = [], []
        for degree in range(L + 1):
            banks = [
                _harmonic_bank(
                    arrays,
                    f"psi_{j}_{degree}",
                    harmonics.degree(j, degree),
                    degree % 2 == 1,
                    rotation_covariant,
                )
                for j in range(J + 1)
            ]
            for j1, bank in enumerate(banks):
                followers = [
                    Node(1, banks[j2], average, row((j1, j2), degree), 1)
                    for j2 in range(j1 + 1, J + 1)
                    if max_order == 2
                ]
                lines = bank.lines if followers else None
                first = Node(0, bank, average, row((j1,), degree), 1, lines)
                branches.append(Branch((first, *followers)))
                boxes.append(bank.lines)
        padding = tuple(Padding((slice(0, n, 1),)) for n in box)
        return Design(padding, hull(boxes), None, tuple(branches), arrays)

    j1, j2 = np.array([(*path, -1)[:2] for path in paths]).T
    meta = {"order": np.where(j2 < 0, 1, 2), "n1": j1, "j1": j1, "n2": j2, "j2": j2}
    outputs = ((len(integral_powers), len(paths), L + 1),)
    return Plan(meta, outputs, True, design, integral_powers)

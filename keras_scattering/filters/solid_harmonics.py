"""Solid harmonics in a box (Eickenberg et al., NeurIPS 2017 and J. Chem. Phys. 2018).

Frequencies are in radians/sample; the axes of the box are z, y, x.
"""

import dataclasses
import functools
import math

import numpy as np
from scipy.special import sph_legendre_p


def _constant(l: int) -> float:  # noqa: E741
    """|c_l|, the factor that makes moduli of different degrees comparable."""
    return (2 * math.pi) ** 1.5 / (
        2 ** ((l + 3) / 2) * math.sqrt(math.pi * (2 * l + 1)) * math.gamma((l + 3) / 2)
    )


@dataclasses.dataclass(frozen=True)
class SolidHarmonics:
    r"""Gaussian solid harmonics of scales sigma_0 2**j and degrees l on a periodic box.

    $$\hat\psi_{j,l,m}(\omega) = c_l (|\omega| \sigma_j)^l e^{-|\omega|^2 \sigma_j^2 / 2}
      Y_{l,m}(\omega / |\omega|)$$

    Coefficients use the 2l + 1 harmonics of a degree only through $\sum_m |x * \psi_{j,l,m}|^2$.
    This sum is the same for every orthonormal basis of them. The class takes the real basis, with
    $\sqrt 2 \cos m\varphi$ and $\sqrt 2 \sin m\varphi$ for $e^{\pm i m\varphi}$. Its spectra are
    real up to the factor $(-i)^l$.

    Args:
        box: Sizes of the box along z, y and x.
        sigma_0: Width of the smallest scale, in samples.
    """

    box: tuple[int, int, int]
    sigma_0: float

    @functools.cached_property
    def _spherical(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Radius, polar angle from z, and azimuth atan2(y, x) of each frequency."""
        z, y, x = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(n) for n in self.box), indexing="ij")
        return np.sqrt(x**2 + y**2 + z**2), np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)

    def radial(self, j: int, l: int) -> np.ndarray:  # noqa: E741
        """The radial factor of the spectra at scale j, common to all harmonics of a degree."""
        scaled = self._spherical[0] * self.sigma_0 * 2**j
        return _constant(l) * scaled**l * np.exp(-(scaled**2) / 2)

    def angular(self, l: int) -> np.ndarray:  # noqa: E741
        """The angular factors of the spectra for m = -l .. l, common to all scales.

        They are real, since they leave out the factor (-i)**l. Negative m stand for sines, and
        positive m for cosines.
        """
        _, polar, azimuth = self._spherical
        harmonics = np.empty((2 * l + 1, *self.box))
        for m in range(l + 1):
            y = sph_legendre_p(l, m, polar)[0] * (math.sqrt(2) if m else 1)
            harmonics[l - m] = y * np.sin(m * azimuth)
            harmonics[l + m] = y * np.cos(m * azimuth)  # m = 0 keeps the cosine
        return harmonics

    @staticmethod
    def odd(l: int) -> np.ndarray:  # noqa: E741
        """Whether each angular factor is odd along z, y and x, (2l + 1, 3); else it is even."""
        m = np.arange(-l, l + 1)
        sine = m < 0
        return np.stack([(l - m) % 2 == 1, sine, (m + sine) % 2 == 1], axis=1)

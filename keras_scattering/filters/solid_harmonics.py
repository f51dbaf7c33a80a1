"""Solid harmonics in a box (Eickenberg et al., NeurIPS 2017 and J. Chem. Phys. 2018).

Frequencies are in radians/sample; the axes of the box are z, y, x.
"""

import dataclasses
import functools
import math

import numpy as np
from scipy.special import sph_legendre_p


def _constant(l: int) -> float:  # noqa: E741
    """|c_l|: the norm that makes moduli of different degrees comparable."""
    return (2 * math.pi) ** 1.5 / (
        2 ** ((l + 3) / 2) * math.sqrt(math.pi * (2 * l + 1)) * math.gamma((l + 3) / 2)
    )


@dataclasses.dataclass(frozen=True)
class SolidHarmonics:
    r"""Gaussian solid harmonics of scales sigma_0 2**j and degrees l on a periodic box.

    $$\hat\psi_{j,l,m}(\omega) = c_l (|\omega| \sigma_j)^l e^{-|\omega|^2 \sigma_j^2 / 2}
      Y_{l,m}(\omega / |\omega|)$$

    The 2l + 1 harmonics of a degree are used through $\sum_m |x * \psi_{j,l,m}|^2$ only, which is
    the same for any orthonormal basis of them: here the real one, with $\sqrt 2 \cos m\varphi$
    and $\sqrt 2 \sin m\varphi$ for $e^{\pm i m\varphi}$. Its spectra are real but for $(-i)^l$.

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
        """What the spectra of all harmonics of a degree have in common at scale j."""
        scaled = self._spherical[0] * self.sigma_0 * 2**j
        return _constant(l) * scaled**l * np.exp(-(scaled**2) / 2)

    def angular(self, l: int) -> np.ndarray:  # noqa: E741
        """What they have in common at all scales, m = -l .. l, but for the factor (-i)**l; real.

        Negative m stand for sines, positive ones for cosines.
        """
        _, polar, azimuth = self._spherical
        harmonics = np.empty((2 * l + 1, *self.box))
        for m in range(l + 1):
            y = sph_legendre_p(l, m, polar)[0] * (math.sqrt(2) if m else 1)
            harmonics[l - m] = y * np.sin(m * azimuth)
            harmonics[l + m] = y * np.cos(m * azimuth)  # of m = 0 the cosine stays
        return harmonics

    @staticmethod
    def odd(l: int) -> np.ndarray:  # noqa: E741
        """Whether their spectra are odd along z, y and x, (2l + 1, 3): else they are even."""
        m = np.arange(-l, l + 1)
        sine = m < 0
        return np.stack([(l - m) % 2 == 1, sine, (m + sine) % 2 == 1], axis=1)

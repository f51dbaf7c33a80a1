"""Gaussians: the low-pass of every average, and the envelope of Morlet wavelets.

Frequencies and widths are in cycles/sample. Sources: Andén & Mallat, "Deep Scattering Spectrum",
IEEE TSP 2014; Andreux et al., "Kymatio", JMLR 2020.
"""

import math

import numpy as np

SIGMA0 = 0.1  # width of the low-pass of support T = 1
_UNDERFLOW = 39.0  # exp(-39**2 / 2) is 0 in float64
_NEGLIGIBLE = 9.0  # at this many deviations a Gaussian is below exp(-40)


def gaussian(xi: float, sigma: float, N: int) -> np.ndarray:
    """A periodised Gaussian of centre `xi` and width `sigma`, at `k / N` for k = 0..N-1."""
    periods = min(math.ceil(math.sqrt(-2 * sigma**2 * math.log(1e-7)) + 1), 5)
    spectrum = np.zeros(N)
    for p in range(1 - periods, periods):
        start = max(0, math.floor((xi - p - _UNDERFLOW * sigma) * N))
        stop = min(N, math.ceil((xi - p + _UNDERFLOW * sigma) * N) + 1)
        if start < stop:
            omega = np.arange(start, stop) / N
            spectrum[start:stop] += np.exp(-((omega + p - xi) ** 2) / (2 * sigma**2))
    return spectrum


def normalise(spectrum: np.ndarray) -> np.ndarray:
    """Divide by the l1 norm of the filter, so that max |x * psi| <= max |x|."""
    half = np.abs(np.fft.rfft(spectrum))  # spectra are real, so |psi| is even
    once = half[0] + half[-1] if len(spectrum) % 2 == 0 else half[0]
    return spectrum * (len(spectrum) / (2 * half.sum() - once))


def lowpass(sigma: float, N: int) -> np.ndarray:
    """Spectrum of the Gaussian low-pass of width `sigma`, of unit l1 norm."""
    return normalise(gaussian(0.0, sigma, N))


def reached(N: int, deviation: float) -> np.ndarray:
    """Samples at which a Gaussian around 0 is not negligible, from -2 N to 3 N at most.

    Args:
        N: Samples per period.
        deviation: The Gaussian's deviation in samples.
    """
    reach = _NEGLIGIBLE * deviation
    return np.arange(max(-2 * N, -math.ceil(reach)), min(3 * N, math.ceil(reach) + 1))


def _in_space(N: int, sigma: float) -> np.ndarray:
    """The Gaussian of deviation `sigma` samples and sum 1, periodised on N points."""
    u = reached(N, sigma)
    bump = np.zeros(N)
    np.add.at(bump, u % N, np.exp(-(u**2) / (2 * sigma**2)) / (math.sqrt(2 * np.pi) * sigma))
    return bump


def lowpass_in_space(N: int, sigma: float) -> np.ndarray:
    """Spectrum of the Gaussian of deviation `sigma` samples, periodised in space on N points.

    The low-pass of the plane is the outer product of two such spectra.
    """
    return np.fft.fft(_in_space(N, sigma)).real


def lowpass_in_plane(size: tuple[int, ...], sigma: float) -> np.ndarray:
    """Spectrum of the same Gaussian on a plane, however wide it is.

    Its copies reach from -2 N to 3 N. Where it is as wide as the plane, this is not symmetric, and
    the real part of a product is not the product of real parts.
    """
    return np.fft.fft2(np.outer(*(_in_space(N, sigma) for N in size))).real

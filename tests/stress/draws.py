"""What statistics says of moments, on hundreds of draws of random signals and images.

Scattering spectra of white noise and of self-similar processes, and phase harmonics of Gaussian and
of lognormal images. Each row is a statement. Its figure is what was found, in standard errors
(s.e.) where the statement is that a mean is zero. Bounds that are not in standard errors widen as
1 / sqrt(scale), with fewer draws.
"""

import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from rounds import Ended, Row, fresh, scaled

DRAWS, FEWER, FEWEST = 400, 200, 100
LEAST = 20
MOST = 5.0  # s.e.: of hundreds of rows the largest is about 3
SKEWED = 20.0  # s.e. that moments of images that are not Gaussian must exceed
LIMIT = 3600  # seconds for a process
BANKS = ("morlet", "bump_steerable")


class Found(NamedTuple):
    """A statement, whether it holds, and the figure."""

    statement: str
    holds: bool
    figure: str


# Signals


def gaussian(slope: float, shape: tuple[int, ...], count: int, seed: int) -> np.ndarray:
    """Gaussian signals or images whose power spectrum falls as 1 / k**slope."""
    axes = tuple(range(1, len(shape) + 1))
    k = np.sqrt(sum(f**2 for f in np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij")))
    k[(0,) * len(shape)] = np.inf if slope else 1
    noise = np.random.default_rng(seed).standard_normal((count, *shape))
    x = np.fft.ifftn(np.fft.fftn(noise, axes=axes) / k ** (slope / 2), axes=axes).real
    return x / x.std(axes, keepdims=True)


def lognormal(shape: tuple[int, ...], count: int, seed: int) -> np.ndarray:
    return np.exp(gaussian(3.0, shape, count, seed))


def deviations(y: np.ndarray) -> np.ndarray:
    """Means over the draws, in standard errors."""
    return y.mean(0) / (y.std(0, ddof=1) / math.sqrt(len(y)))


def zero(statement: str, y: np.ndarray) -> Found:
    """That all means over the draws are zero."""
    largest = np.abs(deviations(y)).max()
    figure = f"{largest:.1f} s.e. of {y.shape[1]} rows, means to {np.abs(y.mean(0)).max():.4f}"
    return Found(statement, largest < MOST, figure)


def near(
    statement: str, values: np.ndarray, wanted: float, relative: float, errors: Any = 0.0
) -> Found:
    """That all values are within a share of the one wanted, and three standard errors."""
    figure = f"{values.min():.4f} to {values.max():.4f}, wanted {wanted:.4f} to {relative:.1%}"
    holds = np.abs(values - wanted) < relative * wanted + 3 * errors
    return Found(statement, bool(holds.all()), figure)


# Scattering spectra


def white_signals(count: int, seed: int, wider: float) -> list[Found]:
    from keras_scattering import ScatteringSpectra1D

    layer = ScatteringSpectra1D(J=5, dtype="float64")
    y = layer(gaussian(0.0, (1024,), count, seed)).numpy()
    meta = layer.meta()
    sparsity = y[:, meta["kind"] == "sparsity"]
    phase = y[:, (meta["kind"] == "phase") & (meta["n2"] < meta["n2"].max())]
    imaginary = y[:, (meta["kind"] == "modulus") & (meta["part"] == "imag")]
    statement, wanted = "white noise: sparsity is sqrt(pi) / 2", math.sqrt(math.pi) / 2
    errors = sparsity.std(0, ddof=1) / math.sqrt(count)
    # The largest scale has few independent coefficients: the mean of its ratio is 1.1% too large.
    return [
        near(statement, sparsity.mean(0), wanted, 0.015, errors),
        zero("white noise: phase is 0", phase),
        zero("white noise: imaginary modulus is 0", imaginary),
    ]


def self_similar_signals(count: int, seed: int, wider: float) -> list[Found]:
    """Processes of exponent H = 1/2."""
    from keras_scattering import ScatteringSpectra1D

    layer = ScatteringSpectra1D(J=7, dtype="float64")
    y = layer(gaussian(2.0, (4096,), count, seed)).numpy()
    meta = layer.meta()
    power = y[:, (meta["kind"] == "power") & (meta["n1"] >= 0)].mean(0)
    slopes = np.diff(np.log2(power))[1:-1]  # the first and last filters have other widths
    found = [near("self-similar: power rises by 2H = 1 an octave", slopes, 1.0, 0.06 * wider)]
    own = (meta["kind"] == "modulus") & (meta["n1"] == meta["n1b"]) & (meta["n1"] > 0)
    own &= meta["n2"] < meta["n2"].max()
    for lag in (1, 2):
        some = y[:, own & (meta["n2"] - meta["n1"] == lag)].mean(0)
        statement = f"self-similar: modulus is the same at all scales, lag {lag}"
        found.append(near(statement, some, some.mean(), 0.03 * wider))
    return found


# Phase harmonics

SHAPE = (64, 64)
ODD = ("S01", "C01", "Cphase", "L")


def odd_moments(y: np.ndarray, meta: dict[str, np.ndarray], kind: str) -> np.ndarray:
    """Those that -x has with the other sign."""
    return y[:, (meta["kind"] == kind) & (meta["p1"] != meta["p2"])]


def harmonics_of(x: np.ndarray, wavelet: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    from keras_scattering import PhaseHarmonics2D

    moments = ("S00", "S01", "C01", "Cphase", "L")
    layer = PhaseHarmonics2D(J=3, L=4, wavelet=wavelet, moments=moments, dtype="float64")
    return layer(x).numpy(), layer.meta()


def moduli(y: np.ndarray, meta: dict[str, np.ndarray]) -> np.ndarray:
    """S00 / P by scale j, a mean over draws and angles."""
    scales = [y[:, (meta["kind"] == "S00") & (meta["j1"] == j)] for j in range(3)]
    return np.array([some.mean() for some in scales])


def gaussian_images(count: int, seed: int, wider: float, wavelet: str, slope: float) -> list[Found]:
    y, meta = harmonics_of(gaussian(slope, SHAPE, count, seed), wavelet)
    name = f"{f'1/k^{slope:.0f} Gaussian' if slope else 'white'} images, {wavelet}"
    odd = np.concatenate([odd_moments(y, meta, kind) for kind in ODD], 1)
    found = [zero(f"{name}: odd moments are 0", odd)]
    largest = np.abs(odd.mean(0)).max()
    found.append(
        Found(f"{name}: their means are small", largest < 0.01 * wider, f"up to {largest:.4f}")
    )
    if not slope:
        ratios, circular = moduli(y, meta), 1 - math.pi / 4
        statement = f"{name}: S00 / P is 1 - pi / 4 for j >= 1"
        found.append(near(statement, ratios[1:], circular, 0.015 * wider))
        off = ratios[0] / circular - 1  # the band wraps at the Nyquist frequency
        statement = f"{name}: and larger for j = 0, whose coefficients are not circular"
        found.append(Found(statement, off > 0.05, f"{ratios[0]:.4f}"))
    return found


def lognormal_images(count: int, seed: int, wider: float, wavelet: str) -> list[Found]:
    y, meta = harmonics_of(lognormal(SHAPE, count, seed), wavelet)
    found = []
    for kind in ("S01", "C01", "Cphase"):
        odd = odd_moments(y, meta, kind)
        most = np.abs(deviations(odd)).max()
        figure = f"{most:.0f} s.e., means to {np.abs(odd.mean(0)).max():.2f}"
        statement = f"lognormal images, {wavelet}: {kind} is not 0"
        found.append(Found(statement, most > SKEWED / wider, figure))
    ratios = moduli(y, meta)
    statement = f"lognormal images, {wavelet}: S00 / P is twice that of circular W, or more"
    holds = bool((ratios > 2 * (1 - math.pi / 4)).all())
    found.append(Found(statement, holds, f"{ratios.min():.2f} to {ratios.max():.2f}"))
    return found


PARTS: list[tuple[Any, int, tuple]] = [
    (white_signals, DRAWS, ()),
    (self_similar_signals, FEWER, ()),
    *((gaussian_images, DRAWS, (bank, slope)) for bank in BANKS for slope in (0.0, 3.0)),
    *((lognormal_images, FEWEST, (bank,)) for bank in BANKS),
]


def rows(scale: float, seed: int) -> Iterator[Row]:
    for function, most, arguments in PARTS:
        count = scaled(most, scale, LEAST)
        wider = max(1.0, math.sqrt(most / count))
        began = time.monotonic()
        try:
            results = fresh(function, count, seed, wider, *arguments, limit=LIMIT)
        except Ended as ended:
            title = " ".join([function.__name__, *map(str, arguments)])
            yield Row(title, count, [f"{title}: {ended}"], time.monotonic() - began)
            continue
        seconds = (time.monotonic() - began) / len(results)
        for found in results:
            wrong = [] if found.holds else [f"{found.statement}: {found.figure}, seed {seed}"]
            yield Row(found.statement, count, wrong, seconds, found.figure)

"""What scattering spectra say of a signal: complex moments, means over scales, harmonics, scores.

The functions work on the output of layers of scattering spectra, in NumPy.
"""

import itertools
from typing import Any

import numpy as np

from keras_scattering import _validate
from keras_scattering.layers.spectra1d import ScatteringSpectra1D
from keras_scattering.layers.spectra2d import ScatteringSpectra2D

__all__ = ["angle_harmonics", "moments", "scale_means", "scores", "significant", "surrogates"]

_ANGLES = {"phase": 1, "modulus": 2}  # differences of angles


def moments(layer: Any, coefficients: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    r"""Complex moments $\Phi$, from rows that hold their real and imaginary parts one by one.

    Args:
        layer: A built layer of scattering spectra.
        coefficients: Its output, `(..., K)`, or `(..., channels * K)`.

    Returns:
        The moments, `(..., M)`, or `(..., channels, M)` for more than one channel, and their
        metadata: the columns of `layer.meta()` without `part`.

    Raises:
        ValueError: For a layer of another kind or not built, or coefficients of another shape.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import ScatteringSpectra1D, spectra
    >>> layer = ScatteringSpectra1D(J=4)
    >>> y = layer(np.random.default_rng(0).standard_normal((2, 256)))
    >>> values, meta = spectra.moments(layer, y)
    >>> y.shape[1], values.shape, sorted(set(meta["kind"].tolist()))
    (92, (2, 67), ['mean', 'modulus', 'phase', 'power', 'sparsity'])
    """
    meta = _meta(layer, "moments")
    y = _channels(coefficients, len(meta["part"]))
    (real,) = np.nonzero(meta["part"] == "real")
    (imaginary,) = np.nonzero(meta["part"] == "imag")  # each follows its real part
    values = y[..., real].astype(complex)
    values[..., np.searchsorted(real, imaginary) - 1] += 1j * y[..., imaginary]
    return values, {name: column[real] for name, column in meta.items() if name != "part"}


def scale_means(layer: Any, coefficients: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    r"""Means of moments over scales at fixed distances of scales, for Q = 1.

    A self-similar signal has the same phase and modulus moments at all scales with the same lags.
    Phase is averaged at a fixed n2 - n1, and modulus at a fixed n1 - n1b and n2 - n1. Mean, power,
    sparsity, and all moments with the low-pass stay as they are.

    Args:
        layer: A built `ScatteringSpectra1D` with Q = 1.
        coefficients: Its output, `(..., K)`, or `(..., channels * K)`.

    Returns:
        The means, complex, and their metadata: `kind`, `n1`, `n2`, `lag1` (n1 - n1b), `lag2`
        (n2 - n1), and `count`, the number of moments in the mean. -1 stands for none.

    Raises:
        ValueError: For a layer of another kind, with another Q, or not built, or coefficients of
            another shape.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import ScatteringSpectra1D, spectra
    >>> layer = ScatteringSpectra1D(J=6)
    >>> y = layer(np.random.default_rng(0).standard_normal((1, 512)))
    >>> values, meta = spectra.scale_means(layer, y)
    >>> meta["lag2"][meta["kind"] == "phase"][:4].tolist()
    [0, 1, 2, 3]

    Source: Morel et al. 2022 (arXiv 2204.10177).
    """
    _self_similar_layer(layer, "scale_means")
    values, meta = moments(layer, coefficients)
    keys: dict[tuple, list[int]] = {}
    for i, key in enumerate(_lags(meta)):
        keys.setdefault(key, []).append(i)
    means = np.stack([values[..., some].mean(-1) for some in keys.values()], -1)
    kind, *lags = zip(*keys, strict=True)
    names = ("n1", "n2", "lag1", "lag2")
    table = {"kind": np.array(kind)}
    table |= {name: np.array(column) for name, column in zip(names, lags, strict=True)}
    table["count"] = np.array([len(some) for some in keys.values()])
    return means, table


def angle_harmonics(layer: Any, coefficients: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    r"""Fourier transforms over the differences of angles, for `reduce="angle"`.

    $$\hat \Phi(k_2, k_3) = \frac{\sqrt s}{L} \sum_{l_2, l_3 = 0}^{L-1} \Phi(l_2, l_3)
      \, e^{-2 \pi i (k_2 l_2 + k_3 l_3) / L}$$

    is the transform of modulus, and that of phase has $k_2$ alone, over $\sqrt L$. The moments are
    real, and s harmonics have the same real part: those of -k have the opposite imaginary part, and
    where j1 = j2 those of $(-k_2 - k_3, k_3)$ are the same. The result has one of these s, so fewer
    values than rows and the same sum of squares. Mean, variance, power and sparsity stay.

    Moments change little from one angle to the next, so few harmonics of a field are large:
    `significant` finds them. Imaginary parts change their sign in the mirror image of a field.

    The map is linear. With the identity in place of coefficients it gives its matrix, whose columns
    are orthonormal, and whose transpose leads back to the layer's output.

    Args:
        layer: A built `ScatteringSpectra2D` with `reduce="angle"`.
        coefficients: Its output, `(..., K)`, or `(..., channels * K)`.

    Returns:
        The harmonics, real, `(..., M)`, or `(..., channels, M)` for more than one channel, and
        their metadata: `kind`, `j1`, `j2`, `j3`, `k2`, `k3` (-1 for none) and `part`.

    Raises:
        ValueError: For a layer of another kind, with another `reduce`, or not built, or
            coefficients of another shape.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import ScatteringSpectra2D, spectra
    >>> layer = ScatteringSpectra2D(J=3, reduce="angle", dtype="float64")
    >>> y = layer(np.random.default_rng(0).standard_normal((8, 32, 32))).numpy()
    >>> values, meta = spectra.angle_harmonics(layer, y)
    >>> matrix, _ = spectra.angle_harmonics(layer, np.eye(192))
    >>> values.shape, bool(np.allclose(values @ matrix.T, y))
    ((8, 156), True)

    Source: Cheng et al. 2023 (arXiv 2306.17210) for the transform and its threshold; the choice of
    one among equal harmonics is this package's.
    """
    meta = _meta(layer, "angle_harmonics")
    if not isinstance(layer, ScatteringSpectra2D) or layer.reduce != "angle":
        raise ValueError(
            "Argument `layer` of angle_harmonics() must be a ScatteringSpectra2D with "
            f"reduce='angle'. Received: {_validate.shown(layer.get_config())}"
        )
    y = _channels(coefficients, len(meta["part"]))
    names = "kind", "j1", "j2", "j3"
    keys = list(zip(*(meta[name].tolist() for name in names), strict=True))
    values, rows, start = [], [], 0
    for key, group in itertools.groupby(keys):  # rows of the same scales stand side by side
        some = y[..., start : start + len(list(group))]
        start += some.shape[-1]
        if angles := _ANGLES.get(key[0]):
            grid = some.reshape(*y.shape[:-1], *[layer.L] * angles)
            some, k, part = _harmonics(grid, angles, exchange=angles == 2 and key[1] == key[2])
            rows += [(*key, *(*pair, -1)[:2], name) for pair, name in zip(k, part, strict=True)]
        else:
            rows.append((*key, -1, -1, "real"))
        values.append(some)
    columns = zip((*names, "k2", "k3", "part"), zip(*rows, strict=True), strict=True)
    return np.concatenate(values, -1), {name: np.array(column) for name, column in columns}


def significant(values: Any, meta: dict[str, np.ndarray], threshold: float = 1.0) -> np.ndarray:
    r"""Which moments of data differ from 0 by more than they vary.

    $$|\langle \Phi \rangle| > \text{threshold} \cdot
      \langle |\Phi - \langle \Phi \rangle|^2 \rangle^{1/2}$$

    where ⟨ ⟩ is the mean over data, of squares with the divisor n - 1. The threshold is on phase
    and modulus. All other moments are kept. The mean of n signals errs by $1 / \sqrt n$ of the
    deviation, so a threshold below $3 / \sqrt n$ keeps some moments by chance.

    Args:
        values: Moments or harmonics of at least two signals of the same law, `(n, M)`.
        meta: Their metadata, with the column `kind`.
        threshold: At least 0. 0 drops only what is 0.

    Returns:
        For each of the M moments, whether it is kept.

    Raises:
        ValueError: For values of another shape or not finite, or a threshold below 0.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import ScatteringSpectra2D, spectra
    >>> layer = ScatteringSpectra2D(J=3, reduce="angle")
    >>> y = layer(np.random.default_rng(0).standard_normal((20, 64, 64)))
    >>> values, meta = spectra.angle_harmonics(layer, y)
    >>> keep = spectra.significant(values, meta)
    >>> bool(keep.sum() < len(keep) / 2), bool(keep[meta["part"] == "imag"].any())
    (True, False)

    Source: Cheng et al. 2023 (arXiv 2306.17210).
    """
    y, kind = np.asarray(values), np.asarray(meta["kind"])
    if y.ndim != 2 or len(y) < 2 or y.shape[1] != len(kind) or not np.isfinite(y).all():
        raise ValueError(
            f"Argument `values` must be the {len(kind)} moments of at least two signals, finite. "
            f"Received: shape {y.shape}"
        )
    threshold = _validate.nonnegative("threshold", threshold)
    above = np.abs(y.mean(0)) > threshold * y.std(0, ddof=1)
    return above | ~np.isin(kind, ["phase", "modulus"])


def scores(layer: Any, coefficients: Any) -> dict[str, np.ndarray]:
    r"""How far signals are from self-similar, and from the same law when time runs backwards.

    $$\text{scale} = \Big(\frac{\sum_{g,j} |\Phi_{g,j} - \bar\Phi_g|^2}
      {\sum_{g,j} |\Phi_{g,j}|^2}\Big)^{1/2} \quad
      \text{time} = \Big(\frac{\sum (\operatorname{Im} \Phi)^2}{\sum |\Phi|^2}\Big)^{1/2}$$

    The first sums run over the groups g of sparsity, phase and modulus moments with the same lags,
    and over their scales j. The second sums run over phase and modulus. Neither takes moments with
    the low-pass. Both are 0 for the moments of an ideal process and positive for estimates from a
    finite signal, so compare them with those of `surrogates`.

    Args:
        layer: A built `ScatteringSpectra1D` with Q = 1 and `normalize` not False.
        coefficients: Its output, `(..., K)`, or `(..., channels * K)`.

    Returns:
        `"scale"` and `"time"`, one number per signal and channel.

    Raises:
        ValueError: For a layer of another kind, with another Q, or not built, or coefficients of
            another shape.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import ScatteringSpectra1D, spectra
    >>> layer = ScatteringSpectra1D(J=6)
    >>> x = np.random.default_rng(0).standard_normal((1, 4096))
    >>> others = spectra.surrogates(x[0], count=20)
    >>> own, chance = (spectra.scores(layer, layer(y))["time"] for y in (x, others))
    >>> bool(own[0] < chance.max())
    True

    Source: Morel et al. 2022 (arXiv 2204.10177) for both properties; the ratios are this package's.
    """
    _self_similar_layer(layer, "scores")
    if layer.normalize is False:
        raise ValueError(
            "Scores compare normalised moments. Received: a layer with normalize=False"
        )
    values, meta = moments(layer, coefficients)
    products = np.isin(meta["kind"], ["phase", "modulus"])
    banded = meta["n2"] < meta["n2"].max()  # without the low-pass
    groups: dict[tuple, list[int]] = {}
    for i, key in enumerate(_lags(meta)):
        if meta["kind"][i] == "sparsity":
            groups.setdefault(("sparsity",), []).append(i)
        elif products[i] and banded[i]:
            groups.setdefault(key, []).append(i)
    deviations, total = 0.0, 0.0
    for some in groups.values():
        group = values[..., some]
        deviations += (np.abs(group - group.mean(-1, keepdims=True)) ** 2).sum(-1)
        total += (np.abs(group) ** 2).sum(-1)
    both = values[..., products & banded]
    energy = (np.abs(both) ** 2).sum(-1)
    return {
        "scale": np.sqrt(_ratio(deviations, total)),
        "time": np.sqrt(_ratio((np.imag(both) ** 2).sum(-1), energy)),
    }


def surrogates(x: Any, count: int, seed: int = 0) -> np.ndarray:
    """Gaussian signals with the power spectrum of a signal, and random phases.

    Their law is the same when time runs backwards, and they have no dependence of scales. So they
    tell how large scores become by chance, if the signal is Gaussian. They lack its tails and
    bursts, which alone may raise its score of scale above theirs and its score of time below.

    Args:
        x: A signal, `(time,)`.
        count: Number of surrogates.
        seed: Of the random phases.

    Returns:
        The surrogates, `(count, time)`.

    Raises:
        ValueError: If `x` is no finite, real signal of at least two samples, `count` no positive
            integer, or `seed` none of at least 0.

    Example:

    >>> import numpy as np
    >>> from keras_scattering import spectra
    >>> x = np.random.default_rng(0).standard_normal(64)
    >>> y = spectra.surrogates(x, count=3)
    >>> y.shape, bool(np.allclose(np.abs(np.fft.fft(y[0])), np.abs(np.fft.fft(x))))
    ((3, 64), True)

    Source: J. Theiler et al., "Testing for nonlinearity in time series: the method of surrogate
    data", Physica D 58, 1992.
    """
    signal = np.asarray(x)
    if signal.ndim != 1 or len(signal) < 2 or signal.dtype.kind not in "fiu":
        raise ValueError(
            "Argument `x` must be one real signal of at least two samples. "
            f"Received: shape {signal.shape}, dtype {signal.dtype}"
        )
    if not np.isfinite(signal).all():
        raise ValueError("Argument `x` must be finite. Received: NaN or infinity in it")
    count, seed = _validate.positive_int("count", count), _validate.natural("seed", seed)
    spectrum = np.fft.rfft(signal.astype("float64"))
    turns = np.random.default_rng(seed).random((count, len(spectrum)))
    turns[:, 0] = 0  # the mean stays
    if len(signal) % 2 == 0:
        turns[:, -1] = 0
    return np.fft.irfft(spectrum * np.exp(2j * np.pi * turns), len(signal))


def _ratio(part: Any, whole: Any) -> np.ndarray:
    """Part of a whole; 0 where there is none."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=np.asarray(whole) != 0)


def _meta(layer: Any, function: str) -> dict[str, np.ndarray]:
    if not isinstance(layer, ScatteringSpectra1D | ScatteringSpectra2D):
        raise ValueError(
            f"Argument `layer` of {function}() must be a layer of scattering spectra. "
            f"Received: {_validate.shown(layer)}"
        )
    layer._built(f"{function}()")
    return layer.meta()


def _channels(coefficients: Any, rows: int) -> np.ndarray:
    """Rows, with more than one channel on an axis before them."""
    y = np.asarray(coefficients, "float64")
    if y.ndim == 0 or y.shape[-1] == 0 or y.shape[-1] % rows:
        raise ValueError(
            "Argument `coefficients` must be the output of the layer, with its "
            f"{rows} rows per channel last. Received: shape {y.shape}"
        )
    return y if y.shape[-1] == rows else y.reshape(*y.shape[:-1], -1, rows)


def _harmonics(
    y: np.ndarray, angles: int, exchange: bool
) -> tuple[np.ndarray, list[tuple[int, ...]], list[str]]:
    """The DFT of real moments, without harmonics that others determine.

    Args:
        y: The moments, (..., L) for one difference of angles, (..., L, L) for two.
        angles: The number of differences.
        exchange: Whether y(l2, l3) = y(-l2, l3 - l2), since two moduli of one scale may change
            places. Then the harmonics k and (-k2 - k3, k3) are equal.

    Returns:
        Values (..., M), and the k and the part of each.
    """
    shape = y.shape[y.ndim - angles :]
    transform = np.fft.fftn(y, axes=range(y.ndim - angles, y.ndim), norm="ortho")
    transform = transform.reshape(*y.shape[: y.ndim - angles], -1)
    k = np.indices(shape).reshape(angles, -1)
    equal = [k]
    if exchange:
        equal.append(np.stack([-k[0] - k[1], k[1]]))
    same, conjugate = (
        np.array([np.ravel_multi_index(tuple(sign * e), shape, mode="wrap") for e in equal])
        for sign in (1, -1)
    )
    transform = transform[..., same].mean(-2)
    values, harmonics, parts = [], [], []
    for i in range(k.shape[1]):
        orbit = {*same[:, i], *conjugate[:, i]}
        if i > min(orbit):  # another stands for it
            continue
        z = np.sqrt(len(orbit)) * transform[..., i]
        both = i not in conjugate[:, i]  # else it is real
        values += [z.real, z.imag] if both else [z.real]
        parts += ["real", "imag"] if both else ["real"]
        harmonics += [tuple(k[:, i].tolist())] * (1 + both)
    return np.stack(values, -1), harmonics, parts


def _self_similar_layer(layer: Any, function: str) -> None:
    """Refuse layers whose filters are not one octave apart."""
    meta = _meta(layer, function)
    if "n1b" not in meta or layer._Q != (1, 1):
        raise ValueError(
            f"Argument `layer` of {function}() must be a ScatteringSpectra1D with Q=1. "
            f"Received: {_validate.shown(layer.get_config())}"
        )


def _lags(meta: dict[str, np.ndarray]) -> list[tuple]:
    """For each moment its kind, n1, n2 and lags, with n1 and n2 left out where scales are lags."""
    keys = []
    low = meta["n2"].max()
    for kind, n1, n1b, n2 in zip(meta["kind"], meta["n1"], meta["n1b"], meta["n2"], strict=True):
        if kind in ("phase", "modulus") and n2 < low:
            keys.append((kind, -1, -1, n1 - n1b if n1b >= 0 else -1, n2 - n1))
        else:
            keys.append((kind, n1, n2, n1 - n1b if n1b >= 0 else -1, -1))
    return keys

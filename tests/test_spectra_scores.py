"""Complex moments, means over scales, harmonics, scores and surrogates of scattering spectra."""

import numpy as np
import pytest

from keras_scattering import (
    PhaseHarmonics1D,
    Scattering1D,
    ScatteringSpectra1D,
    ScatteringSpectra2D,
    spectra,
)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.fixture(scope="module")
def layer():
    made = ScatteringSpectra1D(J=6, dtype="float64")
    made.build((None, 1024))
    return made


def test_moments_are_rows_with_their_imaginary_parts(layer):
    y = layer(noise(2, 1024)).numpy()
    values, meta = spectra.moments(layer, y)
    rows = layer.meta()
    number = 0
    for kind, n1, n1b, n2, value in zip(
        meta["kind"], meta["n1"], meta["n1b"], meta["n2"], values.T, strict=True
    ):
        same = (rows["kind"] == kind) & (rows["n1"] == n1)
        same &= (rows["n1b"] == n1b) & (rows["n2"] == n2)
        for part, found in (("real", value.real), ("imag", value.imag)):
            some = y[:, same & (rows["part"] == part)]
            np.testing.assert_array_equal(found, some[:, 0] if some.size else 0)
            number += some.shape[1]
    assert number == y.shape[1]


def test_channels_stand_before_harmonics():
    many = ScatteringSpectra2D(J=2, reduce="angle", dtype="float64")
    x = noise(2, 8, 8, 3)
    values, _ = spectra.angle_harmonics(many, many(x))
    one = over_angles(2, 8)
    for channel in range(3):
        single, _ = spectra.angle_harmonics(one, one(x[..., channel]))
        np.testing.assert_allclose(values[:, channel], single, atol=1e-12)


def test_channels_stand_before_moments():
    x = noise(2, 64, 3)
    many, one = (ScatteringSpectra1D(J=3, dtype="float64") for _ in range(2))
    y = many(x)
    values, _ = spectra.moments(many, y)
    assert values.shape[:2] == (2, 3)
    for channel in range(3):
        y = one(x[..., channel])
        single, _ = spectra.moments(one, y)
        np.testing.assert_allclose(values[:, channel], single, rtol=1e-12)


def test_means_over_scales_keep_what_has_no_lag(layer):
    y = layer(noise(1, 1024))
    values, _ = spectra.moments(layer, y)
    means, meta = spectra.scale_means(layer, y)
    assert meta["count"].sum() == values.shape[1]
    np.testing.assert_allclose((means * meta["count"]).sum(), values.sum(), rtol=1e-12)
    lagged = (meta["lag2"] >= 0) & np.isin(meta["kind"], ["phase", "modulus"])
    assert (meta["count"][~lagged] == 1).all()
    assert (meta["n1"][lagged] == -1).all()
    keys = list(zip(*(meta[n].tolist() for n in meta if n != "count"), strict=True))
    assert len(keys) == len(set(keys))


def over_angles(J, size, L=4):
    made = ScatteringSpectra2D(J=J, L=L, reduce="angle", dtype="float64")
    made.build((None, size, size))
    return made


@pytest.mark.parametrize("L", [2, 3, 4, 5])
def test_harmonics_are_sums_over_angles(L):
    layer = over_angles(2, 8, L)
    y, meta = layer(noise(3, 8, 8)).numpy(), layer.meta()
    values, table = spectra.angle_harmonics(layer, y)
    for i, (kind, *j, k2, k3, part) in enumerate(zip(*table.values(), strict=True)):
        some = meta["kind"] == kind
        for name, scale in zip(("j1", "j2", "j3"), j, strict=True):
            some &= meta[name] == scale
        if kind not in ("phase", "modulus"):
            np.testing.assert_array_equal(values[:, i], y[:, some][:, 0])
            continue
        # The definition of k3 = -1 is that there is no l3.
        turns = k2 * meta["l2"][some] + max(k3, 0) * np.maximum(meta["l3"][some], 0)
        expected = y[:, some] @ np.exp(-2j * np.pi * turns / L) / np.sqrt(some.sum())
        expected = getattr(expected, part)
        # One value has the squares of all harmonics that have the same or the opposite value.
        ratio = values[:, i] / expected
        count = np.round(ratio[0] ** 2)
        assert count in (1, 2, 4)
        np.testing.assert_allclose(values[:, i], np.sqrt(count) * expected, atol=1e-12)


@pytest.mark.parametrize(("J", "L", "rows", "harmonics"), [(5, 4, 632, 542), (2, 3, 51, 42)])
def test_harmonics_are_an_isometry_of_the_output(J, L, rows, harmonics):
    layer = over_angles(J, 32, L)
    matrix, meta = spectra.angle_harmonics(layer, np.eye(rows))
    assert matrix.shape == (rows, harmonics)
    assert {len(column) for column in meta.values()} == {harmonics}
    assert len(set(zip(*(column.tolist() for column in meta.values()), strict=True))) == harmonics
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(harmonics), atol=1e-12)
    y = layer(noise(2, 32, 32) ** 2).numpy()
    values, _ = spectra.angle_harmonics(layer, y)
    np.testing.assert_allclose(values, y @ matrix, atol=1e-12)
    np.testing.assert_allclose(values @ matrix.T, y, atol=1e-12)
    np.testing.assert_allclose((values**2).sum(1), (y**2).sum(1), rtol=1e-12)  # Parseval


def test_mirror_images_negate_the_imaginary_harmonics():
    layer = over_angles(3, 32)
    x = noise(2, 32, 32).cumsum(1) ** 2
    y, mirrored = (spectra.angle_harmonics(layer, layer(z))[0] for z in (x, x[:, ::-1]))
    imaginary = spectra.angle_harmonics(layer, layer(x))[1]["part"] == "imag"
    assert np.abs(y[:, imaginary]).max() > 1e-3
    expected = np.where(imaginary, -y, y)
    np.testing.assert_allclose(mirrored, expected, atol=1e-9 * np.abs(y).max())


def test_white_noise_has_few_significant_harmonics():
    """Phase is 0 on average, and so is what changes in the mirror image."""
    layer = over_angles(3, 64)
    values, meta = spectra.angle_harmonics(layer, layer(noise(60, 64, 64)))
    keep = spectra.significant(values, meta)
    assert not keep[meta["kind"] == "phase"].any()
    assert not keep[meta["part"] == "imag"].any()
    moduli = meta["kind"] == "modulus"
    means = (meta["k2"] == 0) & (meta["k3"] == 0) & (meta["j1"] == meta["j2"])
    assert keep[moduli & means].all()
    assert keep[moduli].sum() < moduli.sum() / 3
    kept, all_ = ((values.mean(0)[some] ** 2).sum() for some in (moduli & keep, moduli))
    assert kept > 0.98 * all_


def test_what_is_significant():
    meta = {"kind": np.array(["mean", "phase", "modulus", "phase", "phase"])}
    values = np.array([[0, 1, 5.0, 0, 2j], [0, 3, 7, 0, 2j]])  # of deviation 0, √2, √2, 0, 0
    for threshold, expected in (
        (0, [1, 1, 1, 0, 1]),
        (2, [1, 0, 1, 0, 1]),
        (5, [1, 0, 0, 0, 1]),
    ):
        assert spectra.significant(values, meta, threshold).tolist() == expected
    for wrong in (values[:1], values[:, :2], values * np.nan):
        with pytest.raises(ValueError, match="of at least two signals"):
            spectra.significant(wrong, meta)
    for threshold in (-1, np.nan):
        with pytest.raises(ValueError, match="Argument `threshold` must be a number of at least 0"):
            spectra.significant(values, meta, threshold)


def test_harmonics_need_means_over_angles(layer):
    every = ScatteringSpectra2D(J=1)
    every.build((None, 8, 8))
    for other in (layer, every):
        with pytest.raises(ValueError, match="with reduce='angle'"):
            spectra.angle_harmonics(other, np.zeros((1, len(other.meta()["kind"]))))


def test_scores_tell_processes_apart(layer):
    gaussian, other = noise(8, 1024), noise(8, 1024, seed=1)
    jumps = other * (np.random.default_rng(2).random((8, 1024)) < 0.03)
    # A shock that fades is not the same backwards.
    fading = np.stack([np.convolve(j, np.exp(-np.arange(64) / 12))[:1024] for j in np.abs(jumps)])
    scale, jumpy = (spectra.scores(layer, layer(x))["scale"].mean() for x in (gaussian, jumps))
    assert jumpy > 2 * scale
    forward = spectra.scores(layer, layer(fading))["time"]
    np.testing.assert_allclose(spectra.scores(layer, layer(fading[:, ::-1]))["time"], forward)
    assert forward.mean() > 1.2 * spectra.scores(layer, layer(np.abs(jumps)))["time"].mean()


def test_a_broken_signal_has_no_scores(layer):
    x = noise(2, 1024)
    x[1, 3] = np.nan
    for score in spectra.scores(layer, layer(x)).values():
        assert np.isfinite(score[0])
        assert np.isnan(score[1])


def test_a_silent_signal_has_scores(layer):
    for score in spectra.scores(layer, layer(np.zeros((1, 1024)))).values():
        assert score.tolist() == [0]


@pytest.mark.parametrize("N", [64, 65])
def test_surrogates_have_the_power_spectrum(N):
    x = noise(N) + 3
    y = spectra.surrogates(x, count=4, seed=5)
    np.testing.assert_allclose(np.abs(np.fft.fft(y)), np.abs(np.fft.fft(x))[None].repeat(4, 0))
    assert np.abs(y[0] - y[1]).max() > 0.1
    np.testing.assert_array_equal(y, spectra.surrogates(x, count=4, seed=5))


@pytest.mark.parametrize("function", [spectra.moments, spectra.scale_means, spectra.scores])
def test_what_they_refuse(function, layer):
    y = layer(noise(1, 1024))
    with pytest.raises(ValueError, match=r"rows per channel last. Received: shape \(1, 5\)"):
        function(layer, y[:, :5])
    for other in (Scattering1D(J=2), PhaseHarmonics1D(J=2)):
        with pytest.raises(ValueError, match="layer of scattering spectra"):
            function(other, y)
    with pytest.raises(ValueError, match="needs a built layer"):
        function(ScatteringSpectra1D(J=2), y)


def test_lags_need_octaves():
    dense = ScatteringSpectra1D(J=2, Q=2)
    dense.build((None, 16))
    plane = ScatteringSpectra2D(J=1)
    plane.build((None, 8, 8))
    for layer in (dense, plane):
        for function in (spectra.scale_means, spectra.scores):
            with pytest.raises(ValueError, match="with Q=1"):
                function(layer, np.zeros((1, 3)))
    raw = ScatteringSpectra1D(J=2, normalize=False)
    raw.build((None, 16))
    with pytest.raises(ValueError, match="normalize=False"):
        spectra.scores(raw, np.zeros((1, len(raw.meta()["kind"]))))


@pytest.mark.parametrize("x", [np.zeros((2, 8)), np.zeros(1), np.zeros(8, complex), [1, np.nan]])
def test_surrogates_refuse_what_is_no_signal(x):
    with pytest.raises(ValueError, match="Argument `x` must be"):
        spectra.surrogates(x, count=1)

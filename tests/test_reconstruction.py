"""Signals found from coefficients have these coefficients."""

import keras
import numpy as np
import pytest
from layers import CASES

from keras_scattering import (
    HarmonicScattering3D,
    Scattering1D,
    Scattering2D,
    TimeFrequencyScattering,
    reconstruct,
)

BATCH = 2
# Those that differ in how signals go in and coefficients come out.
VARIED = [c for c in CASES if "first" in c.name or c.name in ("1d-channels", "tf-list")]


def relative_errors(layer, x, y):
    def rows(outputs):
        parts = [np.asarray(part, "float64") for part in keras.tree.flatten(outputs)]
        return np.concatenate([part.reshape(len(part), -1) for part in parts], 1)

    return np.linalg.norm(rows(layer(x)) - rows(y), axis=1) / np.linalg.norm(rows(y), axis=1)


def problem(layer, shape, scale=1.0):
    """Coefficients of noise."""
    x = scale * np.random.default_rng(5).standard_normal((BATCH, *shape))
    return layer, layer(x.astype(layer._precision))


# What 50 steps reach of white noise, the signal with the least structure.
GOALS = [
    (Scattering1D(J=3, Q=4), (128,), 0.1),
    (Scattering1D(J=4, Q=4, T="global"), (128,), 0.01),
    (Scattering1D(J=4, Q=4, T="signal"), (128,), 0.01),
    (Scattering2D(J=1, L=4), (12, 16), 0.1),
    (HarmonicScattering3D(J=1, L=2), (6, 6, 6), 0.02),
    (TimeFrequencyScattering(J=3, J_fr=1, Q=4), (64,), 0.1),
]


@pytest.mark.slow
@pytest.mark.parametrize(("layer", "shape", "goal"), GOALS)
def test_coefficients_come_close(layer, shape, goal):
    layer, y = problem(layer, shape)
    x, history = reconstruct(layer, y, steps=50, tolerance=goal / 10, verbose=0)
    errors = history["error"]
    assert x.shape == (BATCH, *shape)
    assert x.dtype == np.float32
    assert errors[-1].max() < goal < errors[0].min()
    assert (np.diff((errors**2).sum(1)) <= 0).all()
    np.testing.assert_allclose(relative_errors(layer, x, y), errors[-1], rtol=0.01, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("case", VARIED, ids=lambda case: case.name)
def test_every_layer_and_setting_is_taken(case):
    layer, y = problem(case.make(), case.shape)
    x, history = reconstruct(layer, y, steps=3, verbose=0)
    assert x.shape == (BATCH, *case.shape)
    assert 2 <= len(history["error"]) <= 4
    assert (history["error"][-1] < history["error"][0]).all()


def test_without_an_average_the_signal_itself_comes_back():
    layer = Scattering1D(J=3, T=0, dtype="float64")
    x = np.random.default_rng(0).standard_normal((BATCH, 64))
    found, _ = reconstruct(layer, layer(x), tolerance=1e-9, verbose=0)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, x, rtol=0, atol=1e-7)


@pytest.mark.slow
def test_the_seed_decides():
    layer, y = problem(Scattering1D(J=3), (64,))
    one, again, other = (reconstruct(layer, y, steps=5, seed=s, verbose=0)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.1


def test_the_start_is_no_noise_that_signals_are_made_of():
    layer = Scattering1D(J=3)
    y = layer(np.random.default_rng(3).standard_normal((BATCH, 64)))
    _, history = reconstruct(layer, y, steps=1, seed=3, verbose=0)
    assert history["error"][0].min() > 0.1


def test_units_do_not_matter():
    layer, y = problem(Scattering1D(J=3), (64,))
    units = np.array([1e-21, 1e20])
    plain, _ = reconstruct(layer, y, steps=5, verbose=0)
    scaled, _ = reconstruct(layer, np.asarray(y) * units[:, None, None], steps=5, verbose=0)
    np.testing.assert_allclose(scaled / units[:, None], plain, rtol=0, atol=1e-3)


@pytest.mark.slow
def test_no_unit_is_silence():
    """Squares of these coefficients vanish or overflow."""
    layer, y = problem(Scattering1D(J=3, dtype="float64"), (64,))
    units = np.array([1e-280, 1e280])
    plain, _ = reconstruct(layer, y, steps=5, verbose=0)
    scaled, history = reconstruct(layer, np.asarray(y) * units[:, None, None], steps=5, verbose=0)
    np.testing.assert_allclose(scaled / units[:, None], plain, rtol=0, atol=1e-9)
    assert (history["error"] > 0.01).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "unit"),
    [
        ("float32", 1e-35),
        ("float32", 1e-60),
        ("float32", 1e-310),
        ("float32", 1e35),
        ("float32", 1e200),
        ("float64", 1e-300),
        ("float64", 1e-310),
        ("float64", 1e300),
    ],
)
def test_signals_that_the_precision_does_not_hold_are_refused(dtype, unit):
    layer, y = problem(Scattering1D(J=3, dtype=dtype), (64,))
    y = np.asarray(y, "float64") * [[[1.0]], [[unit]]]
    with pytest.raises(ValueError, match=rf"`coefficients`.*{dtype} holds.* Received: .* of size"):
        reconstruct(layer, y, steps=1, verbose=0)
    start = np.full((BATCH, 64), unit)
    with pytest.raises(ValueError, match=rf"`start`.*{dtype} holds.* Received: .* of size"):
        reconstruct(layer, np.ones_like(y), start=start, steps=1, verbose=0)


@pytest.mark.slow
def test_powers_of_mixed_degree_start_at_the_right_size():
    layer, y = problem(HarmonicScattering3D(J=1, L=1, integral_powers=(0.5, 3.0)), (4, 4, 4), 100.0)
    _, history = reconstruct(layer, y, steps=1, verbose=0)
    assert history["error"][0].max() < 1.5


def test_silence_is_matched_by_silence():
    layer, y = problem(Scattering1D(J=3), (64,))
    y = np.asarray(y) * [[[1.0]], [[0.0]]]
    x, history = reconstruct(layer, y, steps=30, verbose=0)
    assert (x[1] == 0).all()
    assert (history["error"][:, 1] == 0).all()
    assert history["error"][-1, 0] < 0.1


def test_a_start_at_the_answer_stays_there():
    layer = Scattering2D(J=1, L=2)
    x = np.random.default_rng(0).standard_normal((BATCH, 8, 8), np.float32)
    found, history = reconstruct(layer, layer(x), start=x, verbose=0)
    np.testing.assert_allclose(found, x, rtol=1e-6)
    assert history["error"].shape == (1, BATCH)


def test_the_layer_is_traced_once(monkeypatch):
    layer, y = problem(Scattering1D(J=2), (16,))
    traced, call = [], Scattering1D.call
    monkeypatch.setattr(Scattering1D, "call", lambda self, x: traced.append(x) or call(self, x))
    _, history = reconstruct(layer, y, steps=4, verbose=0)
    assert len(history["error"]) == 5
    assert len(traced) == 1


def test_progress_is_shown_if_asked_for(capsys):
    layer, y = problem(Scattering1D(J=2), (16,))
    reconstruct(layer, y, steps=2, verbose=0)
    assert capsys.readouterr().out == ""
    reconstruct(layer, y, steps=2, tolerance=1e-9)
    assert "2/2" in capsys.readouterr().out


REFUSED = [
    ({"coefficients": np.zeros((2, 4, 5))}, r"`coefficients` .* \(None, 4, 4\).* \(2, 4, 5\)$"),
    ({"coefficients": np.zeros((4, 4))}, r"`coefficients` .* Received: shape \(4, 4\)$"),
    ({"coefficients": np.zeros((0, 4, 4))}, r"at least one.* Received: shape \(0, 4, 4\)$"),
    ({"coefficients": np.full((2, 4, 4), np.nan)}, "`coefficients` must be finite"),
    ({"start": np.zeros((1, 16))}, r"`start` must have shape \(2, 16\).* shape \(1, 16\)$"),
    ({"start": np.full((2, 16), np.inf)}, "`start` must be finite"),
    ({"coefficients": np.ones((2, 4, 4)) + 1j}, "`coefficients` .* real .* of type complex128$"),
    ({"coefficients": np.full((2, 4, 4), "a")}, "`coefficients` .* real .* of type <U1$"),
    ({"coefficients": np.ones((2, 4, 4), object)}, "`coefficients` .* real .* of type object$"),
    ({"coefficients": None}, "`coefficients` .* real .* Received: None$"),
    ({"coefficients": [[1.0], [1.0, 2.0]]}, r"`coefficients` .* real .* Received: \[\[1\.0\], "),
    ({"start": np.ones((2, 16)) + 1j}, "`start` .* real numbers.* of type complex128$"),
    ({"start": "noise"}, "`start` .* real numbers.* Received: 'noise'$"),
    *[
        ({"seed": seed}, rf"`seed` must be an integer of at least 0\. Received: seed={received}$")
        for seed, received in [(-1, -1), (1.5, 1.5), (True, True), ("a", "'a'"), (None, None)]
    ],
    ({"seed": [1, 2]}, r"`seed` must be an integer of at least 0\. Received: seed=\[1, 2\]$"),
    ({"steps": 0}, "`steps` must be an integer of at least 1.* Received: steps=0$"),
    ({"tolerance": 0}, "`tolerance` must be a positive number.* Received: tolerance=0$"),
    ({"verbose": 2}, "`verbose` must be one of .* Received: verbose=2$"),
    ({"layer": keras.layers.Dense(1)}, "`layer` must be a scattering layer. Received: <Dense"),
    ({"layer": Scattering1D(J=2, name="new")}, "needs a built layer.* layer 'new', not built$"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_what_makes_no_sense_is_refused(changes, message):
    layer = Scattering1D(J=2)
    layer.build((None, 16))
    arguments = {"layer": layer, "coefficients": np.ones((2, 4, 4)), "verbose": 0, **changes}
    with pytest.raises(ValueError, match=message):
        reconstruct(**arguments)


@pytest.mark.parametrize("given", [1.0, np.ones((2, 16))])
def test_one_array_for_many_is_refused(given):
    layer, _ = problem(Scattering1D(J=2, T=0), (16,))
    with pytest.raises(ValueError, match=r"`coefficients` .*shapes .* Received: "):
        reconstruct(layer, given, verbose=0)


def test_a_list_of_other_lengths_is_refused():
    layer, y = problem(Scattering1D(J=2, T=0), (16,))
    with pytest.raises(ValueError, match=r"shapes .*\(None, 16\).* Received: .* \(2, 16\)"):
        reconstruct(layer, y[:-1], verbose=0)

"""Signals that are made have the moments they are to have, and what else the descent promises."""

from pathlib import Path

import keras
import numpy as np
import pytest
import scipy
import tensorflow as tf

from keras_scattering import (
    HarmonicScattering3D,
    PhaseHarmonics1D,
    PhaseHarmonics2D,
    PointPattern,
    RectifierCovariances2D,
    Scattering1D,
    Scattering2D,
    ScatteringSpectra1D,
    ScatteringSpectra2D,
    TimeFrequencyScattering,
    synthesize,
)
from keras_scattering.descent import optimizers
from keras_scattering.descent.objective import PARTS, Wanted, make_objective, part_means
from keras_scattering.descent.rows import read_rows
from keras_scattering.descent.starts import Layout
from keras_scattering.runtime import blas

pytestmark = pytest.mark.filterwarnings("ignore:.* rows for signals of .* numbers:UserWarning")
SIZE = 32


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


DATA = noise(3, SIZE) ** 3 + 0.5


def spectra(**arguments):
    return ScatteringSpectra1D(**{"J": 2, "dtype": "float64", **arguments})


def made(layer=None, data=DATA, **arguments):
    return synthesize(layer or spectra(), data, **{"steps": 3, "verbose": 0, **arguments})


def adapted(layer, x):
    """The layer, dividing by the powers of data."""
    config = {**layer.get_config(), "normalize": "adapted"}
    layer = type(layer).from_config(config)
    layer.adapt(x)
    return layer


def rows(y):
    return np.reshape(y, (len(y), -1)).astype("float64")


# What samples match


def test_errors_are_those_of_the_definition():
    x, history = made(n=2, steps=4, tolerance=1e-9)
    layer = adapted(spectra(), DATA)
    t, y = rows(layer(DATA)).mean(0), rows(layer(x))
    kind, squares = layer.meta()["kind"], []
    for name in ("mean", "power", "sparsity", "phase", "modulus"):
        own = kind == name
        if name == "mean":
            squares.append((y[:, own] - t[own])[:, 0] ** 2 / DATA.var())
        else:
            w = 1 / t[own] if name == "power" else 1
            squares.append(((w * (y[:, own] - t[own])) ** 2).sum(1) / ((w * t[own]) ** 2).sum())
        np.testing.assert_allclose(history["kinds"][name][-1] ** 2, squares[-1], rtol=1e-6)
    np.testing.assert_allclose(history["error"][-1] ** 2, np.mean(squares, 0), rtol=1e-6)
    assert history["error"].shape == (5, 2)
    assert (np.diff(history["error"], axis=0) < 0).all()


def test_a_plain_loss_is_that_of_all_rows():
    x, history = made(loss="plain", tolerance=1e-9)
    layer = adapted(spectra(), DATA)
    t, y = rows(layer(DATA)).mean(0), rows(layer(x))
    error = np.linalg.norm(y - t, axis=1) / np.linalg.norm(t)
    np.testing.assert_allclose(history["error"][-1], error, rtol=1e-6)
    assert list(history["kinds"]) == ["all"]


def test_a_function_may_be_the_loss():
    seen = []

    def loss(y, t):
        seen.append((tuple(y.shape), tuple(t.shape)))
        return tf.reduce_mean((y - t) ** 2, 1)

    x, history = made(loss=loss)
    layer = adapted(spectra(), DATA)
    error = np.sqrt(((rows(layer(x)) - rows(layer(DATA)).mean(0)) ** 2).mean(1))
    np.testing.assert_allclose(history["error"][-1], error, rtol=1e-6)
    K = len(layer.meta()["kind"])
    assert set(seen) == {((1, K), (1, K))}


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda y, t: tf.reduce_sum((y - t) ** 2), r"one value per sample.* shape \(1,\).* \(\)$"),
        (lambda y, t: -tf.reduce_sum((y - t) ** 2, 1), "`loss` .* at least 0. Received: values"),
    ],
)
def test_a_loss_of_no_use_is_refused(loss, message):
    with pytest.raises(ValueError, match=message):
        made(loss=loss)


CASES = [
    (spectra(padding="symmetric", normalize=False), (SIZE, 2)),
    (ScatteringSpectra1D(J=2, Q=2, data_format="channels_first"), (2, SIZE)),
    (ScatteringSpectra2D(J=2, L=2, padding="reflect"), (8, 10)),
    (PhaseHarmonics1D(J=2, moments=("mean", "S11", "S00", "C01", "L"), dn=1), (SIZE,)),
    (PhaseHarmonics2D(J=2, L=2), (8, 8)),
    (RectifierCovariances2D(J=2, L=2, A=2, cross_channels=True), (8, 8, 2)),
    (Scattering1D(J=2, T="global"), (SIZE,)),
    (Scattering1D(J=2, T="signal"), (SIZE,)),
    (Scattering2D(J=1, L=2, T="global", padding="zero"), (8, 8)),
    (TimeFrequencyScattering(J=3, J_fr=1, T="global"), (SIZE,)),
    (HarmonicScattering3D(J=1, L=1), (4, 4, 4, 2)),
    (HarmonicScattering3D(J=1, L=1, data_format="channels_first"), (2, 4, 4, 4)),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "shape"), CASES, ids=[f"{type(case[0]).__name__}{case[1]}" for case in CASES]
)
def test_every_layer_of_moments_is_taken(layer, shape):
    data = noise(2, *shape) ** 2
    x, history = made(layer, data, steps=4, schedule="coarse", tolerance=1e-6, start="white")
    assert x.shape == (1, *shape)
    assert x.dtype == layer._precision
    assert history["error"][-1, 0] < history["error"][0, 0]
    assert all(np.isfinite(errors).all() for errors in history["kinds"].values())
    assert layer._state is None  # the given layer is as it was


@pytest.mark.slow
def test_moments_are_matched():
    walk = noise(1, 256).cumsum(1)
    x, history = made(spectra(J=4, padding="symmetric"), walk, n=2, steps=300, shape=(512,))
    assert x.shape == (2, 512)
    assert (history["stop"] == "tolerance").all()
    assert history["error"][-1].max() <= 1e-2 < history["error"][0].min()
    assert np.abs(x[0] - x[1]).max() > walk.std()


# Sizes and layers


TILED = [
    (ScatteringSpectra1D, {"J": 2}, (128,)),
    (PhaseHarmonics1D, {"J": 2, "dn": 1}, (128,)),
    (ScatteringSpectra2D, {"J": 2, "L": 2}, (16, 16)),
    (PhaseHarmonics2D, {"J": 2, "L": 2, "dn": 1}, (16, 16)),
    (RectifierCovariances2D, {"J": 2, "L": 2, "dn": 1}, (16, 16)),
]


@pytest.mark.parametrize(("kind", "arguments", "shape"), TILED, ids=[c[0].__name__ for c in TILED])
def test_a_tiled_signal_has_the_same_moments(kind, arguments, shape):
    x = noise(1, *shape) ** 2
    tiled = np.tile(x, [1] + [2] * len(shape))
    x, tiled = (rows(kind(**arguments, dtype="float64")(s))[0] for s in (x, tiled))
    np.testing.assert_allclose(tiled, x, rtol=0, atol=1e-12 * np.abs(x).max())


def test_a_tiled_start_of_another_size_is_at_the_goal():
    data = noise(1, 128)
    tiled = np.tile(data, 2)
    x, history = made(data=data, shape=(256,), start=tiled, tolerance=1e-9)
    assert history["steps"] == [0]
    assert history["stop"] == ["tolerance"]
    np.testing.assert_allclose(x, tiled, rtol=1e-12)


def test_the_output_is_a_circle_whatever_the_padding_of_data():
    padded = spectra(padding="zero")
    x, history = made(padded, tolerance=1e-9)
    assert padded._state is None
    measure = adapted(padded, DATA)
    circle = spectra(normalize="adapted")
    circle.build((None, SIZE))
    store = {}
    measure.save_own_variables(store)
    circle.load_own_variables(store)
    t, y = rows(measure(DATA)).mean(0), rows(circle(x))
    own = circle.meta()["kind"] == "phase"
    error = np.linalg.norm((y - t)[:, own]) / np.linalg.norm(t[own])
    np.testing.assert_allclose(history["kinds"]["phase"][-1, 0], error, rtol=1e-6)


@pytest.mark.slow
def test_a_layer_that_has_adapted_keeps_its_powers():
    layer = spectra(normalize="adapted")
    layer.adapt(10 * DATA)
    before = layer._powers.numpy()
    ours = made(layer)[1]["kinds"]["modulus"][0]
    theirs = made()[1]["kinds"]["modulus"][0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)  # both rows are divided by one number
    np.testing.assert_array_equal(layer._powers.numpy(), before)
    layer = spectra(normalize="adapted")
    made(layer)
    assert not layer.adapted


@pytest.mark.slow
def test_targets_alone_will_do():
    layer = spectra()
    y = rows(layer(DATA))
    x, history = made(layer, None, targets=y[:2], n=2, start="white", steps=20, tolerance=1e-9)
    assert (history["error"][-1] < 0.3).all()
    again = rows(layer(x))
    kinds = layer.meta()["kind"] == "modulus"
    error = np.linalg.norm((again - y[:2])[:, kinds], axis=1) / np.linalg.norm(y[:2, kinds], axis=1)
    np.testing.assert_allclose(history["kinds"]["modulus"][-1], error, rtol=1e-6)
    one, _ = made(layer, None, targets=y[0], start="white", steps=20, tolerance=1e-9)
    np.testing.assert_array_equal(one[0], x[0])  # whatever the number of samples


def test_targets_have_the_scale_of_the_start():
    layer = Scattering1D(J=2, T="global", padding="periodic")
    y = layer(1e-6 * DATA)
    x, history = made(layer, None, targets=np.array(y)[0], start="white", steps=1)
    assert history["error"][0, 0] < 1
    assert 1e-7 < x.std() < 1e-4


@pytest.mark.slow
def test_targets_and_data_may_differ():
    t = rows(adapted(spectra(), DATA)(2 * DATA)).mean(0)
    _, history = made(targets=t, start=2 * DATA[:1], data=DATA[:1])
    assert history["error"].shape == (4, 1)
    _, history = made(targets=rows(adapted(spectra(), DATA)(DATA[:1])), start=DATA[:1])
    assert history["error"][0, 0] < 1e-9


# Starts


def started(data, size, n=1, seed=0):
    axis = 2 if data.ndim == 3 else None
    shape = (*size, data.shape[2]) if axis else size
    return Layout(shape, axis).field(seed, n, data)


def test_the_gaussian_start_has_the_expected_spectrum_of_data():
    """As noise of variance one has the spectrum 1, the squared kernels are the periodogram."""
    data = noise(2, 16, 2).cumsum(1)
    centred = data - data.mean((0, 1))
    spectra_of_data = np.fft.fft(centred, axis=1)
    expected = np.einsum("bkc,bkd->kcd", spectra_of_data, spectra_of_data.conj()) / 2
    # The field is linear in the noise, so unit impulses in place of noise give its covariance.
    found = np.zeros((16, 2, 2), complex)

    class Impulse:
        def __init__(self, b, u):
            self.b, self.u, self.calls = b, u, 0

        def standard_normal(self, size):
            out = np.zeros(size)
            out[self.u] = self.calls == self.b
            self.calls += 1
            return out

    with pytest.MonkeyPatch.context() as patch:
        for b in range(2):
            for u in range(16):
                patch.setattr(
                    "keras_scattering.descent.starts._draw", lambda seed, i, b=b, u=u: Impulse(b, u)
                )
                field = np.fft.fft(started(data, (16,)), axis=1)[0]
                found += np.einsum("kc,kd->kcd", field, field.conj())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_kernels_lie_from_the_origin_on_and_fold():
    data = noise(1, 6, 5)
    whole = np.zeros((8, 10))
    whole[:6, :5] = (data - data.mean())[0]
    for size, circle in (((8, 7), whole[:, :7]), ((4, 5), whole.reshape(2, 4, 2, 5).sum((0, 2)))):
        w = np.random.default_rng([3, 0]).standard_normal(size)
        expected = np.real(np.fft.ifft2(np.fft.fft2(circle) * np.fft.fft2(w))) / np.sqrt(30)
        found = Layout(size, None).field(3, 1, data)[0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_starts_have_the_mean_and_the_deviation_of_data():
    data = 5 + np.array([1.0, 10.0]) * noise(4, SIZE, 2)
    layer = spectra()
    for start in ("white", "gaussian"):
        x, _ = made(layer, data, n=20, steps=1, shape=(4 * SIZE, 2), start=start, tolerance=1e9)
        np.testing.assert_allclose(x.mean((0, 1)), data.mean((0, 1)), atol=2)
        np.testing.assert_allclose(x.std((0, 1)), data.std((0, 1)), rtol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_samples_do_not_depend_on_their_number_and_the_seed_decides(optimizer):
    def some(**arguments):
        chosen = "lbfgs" if optimizer == "lbfgs" else keras.optimizers.Adam(0.1)
        return made(optimizer=chosen, tolerance=1e-9, **arguments)[0]

    two = some(n=2)
    if optimizer == "lbfgs":
        np.testing.assert_array_equal(some(n=1), two[:1])
        np.testing.assert_array_equal(some(n=2), two)
        assert np.abs(some(seed=1) - two[:1]).max() > 0.1
    else:
        np.testing.assert_allclose(some(n=1), two[:1], rtol=0, atol=1e-9)
    assert np.abs(two[0] - two[1]).max() > 0.1


# The objective


@pytest.mark.slow
def test_the_gradient_is_that_of_the_loss():
    layer, pattern = (
        RectifierCovariances2D(J=1, L=2, dn=1, dtype="float64"),
        PointPattern((8, 8), 1),
    )
    for through, z, axis in ((None, noise(1, 8, 8), None), (pattern, 8 * noise(1, 5, 2), None)):
        layer.build((None, 8, 8))
        objective = make_objective(
            layer,
            np.zeros(layer(noise(1, 8, 8)).shape[1], int),
            through,
            histogram=2.0,
            channel_axis=axis,
        )
        t = rows(layer(noise(1, 8, 8, seed=1)))
        parts = part_means(tf.constant(noise(1, 8, 8, seed=1)), None).numpy()
        wanted = Wanted(t, np.ones_like(t), np.ones_like(t), parts, np.ones((1, 1)))
        unit, direction = np.ones(z.shape), noise(*z.shape, seed=2)
        value = objective(z, unit, wanted)
        h = 1e-5
        ends = [objective(z + s * h * direction, unit, wanted).loss.numpy() for s in (1, -1)]
        slope = (ends[0] - ends[1])[0] / (2 * h)
        np.testing.assert_allclose((value.gradient.numpy() * direction).sum(), slope, rtol=1e-6)


def test_parts_of_a_histogram_share_values():
    x = noise(1, 100)
    repeated = np.repeat(np.sort(x[0]), PARTS).reshape(PARTS, 100).mean(1)
    np.testing.assert_allclose(part_means(tf.constant(x), None)[0, 0], repeated, atol=1e-12)
    channels = part_means(tf.constant(noise(2, 3, 100)), 1)
    assert channels.shape == (2, 3, PARTS)
    np.testing.assert_allclose(channels.numpy().mean(2), noise(2, 3, 100).mean(2), atol=1e-12)


@pytest.mark.slow
def test_a_histogram_is_matched():
    def distance(weight):
        x, _ = made(histogram=weight, steps=40, tolerance=1e-9)
        z, wanted = (part_means(tf.constant(s), None).numpy().mean(0) for s in (x, DATA))
        return np.abs(z - wanted).mean()

    assert distance(10.0) < distance(0.0) / 3


def test_rows_that_carry_power_count_by_their_relative_error():
    layer = RectifierCovariances2D(J=2, L=2, A=2, dn=1, cross_channels=True)
    layer.build((None, 8, 8, 2))
    found, meta = read_rows(layer, (8, 8, 2)), layer.meta()
    own = meta["c1"] == meta["c2"]
    still = (meta["t1"] == 0) & (meta["t2"] == 0)
    expected = np.isin(meta["kind"], ["variance", "rectifier_variance"]) & own
    expected |= np.isin(meta["kind"], ["low", "high"]) & own & still
    np.testing.assert_array_equal(found.power, expected)
    t = np.where(expected, 1e-5, 1.0)[None]
    scales = found.scales(t, np.array([[2.0, 3.0]]), np.ones(len(own), bool), True)
    np.testing.assert_allclose(scales[0, :1], 2 * np.sqrt(2))  # the mean of the first channel
    for kind in ("variance", "rectifier_variance"):
        rows = meta["kind"] == kind
        count = (rows & expected).sum()
        if kind == "rectifier_variance":
            np.testing.assert_allclose(scales[0, rows], 1e-5 * np.sqrt(count))
        assert np.isfinite(scales[0, rows]).all()


def test_silent_kinds_divide_by_one():
    layer = spectra()
    layer.build((None, SIZE))
    found = read_rows(layer, (SIZE,))
    scales = found.scales(np.zeros((1, len(found.group))), np.ones((1, 1)), found.group >= 0, True)
    np.testing.assert_array_equal(scales, 1)


def test_stages_begin_with_the_coarsest_scale():
    layer = ScatteringSpectra2D(J=3, L=2)
    layer.build((None, 8, 8))
    found, meta = read_rows(layer, (8, 8)), layer.meta()
    stages = found.stages("coarse")
    for j, keep in zip((2, 1, 0), stages, strict=True):
        columns = np.stack([meta[name] for name in ("j1", "j2", "j3")])
        np.testing.assert_array_equal(keep, ((columns >= j) | (columns < 0)).all(0))
    assert stages[-1].all()
    layer = ScatteringSpectra1D(J=3, Q=(2, 1))
    layer.build((None, SIZE))
    found, meta = read_rows(layer, (SIZE,)), layer.meta()
    power = meta["kind"] == "power"
    assert found.finest[power].tolist() == sorted(found.finest[power])
    assert np.isinf(found.finest[power][-1])  # the low-pass
    assert len(found.stages("coarse")) == found.coarsest + 1 == 3


def test_stages_share_the_steps():
    _, history = made(spectra(J=3), schedule="coarse", steps=8, tolerance=1e-9)
    assert history["error"].shape == (9, 1)
    assert history["steps"] == [8]
    assert history["error"][-1, 0] < history["error"][0, 0]


# The descent


@pytest.mark.slow
def test_bounds_are_kept_exactly():
    low, high = -0.1, 1 / 3
    for optimizer in ("lbfgs", keras.optimizers.Adam(0.5)):
        x, history = made(
            ScatteringSpectra1D(J=2),
            bounds=(low, high),
            steps=8,
            optimizer=optimizer,
            tolerance=1e-9,
        )
        assert x.dtype == np.float32
        assert x.min() >= low
        assert x.max() <= high
        assert (x == x.max()).sum() > 1
        assert history["error"][-1, 0] < history["error"][0, 0]
    x, _ = made(bounds=(0, None))
    assert x.min() == 0 < x.max()


@pytest.mark.slow
def test_samples_that_match_stay_where_they_are():
    start = np.concatenate([DATA[:1], noise(1, SIZE)])
    adam = keras.optimizers.Adam(0.05)
    x, history = made(data=DATA[:1], start=start, n=2, steps=6, optimizer=adam)
    np.testing.assert_allclose(x[0], DATA[0], rtol=0, atol=1e-12)
    assert history["steps"].tolist() == [0, 6]
    assert history["stop"].tolist() == ["tolerance", "steps"]
    assert history["error"].shape == (7, 2)
    assert (history["error"][:, 0] < 1e-9).all()
    assert history["error"][-1, 1] < history["error"][0, 1]
    assert not adam.built  # the descent takes a copy


def test_samples_that_cannot_move_are_stalled():
    layer = Scattering1D(J=2, T="global", dtype="float64")
    flat = np.zeros((1, SIZE))
    for optimizer in ("lbfgs", keras.optimizers.SGD(0.1)):
        x, history = made(layer, loss=lambda y, t: 1 + 0 * y[:, 0], optimizer=optimizer, start=flat)
        assert history["stop"] == ["stalled"]
        np.testing.assert_array_equal(x, flat)


@pytest.mark.parametrize("optimizer", ["lbfgs", "sgd"])
def test_the_last_finite_place_is_returned(optimizer):
    """Beyond some size the loss is NaN."""

    def loss(y, t):
        return tf.where(tf.abs(y[:, 0] - t[:, 0]) < 2, 1 / (1 + y[:, 0] ** 2), np.nan)

    layer = Scattering1D(J=2, T="global", dtype="float64")
    chosen = "lbfgs" if optimizer == "lbfgs" else keras.optimizers.SGD(1e3)
    x, history = made(layer, loss=loss, optimizer=chosen, steps=50, tolerance=1e-9)
    assert history["stop"] == ["stalled"]
    assert np.isfinite(x).all()
    assert np.isfinite(history["error"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_an_interruption_returns_what_there_is(monkeypatch, optimizer):
    step, calls = optimizers.Course.step, []

    def interrupted(self, *arguments):
        step(self, *arguments)
        calls.append(self)
        if len(calls) == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(optimizers.Course, "step", interrupted)
    chosen = "lbfgs" if optimizer == "lbfgs" else keras.optimizers.Adam(0.1)
    x, history = made(n=3, steps=4, optimizer=chosen, tolerance=1e-9)
    assert np.isfinite(x).all()
    if optimizer == "lbfgs":
        assert history["steps"].tolist() == [4, 2, 0]
        assert history["stop"].tolist() == ["steps", "interrupted", "interrupted"]
        assert np.isnan(history["error"][:, 2]).all()
        y = rows(adapted(spectra(), DATA)(x[1:2]))[0]
        t = rows(adapted(spectra(), DATA)(DATA)).mean(0)
        kind = spectra_kinds() == "modulus"
        error = np.linalg.norm((y - t)[kind]) / np.linalg.norm(t[kind])
        np.testing.assert_allclose(history["kinds"]["modulus"][-1, 1], error, rtol=1e-6)
    else:
        assert history["stop"].tolist() == ["interrupted"] * 3
        assert history["error"].shape == (3, 3)


def spectra_kinds():
    layer = spectra()
    layer.build((None, SIZE))
    return layer.meta()["kind"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"n": 3},
        {"schedule": "coarse", "steps": 7, "n": 2},
        {"schedule": "coarse", "loss": lambda y, t: tf.reduce_mean((y - t) ** 2, 1)},
        {"data": None, "targets": np.ones(13), "start": "white", "shape": (SIZE,), "n": 2},
        {
            "n": 2,
            "optimizer": keras.optimizers.Adam(0.1),
            "data": None,
            "targets": np.ones(13),
            "start": "white",
            "shape": (SIZE,),
        },
    ],
)
def test_the_layer_is_traced_once_for_all_samples_and_stages(monkeypatch, arguments):
    traced, call = [], Scattering1D.call

    def counted(self, x):
        if not tf.executing_eagerly():
            traced.append(x)
        return call(self, x)

    monkeypatch.setattr(Scattering1D, "call", counted)
    layer = Scattering1D(J=3, T="global")
    if "targets" in arguments:
        count = layer.compute_output_shape((1, SIZE))[1]
        arguments = {**arguments, "targets": np.ones(count)}
    made(layer, **arguments)
    assert len(traced) == 1


def test_a_step_takes_hardly_more_than_one_evaluation(monkeypatch):
    calls, lbfgs = [], optimizers.lbfgs

    def counted(evaluate, *arguments):
        def evaluated(z):
            calls.append(z)
            return evaluate(z)

        lbfgs(evaluated, *arguments)

    monkeypatch.setattr(optimizers, "lbfgs", counted)
    _, history = made(spectra(J=4), data=noise(1, 256).cumsum(1), steps=60, tolerance=1e-9)
    assert history["steps"] == [60]
    assert len(calls) <= 1.1 * 60


def test_linear_algebra_takes_one_thread_for_a_while(tmp_path):
    with blas.on_one_thread(tmp_path):  # without an OpenBLAS there is nothing to set
        pass
    setting = blas._setting(Path(scipy.__file__).parent)
    if setting is None:
        pytest.skip("SciPy has no OpenBLAS of its own here")
    get, put = setting
    before = get()
    put(2)
    try:
        with blas.on_one_thread():
            assert get() == 1
        assert get() == 2
    finally:
        put(before)


@pytest.mark.slow
def test_progress_is_shown_if_asked_for(capsys):
    made()
    assert capsys.readouterr().out == ""
    made(n=2, steps=2, tolerance=1e-9, verbose=1)
    assert "4/4" in capsys.readouterr().out


# Points


def test_points_are_drawn_on_a_circle():
    draw = PointPattern((6, 9), 1.5, data_shape=(12, 7))
    positions = np.array([[[0.0, 0.0], [5.5, 8.25], [-7.0, 31.0]]])
    u = np.stack(np.meshgrid(np.arange(6), np.arange(9), indexing="ij"), -1)
    apart = np.abs(u - np.mod(positions[0][:, None, None], (6, 9)))
    apart = np.minimum(apart, np.array([6, 9]) - apart)
    expected = np.exp(-(apart**2).sum(-1) / (2 * 1.5**2)).sum(0)
    np.testing.assert_allclose(draw(positions)[0], expected, rtol=1e-12)
    assert draw.window(positions).shape == (1, 12, 7)
    assert draw(np.zeros((2, 1, 2), "int32")).dtype == tf.float32
    wrapped = draw.wrapped(np.array([[-1e-30, 9.0], [13.0, -1.0]]))
    np.testing.assert_allclose(wrapped, [[0, 0], [1, 8]])
    assert (wrapped < (6, 9)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PointPattern((4,), 1.0), r"`shape` must be two sizes.* Received: shape=\(4,\)$"),
        (lambda: PointPattern((4, 4), 0), "`sigma` must be a positive number. Received: sigma=0$"),
        (lambda: PointPattern((4, 4), 1, (0, 4)), r"`data_shape` must be two sizes.*=\(0, 4\)$"),
        (lambda: PointPattern((4, 4), 1)(np.zeros((3, 3))), r"`positions` .* shape \(3, 3\)$"),
        (
            lambda: PointPattern((4, 4), 1)(np.zeros((3, 2), complex)),
            "`positions` .* real .*complex128",
        ),
        (lambda: PointPattern((4, 4), 1)("points"), "`positions` .* real numbers"),
    ],
)
def test_what_is_no_pattern_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def rectifier():
    return RectifierCovariances2D(J=2, L=2, A=2, dn=1, dtype="float64")


@pytest.mark.slow
def test_points_move():
    pattern = 16 * np.random.default_rng(0).random((2, 20, 2))
    draw = PointPattern((16, 24), 1.0, data_shape=(16, 16))
    x, history = made(rectifier(), pattern, n=2, through=draw, start="white", steps=10)
    assert x.shape == (2, 16, 24)
    moved = history["variables"]
    assert moved.shape == (2, 30, 2)
    assert ((moved >= 0) & (moved < (16, 24))).all()
    np.testing.assert_allclose(draw(moved), x, rtol=1e-12)
    assert (history["error"][-1] < history["error"][0] / 1.5).all()
    begin = 24 * np.random.default_rng(1).random((1, 7, 2))
    _, history = made(rectifier(), pattern, through=draw, start=begin, steps=2)
    assert history["variables"].shape == (1, 7, 2)


def test_anything_differentiable_may_be_moved():
    x, history = made(through=lambda z: tf.tanh(z), start=noise(2, SIZE), n=2, tolerance=1e-9)
    np.testing.assert_allclose(x, np.tanh(history["variables"]), rtol=1e-12)
    assert (history["error"][-1] < history["error"][0]).all()


# Errors


def unadapted():
    return spectra(normalize="adapted", name="new")


K = spectra().compute_output_shape((1, SIZE))[1]
POINTS = {"layer": rectifier(), "through": PointPattern((16, 16), 1.0)}
REFUSED = [
    ({"layer": keras.layers.Dense(1)}, "`layer` must be a scattering layer. Received: <Dense"),
    ({"layer": Scattering1D(J=2)}, r"`layer` must give means .* `reconstruct`.* shape \(4, 8\)$"),
    ({"layer": Scattering1D(J=2, T=0)}, "`layer` must give means over whole signals"),
    (
        {"layer": TimeFrequencyScattering(J=3, J_fr=1, T="global", format="joint")},
        "`layer` must give means over whole signals",
    ),
    ({"data": None}, "`data` or `targets` must be given. Received: None for both$"),
    ({"data": np.zeros(SIZE)}, r"`data` .* \(batch, time\).* Received: shape \(32,\)$"),
    ({"data": np.zeros((0, SIZE))}, r"`data` .* Received: shape \(0, 32\)$"),
    ({"data": np.full((1, SIZE), np.nan)}, "`data` must be finite"),
    ({"data": DATA + 1j}, "`data` must be an array of real numbers"),
    ({"targets": np.ones(K + 1)}, rf"`targets` must have shape \({K},\), .* shape \({K + 1},\)$"),
    ({"targets": np.ones((2, K))}, rf"`targets` .* \(1, {K}\) .* Received: shape \(2, {K}\)$"),
    ({"targets": np.full(K, np.inf)}, "`targets` must be finite"),
    ({"data": None, "targets": np.ones(K)}, "`start='gaussian'` is for signals, and needs `data`"),
    (
        {"data": None, "targets": np.ones(K), "start": "white"},
        "`shape` must be given, .* Received: shape=None$",
    ),
    (
        {"data": None, "targets": np.ones(K), "start": "white", "histogram": 1},
        "`histogram` compares with the values of data.* Received: histogram=1.0, data=None$",
    ),
    (
        {
            "data": None,
            "targets": np.ones(K),
            "start": "white",
            "layer": unadapted(),
            "shape": (SIZE,),
        },
        "`layer` divides by powers of data, and has seen none.* layer 'new', not adapted$",
    ),
    ({"shape": (SIZE, 2)}, r"`shape` must have the axes and channels of \(32,\).*=\(32, 2\)$"),
    ({"shape": "big"}, "`shape` must be the shape of one output.* Received: shape='big'$"),
    ({"shape": (2,)}, "2"),
    (
        {"data": np.ones((1, SIZE, 2)), "shape": (SIZE, 3)},
        r"`shape` must have the axes and channels of \(32, 2\).* Received: shape=\(32, 3\)$",
    ),
    (
        {"layer": Scattering1D(J=3, T="global"), "shape": (36,)},
        r"`shape` must be of signals that are circles.* \(40,\).* Received: shape=\(36,\)$",
    ),
    (
        {"start": "pink"},
        "`start` must be 'gaussian', 'white', or an array. Received: start='pink'$",
    ),
    ({"start": np.zeros((2, SIZE))}, r"`start` must have shape \(1, 32\).* shape \(2, 32\)$"),
    ({"start": np.full((1, SIZE), np.nan)}, "`start` must be finite"),
    ({"loss": "l2"}, "`loss` must be 'balanced', 'plain', or a function. Received: loss='l2'$"),
    ({"optimizer": "adam"}, "`optimizer` must be 'lbfgs', or an optimizer of Keras. Received: "),
    ({"schedule": "fine"}, "`schedule` must be one of None, 'coarse'. Received: schedule='fine'$"),
    ({"n": 0}, "`n` must be an integer of at least 1. Received: n=0$"),
    ({"steps": 0}, "`steps` must be an integer of at least 1. Received: steps=0$"),
    ({"tolerance": 0}, "`tolerance` must be a positive number. Received: tolerance=0$"),
    ({"histogram": -1}, "`histogram` must be a number of at least 0. Received: histogram=-1$"),
    ({"seed": -1}, "`seed` must be an integer of at least 0. Received: seed=-1$"),
    ({"verbose": 2}, "`verbose` must be one of .* Received: verbose=2$"),
    *[
        ({"bounds": bounds}, r"`bounds` must be a pair \(low, high\).* Received: bounds=")
        for bounds in ((1, 1), (2, 1), (1,), 3, ("a", 1), (np.nan, 1))
    ],
    (
        {"through": "tanh", "start": "white"},
        "`through` must be None or a function. Received: through='",
    ),
    ({"through": tf.tanh}, "`start='gaussian'` is for signals, and needs `data`"),
    ({"through": tf.tanh, "start": "white"}, "`start` must be an array of what is moved"),
    (
        {"through": tf.tanh, "start": DATA[:1], "bounds": (0, 1)},
        r"`bounds` is for the values of signals.* Received: bounds=\(0.0, 1.0\)",
    ),
    (
        {"through": lambda z: z[:, 1:], "start": DATA[:1]},
        r"`through` must make signals of shape \(1, 32\).* Received: shape \(1, 31\)$",
    ),
    (
        {**POINTS, "data": np.ones((1, 9, 2)), "start": np.ones((1, 9, 3))},
        r"`start` must have shape \(1, points, 2\). Received: shape \(1, 9, 3\)$",
    ),
    (
        {**POINTS, "data": np.ones((1, 9, 2)), "start": "white", "shape": (8, 8)},
        r"`shape` must be that of `through`, \(16, 16\). Received: shape=\(8, 8\)$",
    ),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_what_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        made(**{"layer": spectra(), **changes})


def test_layers_with_trained_weights_are_refused():
    class Trained(Scattering1D):
        def build(self, shape):
            super().build(shape)
            self.add_weight(shape=(), name="gain")

    layer = Trained(J=2, T="global", name="trained")
    layer.build((None, SIZE))
    with pytest.raises(
        ValueError, match=r"without weights that are trained\. Received: .*'trained'"
    ):
        made(layer)


def test_a_layer_that_has_adapted_to_other_channels_is_refused():
    layer = spectra(normalize="adapted", name="two")
    layer.adapt(noise(2, SIZE, 2))
    with pytest.raises(ValueError, match=r"adapted to signals with as many channels.*'two'"):
        made(layer, noise(2, SIZE, 3))


def test_data_of_the_same_seed_are_told():
    """They are the start, and so the result."""
    x = np.random.default_rng(0).standard_normal((1, 64))
    with pytest.warns(UserWarning, match=r"were drawn with the same seed.*seed=0"):
        made(data=x, start="white", steps=1)
    made(data=x, start="white", steps=1, seed=1)
    points = 16 * np.random.default_rng(0).random((1, 20, 2))
    draw, layer = PointPattern((16, 16), sigma=1.0), RectifierCovariances2D(J=1, L=2, dn=0)
    with pytest.warns(UserWarning, match="were drawn with the same seed"):
        made(layer, points, start="white", through=draw, steps=1)


def test_a_pattern_without_points_is_refused():
    draw = PointPattern((16, 16), sigma=1.0, data_shape=(32, 32))
    layer = RectifierCovariances2D(J=1, L=2, dn=0)
    with pytest.raises(ValueError, match="so many points that an output has one or more"):
        made(layer, 32 * np.random.default_rng(1).random((1, 1, 2)), start="white", through=draw)

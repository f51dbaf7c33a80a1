"""What joint time-frequency scattering is for, and its definition at other settings."""

import keras
import numpy as np
import pytest
from reference import time_frequency, time_frequency_meta, time_frequency_paths

from keras_scattering import Scattering1D, TimeFrequencyScattering


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def layer(*args, **options):
    return TimeFrequencyScattering(*args, **options, dtype="float64")


def paths(transform, x):
    """The output as a list of paths, and a table of (order, n1, n2, n_fr)."""
    y = transform(x)
    y = y if isinstance(y, list) else np.moveaxis(y.numpy(), -1, 0)
    meta = transform.meta()
    columns = (meta[name].tolist() for name in ("order", "n1", "n2", "n_fr"))
    return [np.asarray(path) for path in y], list(zip(*columns, strict=True))


# Time reversal takes x * psi to its conjugate, reversed, as all spectra are real: and a conjugate
# picture times a wavelet along frequency is the conjugate of the picture times the conjugate
# wavelet, the one of opposite spin. A signal that is periodic and fits its grids is reversed into
# another one such: x[-t]. The spins swap exactly, but for one definition: a wavelet's spectrum is a
# sum of three periods of a Gaussian, and what the fourth has at the widest one, of centre 0.35 and
# width 0.14, is exp(-(0.65 / 0.14)^2 / 2) = 2e-5, on one side only.


@pytest.mark.parametrize(
    ("options", "reversible"),
    [
        ({"format": "joint"}, True),
        ({"format": "joint", "T": 32, "stride": 4, "stride_fr": 2, "Q_fr": 2}, True),
        ({"F": "global"}, True),
        ({"T": "global", "F": 2}, False),
        ({"T": "global", "format": "joint"}, False),
        ({"T": "signal", "F": "global"}, False),
        ({"T": 0, "F": 0}, True),
        ({"T": 0, "format": "joint", "Q": (8, 2)}, True),
    ],
)
def test_time_reversal_swaps_the_spins(options, reversible):
    x = noise(2, 1024)
    transform = layer(6, 2, **{"Q": 8, **options}, padding="periodic")
    y, table = paths(transform, x)
    z, _ = paths(transform, np.roll(x[:, ::-1], 1, axis=1))
    xi_fr, spins = transform.meta()["xi_fr"], transform.meta()["spin"]
    wavelets = spins.max() and len(set(xi_fr[spins == 1]))
    for k, (order, n1, n2, n_fr) in enumerate(table):
        swapped = n_fr
        if order == 2:
            swapped += wavelets * spins[k]  # after those of spin +1 come those of spin -1
            assert spins[table.index((order, n1, n2, swapped))] == -spins[k]
        expected = y[table.index((order, n1, n2, swapped))]
        if reversible:
            expected = np.roll(expected[:, ::-1], 1, axis=1)
        tolerance = 1e-4 if abs(xi_fr[k]) == 0.35 and transform.Q_fr == 1 else 1e-11
        np.testing.assert_allclose(z[k], expected, rtol=0, atol=tolerance * abs(expected).max())


# Spins


def glissando(samples, low, high):
    """A tone that goes from one frequency to another, at equal octaves a second."""
    t = np.arange(samples) / samples
    phase = 2 * np.pi * np.cumsum(low * (high / low) ** t)
    return (np.sqrt(np.sin(np.pi * t)) * np.cos(phase))[None]


@pytest.mark.parametrize(
    ("samples", "Q", "T", "F"),
    [
        (1024, 4, "global", "global"),
        (1024, 8, None, None),
        (2048, 4, None, None),
        (2048, 8, "global", "global"),
    ],
)
def test_rising_tones_have_spin_plus_and_falling_ones_minus(samples, Q, T, F):
    # Silence around, lest a reflected end runs the other way.
    transform = layer(8, 3, Q=Q, T=T, F=F, padding="zero")
    rising, falling = glissando(samples, 0.02, 0.4), glissando(samples, 0.4, 0.02)
    both = transform(np.concatenate([rising, falling])).numpy()
    meta = transform.meta()
    for y, spin in zip(both, (1, -1), strict=True):
        energy = {
            s: (y[..., (meta["order"] == 2) & (meta["spin"] == s)] ** 2).sum() for s in (1, -1)
        }
        assert energy[spin] > 50 * energy[-spin]


@pytest.mark.parametrize("T", ["global", "signal"])
def test_only_the_mean_over_the_padded_signal_takes_in_the_reflection(T):
    """Which falls where the signal rises, and is as long."""
    transform = layer(8, 3, Q=8, T=T, F="global", padding="reflect")
    t = np.arange(2048) / 2048
    (y,) = transform(np.cos(2 * np.pi * np.cumsum(0.02 * 20**t))[None]).numpy()
    meta = transform.meta()
    up, down = ((y[(meta["order"] == 2) & (meta["spin"] == s)] ** 2).sum() for s in (1, -1))
    assert (up > 40 * down) if T == "signal" else (up < 1.1 * down)


def test_time_scattering_alone_does_not_tell_directions():
    # Spin 0 is time scattering, averaged along frequency: there, up and down are the same.
    transform = layer(8, 3, Q=8, T="global", F="global", padding="zero")
    x = glissando(2048, 0.02, 0.4)
    rising, falling = transform(x).numpy(), transform(x[:, ::-1]).numpy()
    meta = transform.meta()
    same = meta["spin"] == 0
    np.testing.assert_allclose(falling[:, same], rising[:, same], rtol=0.02)
    up, down = ((meta["spin"] == spin) & (meta["order"] == 2) for spin in (1, -1))
    ratio = rising[:, up] / rising[:, down]
    assert ratio.max() > 20
    np.testing.assert_allclose(falling[:, down] / falling[:, up], ratio, rtol=0.1)


# A ripple is tones on the centres of the first wavelets, whose loudness is a plane wave over time
# and log-frequency: it lights the path of that wave's rate, scale and direction.


def ripple(samples, xi1, rate, scale):
    t, n1 = np.arange(samples), np.arange(len(xi1))[:, None]
    loudness = 1 + np.cos(2 * np.pi * (rate * t + scale * n1))
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, (len(xi1), 1))
    return (loudness * np.cos(2 * np.pi * xi1[:, None] * t + phases)).sum(0)[None]


@pytest.fixture(scope="module")
def joint():
    transform = layer(9, 3, Q=8, format="joint", padding="periodic")
    transform.build((None, 4096))
    first = Scattering1D(9, 8, max_order=1)
    first.build((None, 4096))
    xi1 = first.meta()["xi1"][1:]
    return transform, xi1[xi1 > 0.02]


@pytest.mark.parametrize("n2", [5, 6, 7])
def test_a_ripple_lights_the_row_that_describes_it(joint, n2):
    transform, xi1 = joint
    meta = transform.meta()
    spins = (meta["order"] == 2) & (meta["spin"] != 0)
    rows = np.flatnonzero((meta["n2"] == n2) & spins)
    assert meta["n_fr"][rows].tolist() == list(range(1, 9))
    assert (meta["spin"][rows] == np.sign(meta["xi_fr"][rows])).all()
    x = [ripple(4096, xi1, meta["xi2"][k], meta["xi_fr"][k]) for k in rows]
    y = transform(np.concatenate(x)).numpy()
    energy = np.where(spins, (y**2).sum((1, 2)), 0)
    np.testing.assert_array_equal(energy.argmax(1), rows)


def test_a_tone_lights_the_rows_of_its_frequency():
    transform = layer(8, 2, Q=8, padding="periodic", F=1, stride_fr=1)
    transform.build((None, 2048))
    meta = transform.meta()
    (rows,) = np.nonzero((meta["order"] == 2) & (meta["spin"] == 1))
    t = np.arange(2048)
    for k in rows[:: len(rows) // 12]:
        if meta["xi2"][k] > meta["xi1"][k] / 50:
            continue  # a loudness that changes within the wavelet
        loudness = 1 + np.cos(2 * np.pi * meta["xi2"][k] * t)
        y = transform((loudness * np.cos(2 * np.pi * meta["xi1"][k] * t))[None]).numpy()
        alike = rows[(meta["n2"][rows] == meta["n2"][k]) & (meta["n_fr"][rows] == meta["n_fr"][k])]
        loudest = alike[(y[0, :, alike] ** 2).sum(-1).argmax()]
        assert abs(meta["n1"][loudest] - meta["n1"][k]) <= 1


# Transposition: wavelets of one Q see the same tone an octave lower as the same, Q rows further.


@pytest.mark.parametrize("steps", [2, 8, 16])
def test_transposition_shifts_the_picture(steps):
    samples, Q = 8192, 8
    transform = layer(10, 3, Q=Q, format="joint", F=2, padding="periodic")
    t = np.arange(samples)
    rate = 4 / samples
    loudness = 1 + np.cos(2 * np.pi * rate * t)

    def tone(xi):
        return (loudness * np.cos(2 * np.pi * xi * t))[None]

    xi = round(0.25 * samples) / samples
    tones = np.concatenate([tone(xi), tone(xi * 2 ** (-steps / Q))])
    y, z = transform(tones).numpy()[:, None]
    shifted = np.roll(y, steps // 2, axis=2)
    # Wavelets narrow as they go down, so that a tone's sidebands, 4 / N to either side of it, get
    # weaker: by (rate / sigma)^2 / 2 where sigma = 0.05 xi, 1% at the lowest of these tones.
    assert np.linalg.norm(z - shifted) < 0.02 * np.linalg.norm(y)
    assert np.linalg.norm(z - y) > 0.2 * np.linalg.norm(y)


# The definition, at settings that no reference output holds

SETTINGS = [
    (400, {"J": 4, "J_fr": 2, "T": 0}),
    (400, {"J": 4, "J_fr": 2, "F": 0}),
    (400, {"J": 4, "J_fr": 2, "Q": 4, "T": 0, "F": "global"}),
    (400, {"J": 4, "J_fr": 2, "Q": 4, "T": "global", "F": 0}),
    (400, {"J": 4, "J_fr": 2, "Q": 4, "T": "global"}),
    (401, {"J": 4, "J_fr": 2, "Q": 4, "T": "signal"}),
    (401, {"J": 4, "J_fr": 2, "Q": 4, "T": "signal", "F": 0, "padding": "zero"}),
    (401, {"J": 4, "J_fr": 2, "Q": 4, "T": "signal", "F": 3, "format": "joint"}),
    (400, {"J": 4, "J_fr": 2, "Q": 4, "F": "global"}),
    (400, {"J": 4, "J_fr": 2, "Q": 4, "T": 0, "F": 3}),
    (513, {"J": 5, "J_fr": 3, "Q": 6, "Q_fr": 2}),
    (513, {"J": 5, "J_fr": 3, "Q": (6, 3), "Q_fr": 3, "F": 5.5, "T": 40}),
    (513, {"J": 5, "J_fr": 3, "Q": 6, "stride_fr": 1, "stride": 8}),
    (513, {"J": 5, "J_fr": 3, "Q": 6, "stride_fr": 2, "stride": 1, "F": 4}),
    (512, {"J": 5, "J_fr": 2, "Q": 5, "F": 1}),
    (512, {"J": 5, "J_fr": 2, "Q": 5, "T": 1}),
    (300, {"J": 5, "J_fr": 1, "Q": 3, "T": 12.5}),
    (300, {"J": 4, "J_fr": 2, "Q": 4, "padding": "symmetric"}),
    (300, {"J": 4, "J_fr": 2, "Q": 4, "padding": "zero", "T": "global"}),
    (300, {"J": 4, "J_fr": 2, "Q": 4, "padding": "periodic", "T": 0}),
    (304, {"J": 4, "J_fr": 2, "Q": 4, "padding": "none", "F": "global"}),
    (400, {"J": 4, "J_fr": 2, "Q": 4, "format": "joint"}),
    (400, {"J": 4, "J_fr": 2, "Q": 4, "format": "joint", "T": "global"}),
    (400, {"J": 4, "J_fr": 2, "Q": 4, "format": "joint", "T": 0}),
    (513, {"J": 5, "J_fr": 3, "Q": (6, 2), "format": "joint", "F": 6, "stride_fr": 2, "Q_fr": 2}),
    (513, {"J": 5, "J_fr": 3, "Q": 6, "format": "joint", "stride_fr": 1, "stride": 4}),
    (300, {"J": 4, "J_fr": 2, "Q": 4, "format": "joint", "padding": "periodic", "T": 0, "F": 2}),
    (300, {"J": 4, "J_fr": 2, "Q": 4, "format": "joint", "padding": "zero", "stride_fr": 2}),
    (64, {"J": 6, "J_fr": 2}),
]
every_setting = pytest.mark.parametrize(("size", "config"), SETTINGS)


@pytest.mark.slow
@every_setting
def test_is_as_defined(size, config):
    x = noise(2, size)
    y, expected = layer(**config)(x), time_frequency(x, **config)
    assert isinstance(y, list) == isinstance(expected, list)
    if not isinstance(y, list):
        y, expected = [y], [expected]
    single = TimeFrequencyScattering(**config)(x.astype("float32"))
    single = single if isinstance(single, list) else [single]
    for path, path32, wanted in zip(y, single, expected, strict=True):
        assert path.shape == path32.shape == wanted.shape
        assert np.linalg.norm(path - wanted) <= 1e-10 * np.linalg.norm(wanted)
        assert np.linalg.norm(path32 - wanted) <= 1e-5 * np.linalg.norm(wanted)


@every_setting
def test_metadata_rows_are_in_the_order_of_the_output(size, config):
    transform = layer(**config)
    transform.build((None, size))
    options = {name: value for name, value in config.items() if name != "format"}
    pictures = time_frequency_paths(np.zeros((1, size)), **options)
    meta = transform.meta()
    for name, expected in time_frequency_meta(pictures, transform.format).items():
        np.testing.assert_allclose(meta[name], expected, rtol=1e-12, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["reflect", "symmetric", "zero", "periodic", "none"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("size", "options"),
    [
        (256, {}),
        (304, {"Q": 4, "F": 0}),
        (304, {"Q": (3, 2), "F": "global", "Q_fr": 2}),
        (401, {"Q": 4, "F": 2.5, "stride_fr": 1}),
        (256, {"format": "joint"}),
        (333, {"Q": 4, "F": 3, "stride_fr": 1, "format": "joint"}),
        (1500, {"Q": 4, "format": "joint"}),  # the padding is not all read
    ],
)
def test_the_mean_over_the_signal_is_that_of_what_no_average_returns(
    size, options, data_format, padding
):
    if padding == "none":
        size -= size % 16
    x = noise(2, size, 2)
    time = 1
    if data_format == "channels_first":
        x, time = np.moveaxis(x, 2, 1), 2
    options = {**options, "padding": padding, "data_format": data_format}
    each, S = (layer(4, 2, T=T, **options)(x) for T in (0, "signal"))
    # Channels and paths are one axis, channel-major.
    means = np.stack([y.numpy().mean(axis=time) for y in each])
    means = np.moveaxis(means, 0, -1 if data_format == "channels_last" else 2)
    if data_format == "channels_last":
        expected = means.reshape(*means.shape[:-2], -1)
    else:
        expected = means.reshape(len(x), -1, *means.shape[3:])
    assert S.shape == expected.shape
    np.testing.assert_allclose(S, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


# Pictures feed convolutions


@pytest.mark.slow
def test_a_convolutional_network_tells_rising_from_falling():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    up = rng.integers(0, 2, 64)
    time = np.arange(512) / 256 - 1
    octaves = np.where(up, 1, -1) * rng.uniform(0.7, 1.5, 64)
    frequency = rng.uniform(0.1, 0.15, (64, 1)) * 2 ** (octaves[:, None] * time)
    x = np.cos(2 * np.pi * np.cumsum(frequency, axis=1)) * np.hanning(512)
    model = keras.Sequential(
        [
            keras.Input((512, 2)),
            TimeFrequencyScattering(5, 2, Q=8, format="joint", padding="zero"),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    adam = keras.optimizers.Adam(0.05)
    model.compile(adam, "binary_crossentropy", metrics=["accuracy"], jit_compile=False)
    history = model.fit(np.stack([x, -x], axis=-1), up, epochs=12, verbose=0).history
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert history["accuracy"][-1] > 0.9


# Errors


@pytest.mark.parametrize(
    ("config", "message"),
    [
        # Few wavelets and a long average: the axis would have no sample, (2 + 8) // 16.
        (
            {"J": 1, "J_fr": 4, "F": 1},
            r"The 2 first-order wavelets do not fit .* 0 samples.*Received: J=1, Q=1, J_fr=4, F=1",
        ),
        ({"F": 5}, r"`F`.*at most 2\*\*J_fr = 4.*Received: F=5"),
        ({"F": 4.01}, r"`F`.*at most 2\*\*J_fr = 4.*Received: F=4.01"),
        ({"F": 0.5}, r"`F`.*at least 1.*Received: F=0.5"),
        ({"F": -1}, r"`F`.*Received: F=-1"),
        ({"F": "all"}, r"`F`.*'global'.*Received: F='all'"),
        ({"format": "joint", "F": 0}, r"`format='joint'`.*`F`.*Received: F=0"),
        ({"format": "joint", "F": "global"}, r"`format='joint'`.*`F`.*Received: F='global'"),
        ({"format": "picture"}, r"`format`.*'time', 'joint'.*Received: format='picture'"),
        ({"stride_fr": 2, "F": "global"}, r"`stride_fr`.*F='global'.*Received: stride_fr=2"),
        ({"stride_fr": 2, "F": 0}, r"`stride_fr`.*F=0.*Received: stride_fr=2"),
        ({"stride_fr": 3}, r"`stride_fr`.*power of two.*Received: stride_fr=3"),
        ({"stride_fr": 8}, r"`stride_fr`.*at most 4.*Received: stride_fr=8"),
        ({"stride_fr": 4, "F": 3}, r"`stride_fr`.*at most 2.*Received: stride_fr=4"),
        ({"stride_fr": 0}, r"`stride_fr`.*Received: stride_fr=0"),
        ({"J_fr": 0}, r"`J_fr`.*at least 1.*Received: J_fr=0"),
        ({"J_fr": 1.5}, r"`J_fr`.*integer.*Received: J_fr=1.5"),
        ({"Q_fr": 0}, r"`Q_fr`.*at least 1.*Received: Q_fr=0"),
        ({"Q_fr": (1, 1)}, r"`Q_fr`.*integer.*Received: Q_fr=\(1, 1\)"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        TimeFrequencyScattering(**{"J": 4, "J_fr": 2, **config})

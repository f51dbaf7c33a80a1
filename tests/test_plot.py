"""Pictures show what they say, in the axes and units that they are given."""

import io

import numpy as np
import pytest
from matplotlib import pyplot as plt

from keras_scattering import (
    HarmonicScattering3D,
    Scattering1D,
    Scattering2D,
    TimeFrequencyScattering,
    plot,
)

RATE = 8000
SAMPLES = 2048


@pytest.fixture(autouse=True)
def figures():
    """What is drawn can be rendered without a warning."""
    yield
    for number in plt.get_fignums():
        plt.figure(number).savefig(io.BytesIO())
    plt.close("all")


def built(layer, *shape):
    layer.build((None, *shape))
    return layer


def time_layer(**options):
    return built(Scattering1D(**{"J": 5, "Q": 4, "T": 16, **options}), SAMPLES)


def image_layer(**options):
    return built(Scattering2D(**{"J": 3, "L": 8, **options}), 32, 32)


def joint_layer(**options):
    options = {"J": 7, "J_fr": 3, "Q": 8, "T": "global", "padding": "zero", **options}
    return built(TimeFrequencyScattering(**options), SAMPLES)


def chirp(rising):
    t = np.arange(SAMPLES) / SAMPLES
    x = np.hanning(SAMPLES) * np.sin(2 * np.pi * np.cumsum(0.02 * 15**t))
    return x if rising else x[::-1]


def tone(frequency):
    return np.sin(2 * np.pi * frequency * np.arange(SAMPLES) / RATE)


@pytest.mark.parametrize("rate", [None, RATE])
@pytest.mark.parametrize(("order", "wavelets"), [(1, "xi1"), (2, "xi2")])
def test_filter_bank_has_each_wavelet_at_its_frequency(rate, order, wavelets):
    layer = time_layer()
    ax = plot.filter_bank(layer, order, sampling_rate=rate)
    *peaks, _, total = [line.get_xydata() for line in ax.lines]
    xi = np.unique(layer.meta()[wavelets])  # of the second order not all are in a path
    xi = np.sort(xi[~np.isnan(xi)])[::-1] * (rate or 1)
    found = np.array([points[points[:, 1].argmax(), 0] for points in peaks])
    nearest = np.abs(found[:, None] / xi - 1).min(0)
    assert nearest.max() < 0.03
    assert 0.4 < total[:, 1].max() <= 1.001
    assert ax.get_xlabel().endswith("Hz" if rate else "cycles/sample")


def test_parts_of_the_filter_bank_add_up_to_the_sum():
    lines = [line.get_xydata() for line in plot.filter_bank(time_layer()).lines]
    *parts, (omega, total) = [points.T for points in lines]
    added = sum(np.interp(omega, x, y, left=0, right=0) for x, y in parts)
    inner = (omega > 0.05) & (omega < 0.4)  # away from where negative frequencies add
    np.testing.assert_allclose(added[inner], total[inner], atol=2e-4)


def test_filter_bank_in_the_plane_has_a_line_around_every_wavelet():
    ax = plot.filter_bank(image_layer())
    contours = [c for c in ax.collections if len(c.get_paths()[0].vertices)]
    assert len(contours) == 3 * 8
    assert ax.images[0].get_array().max() <= 1.1
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["1", "2", "4"]


@pytest.mark.parametrize("layer", [time_layer, joint_layer])
def test_wavelets_in_time_stand_an_octave_apart(layer):
    ax = plot.wavelets(layer(), sampling_rate=RATE)
    labels = [float(label.get_text()) for label in ax.get_yticklabels()]
    assert len(ax.lines) == 2 * len(labels)
    np.testing.assert_allclose(np.divide(labels[:2], labels[1:3]), 2, rtol=0.01)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time, s", "centre frequency, Hz")


def test_wavelets_in_the_plane_are_a_row_for_each_scale():
    ax = plot.wavelets(image_layer())
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1", "2", "4"]
    assert [label.get_text() for label in ax.get_xticklabels()][2:5] == ["22.5°", "0°", "−22.5°"]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_scattergram_has_a_tone_where_and_when_it_sounds(data_format):
    layer = time_layer(data_format=data_format, padding="zero")
    x = tone(500.0) * (np.arange(SAMPLES) > SAMPLES / 2)
    ax = plot.scattergram(layer, layer(x[None])[0], sampling_rate=RATE)
    (mesh,) = ax.collections
    values = np.asarray(mesh.get_array())
    corners = mesh.get_coordinates()
    row, column = np.unravel_index(values.argmax(), values.shape)
    high, low = corners[row, column, 1], corners[row + 1, column, 1]
    assert low * 0.9 < 500 < high * 1.1
    assert corners[row, column, 0] > 0.5 * SAMPLES / RATE
    np.testing.assert_allclose(ax.get_xlim(), (0, SAMPLES / RATE))
    assert corners[0, 0, 0] <= 0
    assert corners[0, -1, 0] >= SAMPLES / RATE
    assert corners[0, 1, 0] - corners[0, 0, 0] == pytest.approx(16 / RATE)


@pytest.mark.parametrize("T", ["global", "signal"])
def test_disc_lights_up_where_a_wave_stands(T):
    layer = image_layer(T=T)
    meta = layer.meta()
    # Values that tell the paths apart.
    axes = plot.discs(layer, np.arange(len(meta["order"])))
    (disc,) = axes[0].collections
    assert axes[0].yaxis_inverted()
    for path in np.flatnonzero(meta["order"] == 1):
        one, other = np.compress(disc.get_array() == path, np.array(disc.get_paths(), object))
        # A wavelet oscillates along (cos, sin), rows first; rows point down in the picture.
        radius, angle = 1 - (meta["j1"][path] + 0.5) / 3, meta["angle1"][path]
        place = np.array([radius * np.sin(angle), radius * np.cos(angle)])
        assert one.contains_point(place) != other.contains_point(place)
        assert one.contains_point(-place) != other.contains_point(-place)


def test_disc_of_a_real_wave_is_brightest_across_its_crests():
    layer = image_layer()
    rows, columns = np.mgrid[:32, :32]
    wave = np.cos(2 * np.pi * 0.19 * (rows * np.cos(0.39) + columns * np.sin(0.39)))
    axes = plot.discs(layer, layer(wave[None])[0], position=(2, 1))
    (disc,) = axes[0].collections
    brightest = disc.get_paths()[int(np.argmax(disc.get_array()))]
    side = 1 if brightest.vertices[:, 1].mean() > 0 else -1
    assert brightest.contains_point((side * 0.5 * np.sin(0.39), side * 0.5 * np.cos(0.39)))


def test_second_disc_divides_the_sectors_of_the_first():
    layer = image_layer()
    y = np.random.default_rng(0).random((4, 4, len(layer.meta()["order"])))
    axes = plot.discs(layer, y)
    (disc,) = axes[1].collections
    assert len(disc.get_paths()) == 2 * 8**2 * 3
    # Sectors do not overlap: each centre lies in one.
    boxes = np.array([path.vertices.mean(0) for path in disc.get_paths()])
    assert len(np.unique(boxes.round(6), axis=0)) == len(boxes)
    assert len(plot.discs(image_layer(max_order=1), y[..., : 1 + 24])) == 1


@pytest.mark.parametrize(
    "options", [{}, {"T": "signal"}, {"T": 64, "format": "joint"}, {"T": None, "F": 0}]
)
def test_joint_picture_tells_rising_from_falling(options):
    layer = joint_layer(**options)
    for y, rising in zip(layer(np.stack([chirp(True), chirp(False)])), [True, False], strict=True):
        axes = plot.joint(layer, y, sampling_rate=RATE)
        falls, rises = (ax.images[0].get_array().sum() for ax in axes)
        assert (rises > 1.5 * falls) if rising else (falls > 1.5 * rises)
    assert axes[0].get_title().startswith("spin −1")
    assert axes[0].get_ylabel() == "rate, Hz"


def test_given_axes_are_drawn_into():
    figure, axes = plt.subplots(1, 7, figsize=(21, 3))
    time, image, spins = time_layer(), image_layer(), joint_layer()
    assert plot.filter_bank(time, ax=axes[0]) is axes[0]
    assert plot.wavelets(image, ax=axes[1]) is axes[1]
    assert plot.scattergram(time, time(tone(500)[None])[0], ax=axes[2]) is axes[2]
    y = image(np.ones((1, 32, 32)))[0]
    assert list(plot.discs(image, y, axes=axes[3:5])) == list(axes[3:5])
    y = spins(chirp(True)[None])[0]
    assert list(plot.joint(spins, y, axes=list(axes[5:]))) == list(axes[5:])
    assert plt.get_fignums() == [figure.number]


VOLUMES = HarmonicScattering3D(J=1, name="volumes")
REFUSED = [
    (plot.filter_bank, VOLUMES, {}, r"filter_bank\(\) must be one of Scattering1D.* Received: <Ha"),
    (plot.scattergram, image_layer(), {"coefficients": []}, "one of Scattering1D. Received: <Scat"),
    (plot.wavelets, Scattering1D(J=2), {}, "needs a built layer"),
    (plot.filter_bank, time_layer(), {"order": 3}, "`order` must be one of 1, 2.* order=3$"),
    (plot.filter_bank, image_layer(), {"sampling_rate": 2.0}, r"signals in time.*=2\.0$"),
    (plot.wavelets, time_layer(), {"sampling_rate": -1}, "`sampling_rate` must be a positive"),
    (plot.scattergram, time_layer(T="global"), {"coefficients": []}, "local.* T='global'$"),
    (plot.scattergram, time_layer(T="signal"), {"coefficients": []}, "local.* T='signal'$"),
    (
        plot.scattergram,
        time_layer(),
        {"coefficients": np.ones((2, 3))},
        r"`coefficients` .* shape \(128, \d+\)\. Received: shape \(2, 3\)$",
    ),
    (plot.discs, image_layer(T=0), {"coefficients": []}, "'global' or 'signal'.* T=0$"),
    (
        plot.discs,
        image_layer(),
        {"coefficients": np.ones((4, 4, 217)), "position": (4, 0)},
        r"`position` .* \(4, 4\)\. Received: position=\(4, 0\)$",
    ),
    (
        plot.discs,
        image_layer(),
        {"coefficients": np.ones((4, 4, 217)), "axes": [1]},
        "`axes` must hold 2 axes. Received: 1$",
    ),
]


@pytest.mark.parametrize(("function", "layer", "arguments", "message"), REFUSED)
def test_what_makes_no_sense_is_refused(function, layer, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(layer, **arguments)
    assert plt.get_fignums() == []

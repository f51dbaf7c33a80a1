"""Pictures show what they say, in the axes and units that they are given."""

import io

import numpy as np
import pytest
from matplotlib import pyplot as plt

from keras_scattering import (
    HarmonicScattering3D,
    Scattering1D,
    Scattering2D,
    ScatteringSpectra1D,
    ScatteringSpectra2D,
    TimeFrequencyScattering,
    plot,
    spectra,
)
from keras_scattering.filters import FilterBank, MorletBank1D
from keras_scattering.filters.morlet1d import schedule
from keras_scattering.plans import scattering1d

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
    np.testing.assert_allclose(added, total, atol=2e-4)
    bank = time_layer()._state.plan.banks[0]
    exact, half = bank.littlewood_paley(), bank.N // 2
    grid = np.arange(half) / bank.N
    inner = grid > omega[0]
    np.testing.assert_allclose(np.interp(grid[inner], omega, total), exact[:half][inner], atol=5e-3)


@pytest.mark.parametrize("T", [4, 2**5])
def test_filter_bank_says_why_its_sum_exceeds_1(T):
    """Averages shorter than the longest wavelet pass what wavelets pass too."""
    ax = plot.filter_bank(time_layer(T=T))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[:3] == ["wavelets", "low-pass", "sum"]
    above = ax.lines[-1].get_ydata().max() > 1.01
    assert above == (T < 2**5) == any("above 1" in label for label in labels)


@pytest.mark.slow
def test_curves_of_many_wavelets_are_smooth():
    """The lowest curves too have a point for each small change of their slope."""
    layer = built(Scattering1D(J=12, Q=16), 2**13)
    *wavelets, _, _ = plot.filter_bank(layer).lines
    assert len(wavelets) == len(layer._state.plan.banks[0])
    for line in wavelets:
        y = line.get_ydata()
        assert np.abs(np.diff(y)).max() < 0.2 * y.max()


class OwnGrid(MorletBank1D):
    """Wavelets of another family, known by the interface of banks alone."""

    columns = property(lambda self: {"j": self.j})
    on_grid = FilterBank.on_grid
    deviation = FilterBank.deviation


@pytest.mark.parametrize("function", [plot.filter_bank, plot.wavelets])
def test_banks_of_other_families_are_drawn(function, monkeypatch):
    monkeypatch.setattr(scattering1d, "MorletBank1D", OwnGrid)
    ax = function(time_layer())
    xi = schedule(5, 4)[0][0]
    if function is plot.filter_bank:
        line = ax.lines[0].get_xydata()
        assert line[line[:, 1].argmax(), 0] == pytest.approx(xi, rel=0.01)
    else:
        assert float(ax.get_yticklabels()[0].get_text()) == pytest.approx(xi, rel=0.01)


def test_filter_bank_in_the_plane_has_one_curve_around_every_filter():
    layer = image_layer()
    ax = plot.filter_bank(layer)
    contours = [c.get_paths()[0] for c in ax.collections]
    assert len(contours) == 3 * 8 + 1  # and the low-pass
    assert contours[-1].contains_point((0, 0))
    meta = layer.meta()
    for path in np.flatnonzero(meta["order"] == 1):
        curve = contours[int(meta["n1"][path])]
        # In one piece, though the finest wavelets reach beyond the grid's frequencies.
        assert np.count_nonzero(curve.codes == curve.MOVETO) == 1
        xi, angle = 0.375 / 2 ** meta["j1"][path], meta["angle1"][path]
        assert curve.contains_point((xi * np.sin(angle), xi * np.cos(angle)))
    assert max(np.abs(curve.vertices).max() for curve in contours) > 0.5
    assert ax.images[0].get_array().max() <= 1.1
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["scale 1", "scale 2", "scale 4", "low-pass"]


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


def brightest(ax):
    """Frequency and time, low and high, of the brightest cell."""
    (mesh,) = ax.collections
    values, corners = np.asarray(mesh.get_array()), mesh.get_coordinates()
    row, column = np.unravel_index(values.argmax(), values.shape)
    (start, low), (stop, high) = corners[row, column], corners[row + 1, column + 1]
    return low, high, start, stop


@pytest.mark.parametrize("scale", ["db", "linear"])
@pytest.mark.parametrize("options", [{}, {"data_format": "channels_first"}, {"T": 0}])
def test_scattergram_has_a_tone_where_and_when_it_sounds(options, scale):
    layer = time_layer(padding="zero", **options)
    x = tone(500.0) * (np.arange(SAMPLES) > SAMPLES / 2)
    ax = plot.scattergram(layer, layer(x), sampling_rate=RATE, scale=scale)
    low, high, start, _ = brightest(ax)
    assert low * 0.9 < 500 < high * 1.1
    assert start > 0.49 * SAMPLES / RATE
    np.testing.assert_allclose(ax.get_xlim(), (0, SAMPLES / RATE))
    corners = ax.collections[0].get_coordinates()
    assert corners[0, 0, 0] <= 0
    assert corners[0, -1, 0] >= SAMPLES / RATE
    if layer.T:
        assert corners[0, 1, 0] - corners[0, 0, 0] == pytest.approx(16 / RATE)


def label_of_colours(ax):
    return ax.collections[0].colorbar.ax.get_ylabel()


def test_scattergram_names_its_decibels_and_their_reference():
    layer = time_layer()
    S = np.asarray(layer(tone(500.0)))
    largest = S[:, layer.meta()["order"] == 1].max()
    ax = plot.scattergram(layer, S)
    values = ax.collections[0].get_array()
    assert label_of_colours(ax) == f"dB re {largest:.3g}"
    assert values.max() == pytest.approx(0)
    assert values.min() >= -60
    # A tenth of the amplitude is 20 decibels, whatever the reference.
    quiet = plot.scattergram(layer, S / 10)
    np.testing.assert_allclose(quiet.collections[0].get_array(), values, atol=1e-5)
    linear = plot.scattergram(layer, S, scale="linear")
    assert label_of_colours(linear) == "coefficient"
    assert linear.collections[0].get_array().max() == pytest.approx(largest)


def test_scattergram_of_silence_is_dark():
    layer = time_layer()
    ax = plot.scattergram(layer, layer(np.zeros(SAMPLES)))
    assert np.all(ax.collections[0].get_array() == -60)
    assert label_of_colours(ax) == "dB re 1"


@pytest.mark.parametrize("T", [16, 0])
def test_scattergram_of_order_2_has_a_tremolo_at_its_rate(T):
    layer = time_layer(J=8, T=T)
    t = np.arange(SAMPLES) / RATE
    x = (1 + np.cos(2 * np.pi * 40 * t)) * tone(1000.0)
    meta = layer.meta(RATE)
    n1 = int(meta["n1"][np.nanargmin(np.abs(meta["xi1_hz"] - 1000))])
    for choice in (n1, None):
        ax = plot.scattergram(layer, layer(x), order=2, n1=choice, sampling_rate=RATE)
        low, high, *_ = brightest(ax)
        assert low * 0.8 < 40 < high * 1.25
        assert ax.get_ylabel() == "rate, Hz"
        assert ax.get_title().startswith("second order")
    sums = plot.scattergram(layer, layer(x), order=2, scale="linear").collections[0].get_array()
    assert len(sums) == len(np.unique(meta["xi2"][meta["order"] == 2]))


def test_scattergram_of_order_0_is_the_average():
    layer = time_layer()
    S = np.asarray(layer(tone(500.0) + 3))
    ax = plot.scattergram(layer, S, order=0, sampling_rate=RATE)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), S[:, 0])
    assert (ax.get_ylabel(), ax.get_title()) == ("average", "zeroth order")


def test_a_click_shows_in_a_long_scalogram():
    """There are more samples than cells."""
    layer = built(Scattering1D(J=4, T=0, max_order=1), 2**15)
    x = np.zeros(2**15)
    x[12345] = 1
    ax = plot.scattergram(layer, layer(x), scale="linear")
    _, _, start, stop = brightest(ax)
    assert start - 2 <= 12345 <= stop + 2
    largest = max(np.max(y) for y in layer(x)[1:])
    assert ax.collections[0].get_array().max() == pytest.approx(largest)


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


def test_discs_everywhere_are_those_of_each_place():
    layer = image_layer()
    y = np.random.default_rng(0).random((4, 4, len(layer.meta()["order"])))
    for whole, one in zip(
        plot.discs(layer, y, position="all"), plot.discs(layer, y, position=(1, 3)), strict=True
    ):
        (discs,), (disc,) = whole.collections, one.collections
        count = len(disc.get_paths())
        assert len(discs.get_paths()) == 16 * count
        at = slice(7 * count, 8 * count)  # the place (1, 3)
        np.testing.assert_array_equal(discs.get_array()[at], disc.get_array())
        centres = np.array([path.vertices.mean(0) for path in discs.get_paths()[at]])
        np.testing.assert_allclose(centres.mean(0), (3, 1), atol=0.05)
        assert np.abs(centres - (3, 1)).max() < 0.5


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


@pytest.mark.slow
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


VOLUMES = built(HarmonicScattering3D(J=1, name="volumes"), 8, 8, 8)
BATCH = np.ones((2, 128, 46))
REFUSED = [
    (
        plot.filter_bank,
        VOLUMES,
        {},
        r"layer of signals.* `filters\.SolidHarmonics\(.* Received: <Ha",
    ),
    (plot.wavelets, "layer", {}, r"wavelets\(\) must be a scattering layer\. Received: 'layer'$"),
    *(
        (plot.scattergram, layer, {"coefficients": []}, "one path per wavelet. Received: <")
        for layer in (image_layer(), VOLUMES, joint_layer(T=64), joint_layer(T=64, format="joint"))
    ),
    (plot.discs, time_layer(), {"coefficients": []}, "oriented wavelets. Received: <Scattering1D"),
    (plot.joint, time_layer(), {"coefficients": []}, "have a spin. Received: <Scattering1D"),
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
    (
        plot.scattergram,
        time_layer(),
        {"coefficients": BATCH},
        r"S\[0\]\. Rec.*\(2, 128, 46\)$",
    ),
    (plot.scattergram, time_layer(T=0), {"coefficients": BATCH}, r"T=0 a list of 46 arrays: for a"),
    (plot.scattergram, time_layer(), {"coefficients": -BATCH[0]}, r"scale='linear'.*: -1$"),
    (plot.scattergram, time_layer(), {"coefficients": [], "order": 3}, "one of 0, 1, 2.* order=3$"),
    (
        plot.scattergram,
        time_layer(max_order=1),
        {"coefficients": [], "order": 2},
        "one of 0, 1. Received: order=2$",
    ),
    (plot.scattergram, time_layer(), {"coefficients": [], "scale": "log"}, "'db', 'linear'.*'log'"),
    (plot.scattergram, time_layer(), {"coefficients": [], "n1": 3}, "order=2 .* n1=3, order=1$"),
    (
        plot.scattergram,
        time_layer(),
        {"coefficients": [], "n1": 99, "order": 2},
        "`n1` must be None.*n1=99",
    ),
    (plot.discs, image_layer(), {"coefficients": np.ones((2, 4, 4, 217))}, r"take S\[0\]"),
    (plot.joint, joint_layer(), {"coefficients": np.ones((2, 3))}, "of one signal"),
    (plot.discs, image_layer(T=0), {"coefficients": []}, "'global' or 'signal'.* T=0$"),
    (
        plot.discs,
        image_layer(),
        {"coefficients": np.ones((4, 4, 217)), "position": (4, 0)},
        r"`position` .* \(4, 4\), or .*'all'\. Received: position=\(4, 0\)$",
    ),
    (
        plot.discs,
        image_layer(),
        {"coefficients": np.ones((4, 4, 217)), "axes": [1]},
        "`axes` must hold 2 axes. Received: 1$",
    ),
]


def test_settings_of_matplotlib_stay_as_they_are_and_count():
    before = dict(plt.rcParams)
    with plt.rc_context({"text.color": "white"}):
        assert plot.filter_bank(time_layer()).lines[-1].get_color() == "white"
    plot.scattergram(time_layer(), np.ones((128, 46)))
    plot.discs(image_layer(), np.ones((4, 4, 217)))
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize(("function", "layer", "arguments", "message"), REFUSED)
def test_what_makes_no_sense_is_refused(function, layer, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(layer, **arguments)
    assert plt.get_fignums() == []


# Scattering spectra


@pytest.mark.parametrize(
    ("kind", "shape"), [(ScatteringSpectra1D, (64,)), (ScatteringSpectra2D, (8, 8))]
)
def test_spectra_of_several_signals(kind, shape):
    layer = kind(J=3)
    y = layer(np.random.default_rng(0).standard_normal((2, *shape)))
    axes = plot.spectra(layer, y, labels=["one", "other"])
    assert [ax.get_title() for ax in axes] == ["power", "sparsity", "phase", "modulus"]
    assert all("octaves" in ax.get_xlabel() for ax in axes)
    (legend,) = axes[0].figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["one", "other"]
    values, meta = spectra.moments(layer, y)
    (line, _) = axes[0].get_lines()
    if kind is ScatteringSpectra1D:
        power = values[0, (meta["kind"] == "power") & (meta["n1"] >= 0)].real
        np.testing.assert_allclose(line.get_ydata(), power)
    assert plot.spectra(layer, y[0], axes=axes) is not None


def test_the_dashed_lines_of_spectra_have_a_key():
    layer = ScatteringSpectra1D(J=4)
    y = layer(np.random.default_rng(0).standard_normal((1, 256)))
    axes = plot.spectra(layer, y)
    drawn = {line.get_linestyle() for line in axes[3].get_lines()}
    key = axes[3].get_legend()
    assert {line.get_linestyle() for line in key.get_lines()} == drawn == {"-", "--"}
    assert [text.get_text() for text in key.get_texts()] == ["one scale", "two scales"]


@pytest.mark.slow
@pytest.mark.parametrize("normalize", [True, "adapted", False])
def test_noise_looks_flat_among_spectra(normalize):
    """The axes are no finer than what differs by chance."""
    x = np.random.default_rng(0).standard_normal((2, 256))
    smooth = np.cumsum(x, axis=1)  # its powers grow with the scale, those of noise do not
    layer = ScatteringSpectra1D(J=4, normalize=normalize)
    if normalize == "adapted":
        layer.adapt(x)
    power, sparsity, phase, modulus = plot.spectra(layer, layer(x))
    assert np.subtract(*np.log2(power.get_ylim())[::-1]) >= 2
    low, high = power.get_ylim()
    assert sum(low <= tick <= high for tick in power.get_yticks()) >= 2
    for ax in (sparsity, phase, modulus):
        assert ax.get_ylim()[0] == 0
        words = {True: "", False: "not divided by powers", "adapted": "over adapted powers"}
        assert ax.get_ylabel() == words[normalize]
    if normalize is not False:
        assert sparsity.get_ylim()[1] >= 1
        assert min(phase.get_ylim()[1], modulus.get_ylim()[1]) >= 0.05
    for ax in plot.spectra(layer, layer(1000 * smooth)):  # nothing is cut off
        (bottom, top), lines = ax.get_ylim(), np.concatenate([x.get_ydata() for x in ax.lines])
        assert bottom <= lines.min() <= lines.max() <= top


def test_spectra_refuse_others():
    layer = ScatteringSpectra1D(J=2)
    layer.build((None, 16))
    rows = len(layer.meta()["kind"])
    with pytest.raises(ValueError, match=rf"shape \({rows},\) or \(n, {rows}\)"):
        plot.spectra(layer, np.zeros(rows + 1))
    with pytest.raises(ValueError, match="one name per signal"):
        plot.spectra(layer, np.zeros(rows), labels=["one", "other"])
    with pytest.raises(ValueError, match="hold 4 axes"):
        plot.spectra(layer, np.zeros(rows), axes=[None])
    other = Scattering1D(J=2)
    other.build((None, 16))
    with pytest.raises(ValueError, match="of scattering spectra"):
        plot.spectra(other, np.zeros(5))

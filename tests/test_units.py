"""Metadata in Hz and seconds."""

import numpy as np
import pytest
from layers import CASES

from keras_scattering import Scattering1D, ScatteringSpectra1D, TimeFrequencyScattering

TIME = (Scattering1D, TimeFrequencyScattering)
RATE = 250.0
UNITS = [("xi", "hz"), ("sigma", "hz"), ("scale", "s")]


def built(case):
    layer = case.make()
    layer.build((None, *case.shape))
    return layer


@pytest.mark.parametrize("case", [c for c in CASES if c.layer in TIME], ids=lambda c: c.name)
def test_columns_in_hz_and_seconds_are_those_in_samples_times_the_rate(case):
    layer = built(case)
    plain, meta = layer.meta(), layer.meta(sampling_rate=RATE)
    added = {f"{name}{order}_{unit}" for order in (1, 2) for name, unit in UNITS}
    added.add("step_s")
    assert meta.keys() - plain.keys() == added
    np.testing.assert_equal({name: meta[name] for name in plain}, plain)
    for name, column in plain.items():
        if f"{name}_hz" in added:
            np.testing.assert_allclose(meta[f"{name}_hz"] / RATE, column, rtol=1e-15)
    for order in "12":
        scale, known = meta[f"scale{order}_s"], plain[f"j{order}"] >= 0
        np.testing.assert_array_equal(~np.isnan(scale), known)
        np.testing.assert_allclose(np.log2(scale[known] * RATE), plain[f"j{order}"][known])


def test_moments_of_two_wavelets_have_both_frequencies():
    layer = ScatteringSpectra1D(J=3)
    layer.build((None, 32))
    plain, meta = layer.meta(), layer.meta(sampling_rate=RATE)
    assert meta.keys() - plain.keys() == {"xi1_hz", "xi1b_hz", "xi2_hz", "step_s"}
    for name in ("xi1", "xi1b", "xi2"):
        np.testing.assert_allclose(meta[f"{name}_hz"] / RATE, plain[name], rtol=1e-15)


@pytest.mark.parametrize("layer", TIME)
def test_a_tone_answers_loudest_where_the_metadata_has_its_frequency(layer):
    rate, tone = 8000, 440.0
    t = np.arange(2048) / rate
    options = {"J_fr": 2, "F": 0} if layer is TimeFrequencyScattering else {}
    scattering = layer(J=7, Q=8, T="global", **options)
    (y,) = np.asarray(scattering(np.sin(2 * np.pi * tone * t)[None]))
    meta = scattering.meta(sampling_rate=rate)
    # Of the joint transform, the low-pass along frequency at its finest is nearest to order 1.
    first = (meta["order"] == 1) & ~np.isnan(meta["xi1_hz"])
    loudest = np.flatnonzero(first)[np.argmax(y[first])]
    assert abs(np.log2(meta["xi1_hz"][loudest] / tone)) < (0.6 if options else 1 / 16)


@pytest.mark.parametrize("options", [{}, {"T": 20, "stride": 4}, {"T": 0}])
@pytest.mark.parametrize("layer", TIME)
def test_a_signal_that_comes_a_step_later_has_outputs_one_sample_later(layer, options):
    options = options | ({"J_fr": 2} if layer is TimeFrequencyScattering else {})
    scattering = layer(J=4, padding="periodic", dtype="float64", **options)
    x = np.random.default_rng(0).standard_normal((1, 128))
    y = scattering(x)
    steps = scattering.meta(sampling_rate=RATE)["step_s"] * RATE
    for step in np.unique(steps):
        later = scattering(np.roll(x, int(step), axis=1))
        for i in np.flatnonzero(steps == step):
            before, after = (z[i] if options.get("T") == 0 else z[..., i] for z in (y, later))
            np.testing.assert_allclose(after, np.roll(before, 1, axis=1), rtol=0, atol=1e-10)
            assert np.ptp(after) > 1e-5  # which a shift would not leave as it is


@pytest.mark.parametrize("T", ["global", "signal"])
def test_a_mean_over_all_time_has_no_step(T):
    layer = Scattering1D(J=4, T=T)
    layer.build((None, 128))
    assert np.isnan(layer.meta(sampling_rate=RATE)["step_s"]).all()


def test_columns_stand_beside_those_they_follow_from():
    names = list(built(CASES[0]).meta(sampling_rate=1))
    assert names[:8] == ["order", "n1", "j1", "scale1_s", "xi1", "xi1_hz", "sigma1", "sigma1_hz"]


@pytest.mark.parametrize("rate", [0, -1.0, np.nan, np.inf, True, "8000", (8000,)])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match="`sampling_rate` must be a positive number") as error:
        built(CASES[0]).meta(sampling_rate=rate)
    assert str(error.value).endswith(f" Received: sampling_rate={rate!r}")


@pytest.mark.parametrize("case", [c for c in CASES if c.small and c.rank > 1], ids=lambda c: c.name)
def test_only_signals_in_time_have_a_rate(case):
    with pytest.raises(ValueError, match=r"signals in time.* Received: sampling_rate=1\.0"):
        built(case).meta(sampling_rate=1.0)

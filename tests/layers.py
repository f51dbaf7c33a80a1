"""The public layers, each in a few characteristic settings: what the contracts are tested on."""

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_scattering import (
    DeepScatteringSpectrum,
    HarmonicScattering3D,
    PhaseHarmonics1D,
    PhaseHarmonics2D,
    RectifierCovariances2D,
    RotoTranslationScattering2D,
    Scattering1D,
    Scattering2D,
    ScatteringSpectra1D,
    ScatteringSpectra2D,
    TimeFrequencyScattering,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A layer, the arguments it is given, and the shape of one input without the batch."""

    name: str
    layer: type[keras.Layer]
    config: dict[str, Any]
    shape: tuple[int, ...]
    small: bool = False  # the one case of its layer that goes through the slowest contracts

    @property
    def rank(self) -> int:
        """Of a signal; a layer around another has that of the other."""
        return self.config.get("scattering", self.layer).rank

    def make(self, **changes: Any) -> keras.Layer:
        return self.layer(**{**self.config, **changes})

    def model(self, **changes: Any) -> keras.Model:
        inputs = keras.Input(self.shape)
        return keras.Model(inputs, self.make(**changes)(inputs))

    def inputs(self, batch: int) -> np.ndarray:
        return np.random.default_rng(0).standard_normal((batch, *self.shape), np.float32)


# The first case of a layer leaves what it can at its default; all together set every argument to
# something else. Sizes are small, for speed, and many are odd.
CASES = [
    Case("1d", Scattering1D, {"J": 2}, (16,), small=True),
    Case(
        "1d-channels",
        Scattering1D,
        {"J": 3, "Q": (3, 2), "T": 12.5, "stride": 2, "padding": "symmetric"},
        (37, 2),
    ),
    Case(
        "1d-channels-first",
        Scattering1D,
        {"J": 3, "Q": 2, "max_order": 1, "padding": "none", "data_format": "channels_first"},
        (8, 16),
    ),
    Case("1d-global", Scattering1D, {"J": 3, "T": "global", "padding": "periodic"}, (30,)),
    Case("1d-signal", Scattering1D, {"J": 3, "T": "signal", "padding": "symmetric"}, (37, 2)),
    Case("1d-list", Scattering1D, {"J": 2, "Q": 2, "T": 0, "padding": "zero"}, (15, 2)),
    Case("2d", Scattering2D, {"J": 1}, (9, 8), small=True),
    Case(
        "2d-channels",
        Scattering2D,
        {"J": 2, "L": 2, "stride": 2, "padding": "symmetric"},
        (9, 12, 2),
    ),
    Case(
        "2d-channels-first",
        Scattering2D,
        {"J": 2, "L": 3, "max_order": 1, "padding": "zero", "data_format": "channels_first"},
        (4, 8, 7),
    ),
    Case("2d-global", Scattering2D, {"J": 2, "L": 2, "T": "global", "padding": "none"}, (12, 8)),
    Case(
        "2d-signal",
        Scattering2D,
        {"J": 2, "L": 2, "T": "signal", "data_format": "channels_first"},
        (4, 9, 7),
    ),
    Case("2d-list", Scattering2D, {"J": 2, "L": 2, "T": 0, "padding": "periodic"}, (7, 8)),
    Case("3d", HarmonicScattering3D, {"J": 1}, (6, 5, 4)),
    Case(
        "3d-channels",
        HarmonicScattering3D,
        {"J": 1, "L": 2, "sigma_0": 0.7, "rotation_covariant": False},
        (4, 4, 5, 2),
    ),
    Case(
        "3d-channels-first",
        HarmonicScattering3D,
        {
            "J": 1,
            "L": 1,
            "max_order": 1,
            "integral_powers": (0.3, 2.0),
            "data_format": "channels_first",
        },
        (4, 5, 4, 6),
        small=True,
    ),
    Case("tf", TimeFrequencyScattering, {"J": 3, "J_fr": 1}, (32,)),
    Case(
        "tf-joint-channels",
        TimeFrequencyScattering,
        {
            "J": 3,
            "J_fr": 2,
            "Q": (2, 1),
            "T": 12.5,
            "stride": 4,
            "Q_fr": 2,
            "F": 2.5,
            "stride_fr": 1,
            "format": "joint",
            "padding": "zero",
        },
        (37, 2),
    ),
    Case(
        "tf-channels-first",
        TimeFrequencyScattering,
        {"J": 2, "J_fr": 1, "T": "global", "F": 0, "data_format": "channels_first"},
        (4, 21),
        small=True,
    ),
    Case(
        "tf-joint-signal",
        TimeFrequencyScattering,
        {"J": 2, "J_fr": 1, "T": "signal", "format": "joint"},
        (21,),
    ),
    Case(
        "tf-spiral",
        TimeFrequencyScattering,
        {"J": 2, "J_fr": 1, "Q": 2, "F": "global", "T": "global", "J_oct": 1},
        (17,),
    ),
    Case("tf-list", TimeFrequencyScattering, {"J": 2, "J_fr": 1, "T": 0, "F": "global"}, (15, 2)),
    Case("rotation", RotoTranslationScattering2D, {"J": 2, "L": 2}, (9, 8), small=True),
    Case(
        "rotation-channels",
        RotoTranslationScattering2D,
        {
            "J": 2,
            "L": 4,
            "T": "signal",
            "T_theta": 0,
            "rotation_covariant": False,
            "padding": "symmetric",
        },
        (9, 12, 2),
    ),
    Case(
        "rotation-channels-first",
        RotoTranslationScattering2D,
        {
            "J": 2,
            "L": 4,
            "stride": 1,
            "J_theta": 2,
            "T_theta": 2,
            "stride_theta": 1,
            "max_order": 1,
            "padding": "zero",
            "data_format": "channels_first",
        },
        (4, 8, 7),
    ),
    Case(
        "rotation-list",
        RotoTranslationScattering2D,
        {"J": 2, "L": 2, "T": 0, "T_theta": None, "padding": "periodic"},
        (7, 8),
    ),
    Case("deep", DeepScatteringSpectrum, {"scattering": Scattering1D(J=2)}, (16,), small=True),
    Case(
        "deep-channels",
        DeepScatteringSpectrum,
        {
            "scattering": Scattering1D(J=3, Q=(3, 2), padding="symmetric"),
            "epsilon": 0.01,
            "normalize": False,
            "J_fr": 2,
            "Q_fr": 2,
            "F": 2.5,
            "stride_fr": 1,
            "max_order_fr": 2,
        },
        (37, 2),
    ),
    Case(
        "deep-channels-first",
        DeepScatteringSpectrum,
        {
            "scattering": Scattering2D(J=2, L=2, T="global", data_format="channels_first"),
            "log": False,
        },
        (4, 8, 7),
    ),
    Case("spectra1d", ScatteringSpectra1D, {"J": 2}, (17,), small=True),
    Case(
        "spectra1d-channels",
        ScatteringSpectra1D,
        {"J": 3, "Q": (2, 1), "normalize": False, "padding": "reflect"},
        (37, 2),
    ),
    Case(
        "spectra1d-channels-first",
        ScatteringSpectra1D,
        {
            "J": 3,
            "diagonal": False,
            "oversampling": 0,
            "padding": "zero",
            "data_format": "channels_first",
        },
        (8, 32),
    ),
    Case("spectra2d", ScatteringSpectra2D, {"J": 1, "L": 2}, (7, 8), small=True),
    Case(
        "spectra2d-channels",
        ScatteringSpectra2D,
        {"J": 2, "normalize": False, "oversampling": 0, "padding": "symmetric"},
        (9, 12, 2),
    ),
    Case(
        "spectra2d-channels-first",
        ScatteringSpectra2D,
        {"J": 2, "L": 3, "reduce": "angle", "data_format": "channels_first"},
        (4, 8, 7),
    ),
    Case("phase1d", PhaseHarmonics1D, {"J": 2}, (29,), small=True),
    Case(
        "phase1d-channels",
        PhaseHarmonics1D,
        {
            "J": 3,
            "Q": 2,
            "moments": ("mean", "S11", "C00", "C01", "L"),
            "dj": 1,
            "dn": 1,
            "normalize": False,
            "padding": "reflect",
        },
        (103, 2),
    ),
    Case(
        "phase1d-channels-first",
        PhaseHarmonics1D,
        {"J": 3, "oversampling": 0, "data_format": "channels_first"},
        (8, 48),
    ),
    Case("phase2d", PhaseHarmonics2D, {"J": 2, "L": 2}, (7, 8), small=True),
    Case(
        "phase2d-channels",
        PhaseHarmonics2D,
        {
            "J": 2,
            "L": 2,
            "wavelet": "bump_steerable",
            "moments": ("mean", "S11", "S01", "C01"),
            "dl": 0,
            "dn": 1,
            "A": 2,
            "normalize": False,
            "padding": "symmetric",
        },
        (9, 12, 2),
    ),
    Case(
        "phase2d-channels-first",
        PhaseHarmonics2D,
        {"J": 3, "L": 3, "dj": 1, "oversampling": 0, "data_format": "channels_first"},
        (8, 16, 8),
    ),
    Case("rectifier", RectifierCovariances2D, {"J": 1, "L": 2, "A": 2}, (9, 10), small=True),
    Case(
        "rectifier-channels",
        RectifierCovariances2D,
        {
            "J": 2,
            "L": 2,
            "A": 2,
            "dj": 0,
            "dn": 1,
            "shifts": "same",
            "cross_channels": True,
            "normalize": False,
            # Across the mirror of `symmetric`, differences are zero: a kink of their sizes.
            "padding": "reflect",
        },
        (15, 16, 2),
    ),
    Case(
        "rectifier-channels-first",
        RectifierCovariances2D,
        {"J": 2, "L": 3, "A": 1, "dn": 0, "padding": "zero", "data_format": "channels_first"},
        (4, 8, 7),
    ),
]

# One case of each layer.
SMALL = [case for case in CASES if case.small]

# One output, several, and divisors: for what the base class does for all layers alike.
FEW = [case for case in CASES if case.name in ("1d", "2d-list", "spectra2d")]

# One or two cases of each layer, in settings that are computed in unlike ways.
VARIED = [
    case
    for case in CASES
    if case.name
    in (
        "1d",
        "1d-list",
        "2d",
        "3d-channels-first",
        "tf",
        "tf-spiral",
        "rotation",
        "deep-channels",
        "spectra1d-channels",
        "spectra2d-channels-first",
        "phase1d-channels",
        "phase2d-channels-first",
        "rectifier-channels",
    )
]

"""More cases for `layers.py`: those of phase harmonics and of rectifier covariances.

Every image has more pixels than its layer has rows, since the layers warn of the contrary.
"""

from layers import Case

from keras_scattering import PhaseHarmonics1D, PhaseHarmonics2D, RectifierCovariances2D

MORE_CASES = [
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
            "padding": "symmetric",
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

# What `VARIED` takes of them.
MORE_VARIED = [
    case
    for case in MORE_CASES
    if case.name in ("phase1d-channels", "phase2d-channels-first", "rectifier-channels")
]

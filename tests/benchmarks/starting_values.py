"""The guide's table of starting values: what layers make of signals, and how long they take.

python tests/benchmarks/starting_values.py

Milliseconds per signal in a `tf.function`, on a batch. All layers take turns, and the fastest turn
of each counts: slower turns measure what else the machine does.
"""

import time

import numpy as np
import tensorflow as tf

import keras_scattering

ROUNDS = 25
# signal, layer, shape of a signal, samples per second, signals in the batch that is timed; series
# without a rate have one sample per day
ROWS = [
    ("speech, 1 s at 16 kHz", "Scattering1D(J=10, Q=8)", (16000,), 16000, 16),
    ("music, 3 s at 44.1 kHz", "Scattering1D(J=13, Q=12)", (132300,), 44100, 4),
    ("chirps, 1 s at 16 kHz", "TimeFrequencyScattering(J=10, J_fr=3, Q=8)", (16000,), 16000, 4),
    ("ECG, 10 s at 360 Hz", "Scattering1D(J=7, Q=4)", (3600,), 360, 16),
    ("EEG, 4 s at 256 Hz, 19 channels", "Scattering1D(J=7, Q=4)", (1024, 19), 256, 16),
    ("vibration, 1 s at 12 kHz", 'Scattering1D(J=10, Q=8, T="signal")', (12000,), 12000, 16),
    ("image of 28 × 28", "Scattering2D(J=2)", (28, 28), None, 64),
    ("colour image of 224 × 224", "Scattering2D(J=4, L=4)", (224, 224, 3), None, 4),
    ("molecule, 32³ voxels", "HarmonicScattering3D(J=2, L=3)", (32, 32, 32), None, 4),
    (
        "speakers, 1 s at 16 kHz",
        "DeepScatteringSpectrum(Scattering1D(J=10, Q=8))",
        (16000,),
        16000,
        16,
    ),
    ("texture at any angle, 128 × 128", "RotoTranslationScattering2D(J=4)", (128, 128), None, 8),
    ("daily returns, 2,016 days", "ScatteringSpectra1D(J=8)", (2016,), None, 16),
    ("field of 256 × 256", 'ScatteringSpectra2D(J=5, reduce="angle")', (256, 256), None, 4),
    ("texture of 128 × 128", "PhaseHarmonics2D(J=4, L=4)", (128, 128), None, 8),
    ("texture of 128 × 128", "RectifierCovariances2D(J=4, L=4, dn=1)", (128, 128), None, 8),
]
UNITS = {1: "days", 2: "pixels", 3: "voxels"}  # of what has no rate, by rank
HEADER = "| signal | layer | `2**J` | `T` | slowest wavelet | paths | output |"


def built(code, shape):
    layer = eval(code, vars(keras_scattering))
    layer.build((None, *shape))
    return layer


def lasting(samples, rate, unit="samples"):
    """A number of samples, in seconds too where there is a rate."""
    text = f"{samples:,} {unit}"
    return f"{text}, {1000 * samples / rate:.0f} ms" if rate else text


def row(name, code, shape, rate, _):
    """A row of the table without its time."""
    layer = built(code, shape)
    meta = layer.meta()
    inner = getattr(layer, "scattering", layer)
    scale = lasting(
        round(getattr(layer, "sigma_0", 1) * 2**inner.J),
        rate,
        "samples" if rate else UNITS[layer.rank],
    )
    whole = layer.rank == 3 or getattr(inner, "T", "signal") == "signal"  # spectra have no T
    slowest = "–"
    if layer.axes == "time":
        slow = np.nanmin(meta["xi2"])
        slowest = f"{rate * slow:.1f} Hz" if rate else f"1 per {1 / slow:.0f} days"
    output = ", ".join(map(str, layer.compute_output_shape((None, *shape))))
    paths = len(next(iter(meta.values())))
    cells = [name, f"`{code}`", scale, "all" if whole else scale, slowest, paths]
    return f"| {' | '.join(map(str, cells))} | `({output})` |"


if __name__ == "__main__":
    calls, times = [], []
    for _, code, shape, _, batch in ROWS:
        x = np.random.default_rng(0).standard_normal((batch, *shape)).astype("float32")
        calls.append((tf.function(built(code, shape)), tf.constant(x)))
    for _ in range(ROUNDS):
        taken = []
        for function, x in calls:
            start = time.perf_counter()
            function(x).numpy()
            taken.append(1000 * (time.perf_counter() - start) / len(x))
        times.append(taken)
    print(HEADER, "ms |")
    print("|---" * HEADER.count(" |") + "|---:|")
    for line, milliseconds in zip(ROWS, np.min(times, axis=0), strict=True):
        print(row(*line), f"{milliseconds:.2g} |" if milliseconds < 10 else f"{milliseconds:.0f} |")

"""Sizes of SavedModels on disk, and the time to export, load and first run them.

python tests/benchmarks/exports.py
"""

import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_scattering import (
    HarmonicScattering3D,
    Scattering1D,
    Scattering2D,
    TimeFrequencyScattering,
)

MODELS = {
    "images of 28 × 28, J=2": (Scattering2D(J=2), (28, 28)),
    "images of 224 × 224, J=4": (Scattering2D(J=4), (224, 224)),
    "signals of 2^16, J=8, Q=8": (Scattering1D(J=8, Q=8), (2**16,)),
    "volumes of 32³, J=2, L=3": (HarmonicScattering3D(J=2, L=3), (32, 32, 32)),
    "signals of 2^13, joint, J=8, J_fr=4, Q=8": (
        TimeFrequencyScattering(J=8, J_fr=4, Q=8),
        (2**13,),
    ),
}

if __name__ == "__main__":
    print("| model | MB | export, s | load, s | first run, s |\n|---|---|---|---|---|")
    for name, (layer, shape) in MODELS.items():
        model = keras.Sequential([keras.Input(shape), layer])
        x = np.zeros((1, *shape), np.float32)
        with tempfile.TemporaryDirectory() as folder:
            times = [time.perf_counter()]
            model.export(folder, format="tf_saved_model", verbose=False)
            times.append(time.perf_counter())
            served = tf.saved_model.load(folder)
            times.append(time.perf_counter())
            served.serve(x)
            times.append(time.perf_counter())
            size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        columns = [f"{size / 1e6:.1f}", *(f"{seconds:.1f}" for seconds in np.diff(times))]
        print(f"| {name} | {' | '.join(columns)} |")

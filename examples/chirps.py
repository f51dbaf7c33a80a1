"""Tell rising from falling sounds by the spin of joint time-frequency scattering.

A rising sound and its reversal, which falls, have the same spectrum. They also have the same
averages of every modulus over time, so time scattering cannot tell them apart. Joint time-frequency
scattering has wavelets on the plane of time and log-frequency. The sign of their slope, the spin,
tells the two sounds apart. The same linear classifier follows both kinds of scattering.

From the project's folder:

    python examples/chirps.py                      # synthetic chirps
    python examples/chirps.py --data-dir FOLDER    # and wav files, from their reversals
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from scipy.io import wavfile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_scattering import Scattering1D, TimeFrequencyScattering, plot

SAMPLES = 2048  # of a chirp
BATCH = 32
# Both see averages over all time, of a signal with silence around: reflected at its ends, a rising
# chirp would go on as a falling one.
SETTINGS = {"J": 8, "Q": 8, "T": "global", "padding": "zero"}


def chirps(count, seed):
    """Random chirps in noise, and whether each rises; the two kinds are reversals of each other."""
    rng = np.random.default_rng(seed)
    t = np.arange(SAMPLES)[None]
    rises = np.arange(count) % 2 == 0

    def draw(low, high):
        return rng.uniform(low, high, (count, 1))

    middle = SAMPLES * draw(0.35, 0.65)
    duration = SAMPLES * draw(0.1, 0.25)
    octaves = draw(1, 2.5) * np.where(rises, 1, -1)[:, None]  # in a duration
    from_middle = np.clip((t - middle) / duration, -1, 1)
    frequency = 2 ** draw(-4, -3) * 2 ** (octaves * from_middle)  # cycles a sample
    phase = 2 * np.pi * (np.cumsum(frequency, axis=1) + draw(0, 1))
    x = draw(0.3, 1) * np.cos(np.pi / 2 * from_middle) ** 2 * np.cos(phase)
    x += draw(0.02, 0.2) * rng.standard_normal(x.shape)
    return x.astype("float32"), rises


def recordings(folder, count, seed):
    """Wav files drawn from a folder, cut or filled to one second, without their scale."""
    files = sorted(folder.rglob("*.wav"))
    if len(files) < 20:
        raise SystemExit(f"--data-dir needs a folder of 20 wav files or more: found {len(files)}")
    files = np.random.default_rng(seed).permutation(np.array(files, object))[:count]
    signals = []
    for file in files:
        rate, x = wavfile.read(file)
        x = x.astype("float32").reshape(len(x), -1).mean(1)[:rate]
        signals.append(np.pad(x, (0, rate - len(x))) / max(np.abs(x).max(), 1e-9))
    print(f"{len(files)} of the recordings in {folder}, each as it is and reversed")
    return keras.utils.pad_sequences(signals, dtype="float32", padding="post")


def features(layer, x):
    """Logarithms of coefficients: the linear classifier weighs ratios."""
    batches = tf.data.Dataset.from_tensor_slices(x).batch(BATCH).map(layer)
    y = np.concatenate(list(batches.as_numpy_iterator()))
    return np.log(y[:, layer.meta()["order"] > 0] + 1e-6)


def accuracies(name, train, test):
    """Held-out accuracy of one linear classifier on each representation."""
    layers = {
        "time scattering": Scattering1D(**SETTINGS),
        "joint scattering": TimeFrequencyScattering(J_fr=3, F="global", **SETTINGS),
    }
    results = {}
    for title, layer in layers.items():
        (x, labels), (x_test, labels_test) = train, test
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
        model.fit(features(layer, x), labels)
        results[title] = float(model.score(features(layer, x_test), labels_test))
        print(f"  {name}, {title}: {results[title]:.1%} of {len(x_test)} held out are right")
    return results


def both_ways(x):
    """Signals as they are (True) and reversed (False)."""
    return np.concatenate([x, x[:, ::-1]]), np.repeat([True, False], len(x))


def draw(path):
    """Write a picture of a rising and a falling chirp, and of the energy of their paths."""
    t = np.arange(SAMPLES) / SAMPLES
    frequency = 0.02 * 20**t
    rising = np.sqrt(np.sin(np.pi * t)) * np.cos(2 * np.pi * np.cumsum(frequency))
    x = np.stack([rising, rising[::-1]]).astype("float32")

    first = Scattering1D(J=8, Q=8, T=32, max_order=1, padding="zero")
    joint = TimeFrequencyScattering(J_fr=3, F="global", **SETTINGS)
    scattergrams, coefficients = first(x), np.asarray(joint(x))
    meta = joint.meta()
    figure = Figure(figsize=(7.5, 6), layout="constrained")
    halves = figure.subfigures(2, 1)
    for row, name in enumerate(("rising", "falling")):
        left, *spins = halves[row].subplots(1, 3, width_ratios=(1.3, 1, 1))
        plot.scattergram(first, scattergrams[row], ax=left)
        left.set(title=f"{name}: first order", ylim=(0.01, 0.5))
        plot.joint(joint, coefficients[row], axes=spins)
        energies = coefficients[row] ** 2
        total = [energies[(meta["order"] == 2) & (meta["spin"] == s)].sum() for s in (-1, 1)]
        for ax, spin, share in zip(spins, ("−1", "+1"), total / np.sum(total), strict=True):
            ax.set_title(f"spin {spin}: {share:.1%}")
    description = (
        "A rising and a falling chirp. Left, their order-1 scattering in time and frequency; "
        "right, their joint scattering by rate and by scale, with the share of the energy of each "
        "spin: the rising one is bright on the side of spin +1 and the falling one on the other."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def main(argv=None):
    """Run the example and return the held-out accuracies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="a folder of wav files, searched throughout")
    parser.add_argument("--output-dir", type=Path, default=Path("chirps-output"))
    parser.add_argument("--count", type=int, default=400, help="chirps; half as many recordings")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    start = time.perf_counter()
    args.output_dir.mkdir(parents=True, exist_ok=True)

    half = args.count // 2
    print(f"Chirps in noise, {args.count - half} to learn from; do they rise or fall?")
    train, test = chirps(args.count - half, args.seed), chirps(half, args.seed + 1)
    results = {"chirps": accuracies("chirps", train, test)}
    if args.data_dir:
        x = recordings(args.data_dir, args.count // 2, args.seed)
        half = len(x) // 2  # both ways of a recording stand on one side
        results["recordings"] = accuracies("recordings", both_ways(x[half:]), both_ways(x[:half]))
    print(
        "Averages over time of moduli are the same for a signal and its reversal, so that time "
        "scattering can only guess, at 50%. The joint transform has the two in opposite spins."
    )
    picture = args.output_dir / "chirps.png"
    draw(picture)
    print(f"Drew {picture}")
    print(
        f"Done in {time.perf_counter() - start:.0f} s; the files are in {args.output_dir.resolve()}"
    )
    return results


if __name__ == "__main__":
    main()

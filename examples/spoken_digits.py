"""Recognise spoken digits by scattering in time, also of speakers never heard before.

A recording becomes 32 steps of time, 32 ms each, of all order-1 and order-2 paths. The program
divides order 2 by the order-1 path that it comes from, as Andén and Mallat (2014) do. The ratio
does not depend on the loudness of a frequency, but only on how it swells. The baseline is a mel
spectrogram of the same size, with as many channels and steps. Both go through the same steps: the
logarithm, a standardisation of each channel, and a small convolutional network over time.

Three kinds of splits test this. In the split of the Free Spoken Digit Dataset, the first five
recordings of each digit and speaker are the test. The second split holds out as many recordings,
drawn at random. In both, the test has new recordings of known voices. The third kind leaves one
speaker after the other out of learning, and tests on this speaker.

How long should each step average? The program tries `T` of 64, 128 and 256 samples. Their windows
are 0.03, 0.06 and 0.12 s wide at half height. The spectrogram has windows of the same widths. For
each split and each kind of features, the program chooses one of the three without the test. It sets
aside a part of the recordings to learn from: two of the five speakers where one is left out, and
otherwise a fifth at random. A network learns from the rest and is scored on that part. The best of
the three widths then learns from all.

The spectrogram stays ahead for new speakers and on the dataset's own split. On the random split the
two are even. For new speakers, the choice of `T` gave scattering two points more than a `T` of 256
throughout, which was not enough. Six speakers are few: scores differ far more between speakers than
between kinds of features. For two of the six, scattering is better.

From the project's folder:

    python examples/spoken_digits.py                      # through tensorflow-datasets
    python examples/spoken_digits.py --data-dir FOLDER    # its wav files, DIGIT_SPEAKER_INDEX.wav
"""

import argparse
import re
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from scipy.io import wavfile

from keras_scattering import Scattering1D

RATE = 8000  # Hz
SAMPLES = 8192  # of a recording; of longer ones, few, the beginning
STEP = 256  # samples
TIMES = 64, 128, 256  # samples: values of T to choose from
NAME = re.compile(r"(\d)_(.+)_(\d+)\.wav")
CONVENTION, RANDOM = "first five of each", "drawn at random"


def read_wavs(folder):
    """Names and samples of the recordings in a folder."""
    for path in sorted(folder.rglob("*.wav")):
        rate, x = wavfile.read(path)
        if rate != RATE or x.ndim != 1:
            raise SystemExit(f"{path} is not at {RATE} Hz with one channel")
        yield path.name, x


def read_tfds():
    """The same through tensorflow-datasets, downloaded when first asked for."""
    try:
        import tensorflow_datasets as tfds

        print("Reading spoken_digit; without a connection, giving up takes a few minutes.")
        for example in tfds.as_numpy(tfds.load("spoken_digit", split="train")):
            yield example["audio/filename"].decode(), example["audio"]
    except ImportError as error:
        raise SystemExit(
            f"spoken_digit comes through tensorflow-datasets ({error}): "
            'pip install -e ".[examples]", or give --data-dir a folder with its wav files.'
        ) from error
    except OSError as error:
        raise SystemExit(
            f"spoken_digit could not be downloaded: {error}\n"
            "Check the connection, or give --data-dir a folder with its wav files."
        ) from error


def load(folder):
    """Signals of one size and loudness; digit, speaker and index of each."""
    signals, names = [], []
    for name, x in read_wavs(folder) if folder else read_tfds():
        if match := NAME.fullmatch(name):
            x = x[:SAMPLES].astype("float32")
            x -= x.mean()
            signals.append(np.pad(x / max(x.std(), 1e-9), (0, SAMPLES - len(x))))
            names.append(match.groups())
    if len({speaker for _, speaker, _ in names}) < 3:
        raise SystemExit(
            "--data-dir needs wav files of three speakers or more, named DIGIT_SPEAKER_INDEX.wav: "
            f"found {len(names)} in {folder}"
        )
    digits, speakers, indices = (np.array(column) for column in zip(*names, strict=True))
    return np.stack(signals), digits.astype(int), speakers, indices.astype(int)


def scattering(T):
    """A layer, and a function to its coefficients (batch, steps, paths), orders 1 and 2."""
    layer = Scattering1D(J=8, Q=8, T=T)
    return layer, lambda x: layer(x)[:, :: STEP // T, 1:]


def mel(channels, T):
    """A function to mel spectrograms (batch, steps, channels) of signals (batch, time)."""
    size = 4096  # of Fourier transforms: finer than the narrowest channel
    window = 8 * T  # at half of its height as wide as the low-pass of scattering
    weights = tf.signal.linear_to_mel_weight_matrix(
        channels, size // 2 + 1, RATE, lower_edge_hertz=60.0, upper_edge_hertz=RATE / 2
    )

    def spectrogram(x):
        x = tf.pad(x, [(0, 0), (window // 2, window // 2 - 1)])
        return tf.abs(tf.signal.stft(x, window, STEP, size)) @ weights

    return spectrogram


def collect(function, signals):
    """What a function of batches yields for all signals."""
    dataset = tf.data.Dataset.from_tensor_slices(signals).batch(64)
    mapped = dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE)
    return np.concatenate(list(mapped.as_numpy_iterator()))


def renormalise(y, meta):
    """Divide order-2 paths by the order-1 path that each comes from."""
    first, second = (np.flatnonzero(meta["order"] == order) for order in (1, 2))
    parents = y[..., first[np.searchsorted(meta["n1"][first], meta["n1"][second])]]
    floor = 0.1 * parents.mean((0, 1)) + 1e-9  # of silence
    return np.concatenate([y[..., first], y[..., second] / (parents + floor)], axis=-1)


def logarithm(y):
    """Logarithm of features, with a floor for silence: a tenth of each channel's mean."""
    return np.log(y + 0.1 * y.mean((0, 1)) + 1e-9)


def make_model(shape, steps):
    """A small convolutional network over time."""
    model = keras.Sequential([keras.Input(shape), keras.layers.Dropout(0.2)])
    for _ in range(2):
        model.add(keras.layers.Conv1D(64, 3, padding="same", use_bias=False))
        model.add(keras.layers.BatchNormalization(momentum=0.9))
        model.add(keras.layers.ReLU())
        model.add(keras.layers.MaxPooling1D(2))
    model.add(keras.layers.GlobalAveragePooling1D())
    model.add(keras.layers.Dropout(0.3))
    model.add(keras.layers.Dense(10))
    schedule = keras.optimizers.schedules.CosineDecay(0.003, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(schedule), loss, steps_per_execution=10)
    model.optimizer.build(model.trainable_variables)
    return model


def score(model, y, digits, learn, test, steps):
    """Accuracy on some recordings, having learnt from others; the model stays as it was."""
    variables = [*model.variables, *model.optimizer.variables]
    initial = [variable.numpy() for variable in variables]
    mean, deviation = y[learn].mean((0, 1)), y[learn].std((0, 1)) + 1e-9
    y = (y - mean) / deviation
    examples = tf.data.Dataset.from_tensor_slices((y[learn], digits[learn])).cache()
    examples = examples.shuffle(len(y)).repeat().batch(64).prefetch(2)
    model.fit(examples, steps_per_epoch=steps, shuffle=False, verbose=0)
    answers = np.asarray(model(y[test])).argmax(-1)
    for variable, value in zip(variables, initial, strict=True):
        variable.assign(value)
    return float(np.mean(answers == digits[test]))


def draw_lots(mask, share, rng):
    """A mask of some of the recordings in a mask, drawn at random."""
    places = np.flatnonzero(mask)
    chosen = rng.choice(places, round(share * len(places)), replace=False)
    return np.isin(np.arange(len(mask)), chosen)


def make_splits(speakers, indices, rng):
    """What to test on, and what to set aside for choosing, by name."""
    own = indices < 5
    splits = {CONVENTION: own, RANDOM: draw_lots(indices >= 0, own.mean(), rng)}
    splits = {name: (test, draw_lots(~test, 0.2, rng)) for name, test in splits.items()}
    names = np.unique(speakers)
    for i, name in enumerate(names):
        aside = np.roll(names, -1 - i)[: (len(names) - 1) // 2]
        splits[f"without {name}"] = speakers == name, np.isin(speakers, aside)
    return splits


def draw(features, digits, meta, results, path):
    """Write a picture of one recording in both kinds of features, and of the accuracies."""
    figure = Figure(figsize=(6.2, 9), layout="constrained")  # as wide as a phone can show
    grid = figure.add_gridspec(2, 2, height_ratios=(1, 1.7))
    chosen = int(np.argmax(digits == 7))
    first = meta["order"] == 1
    channels = next(iter(features.values())).shape[-1]
    mels = np.linspace(*(1127 * np.log1p(np.array([60, RATE / 2]) / 700)), channels + 2)[1:-1]
    pictures = {
        "“seven”, order 1": (features["scattering"][chosen][:, first], meta["xi1_hz"][first]),
        "mel spectrogram": (features["mel"][chosen], 700 * np.expm1(mels / 1127)),
    }
    for column, (title, (picture, hertz)) in enumerate(pictures.items()):
        axes = figure.add_subplot(grid[0, column])
        rising = np.argsort(hertz)
        axes.pcolormesh(
            STEP / RATE * np.arange(len(picture) + 1),
            np.arange(len(hertz) + 1),
            picture[:, rising].T,
            cmap="magma",
        )
        ticks = np.array([100, 250, 500, 1000, 2000])
        axes.set_yticks(np.searchsorted(hertz[rising], ticks), ticks)
        axes.set(xlabel="time, s", ylabel="frequency, Hz", title=title)
    axes = figure.add_subplot(grid[1, :])
    for i, title in enumerate(features):
        places = np.arange(len(results)) + 0.4 * i - 0.2
        bars = axes.barh(places, [100 * r[title] for r in results.values()], 0.38, label=title)
        axes.bar_label(bars, fmt=" %.1f")
    axes.set_yticks(range(len(results)), [name.replace(" ", "\n", 1) for name in results])
    axes.invert_yaxis()
    axes.set(xlabel="held-out accuracy, %", xlim=(0, 115), xticks=range(0, 101, 20))
    axes.set_title("other recordings, and speakers never heard before")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.1), ncols=2, frameon=False)
    description = (
        "A spoken seven in order-1 scattering and in a mel spectrogram, 32 steps of time each; "
        "below, bars of the held-out accuracy of both, for the dataset's own split, one drawn at "
        "random, and each speaker left out of learning."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def main(argv=None):
    """Run the example and return the held-out accuracies by split and kind of features."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="a folder of wav files, searched throughout")
    parser.add_argument("--output-dir", type=Path, default=Path("spoken_digits-output"))
    parser.add_argument("--steps", type=int, default=800, help="of training, for each score")
    parser.add_argument("--choice", type=int, default=400, help="steps of training to choose T")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    start = time.perf_counter()
    keras.utils.set_random_seed(args.seed)
    args.output_dir.mkdir(parents=True, exist_ok=True)

    signals, digits, speakers, indices = load(args.data_dir)
    print(f"{len(signals):,} recordings of {len(np.unique(speakers))} speakers")
    features = {"scattering": {}, "mel": {}}
    for T in TIMES:
        before = time.perf_counter()
        layer, function = scattering(T)
        y = collect(function, signals)
        meta = {column: row[1:] for column, row in layer.meta(sampling_rate=RATE).items()}
        features["scattering"][T] = logarithm(renormalise(y, meta))
        between = time.perf_counter()
        features["mel"][T] = logarithm(collect(mel(y.shape[-1], T), signals))
        print(
            f"T={T}: {y.shape[1]} steps of {y.shape[2]} channels each; scattering took "
            f"{between - before:.0f} s, mel {time.perf_counter() - between:.0f} s"
        )

    splits = make_splits(speakers, indices, np.random.default_rng(args.seed))
    print(f"Held-out accuracy, with the T that was chosen; seed {args.seed} draws what is random:")
    print(f"  {'':20} {'tested':>6}" + "".join(f" {title:>15}" for title in features))
    chooser, model = (make_model(y[0].shape, steps) for steps in (args.choice, args.steps))
    results = {}
    for name, (test, aside) in splits.items():
        results[name], cells = {}, ""
        for title, choices in features.items():
            scores = {
                T: score(chooser, y, digits, ~(test | aside), aside, args.choice)
                for T, y in choices.items()
            }
            T = max(scores, key=scores.get)
            accuracy = score(model, choices[T], digits, ~test, test, args.steps)
            results[name][title] = accuracy
            cells += f" {accuracy:9.1%} T={T:<3}"
        print(f"  {name:20} {np.count_nonzero(test):6,}{cells}")
    left_out = [r for name, r in results.items() if name not in (CONVENTION, RANDOM)]
    means = {title: np.mean([r[title] for r in left_out]) for title in features}
    print(f"  {'mean of speakers':20} {'':6}" + "".join(f" {m:9.1%}      " for m in means.values()))

    picture = args.output_dir / "spoken_digits.png"
    draw({title: y[TIMES[0]] for title, y in features.items()}, digits, meta, results, picture)
    print(f"Drew {picture}")
    print(
        f"Done in {time.perf_counter() - start:.0f} s; the files are in {args.output_dir.resolve()}"
    )
    return results


if __name__ == "__main__":
    main()

"""Draw digits from the scattering coefficients of digits, and of none.

Scattering is stable to small deformations, so that digits of one shape lie close together and the
way between them is short. A generator turns the map round: a small convolutional network learns to
draw an image from its coefficients, reduced to a few dozen numbers by PCA and whitened, so that as
a whole they look like Gaussian noise. Nothing plays against it, as in a GAN; it learns by
regression, after T. Angles and S. Mallat, "Generative networks as inverse problems with scattering
transforms", 2018. Held-out digits show how well it draws, beside PCA of the pixels with as many
numbers and beside a linear map from the same numbers. It then draws what lies between two held-out
digits, beside a blend of their pixels, and what Gaussian noise stands for.

From the project's folder:

    python examples/generation.py
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from keras_scattering import Scattering2D

DIGITS = Path(__file__).parent / "data" / "mnist_5k.npz"
HELD_OUT = 1000
BATCH = 64


def load(seed):
    """4,000 training digits and 1,000 held-out ones, drawn at random from the bundled 5,000."""
    with np.load(DIGITS) as data:
        images, labels = data["images"].astype("float32") / 255, data["labels"]
    order = np.random.default_rng(seed).permutation(len(images))
    train, test = order[HELD_OUT:], order[:HELD_OUT]
    return images[train], images[test], labels[test]


def flat(x):
    return x.reshape(len(x), -1)


def scatter(images):
    """Coefficients of each image, in one row."""
    layer = Scattering2D(J=2, L=6)
    batches = (images[i : i + BATCH] for i in range(0, len(images), BATCH))
    return np.concatenate([flat(np.asarray(layer(x))) for x in batches])


def make_generator(numbers, training_steps):
    """A network from a few numbers to an image, twice as large from one stage to the next."""
    layers = [
        keras.Input((numbers,)),
        keras.layers.Dense(7 * 7 * 64, use_bias=False),
        keras.layers.BatchNormalization(momentum=0.9),
        keras.layers.ReLU(),
        keras.layers.Reshape((7, 7, 64)),
    ]
    for channels in (32, 16):
        layers += [
            keras.layers.UpSampling2D(interpolation="bilinear"),
            keras.layers.Conv2D(channels, 3, padding="same", use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
        ]
    layers += [
        keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        keras.layers.Reshape((28, 28)),
    ]
    model = keras.Sequential(layers)
    schedule = keras.optimizers.schedules.CosineDecay(0.004, training_steps)
    model.compile(keras.optimizers.Adam(schedule), loss="mse")
    return model


def error(found, images):
    """Mean relative distance to the images."""
    norms = [np.linalg.norm(flat(x), axis=1) for x in (found - images, images)]
    return float(np.mean(norms[0] / norms[1]))


def greyness(images):
    """4 x (1 - x) on average, where a digit has ink: 0 for black and white, 1 for middle grey."""
    return float(np.sum(4 * images * (1 - images)) / np.sum(images))


def pairs(labels, count):
    """Indices of pairs of held-out digits of different classes."""
    of_class = [np.flatnonzero(labels == digit) for digit in range(10)]
    return [(of_class[i % 10][i // 10], of_class[(i + 3) % 10][-1 - i // 10]) for i in range(count)]


def show(panels, rows):
    """Show rows of images, each with its title on the left."""
    for row, (title, images) in zip(panels, rows.items(), strict=True):
        row[0].set_ylabel(title, rotation=0, ha="right", va="center")
        for panel, image in zip(row, images, strict=True):
            panel.imshow(image, cmap="gray", vmin=0, vmax=1)
            panel.set(xticks=[], yticks=[])


def draw_held_out(images, drawn, path):
    """Write a picture of held-out digits, a column each, and how each method draws them."""
    rows = {"held out": images, **drawn}
    figure = Figure(figsize=(len(images) + 1.5, 1.05 * len(rows)), layout="constrained")
    show(figure.subplots(len(rows), len(images)), rows)
    description = (
        "Ten held-out digits above the same drawn by PCA of the pixels, by a linear map of the "
        "scattering embedding and by the generator, whose strokes are the cleanest."
    )
    figure.savefig(path, dpi=120, metadata={"Description": description})


def draw_between(between, blends, path):
    """Write a picture of the ways between held-out digits, two rows a pair."""
    figure = Figure(figsize=(10, 2.05 * len(between)), layout="constrained")
    panels = figure.subplots(2 * len(between), len(between[0]))
    for rows, images, blend in zip(np.split(panels, len(between)), between, blends, strict=True):
        show(rows, {"generator": images, "pixel blend": blend})
    description = (
        "Ways from one held-out digit to another, two rows a pair: what the generator draws for "
        "points between their embeddings, a stroke that bends and opens, and the blend of their "
        "pixels, in which one fades as the other appears."
    )
    figure.savefig(path, dpi=120, metadata={"Description": description})


def draw_samples(samples, path):
    """Write a picture of what the generator makes of Gaussian noise."""
    figure = Figure(figsize=(8, 4.1), layout="constrained")
    for panel, image in zip(figure.subplots(5, 10).flat, samples, strict=True):
        panel.imshow(image, cmap="gray", vmin=0, vmax=1)
        panel.set(xticks=[], yticks=[])
    description = (
        "Fifty images drawn from Gaussian noise in place of an embedding: strokes, some of them "
        "digits, others between digits or none."
    )
    figure.savefig(path, dpi=120, metadata={"Description": description})


def main(argv=None):
    """Run the example and return the held-out errors and the greyness of what is drawn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=Path("generation-output"))
    parser.add_argument("--train", type=int, help="use only so many training digits")
    parser.add_argument("--numbers", type=int, default=64, help="that stand for an image")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    start = time.perf_counter()
    keras.utils.set_random_seed(args.seed)
    args.output_dir.mkdir(parents=True, exist_ok=True)

    x_train, x_test, labels = load(args.seed)
    x_train = x_train[: args.train]
    y_train, y_test = scatter(x_train), scatter(x_test)
    embedding = PCA(args.numbers, whiten=True, svd_solver="randomized", random_state=args.seed)
    z_train, z_test = embedding.fit_transform(y_train), embedding.transform(y_test)
    print(
        f"{len(x_train):,} digits to learn from, {len(x_test):,} held out; of "
        f"{y_train.shape[1]:,} coefficients {args.numbers} components, with "
        f"{embedding.explained_variance_ratio_.sum():.1%} of the variance"
    )
    generator = make_generator(args.numbers, args.epochs * -(-len(x_train) // BATCH))
    generator.fit(z_train, x_train, BATCH, args.epochs, verbose=0)
    print(f"Trained for {args.epochs} epochs, after {time.perf_counter() - start:.0f} s")

    def generate(z):
        return generator.predict(z, BATCH, verbose=0)

    pixels = PCA(args.numbers, random_state=args.seed).fit(flat(x_train))
    linear = Ridge(1.0).fit(z_train, flat(x_train))
    drawn = {
        "PCA of pixels": pixels.inverse_transform(pixels.transform(flat(x_test))),
        "linear map": linear.predict(z_test),
        "generator": generate(z_test),
    }
    drawn = {name: found.reshape(x_test.shape) for name, found in drawn.items()}
    errors = {name: error(found, x_test) for name, found in drawn.items()}
    print(f"Mean relative error on held-out digits, each from {args.numbers} numbers:")
    for name, value in errors.items():
        print(f"  {name:16} {value:6.1%}")
    print(f"  (the generator on digits it has learnt: {error(generate(z_train), x_train):.1%})")

    t = np.linspace(0, 1, 9)[:, None]
    ends = pairs(labels, 100)
    between = np.stack([generate((1 - t) * z_test[a] + t * z_test[b]) for a, b in ends])
    t = t[..., None]
    blends = np.stack([(1 - t) * x_test[a] + t * x_test[b] for a, b in ends])
    noise = np.random.default_rng(args.seed).standard_normal((50, args.numbers))
    samples = generate(noise)
    grey = {
        "held-out digits": greyness(x_test),
        "generator, held-out digits": greyness(drawn["generator"]),
        "generator, midway": greyness(between[:, 4]),
        "pixel blend, midway": greyness(blends[:, 4]),
        "generator, from noise": greyness(samples),
    }
    print("Greyness, 0 for pure black and white: a blend of two digits has more than a digit")
    for name, value in grey.items():
        print(f"  {name:28} {value:.2f}")

    shown = [np.argmax(labels == digit) for digit in range(10)]
    draw_held_out(
        x_test[shown],
        {name: found[shown] for name, found in drawn.items()},
        args.output_dir / "generation_held_out.png",
    )
    draw_between(between[:4], blends[:4], args.output_dir / "generation_between.png")
    draw_samples(samples, args.output_dir / "generation_samples.png")
    print(
        f"Done in {time.perf_counter() - start:.0f} s; the pictures are in "
        f"{args.output_dir.resolve()}"
    )
    return {"errors": errors, "greyness": grey}


if __name__ == "__main__":
    main()

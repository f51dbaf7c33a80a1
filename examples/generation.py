"""Draw digits from the scattering coefficients of digits, and of none.

Scattering is stable to small deformations, so digits of one shape have similar coefficients. A
generator inverts this map: a small convolutional network learns to draw an image from its
coefficients. PCA first reduces the coefficients to a few dozen numbers. Whitening then makes these
numbers, as a whole, look like Gaussian noise. The network has no opponent, unlike in a GAN. It
learns by regression, after T. Angles and S. Mallat, "Generative networks as inverse problems with
scattering transforms", 2018.

Held-out digits show how well the generator draws. There are three baselines. The first is PCA of
the pixels with as many numbers, there and back. The second is a linear map from the generator's
numbers. The third is the same network, trained to draw from PCA of the pixels. Both networks then
draw images midway between two held-out digits, beside a blend of the pixels. They also draw images
from Gaussian noise.

Both networks are far better than the linear baselines. The network that draws from scattering has
slightly larger errors than the other one, since scattering does not give the exact place of a
stroke. Midway between digits it draws slightly less grey.

From the project's folder:

    python examples/generation.py
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

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


class Drawing(NamedTuple):
    """A network that draws images from few numbers, and the numbers of the images."""

    generator: keras.Model
    z_train: np.ndarray
    z_test: np.ndarray

    def __call__(self, z):
        return self.generator.predict(z, BATCH, verbose=0)


def learn(features, features_test, images, numbers, epochs, seed):
    """Reduce features of images to whitened numbers, and learn to draw the images from them."""
    keras.utils.set_random_seed(seed)
    embedding = PCA(numbers, whiten=True, svd_solver="randomized", random_state=seed)
    z_train, z_test = embedding.fit_transform(features), embedding.transform(features_test)
    share = embedding.explained_variance_ratio_.sum()
    print(f"of {features.shape[1]:,} numbers {numbers} components, {share:.1%} of the variance")
    generator = make_generator(numbers, epochs * -(-len(images) // BATCH))
    generator.fit(z_train, images, BATCH, epochs, verbose=0)
    return Drawing(generator, z_train, z_test)


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
        "Ten held-out digits above the same drawn by PCA of the pixels, by a linear map of "
        "scattering, and by the networks that draw from scattering and from PCA of the pixels. "
        "The networks' strokes are the cleanest."
    )
    figure.savefig(path, dpi=120, metadata={"Description": description})


def draw_between(ways, path, count=4):
    """Write a picture of the ways between some held-out digits, a row a method for each pair."""
    figure = Figure(figsize=(10.5, 1.02 * count * len(ways)), layout="constrained")
    panels = figure.subplots(count * len(ways), ways["pixel blend"].shape[1])
    for i, rows in enumerate(np.split(panels, count)):
        show(rows, {name: way[i] for name, way in ways.items()})
    description = (
        "Ways from one held-out digit to another, three rows a pair: what the generator draws for "
        "points between the two in scattering, the same from PCA of the pixels, and the blend of "
        "their pixels, in which one fades as the other appears. Both networks draw strokes most of "
        "the way, with fewer gaps from scattering."
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


def held_out(drawings, x_train, x_test):
    """Held-out digits as each method draws them; prints and returns the errors too."""
    scattered, _ = drawings.values()
    numbers = scattered.z_train.shape[1]
    pixels = PCA(numbers, svd_solver="randomized", random_state=0).fit(flat(x_train))
    linear = Ridge(1.0).fit(scattered.z_train, flat(x_train))
    drawn = {
        "PCA of pixels": pixels.inverse_transform(pixels.transform(flat(x_test))),
        "linear map": linear.predict(scattered.z_test),
    }
    drawn |= {name: drawing(drawing.z_test) for name, drawing in drawings.items()}
    drawn = {name: found.reshape(x_test.shape) for name, found in drawn.items()}
    errors = {name: error(found, x_test) for name, found in drawn.items()}
    print(f"Mean relative error on held-out digits, each drawn from {numbers} numbers:")
    for name, value in errors.items():
        print(f"  {name:24} {value:6.1%}")
    for name, drawing in drawings.items():
        learnt = error(drawing(drawing.z_train), x_train)
        print(f"  {name:24} {learnt:6.1%} on the digits it has learnt from")
    return drawn, errors


def midway(drawings, x_test, ends):
    """Ways between pairs of held-out digits, in nine steps, as each method draws them."""
    starts, stops = np.transpose(ends)

    def between(points):
        t = np.linspace(0, 1, 9).reshape(-1, *[1] * (points.ndim - 1))
        return (1 - t) * points[starts, None] + t * points[stops, None]

    ways = {}
    for name, draw in drawings.items():
        z = between(draw.z_test)
        ways[name] = draw(z.reshape(-1, z.shape[-1])).reshape(*z.shape[:2], *x_test.shape[1:])
    return ways | {"pixel blend": between(x_test)}


def main(argv=None):
    """Run the example and return the held-out errors and the greyness of what is drawn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=Path("generation-output"))
    parser.add_argument("--train", type=int, help="use only so many training digits")
    parser.add_argument("--numbers", type=int, default=64, help="that stand for an image")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    start = time.perf_counter()
    args.output_dir.mkdir(parents=True, exist_ok=True)

    x_train, x_test, labels = load(args.seed)
    x_train = x_train[: args.train]
    print(f"MNIST: {len(x_train):,} digits to learn from, {len(x_test):,} held out")
    drawings = {}
    for name, features in (("generator", scatter), ("generator from pixels", flat)):
        print(f"{name}: ", end="")
        drawings[name] = learn(
            features(x_train), features(x_test), x_train, args.numbers, args.epochs, args.seed
        )
    print(f"after {time.perf_counter() - start:.0f} s")
    drawn, errors = held_out(drawings, x_train, x_test)

    ways = midway(drawings, x_test, pairs(labels, 100))
    noise = np.random.default_rng(args.seed).standard_normal((50, args.numbers))
    samples = {name: drawing(noise) for name, drawing in drawings.items()}
    grey = {"held-out digits": greyness(x_test)}
    grey |= {f"{name}, held out": greyness(drawn[name]) for name in drawings}
    grey |= {f"{name}, midway": greyness(way[:, 4]) for name, way in ways.items()}
    grey |= {f"{name}, from noise": greyness(images) for name, images in samples.items()}
    print("Greyness, 0 for pure black and white; midway between digits a blend is grey:")
    for name, value in grey.items():
        print(f"  {name:36} {value:.2f}")

    shown = [np.argmax(labels == digit) for digit in range(10)]
    draw_held_out(
        x_test[shown],
        {name: found[shown] for name, found in drawn.items()},
        args.output_dir / "generation_held_out.png",
    )
    draw_between(ways, args.output_dir / "generation_between.png")
    draw_samples(samples["generator"], args.output_dir / "generation_samples.png")
    print(
        f"Done in {time.perf_counter() - start:.0f} s; the pictures are in "
        f"{args.output_dir.resolve()}"
    )
    return {"errors": errors, "greyness": grey}


if __name__ == "__main__":
    main()

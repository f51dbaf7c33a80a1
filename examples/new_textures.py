"""Make new textures from the moments of one piece of each, by four models.

A piece of a texture has moments, and `synthesize` descends from noise to new textures that have
them too. The program compares what moments hold, in pieces of six pictures that come with
scikit-image: brick, grass, gravel, galaxies, tissue under a microscope, and print. The models are:

* random phases: the power spectrum alone, a Gaussian field;
* spectra: `ScatteringSpectra2D`, the moduli of wavelets, filtered once more;
* phases: `PhaseHarmonics2D`, the harmonics of wavelet phases;
* rectifiers: `RectifierCovariances2D`, rectified wavelets at shifts.

All wavelets are at most as large as an eighth of the piece. Values stay within the range of the
piece. The tables begin with errors of the moments, also of those of the other models. Below is what
no model was given: rings of the power spectrum, the distribution of values, and skewness and excess
kurtosis of differences between pixels at lags of 1 to 16. For the first two the number is the
distance from the source. "Within others" counts numbers that are no farther from the source than
the farthest other piece of the picture is.

Each model matches its own moments to 2 %. Other pieces of the same picture differ by 12 % or more,
so they are farther from the source than what the models make. The models come near to the moments
of each other without being told: what spectra make has the moments of rectifiers to 10 %. Moments
of phases are the hardest to hit. Random phases have little kurtosis, and look like clouds. No
texture is a copy of its source: the largest correlation over all shifts is near that of other
pieces. Only brick, which repeats itself, has more.

Where the models fail:

* Mortar ends in the middle, and the kurtosis of brick at lag 1 is 1.5 to 1.8 times that of the
  source. Lines as long as the piece are in none of the moments.
* Blades of grass are short and bent, and stones have lost their flat faces.
* Print has lines and strokes, and no letters.
* The fibres of tissue turn from place to place. Moments are means over the piece, so that the new
  ones have one direction everywhere.
* The source has one large galaxy, whose light the new ones share among several.

Then follow a texture in colour, and one larger than its source. Colours need rows between channels.
Without them channels lose part of their correlation, and a fifth of the pixels has colours that
tissue does not have: no pixel of the source is within 5 steps of 255. With `cross_channels=True`
correlations are right to 0.02, and 2 % of the colours are foreign. Moments are means over pixels,
so a field of twice the height and width has them as well. Its statistics are as near to the source.

From the project's folder:

    python examples/new_textures.py
"""

import argparse
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.spatial import KDTree
from scipy.stats import kurtosis, skew

from keras_scattering import (
    PhaseHarmonics2D,
    RectifierCovariances2D,
    ScatteringSpectra2D,
    synthesize,
)

# Where pieces are taken from: photographs of scikit-image, rows and columns.
REGIONS = {
    "brick": ("brick", slice(0, 256), slice(0, 256)),
    "grass": ("grass", slice(0, 256), slice(0, 256)),
    "gravel": ("gravel", slice(0, 256), slice(0, 256)),
    "galaxies": ("hubble_deep_field", slice(0, 256), slice(0, 256)),
    "tissue": ("immunohistochemistry", slice(20, 148), slice(0, 256)),
    "print": ("page", slice(16, 144), slice(0, 384)),
}
SOURCE, OTHERS, GAUSSIAN = "source", "other pieces", "random phases"
LAGS = 1, 2, 4, 8, 16  # pixels
PAIRS = (0, 1), (0, 2), (1, 2)  # of channels
RINGS = 2 ** np.arange(-5, -1, 0.5)  # where rings of the spectrum begin, cycles a pixel
KURTOSIS = "excess kurtosis"
WIDTH = 15  # of a column
COLORS = {GAUSSIAN: "0.6", "spectra": "#0072B2", "phases": "#009E73", "rectifiers": "#D55E00"}
# The pictures of textures in grey: which, and what is to be seen.
GREY = {
    "new_textures_grey.png": (
        ("brick", "grass", "gravel"),
        (
            "Brick, grass and gravel, a row each: the source, and textures by four models. Random "
            "phases are clouds. The others have mortar, blades and stones in other places, and "
            "hardly differ from each other. Some mortar ends in the middle."
        ),
    ),
    "new_textures_more.png": (
        ("galaxies", "tissue", "print"),
        (
            "Galaxies, tissue and print, a row each: the source, and textures by four models. "
            "Random phases are clouds. The others have bright spots, fibres and strokes in other "
            "places; the strokes are no letters."
        ),
    ),
}


def photographs():
    """The regions of the photographs, in grey or in colour, from 0 to 1."""
    try:
        from skimage import data
    except ImportError as error:
        raise SystemExit(
            f'This needs scikit-image ({error}): pip install -e ".[examples]"'
        ) from error
    return {
        name: getattr(data, photograph)()[rows, columns] / 255
        for name, (photograph, rows, columns) in REGIONS.items()
    }


def pieces(x, size):
    """Square pieces of a picture side by side: the source, then others."""
    x = x.mean(-1) if x.ndim == 3 else x
    rows, across = (n // size for n in x.shape)
    blocks = x[: rows * size, : across * size].reshape(rows, size, across, size)
    return blocks.swapaxes(1, 2).reshape(-1, size, size)


def models(size):
    """A layer for each model, with wavelets up to an eighth of a piece."""
    J = int(np.log2(size)) - 3
    return {
        "spectra": ScatteringSpectra2D(J=J, padding="symmetric"),  # a piece is no circle
        "phases": PhaseHarmonics2D(J=J, L=4, dn=1, padding="symmetric"),
        "rectifiers": RectifierCovariances2D(J=J, dn=1, padding="symmetric"),
    }


def random_phases(x, count, rng):
    """Gaussian fields with the power spectrum of a picture, and those between its channels."""
    noise = rng.standard_normal((count, *x.shape[:2], *[1] * (x.ndim - 2)))
    phases = np.exp(1j * np.angle(np.fft.fft2(noise, axes=(1, 2))))
    mean = x.mean((0, 1))
    return mean + np.fft.ifft2(np.fft.fft2(x - mean, axes=(0, 1)) * phases, axes=(1, 2)).real


def synthesise(layer, source, args, shape=None):
    """Textures with the moments and the range of a source, and their errors."""
    made, history = synthesize(
        layer,
        source[None],
        shape=shape,
        n=args.made,
        steps=args.steps,
        tolerance=1e-3,
        bounds=(source.min(), source.max()),
        seed=args.seed,
        verbose=0,
    )
    return made, history["error"][-1]


def errors(layer, source, fields):
    """How far the moments of fields are from those of a source."""
    options = {"n": len(fields), "start": fields, "steps": 1, "verbose": 0}
    return synthesize(layer, source[None], **options)[1]["error"][0]


# What no model was given


def increments(x, lag):
    """Differences across and down."""
    return np.concatenate([(x[lag:] - x[:-lag]).ravel(), (x[:, lag:] - x[:, :-lag]).ravel()])


def powers(x, circle):
    """Power in rings of frequencies, half an octave each, in decibels."""
    window = np.outer(*[np.hanning(n + 2)[1:-1] for n in x.shape])
    window = np.ones(x.shape) if circle else window  # opposite sides of a piece differ
    power = np.abs(np.fft.fft2((x - x.mean()) * window)) ** 2 / np.sum(window**2)
    f = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in x.shape), indexing="ij"))
    rings = [power[(f >= low) & (f < 2**0.5 * low)] for low in RINGS]
    return 10 * np.log10([ring.mean() for ring in rings])


def quantiles(x):
    """Values at 200 levels."""
    return np.quantile(x, (np.arange(200) + 0.5) / 200)


def statistics(x, source, circle):
    """Statistics of a circle or a piece, by name; the first two are distances from the source."""
    found = {
        "power spectrum, dB": np.sqrt(np.mean((powers(x, circle) - powers(source, False)) ** 2)),
        "values, deviations": np.mean(np.abs(quantiles(x) - quantiles(source))) / source.std(),
    }
    found |= {f"skewness, lag {lag}": skew(increments(x, lag)) for lag in LAGS}
    return found | {f"{KURTOSIS}, lag {lag}": kurtosis(increments(x, lag)) for lag in LAGS}


def likeness(x, y):
    """The largest correlation of two fields, over all shifts on a circle."""
    a, b = (np.fft.fft2((z - z.mean()) / z.std()) for z in (x, y))
    return np.fft.ifft2(a * b.conj()).real.max() / x.size


def header(name, columns):
    """Print the first row of a table."""
    print(f"{name:26}" + "".join(f"{column:>{WIDTH}}" for column in [SOURCE, *columns]))


def row(title, values, style="{:.2f}"):
    """Print a row of a table, whose first column is that of the source."""
    cells = (f"{style.format(value):>{WIDTH}}" for value in values)
    print(f"  {title:24}" + "".join(cells))


def compare(source, fields):
    """Print statistics of fields beside those of their source, and return them by column.

    They are means over fields. The last but one row counts statistics that are no farther from
    those of the source than the farthest of the other pieces is.
    """
    given = statistics(source, source, False)
    found = {
        column: np.array([list(statistics(x, source, column != OTHERS).values()) for x in some])
        for column, some in fields.items()
    }
    target = np.array(list(given.values()))
    for i, statistic in enumerate(given):
        row(statistic, [target[i], *(values[:, i].mean() + 0.0 for values in found.values())])
    most = np.abs(found[OTHERS] - target).max(0)
    within = {c: np.mean((np.abs(v - target) <= most).sum(1)) for c, v in found.items()}
    row(f"within others, of {len(target)}", [len(target), *within.values()], "{:.1f}")
    parts = {
        column: np.concatenate([pieces(x, len(source)) for x in fields[column]])
        for column in fields
    }
    row("largest correlation", [1, *(max(likeness(source, x) for x in p) for p in parts.values())])
    return {"statistics": {SOURCE: target[None], **found}, "within": within}


# Parts of the program


def grey(name, x, args):
    """Textures by each model, in grey; print how far they and other pieces are from the source."""
    source, others = x[0], x[1:4]
    layers = models(args.size)
    fields = {
        OTHERS: others,
        GAUSSIAN: random_phases(source, args.made, np.random.default_rng(args.seed)),
    }
    fields |= {model: synthesise(layer, source, args)[0] for model, layer in layers.items()}
    header(name, fields)
    ends = np.cumsum([len(some) for some in fields.values()])[:-1]
    found = {}
    for model, layer in layers.items():
        apart = errors(layer, source, np.concatenate(list(fields.values())))
        means = [part.mean() for part in np.split(apart, ends)]
        found[model] = dict(zip(fields, means, strict=True))
        row(f"error of {model}", [0, *means], "{:.1%}")
    return {"fields": {SOURCE: x[:1], **fields}, "errors": found, **compare(source, fields)}


def colour(x, args):
    """Textures in colour, with rows between channels and without; print how channels agree."""
    source, other = x[: args.size, : args.size], x[: args.size, args.size : 2 * args.size]
    J = int(np.log2(args.size)) - 3
    fields = {
        OTHERS: other,
        GAUSSIAN: random_phases(source, 1, np.random.default_rng(args.seed))[0],
    }
    for model, cross in (("channels alone", False), ("together", True)):
        layer = RectifierCovariances2D(J=J, dn=0, cross_channels=cross, padding="symmetric")
        made, error = synthesise(layer, source, args)
        fields[model] = made[0]
        rows = layer.compute_output_shape((1, *source.shape))[1]
        print(f"{model}: {rows} numbers, which are right to {error[0]:.1%}")
    header("colour", fields)
    fields = {SOURCE: source, **fields}
    found = {column: agreement(field, source) for column, field in fields.items()}
    for statistic in found[SOURCE]:
        row(statistic, [values[statistic] + 0.0 for values in found.values()])
    return {"fields": fields, "statistics": found}


def agreement(x, source):
    """How channels of a picture agree, and whether its colours are those of a source."""
    steps = np.abs(x[:, 1:] - x[:, :-1])
    found = {}
    for title, y in (("values", x), ("sizes of steps", steps)):
        r = np.corrcoef(y.reshape(-1, 3), rowvar=False)
        found |= {f"{title}, {'RGB'[i]} and {'RGB'[k]}": r[i, k] for i, k in PAIRS}
    near, _ = KDTree(source.reshape(-1, 3)).query(x.reshape(-1, 3))
    found["colours not in source"] = np.mean(near > 5 / 255)  # hardly to be seen
    return found


def larger(x, made, args):
    """A texture with twice the height and width of its source; print how near it is."""
    source, others = x[0], x[1:4]
    layer = models(args.size)["rectifiers"]
    field, error = synthesise(layer, source, args, shape=(2 * args.size, 2 * args.size))
    print(f"{field.shape[1:]} from {source.shape}: numbers are right to {error[0]:.1%}")
    fields = {OTHERS: others, "as large": made, "twice as large": field}
    header("larger", fields)
    return {"fields": {SOURCE: x[:1], **fields}, "error": error, **compare(source, fields)}


def draw_kurtosis(results, path):
    """Write a picture of the excess kurtosis of increments, a panel for each texture."""
    figure = Figure(figsize=(6.4, 2.1 * ((len(results) + 1) // 2) + 0.4), layout="constrained")
    panels = figure.subplots((len(results) + 1) // 2, 2, squeeze=False, sharex=True).ravel()
    for panel, (name, result) in zip(panels, results.items(), strict=False):
        found = {c: values[:, -len(LAGS) :] for c, values in result["statistics"].items()}
        panel.plot(LAGS, found[OTHERS].T, color="0.8", label="_")
        panel.plot(LAGS, found[SOURCE][0], "k_", markersize=16, label=SOURCE)
        for column, color in COLORS.items():
            panel.plot(LAGS, found[column].mean(0), "o-", color=color, ms=4, label=column)
        panel.set_title(name, fontsize="medium")
        panel.set_xscale("log", base=2)
        panel.set_xticks(LAGS, LAGS)
    for panel in panels[-2:]:
        panel.set_xlabel("lag, pixels")
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=5, frameon=False, fontsize="small")
    description = (
        "Excess kurtosis of differences at lags of 1 to 16 pixels, a panel for each texture. "
        "Random phases are near 0. The three other models follow the source and other pieces of "
        "the picture; in brick they are above them."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def draw_fields(results, path, description):
    """Write a picture of textures, a row each, a column for each model."""
    columns = [SOURCE, *COLORS]
    figure = Figure(figsize=(6.4, 1.3 * len(results) + 0.1), layout="constrained")
    panels = figure.subplots(len(results), len(columns), squeeze=False)
    for line, (name, result) in zip(panels, results.items(), strict=True):
        source = result["fields"][SOURCE]
        for panel, column in zip(line, columns, strict=True):
            x = result["fields"][column][0]
            panel.imshow(x, cmap="gray", vmin=source.min(), vmax=source.max())
            panel.set(xticks=[], yticks=[])
        line[0].set_ylabel(name)
    for panel, column in zip(panels[0], columns, strict=True):
        panel.set_title(column, fontsize="medium")
    figure.savefig(path, dpi=150, metadata={"Description": description})


def draw_colour(fields, path):
    """Write a picture of a source and of textures in colour."""
    figure = Figure(figsize=(6.4, 1.6), layout="constrained")
    for panel, (column, x) in zip(figure.subplots(1, len(fields)), fields.items(), strict=True):
        panel.imshow(np.clip(x, 0, 1))
        panel.set(xticks=[], yticks=[])
        panel.set_title(column, fontsize="medium")
    description = (
        "Tissue in colour: the source, another piece, random phases, rectifiers of each channel "
        "alone, and of channels together. Alone they have red, green and violet specks that the "
        "source has not; together they have brown fibres and some blue cells."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def draw_larger(fields, path):
    """Write a picture of a source and of a larger texture, in one scale."""
    source, field = fields[SOURCE][0], fields["twice as large"][0]
    figure = Figure(figsize=(6.4, 4.3), layout="constrained")
    widths = [len(source), len(field)]
    for panel, x in zip(figure.subplots(1, 2, width_ratios=widths), (source, field), strict=True):
        panel.imshow(x, cmap="gray", vmin=source.min(), vmax=source.max())
        panel.set(xticks=[], yticks=[], title=f"{len(x)} × {len(x)}")
    description = (
        "A piece of gravel of 128 by 128 pixels, and a new field of 256 by 256 in the same scale, "
        "with stones of the same sizes and light."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def main(argv=None):
    """Run the example; return what each part found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=Path("new_textures-output"))
    parser.add_argument("--size", type=int, default=128, help="side of a piece, pixels")
    parser.add_argument("--made", type=int, default=1, help="textures to make, of each model")
    parser.add_argument("--steps", type=int, default=100, help="of gradient descent")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="one small texture in few steps")
    args = parser.parse_args(argv)
    start = time.perf_counter()
    args.output_dir.mkdir(parents=True, exist_ok=True)
    names = REGIONS
    if args.quick:
        names, args.size, args.steps = ["gravel"], 48, 25

    pictures, results = photographs(), {}
    for name in names:
        results[name] = grey(name, pieces(pictures[name], args.size), args)
        print(f"after {time.perf_counter() - start:.0f} s")
    tissue = colour(pictures["tissue"], args)
    print(f"after {time.perf_counter() - start:.0f} s")
    made = results["gravel"]["fields"]["rectifiers"]
    large = larger(pieces(pictures["gravel"], args.size), made, args)
    for path, (some, description) in GREY.items():
        if shown := {name: results[name] for name in some if name in results}:
            draw_fields(shown, args.output_dir / path, description)
    draw_kurtosis(results, args.output_dir / "new_textures_kurtosis.png")
    draw_colour(tissue["fields"], args.output_dir / "new_textures_colour.png")
    draw_larger(large["fields"], args.output_dir / "new_textures_larger.png")
    print(
        f"Done in {time.perf_counter() - start:.0f} s; the pictures are in "
        f"{args.output_dir.resolve()}"
    )
    return {"grey": results, "colour": tissue, "larger": large}


if __name__ == "__main__":
    main()

"""Make random fields and textures from the moments of one picture, and compare their tails.

A field is skewed, has clumps or edges, and looks alike everywhere. Its power spectrum says none of
this. Here two models are learnt from one picture, and pictures are drawn from each:

* the power spectrum alone: random phases with the spectrum of the picture, a Gaussian field;
* scattering spectra: gradient descent from such a field to the moments of the picture, within the
  range of its values.

There are four fields: a lognormal one, whose law is known, and photographs of brick, grass and
gravel, which come with scikit-image. The table has properties that neither model was given:

* skewness and excess kurtosis of the values;
* the same of increments, across and down, at lags of 1 to 8 pixels;
* the bispectrum of three bands of frequencies, divided by the deviations of the bands. It is the
  mean of the product of three filtered fields, and 0 for a Gaussian field.

Random phases have none of them. Fields from spectra come near to skewness and bispectrum. At a lag
of one pixel they have the excess kurtosis of the picture within a third for lognormal, grass and
gravel, and 1.5 times as much for brick. The row "mean distance" tells how far statistics are from
those of the picture on average, in deviations over other parts of the field. Fields from spectra
are nearer to the lognormal picture than other draws of the same law are. For grass they are about
as near as other parts. For gravel and brick they are farther, and two to three times nearer than
random phases. None is a copy: the largest correlation with the picture, over all shifts, is near
that of other parts. Only brick, which repeats itself, has more.

Mortar is broken. The largest scale is a quarter of the picture, so moments do not hold longer
lines. Nor do they hold how often each value occurs, and the kurtosis of values is too large in
photographs.

From the project's folder:

    python examples/fields.py
"""

import argparse
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import kurtosis, skew

from keras_scattering import ScatteringSpectra2D, synthesize

TEXTURES = "brick", "grass", "gravel"
OTHERS = 15  # patches, or draws, besides the one to learn from
LAGS = 1, 2, 4, 8  # pixels
BANDS = {"low": (1 / 32, 1 / 16), "mid": (1 / 16, 1 / 8), "high": (1 / 8, 1 / 4)}  # cycles a pixel
KINDS = PICTURE, OTHER, *_ = "picture", "other parts", "from spectra", "random phases"
WIDTH = 16  # of a column
COLORS = "0.6", "#D55E00", "#0072B2"
TRIANGLES = (
    ("low",) * 3,
    ("mid",) * 3,
    ("high",) * 3,
    ("low", "mid", "mid"),
    ("low", "high", "high"),
)


def photographs():
    """Photographs of three textures, 512 × 512, which come with scikit-image."""
    try:
        from skimage import data
    except ImportError as error:
        raise SystemExit(
            f'This needs scikit-image ({error}): pip install -e ".[examples]"'
        ) from error
    return {name: getattr(data, name)() / 255 for name in TEXTURES}


def lognormal(draws, size, rng, deviation=0.8, slope=1.5, longest=32):
    """Exponentials of Gaussian fields, whose spectrum falls from a longest wave on."""
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(2 * size), np.fft.fftfreq(2 * size)))
    amplitude = (f**2 + 1 / longest**2) ** (-slope / 2)
    amplitude *= deviation / np.sqrt(np.mean(amplitude**2))
    noise = rng.standard_normal((draws, 2 * size, 2 * size))
    g = np.fft.ifft2(np.fft.fft2(noise) * amplitude).real
    return np.exp(g[:, :size, :size])  # a part, with no two sides alike


def patches(x, size, rng):
    """Patches of a photograph side by side, in random order."""
    rows, across = (n // size for n in x.shape)
    blocks = x[: rows * size, : across * size].reshape(rows, size, across, size)
    return rng.permutation(blocks.swapaxes(1, 2).reshape(-1, size, size))[: 1 + OTHERS]


def random_phases(x, count, rng):
    """Gaussian fields with the power spectrum of a field."""
    noise = rng.standard_normal((count, *x.shape))
    phases = np.exp(1j * np.angle(np.fft.fft2(noise)))
    return x.mean() + np.fft.ifft2(np.fft.fft2(x - x.mean()) * phases).real


def statistics(x):
    """What no model was given, of one field."""
    found = {"skewness": skew(x, None), "excess kurtosis": kurtosis(x, None)}
    steps = {
        lag: np.concatenate([(x[lag:] - x[:-lag]).ravel(), (x[:, lag:] - x[:, :-lag]).ravel()])
        for lag in LAGS
    }
    found |= {f"skewness, lag {lag}": skew(y) for lag, y in steps.items()}
    found |= {f"excess kurtosis, lag {lag}": kurtosis(y) for lag, y in steps.items()}
    window = np.sqrt(np.outer(*[np.hanning(n + 2)[1:-1] for n in x.shape]))  # sides differ
    spectrum = np.fft.fft2((x - x.mean()) * window)
    f = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in x.shape), indexing="ij"))
    bands = {
        name: np.fft.ifft2(spectrum * ((f >= low) & (f < high))).real
        for name, (low, high) in BANDS.items()
    }
    for names in TRIANGLES:
        product = np.mean(np.prod([bands[name] for name in names], 0))
        scale = np.prod([bands[name].std() for name in names])
        found[f"bispectrum, {'-'.join(names)}"] = product / scale
    return found


def likeness(x, y):
    """The largest correlation of two fields, over all shifts on a circle."""
    a, b = (np.fft.fft2((z - z.mean()) / z.std()) for z in (x, y))
    return np.fft.ifft2(a * b.conj()).real.max() / x.size


def synthesise(picture, scale, count, steps, seed):
    """Fields with the scattering spectra and the range of a picture, and errors of the spectra."""
    layer = ScatteringSpectra2D(J=scale, padding="symmetric")  # a picture is no circle
    made, history = synthesize(
        layer,
        picture[None],
        n=count,
        steps=steps,
        bounds=(picture.min(), picture.max()),
        seed=seed,
        verbose=0,
    )
    return made, history["error"][[0, -1]]


def standardised(x):
    """Fields in units in which the first has mean 0 and variance 1."""
    return (x - x[0].mean()) / x[0].std()


def compare(kinds):
    """Print statistics of the picture, and mean and deviation of those of each kind of fields.

    Returns all statistics, and for each kind the distance from the picture: the mean over
    statistics, in deviations of other parts of the field.
    """
    each = {kind: [statistics(x) for x in fields] for kind, fields in kinds.items()}
    names = list(each[PICTURE][0])
    found = {kind: np.array([[one[n] for n in names] for one in e]) for kind, e in each.items()}
    target, unit = found.pop(PICTURE)[0], found[OTHER].std(0)
    for i, name in enumerate(names):
        line = f"  {name:27}{target[i]:8.2f}"
        for values in found.values():
            mean, deviation = round(values[:, i].mean(), 2) + 0.0, values[:, i].std()  # no -0
            line += f"{f'{mean:.2f} ± {deviation:.2f}':>{WIDTH}}"
        print(line)
    distances = {kind: np.mean(np.abs(values - target) / unit) for kind, values in found.items()}
    print(f"  {'mean distance':35}" + "".join(f"{d:{WIDTH}.1f}" for d in distances.values()))
    most = (max(likeness(kinds[PICTURE][0], x) for x in kinds[kind]) for kind in found)
    print(f"  {'largest correlation':35}" + "".join(f"{r:{WIDTH}.2f}" for r in most))
    return names, target, found, distances


def draw_fields(fields, path):
    """Write a picture of fields, a row each, a column for each kind."""
    figure = Figure(figsize=(6.4, 6.8), layout="constrained")
    panels = figure.subplots(len(fields), len(KINDS))
    for row, (name, kinds) in zip(panels, fields.items(), strict=True):
        low, high = np.quantile(kinds[PICTURE], (0.005, 0.995))
        for panel, (kind, found) in zip(row, kinds.items(), strict=True):
            panel.imshow(found[0], cmap="gray", vmin=low, vmax=high)
            panel.set(xticks=[], yticks=[])
            panel.set_title(kind if name == next(iter(fields)) else None)
        row[0].set_ylabel(name)
    description = (
        "A lognormal field, brick, grass and gravel, a row each: the picture, another part of the "
        "field, a field made from spectra, and one of random phases. Those from spectra have the "
        "clumps, mortar, blades and stones of the picture in other places; random phases are fog."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def draw_statistics(results, path):
    """Write a picture of statistics that were not given, a row for each field."""
    figure = Figure(figsize=(6.4, 8.6), layout="constrained")
    panels = figure.subplots(len(results), 2, squeeze=False)
    for row, (name, (names, target, found, _)) in zip(panels, results.items(), strict=True):
        for panel, kind in zip(row, ("excess kurtosis", "bispectrum"), strict=True):
            some = [i for i, n in enumerate(names) if n.startswith(kind)]
            places = np.arange(len(some))
            for (one, values), color, shift in zip(
                found.items(), COLORS, (-0.15, 0, 0.15), strict=True
            ):
                mean, deviation = values[:, some].mean(0), values[:, some].std(0)
                style = {"fmt": "o", "markersize": 4, "color": color, "label": one}
                panel.errorbar(places + shift, mean, deviation, **style)
            panel.plot(places, target[some], "k_", markersize=18, label=PICTURE)
            panel.axhline(0, color="0.8", linewidth=0.8, zorder=0)
            labels = [names[i].removeprefix(f"{kind}, ").replace(kind, "value") for i in some]
            panel.set_xticks(places, [n.replace("lag ", "").replace("-", "\n") for n in labels])
            panel.set_title(f"{name}: {kind}", fontsize="medium")
    panels[-1, 0].set_xlabel("of values, and of increments at a lag")
    panels[-1, 1].set_xlabel("bands")
    handles = panels[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=4, frameon=False)
    description = (
        "Excess kurtosis of values and increments, and bispectra, a row for each field. Fields "
        "made from spectra are near the picture and other parts of the field. Random phases are "
        "near 0, far from the rest."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def main(argv=None):
    """Run the example; return distances and errors of the spectra, by field."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=Path("fields-output"))
    parser.add_argument("--size", type=int, default=128, help="side of a picture, pixels")
    parser.add_argument("--made", type=int, default=4, help="fields to make, of each model")
    parser.add_argument("--steps", type=int, default=100, help="of gradient descent")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    start = time.perf_counter()
    args.output_dir.mkdir(parents=True, exist_ok=True)

    rng = np.random.default_rng(args.seed)
    parts = {"lognormal": lognormal(1 + OTHERS, args.size, rng)}
    parts |= {name: patches(x, args.size, rng) for name, x in photographs().items()}
    scale = int(np.log2(args.size)) - 2
    fields, results, errors = {}, {}, {}
    for name, x in parts.items():
        x = standardised(x)
        made, (before, after) = synthesise(x[0], scale, args.made, args.steps, args.seed)
        gaussian = random_phases(x[0], args.made, rng)
        fields[name] = dict(zip(KINDS, (x[:1], x[1:], made, gaussian), strict=True))
        print(f"{name:29}{KINDS[0]:>8}" + "".join(f"{kind:>{WIDTH}}" for kind in KINDS[1:]))
        results[name] = compare(fields[name])
        errors[name] = before, after = before.min(), after.max()
        print(f"  {'error of the spectra':{35 + WIDTH}}{after:{WIDTH}.1%}{before:{WIDTH}.1%}")
        print(f"after {time.perf_counter() - start:.0f} s")
    draw_fields(fields, args.output_dir / "fields_pictures.png")
    draw_statistics(results, args.output_dir / "fields_statistics.png")
    print(
        f"Done in {time.perf_counter() - start:.0f} s; the pictures are in "
        f"{args.output_dir.resolve()}"
    )
    return {"distances": {name: r[-1] for name, r in results.items()}, "errors": errors}


if __name__ == "__main__":
    main()

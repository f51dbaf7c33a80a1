"""Draw the pictures of the pages, to docs/pictures/, by keras_scattering.plot.

    python docs/pictures.py              # all
    python docs/pictures.py sound discs  # some

The tutorial draws its own picture: `hum` runs its code as far as that. Pages say in words what is
to be seen, for those who do not see.
"""

import argparse
import contextlib
import io
import re
import tempfile

import numpy as np
from gallery import ROOT
from matplotlib import pyplot as plt
from PIL import Image

from keras_scattering import (
    Scattering1D,
    Scattering2D,
    ScatteringSpectra1D,
    TimeFrequencyScattering,
    plot,
)

PICTURES, TUTORIAL = ROOT / "docs/pictures", ROOT / "docs/tutorial.md"
LARGEST = 100_000  # bytes of a picture
RATE = 8000  # samples per second of the sound
SAMPLES = 2**14
TONE, TREMOLO = 330, 22  # Hz


def a_sound():
    """A tone, the same tone with a tremolo, and a rising chirp."""
    t = np.arange(SAMPLES) / RATE

    def during(start, stop):
        """Loudness of a sound that swells and fades within 100 ms."""
        return np.sin(np.pi / 2 * np.clip(np.minimum(t - start, stop - t) / 0.1, 0, 1)) ** 2

    tone = sum(np.sin(2 * np.pi * TONE * k * t) / k**2 for k in range(1, 5))
    chirp = np.sin(2 * np.pi * np.cumsum(200 * 12 ** np.clip((t - 1.4) / 0.55, 0, 1)) / RATE)
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * TREMOLO * t)
    x = during(0.1, 0.65) * tone + during(0.75, 1.3) * swell * tone + during(1.4, 1.95) * chirp
    return x + 1e-3 * np.random.default_rng(0).standard_normal(SAMPLES)


def a_digit():
    """One of the digits that come with the examples, from 0 to 1."""
    with np.load(ROOT / "examples/data/mnist_5k.npz") as data:
        return data["images"][2003] / 255  # a four


def store(picture, path):
    """Write an image in few colours; return its size in bytes."""
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    return path.stat().st_size


def render(figure, path):
    """Write a figure, as fine as its size in bytes allows."""
    for dpi in range(150, 100, -5):
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=dpi)
        if store(Image.open(buffer), path) < LARGEST:
            return
    raise SystemExit(f"{path.name} shows too much for {LARGEST} bytes.")


def built(layer, *size):
    """A layer, built for signals of some size."""
    layer.build((None, *size))
    return layer


def band(layer):
    """Index of the first-order wavelet that is nearest to the tone."""
    meta = layer.meta(RATE)
    return int(meta["n1"][np.nanargmin(np.abs(meta["xi1_hz"] - TONE))])


def sound():
    """What scattering does to a sound."""
    figure, axes = plt.subplots(2, 2, figsize=(7, 4.7), sharex=True, layout="constrained")
    x = a_sound()
    wave, moduli, first, second = axes.flat
    wave.plot(np.arange(SAMPLES) / RATE, x, linewidth=0.3)
    wave.set(title="1. a sound $x$", ylabel="amplitude")
    settings = {"J": 9, "Q": 8}
    layer = built(Scattering1D(T=0, max_order=1, **settings), SAMPLES)
    plot.scattergram(layer, layer(x), sampling_rate=RATE, ax=moduli)
    moduli.set(title=r"2. wavelets: $|x \ast \psi_1|$")
    layer = built(Scattering1D(T=256, **settings), SAMPLES)
    S = layer(x)
    plot.scattergram(layer, S, sampling_rate=RATE, ax=first)
    first.set(title="3. averaged: first order")
    settings = {"n1": band(layer), "scale": "linear", "sampling_rate": RATE}
    plot.scattergram(layer, S, order=2, ax=second, **settings)
    second.set(title=f"4. second order at {TONE} Hz")
    for ax in (moduli, first):
        ax.set_ylim(bottom=60)  # nothing is to be seen below
    for ax in (wave, moduli):
        ax.set_xlabel("")
    return figure


def image():
    """What scattering does to an image."""
    figure = plt.figure(figsize=(7, 5.2), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.2))
    left, right = top.subfigures(1, 2, width_ratios=(1, 2))
    x = a_digit()
    ax = left.subplots()
    ax.imshow(x, cmap="gray")
    ax.set(title="1. an image $x$", xticks=[], yticks=[])
    layer = built(Scattering2D(J=2, T=0, max_order=1), *x.shape)
    moduli, meta = layer(x), layer.meta()
    panels = right.subplots(2, 4)
    right.suptitle(r"2. wavelets: $|x \ast \psi_1|$")
    for j, row in enumerate(panels):
        for theta, panel in zip(range(1, 8, 2), row, strict=True):
            (path,) = np.flatnonzero((meta["j1"] == j) & (meta["theta1"] == theta))
            panel.imshow(moduli[path], cmap="magma")
            panel.set(xticks=[], yticks=[])
            if j == 1:
                angle = np.degrees(meta["angle1"][path])
                panel.set_xlabel(f"{angle:.0f}°".replace("-", "−"))
        row[0].set_ylabel(f"scale {2**j}")
    layer = built(Scattering2D(J=2), *x.shape)
    axes = bottom.subplots(1, 2)
    plot.discs(layer, layer(x), position="all", axes=axes)
    axes[0].set_title("3. averaged: first order")
    axes[1].set_title("4. second order")
    return figure


def octaves():
    """Filter banks of few and of many wavelets per octave."""
    figure, axes = plt.subplots(2, 1, figsize=(5.6, 5.6), sharex=True, layout="constrained")
    for Q, ax in zip((1, 8), axes, strict=True):
        plot.filter_bank(built(Scattering1D(J=6, Q=Q), 4096), ax=ax)
        ax.annotate(f"Q={Q}", (0.97, 0.9), xycoords="axes fraction", ha="right", va="top")
    axes[0].set_xlabel("")
    axes[1].get_legend().remove()
    return figure


def filter_bank():
    """Wavelets in time, and averages shorter than the longest of them."""
    layer = built(Scattering1D(J=8, Q=4, T=32), SAMPLES)
    return plot.filter_bank(layer, sampling_rate=RATE).figure


def filter_bank_image():
    """Wavelets in the plane."""
    return plot.filter_bank(built(Scattering2D(J=3), 64, 64)).figure


def wavelets():
    """Wavelets in time."""
    return plot.wavelets(built(Scattering1D(J=5, Q=4), 4096), sampling_rate=RATE).figure


def wavelets_image():
    """Wavelets in the plane."""
    return plot.wavelets(built(Scattering2D(J=3), 64, 64)).figure


def scattergram():
    """The three orders of the sound."""
    figure, axes = plt.subplots(3, 1, figsize=(5.6, 6.6), sharex=True, layout="constrained")
    layer = built(Scattering1D(J=9, Q=8, T=256), SAMPLES)
    S = layer(a_sound())
    for order, ax in enumerate(axes):
        options = {"n1": band(layer), "scale": "linear"} if order == 2 else {}
        plot.scattergram(layer, S, order=order, sampling_rate=RATE, ax=ax, **options)
        ax.set_xlabel("time, s" if order == 2 else "")
    return figure


def discs():
    """The middle of the digit."""
    x = a_digit()
    layer = built(Scattering2D(J=3), *x.shape)
    return plot.discs(layer, layer(x))[0].figure


def joint():
    """A rising chirp."""
    t = np.arange(4096) / 4096
    x = np.hanning(4096) * np.sin(2 * np.pi * np.cumsum(0.02 * 15**t))
    layer = built(TimeFrequencyScattering(J=8, J_fr=3, Q=8, T="global", padding="zero"), 4096)
    return plot.joint(layer, layer(x), sampling_rate=RATE)[0].figure


def spectra():
    """Three processes of unlike dependence of scales."""
    rng = np.random.default_rng(0)
    N = 2**13
    noise = rng.standard_normal((2, N))
    covariance = 0.05 * np.log(N / (1 + np.minimum(np.arange(2 * N), 2 * N - np.arange(2 * N))))
    roots = np.sqrt(np.maximum(np.fft.fft(np.maximum(covariance, 0)).real, 0))
    logarithm = np.fft.ifft(roots * np.fft.fft(rng.standard_normal(2 * N))).real[:N]
    jumps = noise[0] * (rng.random(N) < 0.02)
    x = np.stack([noise[0], noise[1] * np.exp(logarithm), jumps])
    layer = built(ScatteringSpectra1D(J=9), N)
    axes = plot.spectra(layer, layer(x), labels=["Gaussian", "multifractal", "jumps"])
    return axes[0].figure


def hum():
    """The tutorial's picture, as its own code draws it."""
    code = re.findall(r"^```python\n(.*?)^```$", TUTORIAL.read_text("utf8"), re.DOTALL | re.M)
    last = next(i for i, block in enumerate(code) if "hum.png" in block)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        with contextlib.redirect_stdout(io.StringIO()):
            exec("\n".join(code[: last + 1]), {"__name__": "__main__"})
        store(Image.open("hum.png"), TUTORIAL.with_name("hum.png"))


DRAWN = (
    sound,
    image,
    octaves,
    filter_bank,
    filter_bank_image,
    wavelets,
    wavelets_image,
    scattergram,
    discs,
    joint,
    spectra,
)


def main():
    """Draw what is asked for."""
    names = [draw.__name__ for draw in DRAWN] + [hum.__name__]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    chosen = parser.parse_args().names or names
    if unknown := set(chosen) - set(names):
        raise SystemExit(f"No picture is called {', '.join(unknown)}: there are {', '.join(names)}")
    plt.switch_backend("agg")
    PICTURES.mkdir(exist_ok=True)
    for draw in DRAWN:
        if draw.__name__ in chosen:
            render(draw(), PICTURES / f"{draw.__name__}.png")
            plt.close("all")
    if hum.__name__ in chosen:
        hum()


if __name__ == "__main__":
    main()

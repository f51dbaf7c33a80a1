"""Ask of stock returns whether they look alike at all scales, and which way their time runs.

Scattering spectra hold the power and the burstiness of a signal at each scale, and how scales
depend on each other. Here they describe these series of the same length, mean 0 and variance 1:

* the daily returns of the S&P 500 index from 1999 to 2018, which come with the package `arch`;
* a multifractal random walk, whose volatility has the same law at all scales up to a longest one;
* Gaussian white noise;
* equal jumps at random times, which die out within days, and the same with jumps of both signs.

The score of scale tells how much the moments of a series differ between scales. The score of time
is the share of their imaginary parts, which vanish if the law is the same backwards in time. Both
are above 0 for any finite series. So p compares a series with others: it is the share, among all
of them, of those that score at least as high. There are three kinds of others.

* "Gaussian": surrogates with the spectrum of the series and random phases. A small p says that the
  series is not Gaussian, and does not say why. In scale, p is small for every walk that was tried,
  though walks are self-similar. In time, it misses the jumps.
* "flipped": the series cut into blocks of a year, each turned backwards or not at random. They keep
  the tails and the bursts, and test the direction of time alone, within a year. This test finds the
  jumps of one sign in each of 40 draws. It misses those of both signs, which have a direction too:
  there can be no phase on average where both signs have the same law.
* "walks": other multifractal random walks. They have heavy tails, bursts, and no direction of time.
  They are one model, whose parameters were set by hand to suit the index.

In scale, the index is not told apart from multifractal random walks. That is no proof that it is
self-similar, since other laws may pass too. The jumps are far from it. In time, the index has a
direction by all three tests. Moments of its first ten years predict those of the next ten, with an
error of about half in the phase. Gaussian surrogates, walks, and the same years turned backwards
do not predict the phase. The walks predict the modulus a little better than the first half does,
but their parameters were set on all years.

Last, gradient descent turns Gaussian surrogates into series with the spectra of the index. The
table compares properties that the descent was not given. The memory of volatility comes close. So
does the leverage effect, a negative correlation of returns with later squares. The kurtosis of
daily returns is about half that of the index: very large days are rarer. Ranges are those of five
series; the index is a single draw of its law.

From the project's folder:

    python examples/finance.py
"""

import argparse
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import kurtosis

from keras_scattering import ScatteringSpectra1D, plot, reconstruct, spectra

BLOCK = 250  # days, about a year of trade
BATCH = 33
LEVEL = 0.05
COLUMNS = [
    *(("scale", kind) for kind in ("score", "Gaussian", "walks")),
    *(("time", kind) for kind in ("score", "Gaussian", "flipped", "walks")),
]
HORIZONS = 1, 5, 20  # days of a return
DELAYS = (1, 5), (6, 20), (21, 60)  # days, from and to
COLORS = "#0072B2", "#D55E00", "0.5"


def load(count):
    """The latest daily log-returns of the S&P 500 index."""
    try:
        from arch.data import sp500
    except ImportError as error:
        raise SystemExit(f'This needs arch ({error}): pip install -e ".[examples]"') from error
    prices = sp500.load()["Adj Close"].dropna()
    days = prices.index[-count:]
    print(f"S&P 500: {count} daily returns, {days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}")
    return np.diff(np.log(prices.to_numpy()))[-count:]


def standardised(x):
    """Series of mean 0 and variance 1, along the last axis."""
    x = x - x.mean(-1, keepdims=True)
    return x / x.std(-1, keepdims=True)


def noises(draws, count, rng):
    """Gaussian white noise."""
    return rng.standard_normal((draws, count))


def walks(draws, count, rng, intermittency=0.055, longest=1000):
    """Increments of multifractal random walks, of Bacry, Delour and Muzy, 2001.

    Each is white noise times exp(w), where w is Gaussian and its covariance falls with the
    logarithm of the lag, down to 0 at the longest. This intermittency gives about the burstiness
    and the kurtosis of the index.
    """
    size = 2 * (count + longest)
    lags = np.minimum(np.arange(size), size - np.arange(size))
    covariance = intermittency * np.log(np.maximum(longest / (lags + 1), 1))
    amplitudes = np.sqrt(np.maximum(np.fft.rfft(covariance).real, 0))
    w = np.fft.irfft(amplitudes * np.fft.rfft(rng.standard_normal((draws, size))), size)
    return rng.standard_normal((draws, count)) * np.exp(w[:, :count] - covariance[0])


def one_sided(draws, count, rng, rate=0.02, days=5):
    """Equal jumps at random times, that die out exponentially."""
    return died_out(rng.poisson(rate, (draws, count + 20 * days)), days)


def two_sided(draws, count, rng, rate=0.02, days=5):
    """The same with jumps of random signs and sizes."""
    numbers = rng.poisson(rate, (draws, count + 20 * days))
    return died_out(np.sqrt(numbers) * rng.standard_normal(numbers.shape), days)


def died_out(x, days):
    """Series after a start in which nothing has died out yet."""
    decay = np.exp(-np.arange(20 * days) / days)
    return np.stack([np.convolve(row, decay)[len(decay) : len(row)] for row in x])


MODELS = {
    "multifractal walk": walks,
    "white noise": noises,
    "jumps": one_sided,
    "jumps, both signs": two_sided,
}


def flipped(x, draws, rng):
    """A series in blocks, each turned backwards or not at random."""
    parts = np.array_split(x, max(2, len(x) // BLOCK))
    return np.stack(
        [np.concatenate([p[:: rng.choice([-1, 1])] for p in parts]) for _ in range(draws)]
    )


def rows(layer, x):
    """Scattering spectra of many series."""
    x = standardised(np.asarray(x)).astype("float32")
    return np.concatenate([np.asarray(layer(x[i : i + BATCH])) for i in range(0, len(x), BATCH)])


def p_value(own, others):
    """The share that scores at least as high, among one series and others."""
    return (1 + np.count_nonzero(others >= own)) / (1 + len(others))


def against(layer, x, draws, rng):
    """Scores of a series, and p against its surrogates and against itself, flipped."""
    own = spectra.scores(layer, rows(layer, [x]))
    gaussian = spectra.surrogates(x, draws, seed=rng.integers(2**32))
    others = {"Gaussian": gaussian, "flipped": flipped(x, draws, rng)}
    found = {kind: spectra.scores(layer, rows(layer, y)) for kind, y in others.items()}
    return own, {
        (score, kind): p_value(own[score], scores[score])
        for kind, scores in found.items()
        for score in own
    }


def judge(layer, series, draws, repeats, rng):
    """Print scores and p of each series and of many draws of the models; return the former."""
    count = len(series["S&P 500"])
    models = {
        name: spectra.scores(layer, rows(layer, draw(draws, count, rng)))
        for name, draw in MODELS.items()
    }
    print(f"Scores, and p against {draws} others of each kind")
    print(f"  {'':18}" + "".join(f"{score:>9}" for score, _ in COLUMNS))
    print(f"  {'series':18}" + "".join(f"{kind:>9}" for _, kind in COLUMNS))
    results = {}
    for name, x in series.items():
        own, p = against(layer, x, draws, rng)
        for score in own:
            p[score, "score"] = float(own[score][0])
            p[score, "walks"] = p_value(own[score], models["multifractal walk"][score])
        print(f"  {name:18}" + "".join(f"{p[column]:9.2f}" for column in COLUMNS))
        results[name] = p
    print(f"Other draws: 5% and 95% quantiles of {draws} scores, and the share of p up to {LEVEL}")
    print(f"  {'':18}{'scale':>18}{'Gaussian':>9}{'time':>18}{'Gaussian':>9}{'flipped':>9}")
    for name, draw in MODELS.items():
        found = [against(layer, standardised(x), draws, rng)[1] for x in draw(repeats, count, rng)]
        line = f"  {name:18}"
        for score, kinds in (("scale", ["Gaussian"]), ("time", ["Gaussian", "flipped"])):
            low, high = np.quantile(models[name][score], (0.05, 0.95))
            line += f"{f'{low:.2f} to {high:.2f}':>18}"
            for kind in kinds:
                line += f"{np.mean([p[score, kind] <= LEVEL for p in found]):9.0%}"
        print(line)
    return results


def compare_halves(x, scale, draws, rng):
    """Errors of guesses at the normalised moments of the second half, by kind of moment."""
    half = len(x) // 2
    first, second = x[:half], x[-half:]
    layer = ScatteringSpectra1D(J=scale)
    target = rows(layer, [second])[0]
    gaussian = spectra.surrogates(first, draws, seed=rng.integers(2**32))
    guesses = {
        "first half": rows(layer, [first])[0],
        "first half, turned": rows(layer, [first[::-1]])[0],
        "multifractal walks": rows(layer, walks(draws, half, rng)).mean(0),
        "Gaussian model": rows(layer, gaussian).mean(0),
    }
    meta = layer.meta()
    banded = meta["n2"] < meta["n2"].max()
    kinds = {kind: (meta["kind"] == kind) & banded for kind in ("sparsity", "phase", "modulus")}
    kinds["imaginary parts"] = banded & (meta["part"] == "imag")
    print("Relative error of guesses at the moments of the second half")
    print(f"  {'':20}" + "".join(f"{kind:>17}" for kind in kinds))
    results = {}
    for name, guess in guesses.items():
        results[name] = {
            kind: float(np.linalg.norm((guess - target)[some]) / np.linalg.norm(target[some]))
            for kind, some in kinds.items()
        }
        print(f"  {name:20}" + "".join(f"{error:17.1%}" for error in results[name].values()))
    return results


def correlation(x, y, delay):
    """The correlation of a series with another some days later."""
    return np.corrcoef(x[: len(x) - delay], y[delay:])[0, 1]


def returns(x, days):
    """Returns over some days, of mean 0 and variance 1."""
    return standardised(np.convolve(x, np.ones(days), "valid"))


def statistics(x):
    """What the spectra do not hold: tails at several horizons, memory and leverage."""
    found = {}
    for days in HORIZONS:
        x_days = returns(x, days)
        found[f"excess kurtosis, {days} d"] = kurtosis(x_days)
        for level in (0.01, 0.99):
            found[f"{level:.0%} quantile, {days} d"] = np.quantile(x_days, level)
    pairs = {
        "|r| with later |r|": (np.abs(x), np.abs(x)),
        "r² with later r²": (x**2, x**2),
        "r with later r²": (x, x**2),
    }
    for name, (earlier, later) in pairs.items():
        for a, b in DELAYS:
            values = [correlation(earlier, later, delay) for delay in range(a, b + 1)]
            found[f"{name}, {a}-{b} d"] = np.mean(values)
    return found


def synthesise(layer, x, count, steps, seed):
    """Turn Gaussian surrogates into series with the spectra of x, and print what they are like.

    Returns errors of the spectra, before and after, and a series of each kind.
    """
    start = standardised(spectra.surrogates(x, count, seed))
    target = rows(layer, [x])
    made, errors = [], []
    for one in start:
        y, history = reconstruct(layer, target, steps, start=one[None], verbose=0)
        made.append(y[0])
        errors.append(history["error"][[0, -1], 0])
    before, after = np.transpose(errors)
    print(
        f"{count} series from {target.shape[1]} numbers each, in up to {steps} steps\n"
        f"Error of the spectra: {before.min():.1%} or more before, {after.max():.2%} or less after"
    )
    kinds = {"S&P 500": [x], "made from spectra": made, "Gaussian surrogates": start}
    found = {name: [statistics(x) for x in series] for name, series in kinds.items()}
    print("Not given: tails of returns over days (d) in standard deviations, and correlations")
    print(f"  {'':27}" + "".join(f"{name:>20}" for name in kinds))
    for name in found["S&P 500"][0]:
        line = f"  {name:27}"
        for series in found.values():
            values = [round(values[name], 2) + 0.0 for values in series]  # with no -0
            line += f"{' to '.join(f'{v:.2f}' for v in sorted({min(values), max(values)})):>20}"
        print(line)
    return (before, after), {name: series[0] for name, series in kinds.items()}


def draw_spectra(layer, series, path):
    """Write a picture of the spectra of series."""
    figure = Figure(figsize=(6.2, 5.8), layout="constrained")
    y = rows(layer, np.stack(list(series.values())))
    plot.spectra(layer, y, labels=list(series), axes=figure.subplots(2, 2))
    description = (
        "Spectra of the index, a multifractal walk, white noise and jumps. In sparsity and modulus "
        "the index is near the walk, while sparsity of the jumps rises steeply with scale. In "
        "phase the index is far above walk and noise."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def draw_synthesis(series, path):
    """Write a picture of series, of the tails of their returns, of memory and leverage."""
    figure = Figure(figsize=(6.2, 8), layout="constrained")
    upper, lower = figure.subfigures(2, 1)
    panels = upper.subplots(3, 1, sharex=True, sharey=True)
    (day, month), (memory, leverage) = lower.subplots(2, 2)
    edges = np.linspace(-10, 10, 61)
    delays = np.arange(1, 61)
    for (name, x), panel, color in zip(series.items(), panels, COLORS, strict=True):
        panel.plot(x, color=color, linewidth=0.5)
        panel.set_title(name, loc="left", color=color)
        panel.margins(x=0)
        for histogram, days in ((day, 1), (month, 20)):
            density, _ = np.histogram(returns(x, days), edges, density=True)
            histogram.plot(
                (edges[1:] + edges[:-1]) / 2, np.where(density, density, np.nan), ".-", color=color
            )
        for panel, earlier, later in ((memory, np.abs(x), np.abs(x)), (leverage, x, x**2)):
            values = [correlation(earlier, later, delay) for delay in delays]
            panel.plot(delays, np.cumsum(values) / delays, color=color)
    panels[-1].set_xlabel("day")
    day.set(yscale="log", title="returns of 1 day", xlabel="standard deviations", ylabel="density")
    month.set(yscale="log", title="returns of 20 days", xlabel="standard deviations")
    memory.set(title="|r| with later |r|", xlabel="up to delay, days", ylabel="mean correlation")
    leverage.set(title="r with later r²", xlabel="up to delay, days")
    description = (
        "Returns of the index, of a series made from their spectra and of a Gaussian surrogate, "
        "and below their histograms and correlations. The index and the made series have bursts, "
        "heavy tails, volatility that stays, and a negative correlation of returns with later "
        "squares. The surrogate has none of these."
    )
    figure.savefig(path, dpi=150, metadata={"Description": description})


def main(argv=None):
    """Run the example; return scores, errors of the second half, and errors of the synthesis."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=Path("finance-output"))
    parser.add_argument("--count", type=int, default=5000, help="days")
    parser.add_argument("--scale", type=int, default=7, help="log2 of the longest scale, days")
    parser.add_argument("--draws", type=int, default=99, help="under each null hypothesis")
    parser.add_argument("--repeats", type=int, default=40, help="of the test on each model")
    parser.add_argument("--made", type=int, default=5, help="series to make")
    parser.add_argument("--steps", type=int, default=300, help="of gradient descent")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    start = time.perf_counter()
    args.output_dir.mkdir(parents=True, exist_ok=True)

    rng = np.random.default_rng(args.seed)
    series = {"S&P 500": load(args.count)}
    series |= {name: draw(1, args.count, rng)[0] for name, draw in MODELS.items()}
    series = {name: standardised(x) for name, x in series.items()}
    layer = ScatteringSpectra1D(J=args.scale)
    scores = judge(layer, series, args.draws, args.repeats, rng)
    print(f"after {time.perf_counter() - start:.0f} s")
    halves = compare_halves(series["S&P 500"], args.scale, args.draws, rng)
    print(f"after {time.perf_counter() - start:.0f} s")
    errors, made = synthesise(layer, series["S&P 500"], args.made, args.steps, args.seed)
    del series["jumps, both signs"]  # for a picture of four
    draw_spectra(layer, series, args.output_dir / "finance_spectra.png")
    draw_synthesis(made, args.output_dir / "finance_synthesis.png")
    print(
        f"Done in {time.perf_counter() - start:.0f} s; the pictures are in "
        f"{args.output_dir.resolve()}"
    )
    return {"scores": scores, "halves": halves, "errors": errors}


if __name__ == "__main__":
    main()

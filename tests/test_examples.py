"""The examples run, in a reduced form, and reach what they promise."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

EXAMPLES = Path(__file__).parents[1] / "examples"
TASKS = "Three textures", "And their doubles"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_digits(tmp_path):
    arguments = ["--train", "1000", "--epochs", "3", "--output-dir", str(tmp_path)]
    assert load("digits").main(arguments) > 0.9
    assert {path.name for path in tmp_path.iterdir()} == {"digits", "digits.keras", "digits.png"}


@pytest.mark.slow
@pytest.mark.needs("ase")
def test_molecules(tmp_path):
    arguments = ["--limit", "40", "--repeats", "1", "--output-dir", str(tmp_path)]
    errors = load("molecules").main(arguments)
    assert errors["scattering"] < errors["atom counts"]


@pytest.mark.slow
def test_chirps(tmp_path):
    accuracies = load("chirps").main(["--count", "60", "--output-dir", str(tmp_path)])["chirps"]
    assert accuracies["joint scattering"] > 0.9
    assert accuracies["time scattering"] < 0.75


@pytest.mark.slow
def test_transposed_sounds(tmp_path):
    results = load("transposed_sounds").main(["--quick", "--output-dir", str(tmp_path)])
    for name in ("deep spectrum", "joint scattering"):
        assert results[name]["same"] > 0.5
        assert results[name]["half an octave"] > results["mel spectrogram"]["half an octave"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "transposed_sounds.png",
        "transposed_sounds_accuracies.png",
    }


@pytest.mark.slow
def test_few_labels(tmp_path):
    arguments = ["--counts", "300", "--held-out", "300", "--seeds", "1", "--steps", "40"]
    accuracies = load("few_labels").main([*arguments, "--output-dir", str(tmp_path)])
    assert accuracies["scattering + linear"] > max(0.9, accuracies["linear on pixels"])
    assert accuracies["small CNN on pixels"] > 0.5
    assert (tmp_path / "few_labels.png").exists()


def write_idx(path, array):
    """An array of bytes as an idx file, with gzip or without."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    with (gzip.open if path.suffix == ".gz" else open)(path, "wb") as file:
        file.write(header + array.astype("u1").tobytes())


def stripes(count, seed):
    """Pictures of ten kinds, that differ by the direction of their stripes."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(count) % 10
    angle = (np.pi / 10 * kinds)[:, None, None]
    rows, columns = np.indices((28, 28))
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    wave = np.cos(rows * np.cos(angle) + columns * np.sin(angle) + phase)
    return np.uint8(127 * (1 + wave)), kinds


@pytest.mark.slow
def test_hybrid(tmp_path):
    for part, suffix, count in (("train", ".gz", 400), ("t10k", "", 100)):
        for what, array in zip(("images-idx3", "labels-idx1"), stripes(count, count), strict=True):
            write_idx(tmp_path / f"{part}-{what}-ubyte{suffix}", array)
    arguments = ["--data-dir", str(tmp_path), "--epochs", "4", "--output-dir", str(tmp_path)]
    accuracies = load("hybrid").main(arguments)
    assert list(accuracies) == ["scattering", "learnt", "none"]
    assert accuracies["scattering"] > 0.5  # of ten kinds
    assert (tmp_path / "hybrid.png").exists()


def test_hybrid_says_what_files_it_needs(tmp_path):
    hybrid = load("hybrid")
    with pytest.raises(SystemExit, match="train-images-idx3-ubyte"):
        hybrid.main(["--data-dir", str(tmp_path), "--output-dir", str(tmp_path)])
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"something else")
    with pytest.raises(SystemExit, match="no idx file"):
        hybrid.main(["--data-dir", str(tmp_path), "--output-dir", str(tmp_path)])


@pytest.mark.slow
def test_spoken_digits(tmp_path):
    rng = np.random.default_rng(0)
    for speaker in ("ada", "bob", "cleo"):
        for digit in range(10):
            for index in range(8):  # tones, a pitch a digit
                t = np.arange(rng.integers(3000, 9000))
                tone = np.sin(2 * np.pi * 0.02 * 1.3**digit * t + index)
                x = 8000 * tone + 500 * rng.standard_normal(len(t))
                name = f"{digit}_{speaker}_{index}.wav"
                wavfile.write(tmp_path / name, 8000, x.astype("int16"))
    arguments = ["--data-dir", str(tmp_path), "--steps", "60", "--choice", "10"]
    results = load("spoken_digits").main([*arguments, "--output-dir", str(tmp_path)])
    voices = [f"without {speaker}" for speaker in ("ada", "bob", "cleo")]
    assert list(results) == ["first five of each", "drawn at random", *voices]
    assert all(result["scattering"] > 0.9 for result in results.values())
    assert (tmp_path / "spoken_digits.png").exists()


def test_spoken_digits_says_what_files_it_needs(tmp_path):
    spoken_digits = load("spoken_digits")
    arguments = ["--data-dir", str(tmp_path), "--output-dir", str(tmp_path)]
    wavfile.write(tmp_path / "1_ada_2.wav", 8000, np.ones(100, "int16"))
    with pytest.raises(SystemExit, match=r"three speakers or more.*found 1 in"):
        spoken_digits.main(arguments)
    wavfile.write(tmp_path / "1_bob_2.wav", 16000, np.ones(100, "int16"))
    with pytest.raises(SystemExit, match="not at 8000 Hz"):
        spoken_digits.main(arguments)


@pytest.mark.slow
@pytest.mark.needs("skimage")
def test_reconstruction(tmp_path):
    arguments = ["--steps", "25", "--scales", "1", "--side", "32"]
    errors = load("reconstruction").main([*arguments, "--output-dir", str(tmp_path)])
    for kind, J in (("nerve cell", 3), ("digits", 2), ("photograph", 2)):
        found, baseline = errors[kind][J, "order 1"], errors[kind][J, "lowest frequencies"]
        assert found["coefficients"] < baseline["coefficients"]
        assert found["moduli"] < baseline["moduli"] or kind == "nerve cell"  # which takes longer


@pytest.mark.slow
def test_generation(tmp_path):
    arguments = ["--train", "400", "--epochs", "8", "--numbers", "16"]
    results = load("generation").main([*arguments, "--output-dir", str(tmp_path)])
    assert results["errors"]["generator"] < results["errors"]["linear map"] < 0.8


@pytest.mark.slow
@pytest.mark.needs("skimage")
def test_textures(tmp_path):
    arguments = ["--most", "24", "--counts", "--synthesis", "32", "--steps", "15"]
    results = load("textures").main([*arguments, "--output-dir", str(tmp_path)])
    three, doubles = (results["accuracies"][f"{t}, 32 × 32"] for t in TASKS)
    assert three["scattering, order 2"][24] > 0.8
    assert doubles["scattering, order 2"][24] > doubles["Fourier spectrum"][24]
    errors = results["errors"]
    assert max(errors["from order 2"].values()) < min(errors["Gaussian double"].values())


@pytest.mark.slow
@pytest.mark.needs("skimage")
def test_rotated_textures(tmp_path):
    results = load("rotated_textures").main(["--quick", "--output-dir", str(tmp_path)])
    task = "upright, rotated"
    least = results["translation"][task] + 0.1
    assert results["roto-translation"][task] > max(0.7, least)
    assert results["at a relative angle"][task] > least
    assert {path.name for path in tmp_path.iterdir()} == {
        "rotated_textures.png",
        "rotated_textures_accuracies.png",
    }


@pytest.mark.slow
@pytest.mark.needs("arch")
def test_finance(tmp_path):
    arguments = ["--draws", "19", "--repeats", "1", "--made", "1", "--steps", "20"]
    results = load("finance").main([*arguments, "--output-dir", str(tmp_path)])
    scores = results["scores"]
    for name in ("S&P 500", "jumps"):
        assert scores[name]["time", "flipped"] == 1 / 20  # the least there is
    assert scores["jumps"]["scale", "score"] > 3 * scores["multifractal walk"]["scale", "score"]
    assert scores["S&P 500"]["scale", "walks"] > 1 / 20
    halves = {name: errors["phase"] for name, errors in results["halves"].items()}
    assert halves["first half"] < 0.7 < min(halves["Gaussian model"], halves["multifractal walks"])
    before, after = results["errors"]
    assert after < before / 5
    assert {path.name for path in tmp_path.iterdir()} == {
        "finance_spectra.png",
        "finance_synthesis.png",
    }


@pytest.mark.slow
@pytest.mark.needs("skimage")
def test_fields(tmp_path):
    arguments = ["--size", "64", "--made", "1", "--steps", "30"]
    results = load("fields").main([*arguments, "--output-dir", str(tmp_path)])
    for name, (before, after) in results["errors"].items():
        assert after < before / 5, name
    for name, distances in results["distances"].items():
        assert distances["from spectra"] < 0.8 * distances["random phases"], name
    assert {path.name for path in tmp_path.iterdir()} == {
        "fields_pictures.png",
        "fields_statistics.png",
    }


@pytest.mark.slow
@pytest.mark.needs("skimage")
def test_new_textures(tmp_path):
    results = load("new_textures").main(["--quick", "--output-dir", str(tmp_path)])
    for model, found in results["grey"]["gravel"]["errors"].items():
        assert found[model] < min(found["other pieces"], found["random phases"]) / 5, model
    statistics = results["grey"]["gravel"]["statistics"]
    at_lag_1 = {kind: values[:, -5].mean() for kind, values in statistics.items()}
    for model in results["grey"]["gravel"]["errors"]:
        assert 0.6 < at_lag_1[model] / at_lag_1["source"] < 1.5, model
    assert abs(at_lag_1["random phases"]) < 0.5
    colour = results["colour"]["statistics"]
    for statistic, value in colour["source"].items():
        alone, together = (colour[c][statistic] for c in ("channels alone", "together"))
        assert abs(together - value) <= abs(alone - value) + 0.02, statistic
    assert results["larger"]["error"] < 0.03
    assert results["larger"]["fields"]["twice as large"].shape == (1, 96, 96)
    assert {path.name for path in tmp_path.iterdir()} == {
        "new_textures_grey.png",
        "new_textures_kurtosis.png",
        "new_textures_colour.png",
        "new_textures_larger.png",
    }


@pytest.mark.slow
def test_point_patterns(tmp_path):
    results = load("point_patterns").main(["--quick", "--output-dir", str(tmp_path)])
    errors = results["clusters"]["errors"]
    assert errors["moved"] < min(errors["uniform"], errors["other draws"]) / 4
    found = results["clusters"]["statistics"]
    source = found["source"][0]
    moved, uniform = (np.abs(found[kind] - source).mean() for kind in ("moved", "uniform"))
    assert moved < uniform / 2
    assert {path.name for path in tmp_path.iterdir()} == {
        "point_patterns.png",
        "point_patterns_statistics.png",
    }


@pytest.mark.slow
def test_sound_textures(tmp_path):
    results = load("sound_textures").main(["--quick", "--output-dir", str(tmp_path)])
    for model, found in results["rain"]["errors"].items():
        assert found[model] < min(found["other piece"], found["random phases"]) / 3, model
    tails = {kind: s["excess kurtosis"] for kind, s in results["rain"]["statistics"].items()}
    assert tails["random phases"] < 0.5 < min(tails["time"], tails["joint"])
    _, sound = wavfile.read(tmp_path / "sound_textures_rain.wav")
    assert sound.dtype == np.int16
    assert len(sound) > 4 * 4096
    assert {path.name for path in tmp_path.iterdir()} == {
        "sound_textures.png",
        "sound_textures_rain.wav",
    }

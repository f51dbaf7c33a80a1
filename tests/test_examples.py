"""The examples run, in a reduced form, and reach what they promise."""

import importlib.util
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
TASKS = "Three textures", "And their doubles"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_digits(tmp_path):
    arguments = ["--train", "1000", "--epochs", "3", "--output-dir", str(tmp_path)]
    assert load("digits").main(arguments) > 0.9
    assert {path.name for path in tmp_path.iterdir()} == {"digits", "digits.keras", "digits.png"}


def test_molecules(tmp_path):
    arguments = ["--limit", "40", "--repeats", "1", "--output-dir", str(tmp_path)]
    errors = load("molecules").main(arguments)
    assert errors["scattering"] < errors["atom counts"]


def test_chirps(tmp_path):
    accuracies = load("chirps").main(["--count", "60", "--output-dir", str(tmp_path)])["chirps"]
    assert accuracies["joint scattering"] > 0.9
    assert accuracies["time scattering"] < 0.75


def test_reconstruction(tmp_path):
    arguments = ["--steps", "15", "--scales", "1", "--output-dir", str(tmp_path)]
    errors = load("reconstruction").main(arguments)
    for kind, J in (("nerve cell", 3), ("digits", 2), ("photograph", 2)):
        found, baseline = errors[kind][J, "order 1"], errors[kind][J, "lowest frequencies"]
        assert found["signal"] < baseline["signal"]
        assert found["moduli"] < baseline["moduli"]


def test_generation(tmp_path):
    arguments = ["--train", "500", "--epochs", "10", "--numbers", "16"]
    results = load("generation").main([*arguments, "--output-dir", str(tmp_path)])
    assert results["errors"]["generator"] < results["errors"]["linear map"] < 0.8


def test_textures(tmp_path):
    arguments = ["--most", "24", "--counts", "--synthesis", "32", "--steps", "15"]
    results = load("textures").main([*arguments, "--output-dir", str(tmp_path)])
    three, doubles = (results["accuracies"][f"{t}, 32 × 32"] for t in TASKS)
    assert three["scattering, order 2"][24] > 0.8
    assert doubles["scattering, order 2"][24] > doubles["Fourier spectrum"][24]
    errors = results["errors"]
    assert max(errors["from order 2"].values()) < min(errors["Gaussian double"].values())

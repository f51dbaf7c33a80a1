"""What is built from this project installs, works, and has types, away from the checkout."""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import keras_scattering

ROOT = Path(__file__).parents[1]
USE = """
import keras, numpy as np, keras_scattering
print(keras_scattering.__file__)
model = keras.Sequential([keras.Input((8, 8)), keras_scattering.Scattering2D(J=1, L=2)])
model.save("model.keras")
print(keras.saving.load_model("model.keras").predict(np.ones((1, 8, 8)), verbose=0).shape)
"""
TYPED = """
from keras_scattering import Scattering1D
layer = Scattering1D(J=2)
reveal_type(layer)
reveal_type(layer.meta())
wrong: int = layer.meta()
"""

pytestmark = [pytest.mark.slow, pytest.mark.needs("hatchling", "pyright")]


def run(*command, cwd, check=True, first=None):
    """What a command prints, which does not see this checkout; `first` leads the PATH.

    Without what it says on the standard error: TensorFlow writes there at any time, and from C++.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if first:
        environment["PATH"] = os.pathsep.join([str(first), environment["PATH"]])
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        encoding="utf8",
        check=False,
    )
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist, and the wheel that is made from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def elsewhere(built, tmp_path_factory):
    """The Python of an environment with the wheel alone; what that needs comes from this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    (own,) = run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder
    ).split()
    command = [sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--target", own]
    run(*command, built[1], cwd=folder)
    # After its own packages, and without running what an editable installation leaves there.
    shared = [path for path in sys.path if path.endswith("site-packages")]
    (Path(own) / "shared.pth").write_text("\n".join(shared), "utf8")
    return python


def test_the_archives_hold_the_package_and_nothing_else(built):
    sdist, wheel = built
    top = f"keras_scattering-{keras_scattering.__version__}"
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "keras_scattering").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == package
    with tarfile.open(sdist) as archive:
        names = {name.removeprefix(f"{top}/") for name in archive.getnames()}
    project = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "pyproject.toml"}
    assert names == package | project | {"PKG-INFO", ".gitignore"}


def test_the_wheel_is_installed_and_used(elsewhere, tmp_path):
    place, shape = run(elsewhere, "-c", USE, cwd=tmp_path).splitlines()[-2:]
    assert Path(place).is_relative_to(elsewhere.parents[1])
    assert shape == "(1, 4, 4, 3)"


def test_type_checkers_see_the_types_of_the_wheel(elsewhere, tmp_path):
    (tmp_path / "typed.py").write_text(TYPED, "utf8")
    pyright = [sys.executable, "-m", "pyright", "--pythonpath", elsewhere]
    said = run(*pyright, "typed.py", cwd=tmp_path, check=False)
    assert 'Type of "layer" is "Scattering1D"' in said
    assert 'Type of "layer.meta()" is "dict[str, ' in said
    assert 'is not assignable to "int"' in said
    assert "1 error" in said
    verify = [sys.executable, "-m", "pyright", "--verifytypes", "keras_scattering"]
    said = run(*verify, cwd=tmp_path, check=False, first=elsewhere.parent)
    assert f'Path of py.typed file: "{elsewhere.parents[1]}' in said

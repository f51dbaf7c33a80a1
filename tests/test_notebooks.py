"""The notebooks run, in a reduced form, and hold the code of the pages that they go with."""

import importlib.util
import re
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.needs("jupytext")


@pytest.fixture(scope="module")
def notebooks():
    spec = importlib.util.spec_from_file_location("notebooks", ROOT / "docs/notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """Names of the pictures that a notebook shows, which exist in the folder where it runs."""
    names = []

    def display(image):
        assert (tmp_path / image).exists()
        names.append(Path(image).name)

    there = types.SimpleNamespace(Image=lambda filename: filename, display=display)
    monkeypatch.setitem(sys.modules, "IPython.display", there)
    monkeypatch.chdir(tmp_path)
    return names


def cells(notebook, kind):
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def test_the_tutorial_has_the_code_of_its_page_and_no_link_to_it(notebooks):
    made = notebooks.notebook("docs/tutorial.md")
    page = (ROOT / "docs/tutorial.md").read_text("utf8")
    blocks = re.findall(r"^```python\n(.*?)\n```$", page, re.DOTALL | re.MULTILINE)
    code = cells(made, "code")
    assert [cell.split("\n\nfrom IPython")[0] for cell in code] == blocks
    pictures = set(re.findall(r'savefig\("(.+?)"', page))
    assert pictures
    assert set(re.findall(r'Image\(filename="(.+?)"\)', "\n".join(code))) == pictures
    assert not re.search(r"\]\((?!http)", "\n".join(cells(made, "markdown")))


@pytest.mark.slow
def test_the_tutorial_runs_and_shows_its_pictures(notebooks, shown):
    code = cells(notebooks.notebook("docs/tutorial.md"), "code")
    names = {"__name__": "__main__"}
    last = max(i for i, cell in enumerate(code) if "display(" in cell)
    for cell in code[: last + 1]:  # the page's own test runs the rest
        exec(cell, names)
    assert shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("chirps", ["--count", "12"]),
        pytest.param(
            "molecules", ["--limit", "12", "--repeats", "1"], marks=pytest.mark.needs("ase")
        ),
    ],
)
def test_an_example_runs_and_shows_its_pictures(notebooks, shown, name, arguments):
    made = notebooks.notebook(f"examples/{name}.py")
    *code, call, show = cells(made, "code")
    assert call.startswith("main([])")
    names = {"__name__": "__main__"}
    for cell in [*code, call.replace("main([])", f"main({arguments})", 1), show]:
        exec(cell, names)
    assert f"{name}.png" in shown


def test_every_notebook_goes_with_a_page(notebooks):
    assert all((ROOT / "docs" / page).exists() for page in notebooks.SOURCES)

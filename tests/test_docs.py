"""The Python in the README and in the pages of the documentation runs, and prints what it says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

import keras_scattering

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PRINT = re.compile(r"^print\(.*\)  # (.+)$", re.MULTILINE)
PAGES = [
    page.relative_to(ROOT)
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if "```py" in page.read_text("utf8")
]


# What a page shows beyond the runtime dependencies.
OPTIONAL = {"docs/mobile.md": ("ai_edge_litert", "tf2onnx", "onnxruntime")}


@pytest.mark.parametrize("page", PAGES, ids=str)
# Keras' converter to ONNX asks NumPy for a name that it has yet to get.
@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning:keras")
# Keras stores weights through a NumPy protocol that NumPy 2 deprecates.
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
def test_page_runs_and_prints_what_it_says(page, tmp_path, monkeypatch):
    for module in OPTIONAL.get(page.as_posix(), ()):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text("utf8")
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == text.count("```py")  # none is passed over
    names = {"__name__": "__main__"}
    for block in blocks:
        # Lines before the block, so that errors point into the page.
        code = "\n" * text.count("\n", 0, block.start(1)) + block[1]
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, str(page), "exec"), names)
        assert printed.getvalue().splitlines() == PRINT.findall(code)


def test_the_api_page_shows_every_public_name():
    shown = re.findall(r"^::: keras_scattering\.(\w+)$", (ROOT / "docs/api.md").read_text(), re.M)
    assert sorted(shown) == sorted(keras_scattering.__all__)

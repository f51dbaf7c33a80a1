"""The Python in the README and in the pages of the documentation runs, and prints what it says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    page.relative_to(ROOT)
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if "```python\n" in page.read_text("utf8")
]


@pytest.mark.parametrize("page", PAGES, ids=str)
# Keras stores weights through a NumPy protocol that NumPy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_page_runs_and_prints_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text("utf8")
    names = {"__name__": "__main__"}
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        # Lines before the block, so that errors point into the page.
        code = "\n" * text.count("\n", 0, block.start(1)) + block[1]
        said = re.findall(r"^print\(.*\)  # (.+)$", code, re.MULTILINE)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, str(page), "exec"), names)
        assert printed.getvalue().splitlines() == said

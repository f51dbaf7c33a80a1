"""The pictures of the pages are drawn by docs/pictures.py, shown, small, and told in words."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from matplotlib import pyplot as plt

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FIGURE = re.compile(r"!\[(.*?)\]\((.+?\.png)\)")


@pytest.fixture(scope="module")
def pictures():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs")
        spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs/pictures.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    sys.modules.pop("gallery", None)


def shown():
    """The file of each figure on a page, and its words."""
    for page in PAGES:
        for words, address in FIGURE.findall(page.read_text("utf8")):
            yield (page.parent / address).resolve(), words


def test_figures_exist_and_are_told_in_words():
    figures = list(shown())
    assert figures
    assert [path for path, words in figures if not path.exists() or len(words.split()) < 8] == []


def test_each_picture_is_shown_and_small(pictures):
    files = set(pictures.PICTURES.iterdir())
    assert {path.stem for path in files} == {draw.__name__ for draw in pictures.DRAWN}
    assert files <= {path for path, _ in shown()}
    assert max(path.stat().st_size for path in files) < pictures.LARGEST


@pytest.mark.slow
def test_pictures_can_be_drawn(pictures):
    for draw in pictures.DRAWN:
        assert draw().axes, draw.__name__
        plt.close("all")

"""Each example has a page in the gallery that agrees with it: prose, options, output, figures."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
MODEL_SUMMARY = re.compile(r'[┏┃┡│├└]|Model: "|.* params: ')
spec = importlib.util.spec_from_file_location("gallery", ROOT / "docs/gallery.py")
gallery = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gallery)


def texts(name):
    """All strings in a program, those between the braces of f-strings too."""
    tree = ast.parse((ROOT / "examples" / f"{name}.py").read_text("utf8"))
    nodes = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return [text for text in nodes if isinstance(text, str)]


def test_the_navigation_lists_every_example():
    assert sorted(gallery.titles()) == EXAMPLES


def test_the_index_is_that_of_the_pages():
    assert (gallery.PAGES / "index.md").read_text("utf8") == gallery.index()


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_page_agrees_with_its_example(name):
    page = (gallery.PAGES / f"{name}.md").read_text("utf8")
    assert page.startswith(gallery.head(name))
    assert f'--8<-- "examples/{name}.py"' in page
    (output,) = re.findall(r"^```console\n(.*?)\n```$", page, re.DOTALL | re.MULTILINE)
    command, *lines = output.split("\n")
    assert command.startswith(f"{gallery.COMMAND}{name}.py")
    known = texts(name)
    assert set(re.findall(r" (--[\w-]+)", command)) <= set(known)
    words = [text.strip() for text in known if len(text.strip()) > 2]
    for line in lines:  # of each line the program still has a part
        assert MODEL_SUMMARY.match(line) or any(text in line for text in words), line


@pytest.mark.parametrize("name", EXAMPLES)
def test_figures_are_described_and_small(name):
    figures = re.findall(r"!\[(.+?)\]\((.+?)\)", (gallery.PAGES / f"{name}.md").read_text("utf8"))
    assert figures
    strings = texts(name)
    for description, figure in figures:
        assert figure in strings
        assert description in [" ".join(text.split()) for text in strings]
        assert (gallery.PAGES / figure).stat().st_size < gallery.LARGEST


def test_sounds_are_small_and_from_their_examples():
    links = {
        (name, sound)
        for name in EXAMPLES
        for sound in re.findall(
            r"\]\((\w+\.wav)\)", (gallery.PAGES / f"{name}.md").read_text("utf8")
        )
    }
    assert {sound for _, sound in links} == {path.name for path in gallery.PAGES.glob("*.wav")}
    for name, sound in links:
        assert sound.startswith(f"{name}_")
        assert (gallery.PAGES / sound).stat().st_size < gallery.LARGEST


def test_output_is_tidied(tmp_path):
    printed = (
        "Epoch 1/5\n\x1b[1m 1/63\x1b[0m \x1b[32m━\x1b[0m 1s 9ms/step\n63/63 - 2s - 9ms/step\n"
        f"Read /data/wavs\n\nThe files are in {tmp_path.resolve()}/digits-output\n"
    )
    assert gallery.tidy("digits", ["--data-dir", "/data/wavs"], printed, tmp_path) == (
        "$ python examples/digits.py --data-dir wavs\nRead wavs\nThe files are in digits-output"
    )

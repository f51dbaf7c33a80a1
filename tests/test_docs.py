"""The documentation agrees with the code: what it runs and prints, and the names that it names."""

import ast
import contextlib
import importlib.util
import io
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_scattering
from keras_scattering import Scattering1D
from keras_scattering.layers import base

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PRINT = re.compile(r"^print\(.*\)  # (.+)$", re.MULTILINE)
NEEDS = {"docs/mobile.md": ["ai_edge_litert", "tf2onnx", "onnxruntime"]}
PAGES = [
    pytest.param(page, id=name, marks=[pytest.mark.needs(*NEEDS[name])] if name in NEEDS else [])
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if "```py" in page.read_text("utf8")
    for name in [page.relative_to(ROOT).as_posix()]
]


@pytest.fixture
def quiet_keras():
    """Keras without progress bars among what is printed."""
    keras.utils.disable_interactive_logging()
    yield
    keras.utils.enable_interactive_logging()


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
# Keras' converter to ONNX asks NumPy for a name that it has yet to get.
@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning:keras")
# Keras stores weights through a NumPy protocol that NumPy 2 deprecates.
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
def test_page_runs_and_prints_what_it_says(page, tmp_path, monkeypatch, quiet_keras):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")  # pages read its data
    text = page.read_text("utf8")
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == text.count("```py")  # none is passed over
    names = {"__name__": "__main__"}
    for block in blocks:
        # Lines before the block, so that errors point into the page.
        code = "\n" * text.count("\n", 0, block.start(1)) + block[1]
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, str(page), "exec"), names)
        assert printed.getvalue().splitlines() == PRINT.findall(code)


@pytest.mark.slow
def test_the_guide_says_what_layers_make_of_signals():
    """But for the times, which are measured."""
    path = ROOT / "tests/benchmarks/starting_values.py"
    spec = importlib.util.spec_from_file_location("starting_values", path)
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    guide = (ROOT / "docs/guide.md").read_text("utf8")
    lines = guide[guide.index(table.HEADER) :].split("\n\n")[0].splitlines()
    assert [line.rsplit("|", 2)[0] + "|" for line in lines[2:]] == [
        table.row(*values) for values in table.ROWS
    ]


# Messages


FAQ = (ROOT / "docs/faq.md").read_text("utf8")


def stack_lists():
    Scattering1D(J=3)([np.zeros(500), np.zeros(600)])


def forked():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "_first_process", lambda: -1)
        Scattering1D(J=3)(np.zeros((1, 64)))


@pytest.mark.parametrize(
    "provoke",
    [
        stack_lists,
        forked,
        lambda: Scattering1D(J=3)(keras.Input((None,))),
        lambda: Scattering1D(J=1).build((None, 2, 4096)),
        lambda: Scattering1D(J=3).build((None, 2, 4096)),
    ],
)
def test_the_faq_quotes_the_messages_of_this_package(provoke):
    with pytest.raises((RuntimeError, ValueError, UserWarning)) as caught:
        provoke()
    assert f"{caught.type.__name__}: {caught.value}" in FAQ.splitlines()


def test_the_faq_quotes_the_message_of_another_size():
    """Keras puts a line before it."""
    layer = Scattering1D(J=3)
    layer.build((None, 8192))
    with pytest.raises(ValueError, match="was built for") as caught:
        layer(np.zeros((1, 8000)))
    plain = re.sub(r"\x1b\[\d+m", "", str(caught.value)).splitlines()
    assert f"ValueError: {plain[0]}" in FAQ.splitlines()
    assert plain[2] in FAQ.splitlines()


# Names


MATHEMATICS = (ROOT / "docs/mathematics.md").read_text("utf8")
DESIGN = {page.name: page.read_text("utf8") for page in sorted((ROOT / "docs/design").glob("*.md"))}
PACKAGE = ROOT / "keras_scattering"
POINTER = re.compile(
    r"<small>(?:Computed|Tested) by\s+((?:`[\w.]+`(?: and )?)+)\s+in\s+`([\w/]+\.py)`\.</small>"
)
# Names in the design that are neither the package's nor TensorFlow's public ones.
FOREIGN = {"executor_type", "tf.data", "thread_count"}


def defined(path):
    """Names that a module defines: its functions, classes and constants, `Class.method`, fields."""
    names = set()

    def visit(body, prefix=""):
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.")
            targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
            names.update(prefix + target.id for target in targets if isinstance(target, ast.Name))

    visit(ast.parse(path.read_text("utf8")).body)
    return names


def test_formulas_point_to_the_code_that_computes_them():
    pointers = POINTER.findall(MATHEMATICS)
    assert len(pointers) == MATHEMATICS.count("<small>")
    for names, path in pointers:
        assert set(re.findall(r"`(.+?)`", names)) <= defined(ROOT / path), path


def test_every_formula_has_such_a_pointer():
    """At once, or after the formulas that follow it at once."""
    _, *after = re.split(r"\$\$.+?\$\$\s+", MATHEMATICS, flags=re.DOTALL)
    assert after
    assert [text[:80] for text in after if text and not text.startswith("<small>")] == []


def public(name):
    """Whether TensorFlow has a name, in full or as that of an operation."""
    value = tf
    for part in name.removeprefix("tf.").split("."):
        value = getattr(value, part, None)
    return value is not None or hasattr(tf.raw_ops, name) or hasattr(tf.math, name)


def exists(code, known):
    """Whether a path, or a name, that a page sets as code exists; other code is taken as it is."""
    if "/" in code:
        return (PACKAGE / code).exists() or (ROOT / code).exists()
    name = re.fullmatch(r"([A-Za-z_][\w.]*)(?:\(.*\))?", code)
    return not name or name[1] in known | FOREIGN or public(name[1])


@pytest.mark.parametrize("page", DESIGN)
def test_the_names_of_the_design_exist(page):
    modules = sorted(PACKAGE.rglob("*.py"))
    known = {part for module in modules for part in module.relative_to(ROOT).with_suffix("").parts}
    for module in modules:
        tree = ast.walk(ast.parse(module.read_text("utf8")))
        arguments = {node.arg for node in tree if isinstance(node, ast.arg)}
        names = defined(module)
        known |= names | arguments | {name.split(".")[-1] for name in names}
    prose = re.sub(r"^```.*?^```$", "", DESIGN[page], flags=re.DOTALL | re.MULTILINE)
    assert [c for c in re.findall(r"`([^`\n]+)`", prose) if not exists(c, known)] == []


def test_the_design_lists_every_module():
    tree = re.search(r"^```text\n(.*?)^```$", DESIGN["index.md"], re.DOTALL | re.MULTILINE)[1]
    listed, folder = set(), None
    for indent, name in re.findall(r"^( {2,4})(\S+)", tree, re.MULTILINE):
        if len(indent) == 2:
            folder = name
        listed.add(name if len(indent) == 2 else folder + name)
    inside = ("engine/", "filters/", "layers/", "plans/", "runtime/")
    there = {f"{f}{path.stem}" for f in inside for path in (PACKAGE / f).glob("[!_]*.py")}
    modules = (path for path in PACKAGE.glob("[!_]*") if path.name != "py.typed")
    there |= {path.stem for path in modules if f"{path.stem}/" not in inside}
    assert listed == there | set(inside)


def test_the_api_page_shows_every_public_name():
    shown = re.findall(r"^::: keras_scattering\.(\w+)$", (ROOT / "docs/api.md").read_text(), re.M)
    assert sorted(shown) == sorted(keras_scattering.__all__)

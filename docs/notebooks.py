"""Notebooks of the tutorial and of examples, made from the same sources as their pages.

    python docs/notebooks.py FOLDER    # writes them there; the site's build adds them to the site

A page of Markdown becomes text and code in turn. A program becomes its docstring as text, its code
in the parts that empty lines make, a cell that calls `main`, and one that shows the pictures.
"""

import ast
import re
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat

ROOT = Path(__file__).parents[1]
# By the page of the site that each goes with. These examples need no file of the repository.
SOURCES = {
    "tutorial.md": "docs/tutorial.md",
    "gallery/chirps.md": "examples/chirps.py",
    "gallery/molecules.md": "examples/molecules.py",
}
# Pictures and links to files beside the page, which are not beside the notebook.
_LOCAL = re.compile(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n*|\[([^\]]*)\]\((?!https?:)[^)]*\)")
_PICTURE = re.compile(r'\.savefig\(("[^"]+")')
_START = '\n\nif __name__ == "__main__":\n    main()\n'
_SHOW = """\
from IPython.display import Image, display

for picture in sorted(Path("{}-output").glob("*.png")):
    display(Image(filename=picture))"""


def notebook(source: str) -> Any:
    """The notebook of a page or of a program, by its path in the repository."""
    text = (ROOT / source).read_text("utf8")
    made = _of_page(text) if source.endswith(".md") else _of_program(text, Path(source).stem)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made.metadata = nbformat.from_dict({"kernelspec": kernel})
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"  # the same source makes the same file
    return made


def _of_page(text: str) -> Any:
    made = jupytext.reads(_LOCAL.sub(r"\1", text), fmt="md")
    for cell in made.cells:
        if cell.cell_type == "code" and (pictures := _PICTURE.findall(cell.source)):
            cell.source += "\n\nfrom IPython.display import Image, display\n"
            cell.source += "".join(f"\ndisplay(Image(filename={name}))" for name in pictures)
    return made


def _of_program(text: str, name: str) -> Any:
    summary, _, rest = (ast.get_docstring(ast.parse(text)) or "").partition("\n")
    _, _, code = text.partition('"""\n\n')
    code, start, end = code.partition(_START)
    if not start or end:
        raise ValueError(f"A program must end in {_START!r}. Received: {name}")
    made = jupytext.reads(f"__doc__ = {summary!r}  # for --help\n\n{code}", fmt="py:light")
    made.cells = [
        nbformat.v4.new_markdown_cell(f"# {summary}\n\n{rest.strip()}"),
        *made.cells,
        nbformat.v4.new_code_cell('main([])  # or with options, as in main(["--seed", "1"])'),
        nbformat.v4.new_code_cell(_SHOW.format(name)),
    ]
    return made


# Called by MkDocs


def on_files(files: Any, config: Any) -> None:
    """Put the notebooks beside their pages."""
    from mkdocs.structure.files import File

    for page, source in SOURCES.items():
        content = nbformat.writes(notebook(source))
        files.append(File.generated(config, page.replace(".md", ".ipynb"), content=content))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Link a page to its notebook, below its title."""
    if page.file.src_uri in SOURCES:
        link = f"[This page as a notebook]({Path(page.file.src_uri).stem}.ipynb)\n\n"
        title, rest = markdown.split("\n\n", 1)
        return f"{title}\n\n{link}{rest}"
    return markdown


if __name__ == "__main__":
    for page, source in SOURCES.items():
        file = Path(sys.argv[1], page).with_suffix(".ipynb")
        file.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook(source), file)

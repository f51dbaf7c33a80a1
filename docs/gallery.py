"""Make the gallery: run an example as a reader would, and write its page.

    python docs/gallery.py NAME                   # run examples/NAME.py, write docs/gallery/NAME.md
    python docs/gallery.py NAME -- --seed 1       # what stands after -- goes to the example
    python docs/gallery.py                        # only the prose of all pages, and the index

An example is `examples/NAME.py`. Its docstring begins with a line that sums it up, and goes on in
Markdown: what it shows, how to run it. It writes its figures, PNG, to `NAME-output/`; each says
in words what is to be seen in it, as `savefig(path, metadata={"Description": …})`, and the page
has that for those who do not see. It may write sounds, WAV, to the same folder, and links to them
in its docstring. Titles and their order are those of `nav` in mkdocs.yml.
"""

import argparse
import ast
import datetime
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs/gallery"
LARGEST = 200_000  # bytes of a figure or a sound
WIDEST = 1600  # pixels
COMMAND = "$ python examples/"
_NAV = re.compile(r"^ *- (.+): gallery/(\w+)\.md$", re.MULTILINE)
_PROGRESS = re.compile(r"Epoch \d+/\d+|.*\x1b|\s*\d+/\d+ .*/step\b|.*\d%\|")


def titles():
    """Title of each example, by name, in the order of the site's navigation."""
    nav = (ROOT / "mkdocs.yml").read_text("utf8")
    return {name: title for title, name in _NAV.findall(nav)}


def docstring(name):
    """What an example says of itself: the line that sums it up, and the rest."""
    source = (ROOT / "examples" / f"{name}.py").read_text("utf8")
    summary, _, rest = ast.get_docstring(ast.parse(source)).partition("\n")
    return summary, rest.strip()


def head(name):
    """The start of a page, which follows from the example alone."""
    summary, rest = docstring(name)
    return f"# {titles()[name]}\n\n{summary}\n\n{rest}\n\n"


def index():
    """The page that leads to all others: a picture and a line or two for each."""
    text = (
        "# Gallery\n\nComplete programs with their output and figures. Scores are on data held out "
        "from learning, next to\nthose of a baseline.\n"
    )
    for name, title in titles().items():
        picture = re.search(r"!\[.*?\]\(.*?\)", (PAGES / f"{name}.md").read_text("utf8"))[0]
        text += f"\n## [{title}]({name}.md)\n\n{docstring(name)[0]}\n\n"
        text += f"[{picture}]({name}.md)\n"
    return text


def run(name, arguments):
    """Run an example in a folder of its own; return the folder and what was printed."""
    folder = tempfile.TemporaryDirectory()
    program = ROOT / "examples" / f"{name}.py"
    lines = []
    with subprocess.Popen(
        [sys.executable, str(program), *arguments],
        cwd=folder.name,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        encoding="utf8",
    ) as process:
        for line in process.stdout:
            print(line, end="")
            lines.append(line)
    if process.returncode:
        raise SystemExit(f"{program} failed; the page stays as it was.")
    return folder, "".join(lines)


def tidy(name, arguments, printed, folder):
    """The command and its output, without progress bars and this machine's paths."""
    command = COMMAND + shlex.join([f"{name}.py", *arguments])
    lines = [line.rstrip() for line in re.split(r"[\r\n]", printed.replace("\b", ""))]
    lines = [line for line in lines if line and not _PROGRESS.match(line)]
    text = "\n".join([command, *lines])
    places = [argument for argument in arguments if argument.startswith("/")]
    for place in (f"{Path(folder).resolve()}/", *places):
        if not place.startswith("/usr/"):
            text = text.replace(place, "" if place.endswith("/") else Path(place).name)
    return text


def shrink(figure, target):
    """Copy a figure in a size that suits a page; return its description."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    picture = Image.open(figure)
    description = picture.info.get("Description")
    if not description:
        raise SystemExit(f'{figure.name} needs savefig(…, metadata={{"Description": "…"}})')
    text = PngInfo()
    text.add_itxt("Description", description)
    picture = picture.convert("RGB")
    width = min(picture.width, WIDEST)
    while True:
        size = (width, round(picture.height * width / picture.width))
        small = picture.resize(size, Image.Resampling.LANCZOS)
        small.quantize(256, dither=Image.Dither.NONE).save(target, optimize=True, pnginfo=text)
        if target.stat().st_size < LARGEST:
            return " ".join(description.split())
        width = int(0.9 * width)


def measured():
    """When and with what."""
    today = datetime.date.today()
    packages = ", ".join(
        f"{title} {version(title.lower())}" for title in ("TensorFlow", "Keras", "NumPy")
    )
    return textwrap.fill(
        f"Measured on {today:%Y-%m-%d} with Python {platform.python_version()}, {packages}, on "
        f"{os.cpu_count()} cores of {platform.machine()}. Other machines and versions may differ "
        "in the last digits; other work on the machine makes times longer.",
        100,
    )


def write(name, arguments):
    """Run an example and write its page and its figures."""
    if name not in titles():
        raise SystemExit(f"Give the page a title: `Title: gallery/{name}.md`, in mkdocs.yml.")
    folder, printed = run(name, arguments)
    with folder:
        figures = sorted(
            (Path(folder.name) / f"{name}-output").glob("*.png"),
            key=lambda figure: figure.stat().st_mtime_ns,
        )
        if not figures:
            raise SystemExit(f"There are no figures in {name}-output.")
        PAGES.mkdir(exist_ok=True)
        pictures = "\n\n".join(
            f"![{shrink(figure, PAGES / figure.name)}]({figure.name})" for figure in figures
        )
        for sound in (Path(folder.name) / f"{name}-output").glob("*.wav"):
            shutil.copy(sound, PAGES)
        output = tidy(name, arguments, printed, folder.name)
    page = (
        f"{head(name)}{pictures}\n\n## Output\n\n{measured()}\n\n```console\n{output}\n```\n\n"
        f'## Program\n\n``` {{ .python title="examples/{name}.py" }}\n'
        f'--8<-- "examples/{name}.py"\n```\n'
    )
    (PAGES / f"{name}.md").write_text(page, "utf8")


def main():
    """Write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", help="of the example to run")
    parser.add_argument("arguments", nargs="*", help="of the example, after --")
    args = parser.parse_args()
    if args.name:
        write(args.name, args.arguments)
    for name in titles():
        page = PAGES / f"{name}.md"
        if page.exists():
            text = page.read_text("utf8")
            page.write_text(head(name) + text[text.index("![") :], "utf8")
    if all((PAGES / f"{name}.md").exists() for name in titles()):
        (PAGES / "index.md").write_text(index(), "utf8")


if __name__ == "__main__":
    main()

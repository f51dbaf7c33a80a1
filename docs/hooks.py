"""What the site's build does beyond its plugins: formulas as MathML, docstrings as in Keras."""

import html
import importlib.util
import re
import textwrap
from pathlib import Path
from typing import Any

import griffe
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
_FIGURE = re.compile(r'<p>(<img [^>]*src="([^"]+)"[^>]*>)</p>')
_SOUND = re.compile(r'<a href="([^"]+\.wav)">')
_BAR = '<mo stretchy="false">&#x0007C;'
_EXAMPLE = re.compile(r"^Example:\n\n((?:[^\n]+\n?)+)", re.MULTILINE)
_SECTION = re.compile(r"^(Input shape|Output shape|References):\n((?:    .*\n?)+)", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add a font that knows how to set mathematics, for browsers that find none."""
    (package,) = importlib.util.find_spec("ziamath").submodule_search_locations
    font = Path(package) / "fonts" / "STIXTwoMath-Regular.ttf"
    files.append(File.generated(config, "math.ttf", abs_src_path=str(font)))


def on_page_content(content: str, **_: Any) -> str:
    """Turn LaTeX into MathML, which browsers draw without scripts, and figures into links.

    Put a player before each link to a sound.
    """

    def formula(match: re.Match[str]) -> str:
        tag, latex = match[1], html.unescape(match[2]).strip()
        math = convert(latex, display="block" if tag == "div" else "inline")
        # Bars enclose; left to themselves, browsers space them as operators between two things.
        math = math.replace(_BAR, _BAR.replace(">", ' lspace="0" rspace="0">'))
        return f'<{tag} class="formula">{math}</{tag}>'

    content = _FIGURE.sub(r'<p><a href="\2">\1</a></p>', content)  # in full size, for phones
    content = _SOUND.sub(r'<audio controls preload="none" src="\1"></audio><br>\g<0>', content)
    return _FORMULA.sub(formula, content)


class KerasSections(griffe.Extension):
    """Sections of docstrings that Keras has and the Google style has not."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Give them a title in bold, and examples a fence."""
        if obj.docstring:
            text = _EXAMPLE.sub(r"**Example:**\n\n```pycon\n\1\n```\n", obj.docstring.value)
            obj.docstring.value = _SECTION.sub(
                lambda match: f"**{match[1]}:**\n\n{textwrap.dedent(match[2])}", text
            )

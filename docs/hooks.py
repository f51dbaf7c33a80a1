"""What the site's build does beyond its plugins: formulas as MathML, doctests as code."""

import html
import re
from typing import Any

import griffe
from latex2mathml.converter import convert

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
_DOCTEST = re.compile(r"^Example:\n\n((?:[^\n]+\n?)+)", re.MULTILINE)


def on_page_content(content: str, **_: Any) -> str:
    """Turn LaTeX into MathML, which browsers draw without scripts or fonts from elsewhere."""

    def formula(match: re.Match[str]) -> str:
        display = "block" if match[1] == "div" else "inline"
        return convert(html.unescape(match[2]).strip(), display=display)

    return _FORMULA.sub(formula, content)


class Doctests(griffe.Extension):
    """Docstrings show examples as Keras does, below a bare `Example:`; Markdown needs a fence."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Fence the example of an object."""
        if obj.docstring:
            fenced = r"**Example**\n\n```pycon\n\1\n```\n"
            obj.docstring.value = _DOCTEST.sub(fenced, obj.docstring.value)

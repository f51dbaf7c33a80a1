"""Pages that keep to short sentences and short lines."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
NAMES = "extending", "faq", "glossary", "mathematics", "recipes"
PAGES = [*sorted((DOCS / "design").glob("*.md")), *(DOCS / f"{name}.md" for name in NAMES)]
MOST_WORDS = 35
MOST_CHARACTERS = 120

FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
FORMULA = re.compile(r"\s*\$\$.+?\$\$\s*|\n\n {4}[^\n]*\n(?:(?: {4}[^\n]*)?\n)*", re.DOTALL)
SMALL = re.compile(r"<small>.*?</small>", re.DOTALL)  # pointers from formulas to code
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
NO_PROSE = re.compile(r"^(?:#|\||\{|--8<--).*$", re.MULTILINE)
ITEM = re.compile(r"^\s*(?:\*|\d+\.) ", re.MULTILINE)


def sentences(page):
    """Sentences of Markdown, where a formula, a span of code and a link's address are no text.

    A sentence goes on after a formula if the text there begins with a small letter.
    """
    text = SMALL.sub("", FENCED.sub("\n\n", page))
    text = FORMULA.sub(" formula ", text)
    text = re.sub(r"formula(?: formula)* (?=[^a-z])", "formula.\n\n", text)
    text = re.sub(r"`[^`]+`|\$[^$]+\$", "symbol", text)
    text = ITEM.sub("\n\n", NO_PROSE.sub("\n\n", LINK.sub(r"\1", text)))
    paragraphs = (" ".join(p.split()) for p in re.split(r"\n\s*\n", text))
    found = (s for p in paragraphs for s in re.split(r"(?<=[.!?])[)*]*\s+", p))
    return [s for s in found if s.strip(".")]


def words(sentence):
    return len([word for word in sentence.split() if re.search(r"\w", word)])


def test_sentences_are_found():
    page = (
        "# Title\n\nOne, $a = b. c$ two. With `x. y`\n\n$$a$$\n\nof it.\n\n* Three\n* four five\n"
    )
    assert sentences(page) == [
        "One, symbol two.",
        "With symbol formula of it.",
        "Three",
        "four five",
    ]
    assert [words(s) for s in sentences("A line of\n\n    y = f(x)\n\nends. - Here.\n")] == [5, 1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_sentences_are_short(page):
    long = [s for s in sentences(page.read_text("utf8")) if words(s) > MOST_WORDS]
    assert not long


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_lines_are_short(page):
    """Links, tables and code aside."""
    text = FENCED.sub("", page.read_text("utf8"))
    lines = [line for line in text.splitlines() if not line.startswith(("|", "    "))]
    assert [line for line in lines if len(LINK.sub(r"\1", line)) > MOST_CHARACTERS] == []

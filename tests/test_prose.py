"""Pages that keep to short sentences and short lines."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLES = ROOT / "docs/benchmarks/results.md"  # written by the benchmark
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")} - {TABLES})
MOST_WORDS = 35
MOST_CHARACTERS = 120

FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
FORMULA = re.compile(r"\s*\$\$.+?\$\$\s*|\n\n {4}[^\n]*\n(?:(?: {4}[^\n]*)?\n)*", re.DOTALL)
SMALL = re.compile(r"<small>.*?</small>", re.DOTALL)  # pointers from formulas to code
IMAGE = re.compile(r"\[?!\[[^\]]*\]\([^)]*\)(?:\]\([^)]*\))?")  # with its alt text
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
NO_PROSE = re.compile(r"^(?:#|\||\{|--8<--).*$", re.MULTILINE)
ITEM = re.compile(r"^\s*(?:\*|\d+\.) ", re.MULTILINE)


def sentences(page):
    """Sentences of Markdown, where a formula, a span of code and a link's address are no text.

    A sentence goes on after a formula if the text there begins with a small letter.
    """
    text = SMALL.sub("", IMAGE.sub("", FENCED.sub("\n\n", page)))
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
        "\n[![A picture.](a.png)](a.md)\n"
    )
    assert sentences(page) == [
        "One, symbol two.",
        "With symbol formula of it.",
        "Three",
        "four five",
    ]
    assert [words(s) for s in sentences("A line of\n\n    y = f(x)\n\nends. - Here.\n")] == [5, 1]


every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@every_page
def test_sentences_are_short(page):
    long = [s for s in sentences(page.read_text("utf8")) if words(s) > MOST_WORDS]
    assert not long


@every_page
def test_lines_are_short(page):
    """Links, images, tables and code aside."""
    text = IMAGE.sub("", FENCED.sub("", page.read_text("utf8")))
    lines = [line for line in text.splitlines() if not line.startswith(("|", "    "))]
    assert [line for line in lines if len(LINK.sub(r"\1", line)) > MOST_CHARACTERS] == []

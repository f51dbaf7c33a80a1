"""Ids of items."""

from collections import Counter


def refuse_twice(ids: list[str]) -> None:
    """Refuse ids that name more than one item."""
    if len(set(ids)) < len(ids):
        name, count = Counter(ids).most_common(1)[0]
        raise ValueError(f"Each item needs an id of its own. Received: {name!r} {count} times")

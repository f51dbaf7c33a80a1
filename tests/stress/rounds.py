"""What all parts of the stress suite share: rows of the table, and processes of their own."""

import gc
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One line of the table."""

    name: str
    count: int
    failures: list[str]  # each in words, enough to do it again
    seconds: float
    worst: str = ""  # the worst figure


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| what | how many | failures | seconds | worst |", "|---|---:|---:|---:|---|"]
    for row in rows:
        figures = f"{row.count} | {len(row.failures)} | {row.seconds:.0f} | {row.worst}"
        lines.append(f"| {row.name} | {figures} |")
    return "\n".join(lines)


def scaled(count: int, scale: float, least: int = 1) -> int:
    """How many of a part's rounds a run on a scale has."""
    return max(least, round(count * scale))


def say(text: str) -> None:
    """Progress, apart from the table."""
    print(text, file=sys.stderr, flush=True)


class Ended(RuntimeError):
    """A process has not given its answer: it failed, died, or had to be killed."""


def stream(function: Callable, *arguments: Any, limit: float) -> Iterator:
    """What a generator gives in a process of its own, which has `limit` seconds for each item."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(send, function, arguments))
    process.start()
    send.close()
    try:
        while True:
            if not receive.poll(limit):
                raise Ended(f"it hangs: no answer within {limit:.0f} seconds")
            items, error = receive.recv()
            if error:
                raise Ended(error)
            if not items:
                return
            yield from items
    except EOFError:
        process.join()
        raise Ended(f"the process died with {process.exitcode}") from None
    finally:
        process.kill()
        process.join()


def _send(send: Any, function: Callable, arguments: tuple) -> None:
    try:
        for item in function(*arguments):
            send.send(([item], ""))
        send.send(([], ""))
    except Exception as error:
        send.send(([], f"{type(error).__name__}: {error}"))


def fresh(function: Callable, *arguments: Any, limit: float) -> Any:
    """What a function answers in a process of its own, which has `limit` seconds."""
    (answer,) = stream(_once, function, arguments, limit=limit)
    return answer


def _once(function: Callable, arguments: tuple) -> Iterator:
    yield function(*arguments)


def resident() -> float:
    """Memory of this process, in MB, without what only waits to be collected."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

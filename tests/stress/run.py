"""Everything many times over, at random, and one table at the end.

    python tests/stress/run.py
    python tests/stress/run.py --only settings --only hostile --scale 0.01 --seed 3

The parts are the modules beside this one. Progress and failures go to the standard error, and the
exit code is 1 if anything failed. It needs Linux, and the extra `test`.
"""

import argparse
import importlib
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.append(str(Path(__file__).parents[1]))  # the reference transforms

from rounds import Row, say, table

PARTS = ("settings", "calls", "builds", "hostile", "kill_extract", "draws")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be repeated")
    parser.add_argument("--scale", type=float, default=1.0, help="of how many; 0.01 for a try")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[Row] = []
    for part in arguments.only or PARTS:
        say(f"== {part}")
        for row in importlib.import_module(part).rows(arguments.scale, arguments.seed):
            rows.append(row)
            say(f"{row.name}: {row.count}, {len(row.failures)} failed, {row.seconds:.0f} s")
            for failure in row.failures:
                say(f"  {failure}")
    print(table(rows))
    sys.exit(any(row.failures for row in rows))


if __name__ == "__main__":
    main()

"""Link to the documentation of Python and of requests without a network: their addresses are in ``docs/inventories``.

Sphinx reads what other projects' names lead to from a compressed file; here it is made of a list that people can read:
the address of the documentation in the first line, then a name, its kind, and its page in each line.
"""

from __future__ import annotations

import zlib
from pathlib import Path

__all__ = ["mapping"]

FOLDER = Path(__file__).parents[1] / "inventories"
_HEAD = (
    "# Sphinx inventory version 2\n# Project: {}\n# Version: \n# The remainder of this file is compressed using zlib.\n"
)


def mapping(target: Path) -> dict[str, tuple[str, str]]:
    """Write an inventory for each list into the folder `target`, and return what ``intersphinx_mapping`` shall be."""
    target.mkdir(parents=True, exist_ok=True)
    found = {}
    for listing in sorted(FOLDER.glob("*.txt")):
        address, *lines = listing.read_text(encoding="utf-8").split("\n")
        path = target / f"{listing.stem}.inv"
        path.write_bytes(_HEAD.format(listing.stem).encode() + zlib.compress(_entries(lines).encode()))
        found[listing.stem] = (address, str(path))
    return found


def _entries(lines: list[str]) -> str:
    triples = (line.split() for line in lines if line)
    return "".join(f"{name} py:{kind} 1 {page} -\n" for name, kind, page in triples)

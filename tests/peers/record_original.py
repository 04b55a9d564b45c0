"""Have py-smartdc 0.2.0 itself make all steps, and write down what came of them in ``original_0_2_0.json``.

``python tests/peers/record_original.py --python2 PATH`` takes a Python 2.7 with pip. It installs the original, and what
that was made with, in a folder that is gone afterwards.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from peers.original_cloud import RECORD, play  # noqa: E402 (the path comes first)

ORIGINAL = ("smartdc==0.2.0", "http-signature==0.1.4", "pycrypto==2.6.1", "requests==2.27.1")


def main() -> None:
    """Install the original, play, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python2", required=True, metavar="PATH", help="a Python 2.7 with pip")
    python2 = parser.parse_args().python2
    with tempfile.TemporaryDirectory() as name:
        library = Path(name) / "library"
        install = [python2, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", str(library)]
        subprocess.run([*install, *ORIGINAL], check=True)
        record = play(python2, library, Path(name))
    RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print({name: len(steps) for name, steps in record["scripts"].items()})  # noqa: T201 (a command prints)


if __name__ == "__main__":
    main()

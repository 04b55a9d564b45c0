"""Write an inventory of all machines to a file, and print what has changed since the last
time.

python inventory.py machines.json
"""

import json
import sys
from pathlib import Path

from smartdc import DataCenter

FIELDS = ("name", "state", "package", "image", "primaryIp", "tags")

path = Path(sys.argv[1])
before = json.loads(path.read_text()) if path.exists() else {}
now = {
    machine.id: {field: machine.get(field) for field in FIELDS}
    for machine in DataCenter().machines()
}

for id in sorted(before.keys() | now.keys()):
    old, new = before.get(id), now.get(id)
    if old is None or new is None:
        print("-" if new is None else "+", (new or old)["name"], id)
    for field in FIELDS if old and new else ():
        if old.get(field) != new[field]:
            print("~", new["name"], f"{field}: {old.get(field)} -> {new[field]}")

fresh = path.with_suffix(".new")
fresh.write_text(json.dumps(now, indent=2, sort_keys=True))
fresh.replace(path)  # the file is never half written

"""Print all machines as a table, those with the most memory first; with --csv, print lines
for a spreadsheet.

python machines_as_table.py
python machines_as_table.py --csv > machines.csv
"""

import argparse
import csv
import sys

from smartdc import DataCenter

COLUMNS = ("name", "state", "primary_ip", "package", "memory", "image", "created")

parser = argparse.ArgumentParser(description="Print all machines as a table.")
parser.add_argument("--csv", action="store_true", help="print lines for a spreadsheet")
options = parser.parse_args()

machines = DataCenter().machines()
machines.sort(key=lambda machine: (-machine.memory, machine.name))
if options.csv:
    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)
    writer.writerows([getattr(machine, column) for column in COLUMNS] for machine in machines)
else:
    print(machines.as_text())

"""List volumes that no machine uses, and images of yours from which no machine was made.
With --delete they are deleted.

python find_orphans.py
python find_orphans.py --delete

Look at the list first: you may still need an image for a later machine.
"""

import sys

from smartdc import DataCenter, MethodNotAllowed, SmartDCError

dc = DataCenter()
used = {machine.image for machine in dc.machines()}
me = dc.account().id
try:
    volumes = dc.volumes()
except MethodNotAllowed:  # this data centre has no volumes
    volumes = []

orphans = [volume for volume in volumes if not volume.refs]
orphans += [image for image in dc.images(owner=me) if image.id not in used]
for orphan in orphans:
    print(type(orphan).__name__, orphan.name, orphan.id)
    if "--delete" in sys.argv:
        try:
            orphan.delete()
        except SmartDCError as error:
            print("   stays:", error)

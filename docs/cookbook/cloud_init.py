"""Create a machine that sets itself up with cloud-init.

python cloud_init.py web-1

The image must have cloud-init, like the cloud images of Debian, Ubuntu and others. At the
first boot, cloud-init reads its configuration from the metadata. Do not put secrets there:
everybody who may read the account's machines can read the metadata.
"""

import sys

from smartdc import DataCenter

CONFIGURATION = """\
#cloud-config
packages: [nginx]
runcmd:
  - systemctl enable --now nginx
"""

dc = DataCenter(progress=True)
machine = dc.create_machine(
    name=sys.argv[1],
    image="debian-12",
    package="g1-small",
    metadata={"cloud-init:user-data": CONFIGURATION},
    wait=True,
)
print(machine.name, machine.primary_ip)

"""Print an entry for each running machine, for the configuration of ssh: then `ssh web-1` is enough.

python ssh_config.py > ~/.ssh/triton
echo 'Include triton' >> ~/.ssh/config    (once; it must stand before the first Host)
"""

from smartdc import DataCenter

USERS = {"ubuntu-24.04": "ubuntu", "debian-12": "debian"}
"""Who logs in to machines made from these images; it is root everywhere else."""

dc = DataCenter()
images = {image.id: image.name for image in dc.images(state="all")}
for machine in sorted(dc.machines(state="running"), key=lambda machine: machine.name):
    user = USERS.get(images.get(machine.image, ""), "root")
    print(f"Host {machine.name}\n    HostName {machine.primary_ip}\n    User {user}\n")

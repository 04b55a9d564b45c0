"""A cloud with one thing or two of every kind, the same every time, for two clients to ask about."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from peers.node_books import Books
from smartdc import DataCenter, Machine, User
from smartdc.emulator import Emulator

FRIEND = "3d51f2d5-46f2-4da5-bb04-3238f2f64768"
"""The id of another account."""
SHARED = "0f8fad5b-d9cb-469f-a165-70867728950e"
"""The id of an image of that account."""
ELSEWHERE = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
"""The id of an image in another data centre."""
RULE = 'FROM any TO tag "role" = "web" ALLOW tcp PORT 80'
KEYS = {
    "second": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl second",
    "third": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMqPwBB4bBYmGV/S/BCvGnmyYrjHBbJ5zMsba1L23ezn third",
}
FILES = {
    "third.pub": KEYS["third"],
    "policy.json": json.dumps({"name": "writes", "rules": ["CAN stopmachine"]}),
    "role.json": json.dumps(
        {"name": "dev", "members": [{"type": "subuser", "login": "bob"}], "policies": [{"name": "reads"}]}
    ),
    "user.json": json.dumps({"login": "eve", "email": "eve@example.com", "password": "secret123", "firstName": "Eve"}),
}


def furnish(home: Path) -> None:
    """Put the files there that commands read."""
    for name, text in FILES.items():
        (home / name).write_text(text)


def arrange(cloud: Emulator, dc: DataCenter) -> None:
    """Bring about a cloud with one thing or two of every kind, with the same ids every time."""
    settings, state = cloud.state.settings, cloud.state
    settings.volumes = settings.user_migrations = True
    settings.manta_url = "https://manta.invalid"
    cloud.populate(1, name="web-1", tags={"role": "web"}, metadata={"color": "blue"})
    cloud.populate(1, name="still", state="stopped")
    books = Books(cloud)
    web, still = dc.machine(books["web-1 machine"]), dc.machine(books["still machine"])
    web.create_snapshot("first")
    still.migrate()
    still.migration()
    disks = [{"size": 10_240}, {"size": 4096}]
    flex = dc.create_machine("flex", books["b1-small package"], image=books["debian-12-cloud image"], disks=disks)
    flex.refresh()
    flex.stop()
    vlan = dc.create_vlan(7, "blue")
    vlan.create_network("sky", "10.50.0.0/24", "10.50.0.10", "10.50.0.99")
    dc.create_vlan(9, "empty")
    dc.create_firewall_rule(RULE, enabled=True)
    dc.create_volume("vault").refresh()
    dc.create_image_from_machine(still, "mine", "1.0").refresh()
    dc.add_key("second", KEYS["second"])
    dc.create_user("bob", "bob@example.com", "secret123").add_key("second", KEYS["second"])
    dc.create_user("ann", "ann@example.com", "secret123")
    dc.create_policy("reads", ["CAN getmachine"])
    dc.create_policy("lone", ["CAN listmachines"])
    dc.create_role("ops", ["bob"], ["reads"])
    shelf = books.image("minimal-64-lts")
    state.images[SHARED] = replace(shelf, id=SHARED, owner=FRIEND, public=False, acl=[books.account().id])
    state.images_elsewhere["emulator-2"] = {ELSEWHERE: replace(shelf, id=ELSEWHERE, owner=books.account().id)}
    cloud.trace.clear()


class World:
    """A client of this library, and the things of the cloud as it gets them."""

    def __init__(self, dc: DataCenter, cloud: Emulator, connection: dict[str, Any]) -> None:
        self.dc = dc
        self.books = Books(cloud)
        self.connection = connection

    def __getitem__(self, words: str) -> str:
        return self.books[words]

    def in_role(self, role: str) -> DataCenter:
        """Return a client that takes up a role."""
        return DataCenter(**self.connection, roles=[role])

    def user(self, login: str = "bob") -> User:
        """Get a user by the login."""
        return self.dc.user(self.books.user(login).id)

    def machine(self, name: str = "web-1") -> Machine:
        """Get a machine by its name."""
        return self.dc.machine(self.books.machine(name).id)

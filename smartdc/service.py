"""Find the other services of a data centre and the other data centres of a cloud."""

from __future__ import annotations

from smartdc.resource import Addressable

__all__ = ["HasServices"]


class HasServices(Addressable):
    """What has services beside CloudAPI."""

    def services(self) -> dict[str, str]:
        """Return the URLs of the data centre's services by name: ``ListServices``."""
        return self._get("services")

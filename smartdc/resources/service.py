"""Find the other services of a data centre, the versions of its API, and other data centres."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from smartdc.core import arguments
from smartdc.core.answers import Pong
from smartdc.core.operation import operation
from smartdc.core.resource import Addressable
from smartdc.errors import ConfigError, Redirected
from smartdc.http.tracebacks import without_frames

__all__ = ["HasServices"]


class HasServices(Addressable):
    """Mix-in for places with services besides CloudAPI."""

    @operation("ListServices")
    def services(self) -> dict[str, str]:
        """Return the URLs of the data centre's services by name: ``ListServices``."""
        return self._get("services")

    @operation("ListDatacenters")
    def datacenters(self) -> dict[str, str]:
        """Return the URLs of the cloud's data centres by name, and remember them: ``ListDatacenters``."""
        found = self._get("datacenters")
        self._datacenter.known_locations.update(found)
        return found

    def _where(self, name: str) -> str:
        """Return the URL of a data centre of the cloud; CloudAPI answers with a redirect: ``GetDatacenter``."""
        try:
            self._call("GET", "datacenters", name)
        except Redirected as elsewhere:
            if elsewhere.location:
                return elsewhere.location
        raise ConfigError(f"CloudAPI does not say where the data centre {name!r} is")

    @operation("Ping")
    def ping(self, *, timeout: float | None = None) -> Pong:
        """Check with an unsigned request whether CloudAPI answers, and return its answer: ``Ping``.

        The answer is ``{"ping": "pong", "cloudapi": {"versions": [...]}}``.
        """
        session = self._datacenter.unsigned()
        try:
            return cast("Pong", self._expect(dict, *session.request("GET", "/--ping", timeout=timeout)))
        finally:
            session.close()

    @operation("Ping")
    def versions(self) -> list[str]:
        """Return the versions of the API that CloudAPI supports, such as ``9.0.0``, newest first: ``Ping``."""
        cloudapi = self.ping().get("cloudapi")
        versions = (cloudapi.get("versions") if cloudapi else None) or ()
        return sorted(versions, key=lambda version: [int(part) for part in re.findall("[0-9]+", version)], reverse=True)

    @without_frames
    @operation("ListForeignDatacenters")
    def foreign_datacenters(self, auth_token: str | Mapping[str, Any]) -> list[dict[str, Any]]:
        """List the data centres of other clouds that an application may use: ``ListForeignDatacenters``.

        Only applications that act for an account with a token may call it; `auth_token` is that token, as JSON or a
        dict. CloudAPI does not document this.
        """
        answer = self._call("GET", "foreigndatacenters", headers=_delegated(auth_token))
        return self._expect(list, *answer)

    @without_frames
    @operation("AddForeignDatacenter")
    def add_foreign_datacenter(
        self, name: str, url: str, token: str, *, auth_token: str | Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Add a data centre of another cloud, or change its URL and token: ``AddForeignDatacenter``.

        Returns CloudAPI's new list. `auth_token` is that of `foreign_datacenters`.
        """
        body = arguments.strings(name=name, url=url, token=token)
        headers = _delegated(auth_token)
        return self._expect(
            list, *self._call("POST", "foreigndatacenters", data=body, headers=headers, repeatable=True)
        )


def _delegated(auth_token: str | Mapping[str, Any]) -> dict[str, str]:
    return {"X-Auth-Token": arguments.json_text("auth_token", auth_token)}

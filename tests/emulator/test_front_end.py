"""What a request meets before it reaches an operation, as the server's own sources have it.

Each test names the file of the server that it follows: ``sdc-cloudapi`` where nothing else is said, and version 4.3.3 of
``restify``, the framework that it is built on.
"""

from __future__ import annotations

import pytest

from kits.emulator_signer import Asker

pytest_plugins = ("kits.emulator_fixtures",)

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("path", ["/--ping", "/my", "/my/machines", f"/my/machines/{UNKNOWN}"])
def test_server_header_is_the_servers(ask: Asker, path: str) -> None:
    """lib/app.js names the server ``'cloudapi/' + version()``, and package.json has the version 9.20.0."""
    answer = ask.get(path)

    assert answer.headers["Server"] == "cloudapi/9.20.0"
    assert answer.headers["X-Emulator"] == "smartdc"


def test_early_refusal_tells_an_emulator_too(ask: Asker) -> None:
    """Restify's full_response.js comes after the body; until then there is no ``Server``, but ours is always there."""
    answer = ask.get("/my/nothing/of/the/kind")

    assert answer.status_code == 404
    assert answer.headers["X-Emulator"] == "smartdc"
    assert not answer.headers.get("Server", "").startswith("cloudapi")

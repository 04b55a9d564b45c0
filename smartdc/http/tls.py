"""The check of servers' certificates: the CA bundle to use, and a TLS context with it."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

import certifi
from urllib3.util import create_urllib3_context

from smartdc.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ca_bundle", "context_for"]


_CONTEXTS: dict[bool | str, tuple[tuple[int, ...], ssl.SSLContext]] = {}
"""The contexts that `context_for` has made; two threads may make the same one at once, which does no harm."""


def context_for(verify: bool | str) -> ssl.SSLContext:
    """Return the context that checks servers with the bundle from `ca_bundle`.

    There is one context for each bundle, shared by all clients of the process, since parsing a bundle takes longer than
    many calls. It is made again when the file has changed, according to its inode, size and time.
    """
    bundle = certifi.where() if verify is True else verify
    version = _version_of(bundle) if bundle else ()
    kept = _CONTEXTS.get(verify)
    if kept is None or kept[0] != version:
        kept = _CONTEXTS[verify] = version, _made(bundle)
    return kept[1]


def _version_of(bundle: str) -> tuple[int, ...]:
    try:
        status = os.stat(bundle)  # noqa: PTH116
    except OSError:
        return ()  # loading it will fail, with the reason
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _made(bundle: str | bool) -> ssl.SSLContext:
    context = create_urllib3_context()
    if isinstance(bundle, bool):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    where = {"capath": bundle} if os.path.isdir(bundle) else {"cafile": bundle}  # noqa: PTH112
    try:
        context.load_verify_locations(**where)
    except OSError as error:
        raise ConfigError(f"cannot load the CA bundle {bundle}: {error}") from None
    return context


def ca_bundle(verify: bool | str | os.PathLike[str] | None, environ: Mapping[str, str]) -> bool | str:
    """Resolve `verify` once: True takes the bundle that the environment names, if it names one.

    Raises `ConfigError` if `verify` is neither a boolean nor the path of a file or folder.
    """
    if verify is False:
        return False
    if verify is True or verify is None:
        names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
        verify = next((environ[name] for name in names if environ.get(name)), None)
        if verify is None:
            return True
    if not isinstance(verify, (str, os.PathLike)) or not os.path.exists(verify):  # noqa: PTH110
        raise ConfigError(f"verify must be True, False or the path of a CA bundle (a file or folder), got {verify!r}")
    return os.fspath(verify)

"""TLS: the CA bundle that checks servers, the certificate that clients present, and a context with both."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

import certifi
from urllib3.util import create_urllib3_context

from smartdc.errors import ConfigError
from smartdc.http.tracebacks import let_pass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

__all__ = ["ca_bundle", "client_certificate", "context_for"]


_CONTEXTS: dict[tuple[bool | str, tuple[str, str] | None], tuple[list[tuple[int, ...]], ssl.SSLContext]] = {}
"""The contexts that `context_for` has made; two threads may make the same one at once, which does no harm."""


def context_for(verify: bool | str, cert: tuple[str, str] | None = None) -> ssl.SSLContext:
    """Return the context with the bundle from `ca_bundle` and the files from `client_certificate`.

    There is one context for each of them, shared by all clients of the process, since parsing a bundle takes longer
    than many calls. It is made again when a file has changed, according to its inode, size and time.
    """
    bundle = certifi.where() if verify is True else verify
    versions = [_version_of(file) for file in (bundle, *(cert or ())) if isinstance(file, str)]
    kept = _CONTEXTS.get((verify, cert))
    if kept is None or kept[0] != versions:
        context = _made(bundle)
        if cert:
            _load_certificate(context, *cert)
        kept = _CONTEXTS[verify, cert] = versions, context
    return kept[1]


def _version_of(bundle: str) -> tuple[int, ...]:
    try:
        status = os.stat(bundle)  # noqa: PTH116
    except OSError as error:
        let_pass(error)
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
        let_pass(error)
        raise ConfigError(f"cannot load the CA bundle {bundle}: {error}") from None
    return context


def _load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    def refuse() -> NoReturn:
        # Without this, OpenSSL would ask for a passphrase on the terminal.
        raise ConfigError(f"the key {key} of the client certificate is encrypted: give a decrypted one")

    try:
        context.load_cert_chain(certificate, key, password=refuse)
    except OSError as error:
        let_pass(error)
        raise ConfigError(f"cannot load the client certificate {certificate} with the key {key}: {error}") from None


def client_certificate(cert: Any) -> tuple[str, str] | None:
    """Return the files of certificate and key, which may be the same; `ConfigError` if `cert` does not name them."""
    if cert is None:
        return None
    files = cert if isinstance(cert, tuple) else (cert, cert)
    if len(files) != 2 or not all(isinstance(file, (str, os.PathLike)) and os.path.isfile(file) for file in files):  # noqa: PTH113
        raise ConfigError(f"cert must be the path of a PEM file, or a tuple of certificate and key, got {_shown(cert)}")
    return os.fspath(files[0]), os.fspath(files[1])


def _shown(cert: Any) -> str:
    """Return a wrong `cert` for an error, unless it is the text of a key, which would be revealed."""
    text = repr(cert)
    return "the text of a PEM file" if "-----BEGIN" in text else text


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

"""Find out through which proxy a server is reached."""

from __future__ import annotations

from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy
from urllib3.util import parse_url

from smartdc.errors import ConfigError

__all__ = ["proxies_of"]


def proxies_of(url: str) -> dict[str, str]:
    """Read the environment's proxy for `url` once, as `requests` would on every call.

    Raises `ConfigError` when it is not a URL. It may contain a password, so no error repeats it.
    """
    proxy = select_proxy(url, get_environ_proxies(url, no_proxy=None))
    if not proxy:
        return {}
    whole = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_url(whole):
        raise ConfigError(
            f"the environment's proxy for {url} is not a URL: use http://host:port or http://user:password@host:port, "
            "with / # ? @ [ ] in the password percent-encoded (/ is %2F)"
        )
    return {url.partition(":")[0].lower(): whole}


def _is_url(proxy: str) -> bool:
    """Return whether both urllib3 and `urllib.parse`, which will read the proxy, take it for a URL."""
    try:
        parts = urlsplit(proxy)
        return bool(parse_url(proxy).host and parts.hostname and parts.port != 0)
    except ValueError:
        return False

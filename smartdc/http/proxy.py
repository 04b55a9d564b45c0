"""Find out through which proxy a server is reached."""

from __future__ import annotations

from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy
from urllib3.util import parse_url

from smartdc.errors import ConfigError

__all__ = ["proxies_of"]


def proxies_of(url: str) -> dict[str, str]:
    """Read the environment's proxy for `url` once, as `requests` would on every call.

    Raises `ConfigError` when it is no URL. It may hold a password, so no text repeats it.
    """
    proxy = select_proxy(url, get_environ_proxies(url, no_proxy=None))
    if not proxy:
        return {}
    whole = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_url(whole):
        raise ConfigError(
            f"the environment's proxy for {url} is no URL: write http://host:port or http://user:password@host:port, "
            "where a password has %2F for / and so on for each of # ? @ [ ]"
        )
    return {url.partition(":")[0].lower(): whole}


def _is_url(proxy: str) -> bool:
    """Tell whether a proxy is one for both of those that will read it."""
    try:
        parts = urlsplit(proxy)
        return bool(parse_url(proxy).host and parts.hostname and parts.port != 0)
    except ValueError:
        return False

"""The base classes of every noun: `Addressable`, a place in CloudAPI's tree of paths, and `Resource`, a thing there.

An `Addressable` knows its path below the account, and how to send requests below that path. A `Resource` also keeps the
server's whole answer, and is a read-only mapping of it; its `Field` attributes (`smartdc.core.field`) show entries of
the answer. Reading never sends a request: only methods do.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, TypeVar, cast

import requests

from smartdc.core.listing import ResourceList
from smartdc.core.lookup import id_of, is_uuid
from smartdc.core.shown import ShowsFields
from smartdc.errors import BadResponse, InputError, printable
from smartdc.http import request as wire
from smartdc.http.clock import Clock, SystemClock
from smartdc.http.response import bad_response

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["Addressable", "Resource", "listed", "whole_number"]

T = TypeVar("T")

_NUMBER = re.compile(r"[0-9]{1,15}")


class Addressable:
    """A place below a data centre."""

    __slots__ = ()

    @property
    def path(self) -> str:
        """The path below the account, such as ``machines/<id>``; '' is the account itself."""
        raise NotImplementedError(type(self).__name__)

    @property
    def _datacenter(self) -> DataCenter:
        """The data centre that all requests go through."""
        raise NotImplementedError(type(self).__name__)

    def _call(
        self,
        method: str,
        *names: object,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> tuple[Any, requests.Response]:
        """Send a request to the path `names` below this place.

        Only given arguments are passed on: a stand-in for a data centre may take only method, path and params.
        """
        options = wire.given(headers=headers, data=data, params=params, repeatable=repeatable or None)
        return self._datacenter.request(method, self._path_below(*names), **options)

    def _path_below(self, *names: object) -> str:
        """Return the path of what lies at `names` below this place."""
        return (self.path + wire.segments(*names)).removeprefix("/")

    @property
    def _clock(self) -> Clock:
        """The clock; a stand-in for a data centre need not have one."""
        return getattr(self._datacenter, "clock", None) or SystemClock()

    def _now(self) -> float:
        """Return the server's time, as far as it is known, in epoch seconds."""
        session = getattr(self._datacenter, "session", None)
        return float(session.now() if session else self._clock.time())

    def _get(self, *names: object, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Get one thing; `BadResponse` if it was requested by its UUID and the answer is about another one."""
        answer = self._expect(dict, *self._call("GET", *names, params=params))
        if names and "id" in answer:
            self._check_identity(str(names[-1]), str(answer["id"]))
        return answer

    def _check_identity(self, asked: str, answered: str) -> None:
        """Refuse an answer about another thing: it belongs to another request, and so may the connection's next answer."""
        if asked != answered and is_uuid(asked) and asked.lower() != answered.lower():
            self._datacenter.close()
            raise BadResponse(f"asked for {asked}, got {answered[:40]!r}")

    def _list(self, *names: object, params: Mapping[str, Any] | None = None) -> list[Any]:
        """Get a whole list of things."""
        return self._expect(list, *self._call("GET", *names, params=params))

    def _post(
        self, *names: object, data: Any = None, params: Mapping[str, Any] | None = None, repeatable: bool = False
    ) -> dict[str, Any]:
        """Create or change something and return the server's answer."""
        return self._expect(dict, *self._call("POST", *names, data=data, params=params, repeatable=repeatable))

    def _put(self, *names: object, data: Any = None) -> dict[str, Any]:
        """Replace something and return the server's answer."""
        return self._expect(dict, *self._call("PUT", *names, data=data))

    def _delete(self, *names: object) -> None:
        """Delete something."""
        self._call("DELETE", *names)

    def _count(self, *names: object, params: Mapping[str, Any] | None = None) -> int:
        """Count the entries of a listing, without fetching them."""
        _, response = self._call("HEAD", *names, params=params)
        return self._counted(response)

    @staticmethod
    def _counted(response: requests.Response) -> int:
        """Return the number of things that the server reports for a listing."""
        return whole_number(response, "x-resource-count")

    @staticmethod
    def _expect(kind: type[T], decoded: Any, response: requests.Response) -> T:
        """Return the answer, after checking that it is an object, or a list of objects."""
        if isinstance(decoded, kind) and (not isinstance(decoded, list) or set(map(type, decoded)) <= {dict}):
            return decoded
        del decoded  # it may contain secrets, and the traceback of an error shows variables
        wanted = "a JSON object" if kind is dict else "a list of JSON objects"
        raise bad_response(response, f"the answer is not {wanted}")


class Resource(ShowsFields, Addressable, Mapping[str, Any]):
    """A thing in CloudAPI, as the server last described it.

    Args:
        parent: the place that it belongs to: a data centre, or another resource.
        identifier: its id or name there; without `data`, the resource fetches itself.
        data: the server's answer about it; the dict is copied.
    """

    __slots__ = ("__dict__", "__weakref__", "_data", "_parent")

    kind: ClassVar[str]
    """The plural in the path: ``machines``."""
    id_key: ClassVar[str] = "id"
    """The entry of the data that identifies the resource in its path."""

    def __init__(
        self,
        parent: Addressable,
        identifier: str | Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        self._parent = parent
        self._data: dict[str, Any] = _copied(data or {})
        if identifier is not None:
            self._data[self.id_key] = id_of(identifier, self.id_key)
        if data is not None:
            self._identity_in(self._data)
        elif self._data.get(self.id_key) is None:
            raise InputError(f"a {type(self).__name__} needs {self.id_key!r}, or data that has it")
        else:
            self.refresh()

    @classmethod
    def from_answer(cls, parent: Addressable, answer: dict[str, Any]) -> Self:
        """Make a resource of an answer that nothing else refers to, so that it need not be copied."""
        [resource] = cls.from_answers(parent, [answer])
        return resource

    @classmethod
    def from_answers(cls, parent: Addressable, answers: Iterable[dict[str, Any]]) -> ResourceList[Self]:
        """Make resources of the entries of a listing that nothing else refers to, so that they need not be copied."""
        # Written out, without a call of `__init__`, since a listing may have a hundred thousand entries.
        key, new, resources = cls.id_key, cls.__new__, ResourceList[Self]()
        for answer in answers:
            resource = new(cls)
            resource._parent = parent  # noqa: SLF001 (its own kind)
            resource._data = answer  # noqa: SLF001
            identity = answer.get(key)
            if type(identity) is not str or not identity:
                resource._identity_in(answer)  # noqa: SLF001
            resources.append(resource)
        return resources

    @property
    def path(self) -> str:
        """The path below the account, such as ``machines/<id>``; ``dc.url + machine.path`` is the URL."""
        return self._below_parent(self.kind, self._data[self.id_key])

    def _below_parent(self, *names: object) -> str:
        """Return the path `names` below the resource's parent."""
        above = getattr(self._parent, "path", "")
        return f"{above}{wire.segments(*names)}".removeprefix("/")

    @property
    def datacenter(self) -> DataCenter:
        """The data centre that it is in."""
        return self._datacenter

    @property
    def _datacenter(self) -> DataCenter:
        # An `Addressable` knows its data centre; any other parent is a stand-in for one.
        return cast("DataCenter", getattr(self._parent, "_datacenter", self._parent))

    def refresh(self) -> Self:
        """Fetch the resource again and return it."""
        return self._keep(self._get())

    def _change(self, method: str, *names: object, **request: Any) -> Self:
        """Change the resource and keep the server's answer; if the answer has no body, fetch the resource again."""
        answer, response = self._call(method, *names, **request)
        return self.refresh() if answer is None else self._keep(self._expect(dict, answer, response))

    def _keep(self, data: Mapping[str, Any]) -> Self:
        """Replace the data with the server's newest answer, unless that is about another resource."""
        self._check_identity(str(self._data[self.id_key]), self._identity_in(data))
        self._data = dict(data)
        return self

    def _identity_in(self, data: Mapping[str, Any]) -> str:
        """Return the identifier of the resource that `data` describes."""
        identity = data.get(self.id_key)
        if isinstance(identity, bool) or not isinstance(identity, (str, int)) or identity == "":
            raise BadResponse(
                f"missing or invalid {self.id_key!r} in the data of a {type(self).__name__}: {identity!r}"
            )
        return str(identity)

    def _string(self, name: str) -> str:
        """Return an entry that must be a string."""
        value = self.get(name)
        if not isinstance(value, str):
            raise BadResponse(f"{self}: {name!r} must be a string, got {value!r}")
        return value

    def _part(self, name: str) -> dict[str, Any]:
        """Return an entry that must be an object, or {} if there is none."""
        value = self.get(name)
        if value is not None and not isinstance(value, dict):
            raise BadResponse(f"{self}: {name!r} must be an object, got {value!r}")
        return value or {}

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        # Secrets are left out of pickles, but not out of copies.
        twin.__setstate__({**self._attributes(), "_data": _copied(self._data)})
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy the data; the parent stays the same object."""
        return self.__copy__()

    def __getstate__(self) -> dict[str, Any]:
        """Leave secrets out when the resource is pickled."""
        return {**self._attributes(), "_data": self._without_secrets()}

    def _without_secrets(self) -> dict[str, Any]:
        """Return the data without secrets; it is not copied."""
        return self._data

    def _attributes(self) -> dict[str, Any]:
        """Return all attributes, those in slots and those in ``__dict__``."""
        attributes, slots = cast("tuple[dict[str, Any] | None, dict[str, Any]]", object.__getstate__(self))
        return {**(attributes or {}), **slots}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def __getitem__(self, name: str) -> Any:
        return self._data[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __setitem__(self, name: str, value: Any) -> NoReturn:
        self._refuse_change()

    def __delitem__(self, name: str) -> NoReturn:
        self._refuse_change()

    def _refuse_change(self) -> NoReturn:
        raise TypeError(
            f"this {type(self).__name__} shows what the server sent, and its items cannot be changed; "
            "call one of its methods to change it on the server, or change a dict: copy()"
        )

    def copy(self) -> dict[str, Any]:
        """Return the data as a separate dict, which you can change."""
        return _copied(self._data)

    def to_dict(self, *, secrets: bool = False) -> dict[str, Any]:
        """Return the resource as plain data, to store it or to pass it on.

        Secrets are left out unless `secrets` is true: a machine's passwords, boot script and user data, and the secret
        of an access key. ``dict(resource)`` and `copy` always return everything.
        """
        return _copied(self._data if secrets else self._without_secrets())

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self.copy(), **other} if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self.copy()} if isinstance(other, Mapping) else NotImplemented

    @property
    def canonical_url(self) -> str:
        """The whole URL, with ``my`` replaced by the account's login if that is known."""
        return f"{self.datacenter.account_url}/{self.path}".removesuffix("/")

    @property
    def _identity(self) -> str:
        """The value that identifies it among the others of its owner."""
        return str(self._data[self.id_key])

    def __eq__(self, other: object) -> bool:
        """Compare by UUID, or by owner and name if there is no UUID; a dict with the same data is equal too."""
        if isinstance(other, dict):
            return self._data == other
        if type(other) is not type(self):
            return NotImplemented
        if self.id_key != "name" and is_uuid(self._identity):
            return self._identity.lower() == other._identity.lower()
        return self._identity == other._identity and bool(self._parent == other._parent)

    def __hash__(self) -> int:
        return hash((type(self), self._identity.lower()))

    def __lt__(self, other: object) -> bool:
        """Sort by name, then by id, among resources of the same class."""
        if not isinstance(other, Resource) or type(other) is not type(self):
            return NotImplemented
        return self._sort_key() < other._sort_key()

    def _sort_key(self) -> tuple[str, ...]:
        return str(self.get("name") or self.get("login") or ""), self._identity

    def __str__(self) -> str:
        return printable(str(self._data[self.id_key]))

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __repr__(self) -> str:
        """Show the kind, and the words by which people recognise the resource."""
        # A resource whose fetch failed has no data; crash reporters show it in their frames.
        words = self._summary() if hasattr(self, "_data") else ["not fetched"]
        return printable(f"<{type(self).__name__} {' '.join(map(str, words))}>")

    _repr_pretty_ = ShowsFields._repr_pretty_  # IPython looks for it beside `__repr__`

    def __sentry_repr__(self) -> str:
        """Show no more than that to an error reporter, which would dump a whole mapping."""
        return repr(self)

    def _summary(self) -> list[str]:
        """Return the few words that distinguish this resource from others."""
        name = self.get("name")
        identifier = str(self._data[self.id_key])
        return [identifier] if name is None or name == identifier else [repr(name), identifier]


def _copied(data: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return copy.deepcopy(dict(data))
    except RecursionError:
        raise BadResponse("the data is nested too deeply") from None


def listed(thing: Mapping[str, Any], name: str) -> list[Any]:
    """Return an entry that must be a list, or [] if there is none."""
    value = thing.get(name)
    if value is not None and not isinstance(value, list):
        raise BadResponse(f"{thing}: {name!r} must be a list, got {value!r}")
    return value or []


def whole_number(response: requests.Response, header: str, default: int | None = None) -> int:
    """Return the whole number in a header; if the header is missing, return `default` if that is given."""
    text = response.headers.get(header, "" if default is None else str(default))
    if not _NUMBER.fullmatch(text):
        raise bad_response(response, f"invalid or missing {header} header: {text[:40]!r}")
    return int(text)

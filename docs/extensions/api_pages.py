"""Write the parts of the reference that follow from the code, when a page is read.

A page asks for them with a comment in a line of its own:

``<!-- members of smartdc.DataCenter by noun -->``
    all that a class has, under its own name, whichever mix-in it comes from: ``DataCenter.wait_for``.
``<!-- calls of smartdc.resources.key.HasKeys -->``
    links to what the owners of a mix-in have from it.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import smartdc
from smartdc.core.help_page import INTERNAL
from smartdc.core.resource import Addressable, Resource

__all__ = ["expand", "members_by_noun", "owners_of", "setup"]

_COMMENT = re.compile(r"^<!-- (members|calls) of ([\w.]+)(?: by noun)? -->$", re.MULTILINE)
_BACK_LINK = re.compile(r'(<a class="viewcode-back" href="[^"#]*)#([^"]*)(">\[docs\]</a>)')
_FENCE = "```{{eval-rst}}\n{}\n```\n"

TITLES = {
    "smartdc.core.paging": "Machine",
    "smartdc.core.resource": "Data",
    "smartdc.machine.action": "Life cycle",
    "smartdc.machine.create": "Machine",
    "smartdc.waiting.stateful": "Life cycle",
}
"""Headings of mix-ins that are not named after a noun."""


def setup(app: Any) -> dict[str, bool]:
    """Expand every page; Sphinx calls this."""
    app.connect("source-read", lambda _app, _page, source: source.__setitem__(0, expand(source[0])))
    app.connect("html-page-context", _mend_links)
    return {"parallel_read_safe": True}


def _mend_links(app: Any, page: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    """Have links from the source lead to the names that things are described under; drop those to members of mix-ins."""
    if page.startswith("_modules/"):
        known = app.env.domains["py"].objects
        context["body"] = _BACK_LINK.sub(
            lambda match: f"{match[1]}#{known[match[2]].node_id}{match[3]}" if match[2] in known else "",
            context["body"],
        )


def expand(text: str) -> str:
    """Return the text of a page with its comments replaced by what they ask for."""
    writers: dict[str, Callable[[type], str]] = {"members": _members, "calls": _calls}
    # To inherit members is our default, and would show them where the class is to have none.
    text = text.replace(":no-members:\n", ":no-members:\n   :no-inherited-members:\n")
    return _COMMENT.sub(lambda match: writers[match[1]](_class(match[2])), text)


def _class(path: str) -> type:
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    if not inspect.isclass(found):
        raise TypeError(f"{path} is not a class")
    return found


def members_by_noun(cls: type) -> dict[str, list[str]]:
    """Return the names of all public members of a class, its own first, then those of its mix-ins by noun."""
    groups: dict[str, list[str]] = {}
    seen: set[str] = set()
    for part in cls.__mro__:
        if not part.__module__.startswith("smartdc"):
            continue
        names = [name for name in _public(part) if name not in seen]
        seen.update(names)
        title = "" if part is cls else _title(part)
        if names:
            groups.setdefault(title, []).extend(names)
    return groups


def _public(part: type) -> Iterator[str]:
    """Yield the public names of a class that say what they are for; others are its own business."""
    for name, thing in vars(part).items():
        what = thing.__func__ if isinstance(thing, (classmethod, staticmethod)) else thing
        is_public = not name.startswith("_") and name not in INTERNAL
        if is_public and getattr(what, "__doc__", None) and not isinstance(thing, (str, ModuleType)):
            yield name


def _title(part: type) -> str:
    module = part.__module__
    return TITLES.get(module) or module.rpartition(".")[2].replace("_", " ").capitalize()


def _door(cls: type) -> str:
    """Return the name under which users import a class."""
    is_public = getattr(smartdc, cls.__name__, None) is cls
    return f"smartdc.{cls.__name__}" if is_public else f"{cls.__module__}.{cls.__name__}"


def _members(cls: type) -> str:
    """Write the class without members, and then a section for each noun."""
    door = _door(cls)
    pages = [_FENCE.format(f".. autoclass:: {door}\n   :no-members:\n   :no-inherited-members:\n")]
    for title, names in members_by_noun(cls).items():
        entries = "\n".join(f".. {_directive(cls, name)}:: {door}.{name}\n" for name in names)
        pages.append(f"## {title or 'Settings and connections'}\n\n{_FENCE.format(entries)}")
    return "\n".join(pages)


def _directive(cls: type, name: str) -> str:
    thing = inspect.getattr_static(cls, name)
    if isinstance(thing, property):
        return "autoproperty"
    is_method = inspect.isfunction(thing) or isinstance(thing, (classmethod, staticmethod))
    return "automethod" if is_method else "autoattribute"


def owners_of(mixin: type) -> list[type]:
    """Return the classes that users meet and that inherit from a mix-in."""
    named = (getattr(smartdc, name) for name in smartdc.__all__)
    things = (smartdc.DataCenter, Resource, Addressable)
    return [
        thing for thing in named if inspect.isclass(thing) and issubclass(thing, things) and issubclass(thing, mixin)
    ]


def _calls(mixin: type) -> str:
    """Write a line for each member of a mix-in: its name at each owner, and the first sentence about it."""
    lines = []
    for name in _public(mixin):
        owners = [owner for owner in owners_of(mixin) if inspect.getattr_static(owner, name) is vars(mixin)[name]]
        links = ", ".join(f"{{py:obj}}`{owner.__name__}.{name} <{_door(owner)}.{name}>`" for owner in owners)
        sentence = (inspect.getdoc(getattr(mixin, name)) or "").split("\n\n")[0].replace("\n", " ")
        lines.append(f"- {links}: {sentence}")
    return "\n".join(lines) + "\n"

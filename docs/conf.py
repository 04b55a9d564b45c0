"""How the documentation is built: ``sphinx-build -W -b html docs docs/_build/html``."""

import re
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent / "extensions")]

from typing import Any, get_args

import inventories
import smartdc
from smartdc.core.field import Field
from sphinx.ext.napoleon import Config, GoogleDocstring
from sphinx.util.typing import stringify_annotation

project = "smartdc"
author = "The smartdc authors"
copyright = "The smartdc authors; MIT licence"
release = version = smartdc.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "api_pages",
    "operations_page",
]
exclude_patterns = ["_build"]
intersphinx_mapping = inventories.mapping(Path(__file__).parent / "_build" / "inventories")
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["operations.js"]
html_search_scorer = str(Path(__file__).parent / "extensions" / "search_scorer.js")
html_show_sphinx = False
# A prompt is not copied with what is typed after it, and nor is what it answers.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
html_title = f"smartdc {release}"

# Single backticks in docstrings name things in the code.
default_role = "py:obj"
myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_default_options = {
    "members": True,
    # What a noun has from mix-ins is its own to its users; what every resource has is on a page of its own.
    "inherited-members": "Resource, Addressable, Mapping, Stateful, Exception, OSError, RequestException, list, dict, tuple, Protocol, Enum",
    "show-inheritance": True,
    "member-order": "bysource",
}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80


def setup(app: Any) -> None:
    """Read docstrings our way; Sphinx calls this."""
    app.connect("autodoc-process-docstring", read_docstring)


def read_docstring(app: Any, what: str, name: str, thing: object, options: Any, lines: list[str]) -> None:
    """Read the sections of a docstring, such as ``Args:``, and put a field's type before what it is.

    The extension that usually reads sections takes what stands before a colon in an attribute's docstring for its type.
    """
    if what not in {"attribute", "data", "property"}:
        lines[:] = GoogleDocstring(lines, Config(), app, what, name, thing, options).lines()
    elif isinstance(thing, Field) and lines:
        (kind,) = get_args(getattr(thing, "__orig_class__", Field[Any]))
        lines[0] = f"*{re.sub(r'~[.a-z]+[.]', '', stringify_annotation(kind, 'smart'))}*: {lines[0]}"

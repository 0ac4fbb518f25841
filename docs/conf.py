"""Settings of the documentation site: ``python -m sphinx -W docs site``.

Pages are Markdown, the reference is made from docstrings (numpydoc), the gallery runs the scripts
of ``examples/gallery``. Nothing is fetched from elsewhere.
"""

from __future__ import annotations

import os
import re
import warnings
from typing import Any

import ictus

project = "ictus"
author = copyright = "The ictus developers"
version = release = ictus.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
suppress_warnings = ["toc.not_included"]  # pages of results are linked from their list
exclude_patterns = ["_templates"]
templates_path = ["_templates"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# The reference: every public name, in its own words.
autosummary_generate = True
autosummary_imported_members = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"  # numpydoc's sections have the types
autodoc_default_options = {"members": True, "undoc-members": False}
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py",
    "parallel": False,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
}

html_theme = "furo"
html_title = "ictus"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
nitpicky = False

os.environ.setdefault("MPLBACKEND", "Agg")
warnings.filterwarnings("ignore", message=".*FigureCanvasAgg is non-interactive.*")


def _escape_shapes(
    app: Any, what: str, name: str, item: Any, options: Any, lines: list[str]
) -> None:
    """The star of a shape such as (rows, *input_shape) is no emphasis."""
    lines[:] = [re.sub(r"(?<=[ (])\*(?=[a-z])", r"\\*", line) for line in lines]


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", _escape_shapes)

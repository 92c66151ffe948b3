# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
How Sphinx makes the documentation: C{make docs}.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
# The package is documented from the checkout, and epytext.py stands here.
sys.path[:0] = [str(HERE), str(HERE.parent)]

from twisted_ovsdb import __version__  # noqa: E402

project = "twisted_ovsdb"
author = "The twisted_ovsdb authors"
copyright = author
version = release = __version__

extensions = ["sphinx.ext.autodoc", "epytext"]
exclude_patterns: list[str] = []

# Every reference to a name of ours resolves, or the build fails.
nitpicky = True
nitpick_ignore_regex = [
    # Other packages' names: the documentation is built without a network.
    (r"py:.*", r"(twisted|collections\.abc|zope|OpenSSL|SSL)\..*"),
    (r"py:.*", r"I(?!Ovsdb)[A-Z]\w+"),
    (r"py:.*", r"UserError|NotConnectingError|EndpointAddress|os\.PathLike"),
    # Modules inside the folders are not public: they have no page.
    (r"py:.*", r"twisted_ovsdb\.(?!testing\.)\w+\.\w+\.\w+"),
]

highlight_language = "none"

# Defaults as the source has them: ClassificationRules(), not its eight fields. epytext.py puts the
# values in the place of the names of constants.
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False

html_theme = "alabaster"
html_theme_options = {
    "description": "Open vSwitch interface events for Twisted",
    "page_width": "1000px",
    "sidebar_width": "240px",
    "fixed_sidebar": True,
}
html_static_path = ["_static"]
html_copy_source = False
html_show_sourcelink = False

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

with open(os.path.join(ROOT, "pymdc", "__init__.py"), encoding="utf-8") as face:
    release = version = re.search('__version__ = "(.*)"', face.read()).group(1)

project = "pymdc"
author = "the pymdc developers"
copyright = "2016-2026, the pymdc developers"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
autodoc_member_order = "bysource"
exclude_patterns = ["_build"]
smartquotes = False  # texts of errors and code are to be found as they are
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

html_theme = "furo"
pygments_dark_style = "a11y-high-contrast-dark"
html_title = "pymdc " + version
html_favicon = "favicon.svg"
html_copy_source = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b5f66", "color-brand-content": "#0b5f66", "color-brand-visited": "#5b3f8c",
    },
    "dark_css_variables": {
        "color-brand-primary": "#6fd3cb", "color-brand-content": "#6fd3cb", "color-brand-visited": "#c3a6f2",
    },
}

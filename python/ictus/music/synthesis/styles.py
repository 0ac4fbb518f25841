"""All styles by name."""

from ictus.music.synthesis.style import Style
from ictus.music.synthesis.styles_popular import POPULAR
from ictus.music.synthesis.styles_traditional import TRADITIONAL

#: What :func:`ictus.music.synthesis.compose` chooses from.
STYLES: dict[str, Style] = POPULAR | TRADITIONAL

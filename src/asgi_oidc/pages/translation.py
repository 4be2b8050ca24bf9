"""The texts of one app: English, or what the setting `texts` puts in their place."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from asgi_oidc.pages.texts import ENGLISH

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Texts:
    """Finds texts by id, and fills in their placeholders."""

    texts: Mapping[str, str]

    def plain(self, text_id: str, **values: str) -> str:
        """Return a plain text."""
        return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), self.texts[text_id])

    def html(self, text_id: str, **values: str) -> str:
        """Return a text as HTML.

        Args:
            values: HTML for the placeholders.
        """
        # One pass, so that a value is never searched for placeholders.
        return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), escape(self.texts[text_id]))


IN_ENGLISH = Texts(ENGLISH)

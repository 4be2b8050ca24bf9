"""An app that imports what is not there."""

import not_installed_at_all  # type: ignore[import-not-found]  # noqa: F401

"""The middleware's own pages, as typed values: what the function of the setting `pages` gets.

The modules of this package make these pages: their texts, their layout, and which error is shown how.
"""

from asgi_oidc.pages.page import (
    Action,
    Button,
    ChooseProviderPage,
    FailurePage,
    ForbiddenPage,
    Form,
    FormEntry,
    FormOfferPage,
    HiddenField,
    Page,
    ProviderNamePage,
    ProviderWay,
    SafeHTML,
)

__all__ = [
    "Action",
    "Button",
    "ChooseProviderPage",
    "FailurePage",
    "ForbiddenPage",
    "Form",
    "FormEntry",
    "FormOfferPage",
    "HiddenField",
    "Page",
    "ProviderNamePage",
    "ProviderWay",
    "SafeHTML",
]

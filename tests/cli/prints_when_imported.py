"""An app that prints when it is imported."""

from starlette.applications import Starlette

print("hello")
app = Starlette()

"""Makes the pages in examples/reference from the code: `uv run python -m tests.reference`."""

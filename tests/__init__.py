"""The tests; `python -m tests` runs everything."""

"""Comfort for a framework: one file each, imported by nobody but the app that wants it."""

"""Integrations with frameworks: one module for each, imported only by apps that use it."""

"""Tests of sites with several providers."""

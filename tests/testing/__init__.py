"""Tests of what our users test with."""

"""Packs texts and structs into few bytes: the same bytes in a cookie and in a store."""

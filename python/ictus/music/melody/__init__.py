"""Melodies and chorales."""

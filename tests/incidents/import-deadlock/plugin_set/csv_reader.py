"""Reads CSV."""

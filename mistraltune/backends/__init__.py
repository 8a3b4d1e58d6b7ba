"""Backends: each one trains and opens models in its own way, behind the same protocols."""

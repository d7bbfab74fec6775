"""Designs, analyses and virtual versions of clinical trials; import what you need from here."""

"""Datasets of a study: their shape, which domain and class they belong to, their values ready for checks."""

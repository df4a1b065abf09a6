"""Rows in and out, their validation, and filter logic."""

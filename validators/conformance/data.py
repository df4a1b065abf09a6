"""What is checked: datasets as files hold them, with what reading them found."""

from validators.datasets.shape import Dataset, Note, Variable

__all__ = ["Dataset", "Note", "Variable"]

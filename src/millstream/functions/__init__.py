"""Functions that process records: Lambda's Invoke, at any endpoint that has it (`http`). Imports base."""

from millstream.functions.port import FunctionError, Functions

__all__ = ["FunctionError", "Functions"]

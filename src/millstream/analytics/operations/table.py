"""What a table of operations has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]
"""Serves an operation: of the service, the context of the call and the validated parameters, the answer or a coroutine
that gives it."""

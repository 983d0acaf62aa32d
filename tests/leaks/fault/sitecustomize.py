"""Python loads this before anything else: it lets one line of one request fail, where it is told.

In the folder ``INTAKE_FAULT`` the file ``order`` says what to do with the requests that come:
nothing if it is not there; ``{}`` to note how often each line is run, in ``lines``; or
``{"at": "intake/store.py:90", "nth": 2, "kind": "OSError", "text": ...}`` to fail there, and then
to make ``fired``. Each process and thread that a request is handled in is watched.
"""

from __future__ import annotations

import builtins
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
from gevent.threadpool import ThreadPool  # type: ignore[import-untyped]

FOLDER = Path(os.environ["INTAKE_FAULT"])
ROOT = f"{Path.cwd()}/"  # the checkout that is served
OURS = tuple(ROOT + name for name in ("intake/", "templates/"))
_RUNNING: list[Fault] = []


class Fault:
    """One request's order, and how often each line was run."""

    def __init__(self, order: dict[str, Any]) -> None:
        """Begin with no line."""
        self.order, self.lines = order, Counter[str]()

    def enter(self, frame: Any, event: str, arg: Any) -> Any:  # noqa: ANN401, ARG002 - as settrace wants
        """Watch a frame of ours."""
        return self.line if frame.f_code.co_filename.startswith(OURS) else None

    def line(self, frame: Any, event: str, arg: Any) -> Any:  # noqa: ANN401, ARG002
        """Count a line, and fail where the order says."""
        if event != "line":
            return self.line
        where = f"{frame.f_code.co_filename.removeprefix(ROOT)}:{frame.f_lineno}"
        self.lines[where] += 1
        if where == self.order.get("at") and self.lines[where] == self.order["nth"]:
            (FOLDER / "fired").touch()
            kind, text = getattr(builtins, self.order["kind"]), self.order["text"]
            raise kind(28, text) if kind is OSError else kind(text)
        return self.line

    def over(self, work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        """Do the work watched."""
        sys.settrace(self.enter)
        try:
            return work(*arguments, **named)
        finally:
            sys.settrace(None)


def _app(
    real: Callable[..., Any] = flask.Flask.__call__,
) -> Callable[..., Any]:
    def call(app: Any, environ: Any, start: Any) -> Any:  # noqa: ANN401
        if not (FOLDER / "order").exists():
            return real(app, environ, start)
        fault = Fault(json.loads((FOLDER / "order").read_text("utf-8")))
        _RUNNING.append(fault)
        try:
            return fault.over(real, app, environ, start)
        finally:
            _RUNNING.clear()
            if not fault.order:
                (FOLDER / "lines").write_text(json.dumps(fault.lines), "utf-8")

    return call


def _apply(real: Callable[..., Any] = ThreadPool.apply) -> Callable[..., Any]:
    def apply(pool: Any, work: Any, args: Any = (), kwds: Any = None) -> Any:  # noqa: ANN401
        if not _RUNNING:
            return real(pool, work, args, kwds)
        return real(pool, _RUNNING[0].over, (work, *args), kwds)

    return apply


flask.Flask.__call__ = _app()  # type: ignore[method-assign]
ThreadPool.apply = _apply()

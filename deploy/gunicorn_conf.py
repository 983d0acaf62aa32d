"""How Intake is served: one gunicorn configuration for demo, tests and deployment.

Start, from the checkout's root:

    python -m gunicorn --config deploy/gunicorn_conf.py

Rules:
- `INTAKE_BIND` says where to listen: `127.0.0.1:8000` (default), `127.0.0.1:0` (a free port, named
  on standard error), or `unix:/run/intake/web.sock` (made with mode 0660). A socket that systemd
  hands over goes before it.
- What a connection meets, behind tor and elsewhere, is in ``deploy/door/``.
- Nothing of a request is logged: a worker that has loaded the app prints to nowhere, the app's own
  messages included.
- Nothing else is written to a disk. The heartbeat is a nameless file in shared memory; there is no
  control socket, no pid file, no access log.
- What a client says about forwarding is ignored. The scheme is always http.

Why gunicorn and gevent: docs/adr/0001-wsgi-server.md. Why a process each: 0024-words-in-memory.md.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from gunicorn.glogging import Logger

from deploy.door.worker import Worker

if "GUNICORN_CMD_ARGS" in os.environ:
    sys.exit(
        "GUNICORN_CMD_ARGS could switch on logs or trust in headers. Unset it and start again."
    )


class Quiet(Logger):
    """A logger without clock times or requests: start, stop and dead workers only."""

    error_fmt = "%(levelname)s %(message)s"

    def access(self, *_: Any) -> None:  # noqa: ANN401
        """Log no request, whatever other settings say."""


wsgi_app = "app:app"
bind = [os.environ.get("INTAKE_BIND") or "127.0.0.1:8000"]
umask = 0o117  # used for the unix socket and the heartbeat file: 0660
backlog = 512

worker_class = Worker
workers = 2
worker_connections = 1000  # for each worker
preload_app = True  # an app that refuses to start says so once, and ends the server
timeout = 120  # seconds after which a stuck worker is replaced
graceful_timeout = 10
keepalive = 75  # seconds for the first or next request's headers to arrive; 2 is too short over Tor

limit_request_line = 2048
limit_request_fields = 64
limit_request_field_size = 4096
http_parser = "python"  # the same parser everywhere, compiled one installed or not
http_protocols = "h1"
header_map = "drop"

forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
proxy_protocol = "off"  # ours is stricter: it must come, from tor, and stays with the connection

logger_class = Quiet
loglevel = "info"
accesslog = None
errorlog = "-"
control_socket_disable = True
# In memory, so a read-only TMPDIR does not matter. Elsewhere than Linux: the system's temp folder.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108

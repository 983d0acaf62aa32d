"""A real Firefox over its own Marionette port: no geckodriver, no library, no scripts, no cookies.

The profile has Tor Browser's settings that matter here: private browsing, nothing kept on disk, the
mask against fingerprints, and what its level "Safest" takes away. It is not Tor Browser.

Marionette's wire: ``<length>:[0, number, "Command", {parameters}]``, and back the same with an
error and a result.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Tor Browser: SecurityLevel.sys.mjs, column "1-high"; below the line what its NoScript
# blocks there, by the settings that a plain Firefox has for it.
SAFEST: dict[str, object] = {
    "javascript.options.ion": False,
    "javascript.options.baselinejit": False,
    "javascript.options.native_regexp": False,
    "javascript.options.asmjs": False,
    "javascript.options.wasm": False,
    "mathml.disabled": True,
    "svg.disabled": True,
    "gfx.font_rendering.graphite.enabled": False,
    "gfx.font_rendering.opentype_svg.enabled": False,
    # ---
    "javascript.enabled": False,
    "gfx.downloadable_fonts.enabled": False,
    "webgl.disabled": True,
    "media.peerconnection.enabled": False,
    **{f"media.{kind}.enabled": False for kind in ("mp4", "webm", "ogg", "opus", "wave", "flac")},
}
PREFS: dict[str, object] = SAFEST | {
    "marionette.port": 0,
    "network.cookie.cookieBehavior": 2,
    "browser.privatebrowsing.autostart": True,
    "privacy.resistFingerprinting": True,
    "browser.cache.disk.enable": False,
    "browser.formfill.enable": False,
    "signon.rememberSignons": False,
    "network.dns.disabled": True,
    "network.http.speculative-parallel-limit": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "toolkit.telemetry.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "services.settings.server": "data:,nothing",
}
# Tor Browser's, where an onion is visited: all goes through the proxy, which alone knows names, and
# http to an onion is as good as https.
ONION: dict[str, object] = {
    "network.proxy.type": 1,
    "network.proxy.socks_version": 5,
    "network.proxy.socks_remote_dns": True,
    "network.proxy.socks5_remote_dns": True,
    "network.proxy.no_proxies_on": "",
    "network.proxy.failover_direct": False,
    "network.proxy.allow_hijacking_localhost": True,
    "network.dns.blockDotOnion": False,
    "network.http.referer.hideOnionSource": True,
    "privacy.firstparty.isolate": True,
    "dom.security.https_only_mode": True,
    "dom.security.https_only_mode.upgrade_onion": False,
    "dom.securecontext.allowlist_onions": True,
}
WAIT = 60  # seconds
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver's name for one


class RefusedError(Exception):
    """Firefox refused a command."""


class Firefox:
    """A window, by the commands of WebDriver."""

    def __init__(self, port: int) -> None:
        """Connect; the browser greets first."""
        self._socket = socket.create_connection(("127.0.0.1", port), WAIT)
        self._file = self._socket.makefile("rb")
        self._number = 0
        self._read()

    def _read(self) -> Any:  # noqa: ANN401 - JSON
        length = b""
        while (byte := self._file.read(1)) != b":":
            length += byte
            assert byte, "firefox has gone"
        return json.loads(self._file.read(int(length)))

    def __call__(self, command: str, **parameters: object) -> Any:  # noqa: ANN401 - JSON
        """Return the result of a command."""
        self._number += 1
        message = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(b"%d:" % len(message) + message)
        _, _, error, result = self._read()
        if error:
            raise RefusedError(f"{command}: {error['error']}: {error['message']}")
        return result["value"] if isinstance(result, dict) and "value" in result else result

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


@contextlib.contextmanager
def firefox(folder: Path, socks: str = "") -> Iterator[Firefox]:
    """Yield a browser with an empty profile in ``folder``; it ends with the block.

    ``socks`` is the proxy (``host:port``) through which it visits onions.
    """
    profile = folder / "firefox"
    profile.mkdir()
    prefs = PREFS
    if socks:
        host, _, port = socks.partition(":")
        prefs = prefs | ONION
        prefs |= {"network.proxy.socks": host, "network.proxy.socks_port": int(port)}
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in prefs.items()]
    (profile / "user.js").write_text("".join(lines))
    command = ["firefox-esr", "--headless", "--no-remote", "--marionette", "--profile"]
    environment = os.environ | {"HOME": str(profile), "MOZ_CRASHREPORTER_DISABLE": "1"}
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen([*command, profile], env=environment, stdout=nowhere, stderr=nowhere)
    try:
        window = Firefox(_port(profile, process))
        try:
            window("WebDriver:NewSession", capabilities={})
            window("WebDriver:SetTimeouts", pageLoad=WAIT * 1000)
            yield window
        finally:
            window.close()
    finally:
        process.terminate()
        try:
            process.wait(WAIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(profile: Path, process: subprocess.Popen[bytes]) -> int:
    file, deadline = profile / "MarionetteActivePort", time.monotonic() + WAIT
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            return int(file.read_text())
        time.sleep(0.1)
    raise AssertionError("firefox did not start")

"""Certificates that change under a running bridge: the next connection has the new one."""

import asyncio
import os
import signal
import ssl
from pathlib import Path

import pytest

from tests.bridge_process import running_bridge
from tests.certificates import keystore

pytestmark = pytest.mark.timeout(90)

CONFIG = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:0", tls: {{cert_file: "{file}", key_file: "{file}"}}}}
exporters: {{nop: {{}}}}
service:
  telemetry: {{metrics: {{address: "127.0.0.1:0"}}, logs: {{encoding: json}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}
"""


async def shown_at(endpoint: str, authority: Path) -> bool:
    """Whether the certificate there comes from *authority*."""
    host, _, port = endpoint.rpartition(":")
    context = ssl.create_default_context(cafile=str(authority))
    context.set_alpn_protocols(["h2"])
    try:
        _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    except ssl.SSLCertVerificationError:
        return False
    writer.close()
    return True


async def test_changed_certificate_is_shown_without_reload_and_sighup_does_no_harm(
    tmp_path: Path,
) -> None:
    """
    A broken file keeps the old one, a good one is taken; SIGHUP finds the configuration unchanged.

    What an option only names is no change of the configuration, so the port never closes.
    """
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    before, after = (keystore(tmp_path / name) for name in ("before", "after"))
    file = tmp_path / "server.pem"
    file.write_bytes(before.keystore.read_bytes())
    async with running_bridge(CONFIG.format(file=file), tmp_path) as bridge:
        endpoint = bridge.endpoints["receivers/otlp/grpc"]
        at_first = await shown_at(endpoint, before.ca)
        file.write_text("half a certif")
        with_broken = await shown_at(endpoint, before.ca)
        part = tmp_path / "server.part"
        part.write_bytes(after.keystore.read_bytes())
        os.replace(part, file)
        bridge.send_signal(signal.SIGHUP)
        for _ in range(600):
            if "config_reload_unchanged" in bridge.output:
                break
            await asyncio.sleep(0.05)
        changed = await shown_at(endpoint, after.ca)
        former = await shown_at(endpoint, before.ca)
        assert await bridge.stop() == 0

    assert (at_first, with_broken, changed, former) == (True, True, True, False)
    assert "config_reload_unchanged" in bridge.output
    assert bridge.output.count('"tls_reload_failed"') == 1
    assert bridge.output.count('"tls_reloaded"') == 1

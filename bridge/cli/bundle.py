"""``otlp-bridge bundle``"""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bridge.cli.durations import positive_s
from bridge.cli.exit_codes import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE, EXIT_WARNINGS
from bridge.cli.loading import Config, Set, quiet_logs
from bridge.cli.output import Output, print_failure, print_json, progress
from bridge.config import ConfigErrors, load
from bridge.core import SystemClock
from bridge.options import format_duration

TIMEOUT_S = 5.0


def bundle(
    config: Config,
    *,
    file: Annotated[Path | None, Parameter(negative="")] = None,
    doctor: bool = True,
    timeout: str = format_duration(TIMEOUT_S),
    set_: Set = None,
    output: Output = "text",
) -> int:
    """
    Gather what somebody needs who is to find a fault, without secrets, in one archive.

    The configuration in force, what validate and doctor say, versions, limits, the names of
    environment variables, and of the bridge that runs by this configuration on this machine its
    metrics, health and status with the last log lines. Secrets are masked wherever they turn up;
    no telemetry is in it. The archive is readable by its owner only; look into it before it is
    passed on.

    Exit codes: 0 all of it is there; 1 written, and some parts could not be had: the manifest says
    which; 64 wrong usage; 69 the archive cannot be written.

    Parameters
    ----------
    config
        Configuration sources; several are merged in order.
    file
        Where to write; otlp-bridge-bundle-TIME.tar.gz here by default.
    doctor
        Ask the brokers and backends too.
    timeout
        Time for each of doctor's questions, as in 5s.
    set_
        A value to lay over the configuration. May be repeated.
    output
        Text for people, or JSON.
    """
    try:
        timeout_s = positive_s("--timeout", timeout)
    except ValueError as problem:
        print_failure(str(problem), "write for example --timeout 5s", output)
        return EXIT_USAGE
    from bridge.service import Registry
    from bridge.service.bundling import gather, gather_broken, write_archive

    quiet_logs()
    made_at = datetime.now(UTC)
    try:
        loaded = load(config, set_ or (), Registry(), os.environ)
    except ConfigErrors as error:
        sections = gather_broken(error.problems, os.environ)
    else:
        with progress(output) as tell:
            sections = asyncio.run(
                gather(
                    loaded,
                    os.environ,
                    SystemClock(),
                    with_doctor=doctor,
                    timeout_s=timeout_s,
                    progress=tell,
                )
            )
    path = file or Path(f"otlp-bridge-bundle-{made_at:%Y%m%dT%H%M%SZ}.tar.gz")
    try:
        write_archive(path, sections, made_at)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        print_failure(f"{path} cannot be written: {reason}", "name another with --file", output)
        return EXIT_UNAVAILABLE
    missing = {one.name: one.error for one in sections if one.error}
    if output == "json":
        names = [one.name for one in sections if not one.error]
        print_json({"ok": not missing, "file": str(path), "files": names, "missing": missing})
    else:
        for name, reason in missing.items():
            print(f"without {name}: {reason}")
        print(f"{path}: {len(sections) - len(missing)} files; look into it before you pass it on")
    return EXIT_WARNINGS if missing else EXIT_OK

"""``otlp-bridge run``"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from bridge.cli.loading import Config, Set
from bridge.cli.output import Output
from bridge.cli.plain_run import SHUTDOWN_TIMEOUT, WORKERS_MAX, RunArguments
from bridge.cli.starting import start


def run(
    config: Config,
    *,
    set_: Set = None,
    workers: Annotated[int, Parameter(validator=Number(gte=1, lte=WORKERS_MAX))] = 1,
    ready_file: Annotated[Path | None, Parameter(negative="")] = None,
    shutdown_timeout: str = SHUTDOWN_TIMEOUT,
    output: Output = "text",
) -> int:
    """
    Run the pipelines of a configuration until SIGTERM or SIGINT.

    SIGHUP reads the configuration anew: what it changes is replaced once it has finished what it
    took, everything else goes on. A configuration that is not valid changes nothing; the log says
    why, and bridge_config_reload_last_successful is 0.

    Exit codes: 0 stopped in order; 64 wrong usage; 69 a reload failed and the former configuration
    does not run any more; 75 left at once by a second signal; 78 the configuration cannot be run.

    Parameters
    ----------
    config
        Configuration sources; several are merged in order. A path, file:PATH, env:NAME or
        yaml:TEXT.
    set_
        A value to lay over the configuration, as in processors.batch.timeout=2s; with :: instead
        of dots if a name holds dots. May be repeated.
    workers
        Processes that share the OTLP ports and, by their consumer group, the topics; about one a
        core. Totals such as max_in_flight_mib are divided among them. One that ends is started
        again.
    ready_file
        Written once everything listens: JSON with the process id and the bound addresses.
    shutdown_timeout
        Time for finishing what was taken after the signal, as in 25s.
    output
        How problems of the configuration are printed. Logs follow service.telemetry.logs.
    """
    return start(RunArguments(config, set_ or [], workers, ready_file, shutdown_timeout, output))

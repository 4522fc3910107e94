"""``otlp-bridge completion``"""

from typing import Literal

from bridge.cli.exit_codes import EXIT_OK
from bridge.cli.output import Output, print_json

Shell = Literal["bash", "zsh", "fish"]

_WHERE = {
    "bash": "~/.local/share/bash-completion/completions/otlp-bridge",
    "zsh": "a folder of $fpath as _otlp-bridge",
    "fish": "~/.config/fish/completions/otlp-bridge.fish",
}


def completion(shell: Shell, *, output: Output = "text") -> int:
    """
    Print the script that lets a shell complete verbs, options, their values and files.

    For this session: ``source <(otlp-bridge completion bash)``. For good:
    ``otlp-bridge completion bash > ~/.local/share/bash-completion/completions/otlp-bridge``, for
    zsh into a folder of $fpath as _otlp-bridge, for fish into
    ~/.config/fish/completions/otlp-bridge.fish.

    Exit codes: 0 printed, 64 wrong usage.

    Parameters
    ----------
    shell
        Which shell.
    output
        The script, or JSON that holds it.
    """
    script = completion_script(shell)
    if output == "json":
        print_json({"shell": shell, "install": _WHERE[shell], "script": script})
    else:
        print(script, end="" if script.endswith("\n") else "\n")
    return EXIT_OK


def completion_script(shell: Shell) -> str:
    """The script for *shell*; where it knows nothing of a value, files are completed."""
    from bridge.cli.app import build_app  # It names this verb, among the others.

    script = build_app().generate_completion(shell=shell)
    if shell == "bash":
        # Without a proposal of its own bash asks its default, which is files: as for --config.
        return script.replace(
            "complete -F _otlp_bridge", "complete -o bashdefault -o default -F _otlp_bridge"
        )
    if shell == "zsh":
        for name in ("config", "c"):
            script = script.replace(f":{name}' \\", f":{name}:_files' \\")
    return script

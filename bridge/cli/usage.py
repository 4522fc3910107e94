"""What is said of a command line that cannot be understood."""

from cyclopts.exceptions import CycloptsError, MissingArgumentError, UnusedCliTokensError


def explain_usage(error: CycloptsError) -> tuple[str, str]:
    """What is wrong, and what to type instead: the help of the verb, if one was recognized."""
    verb = " ".join(error.command_chain or ())
    advice = f"try: otlp-bridge {verb} --help" if verb else "try: otlp-bridge --help"
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        name = error.argument.name
        if error.argument.index is None:
            return f"{name} needs a value", advice
        if name == "--config":
            example = f"try: otlp-bridge {verb} --config bridge.yaml"
            return f"{verb} needs --config FILE", f"{example}; otlp-bridge init writes such a file"
        return f"{verb} needs {name.lstrip('-').upper()}", advice
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f"{verb} has no use for {' '.join(error.unused_tokens)}", advice
    return str(error), advice

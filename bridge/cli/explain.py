"""``otlp-bridge explain``"""

import difflib
import shutil
import textwrap
from dataclasses import asdict

from bridge.cli.exit_codes import EXIT_OK, EXIT_USAGE
from bridge.cli.output import Output, print_failure, print_json
from bridge.config import CODES, Explanation, UnknownKeyError
from bridge.config import explain as explain_key

_WIDTH_MAX = 100
_DOCTOR = "BR-3"  # What ``otlp-bridge doctor`` finds; the rest is what ``validate`` says.


def explain(key: str, *, output: Output = "text") -> int:
    """
    Explain a key, such as exporters.kafka.producer.linger, or a code, such as BR-1001.

    Exit codes: 0 explained, 64 there is no such key or code.

    Parameters
    ----------
    key
        The key with dots, or the code of a problem.
    output
        Text for people, or JSON.
    """
    if key.upper().startswith("BR-"):
        return _explain_code(key.upper(), output)
    from bridge.service import Registry  # Not needed for codes.

    try:
        found = explain_key(key, Registry())
    except UnknownKeyError as error:
        print_failure(str(error), "", output)
        return EXIT_USAGE
    if output == "json":
        print_json(asdict(found))
    else:
        print(_text(found))
    return EXIT_OK


def _explain_code(name: str, output: Output) -> int:
    codes = CODES
    if name.startswith(_DOCTOR):
        from bridge.service.doctor import DOCTOR_CODES

        codes = DOCTOR_CODES
    code = codes.get(name)
    if code is None:
        near = difflib.get_close_matches(name, codes, 3)
        print_failure(f"there is no code {name}", f"there is {', '.join(near or codes)}", output)
        return EXIT_USAGE
    if output == "json":
        print_json({"code": name, "meaning": code.meaning, "fix": code.fix})
    else:
        print(f"{name}\n{_wrapped(code.meaning)}\n\nfix:\n{_wrapped(code.fix)}")
    return EXIT_OK


def _text(found: Explanation) -> str:
    head = [found.path, f"  type: {found.type}"]
    if found.required:
        head.append("  must be given")
    elif found.default:
        head.append(f"  default: {found.default}")
    parts = ["\n".join(head)]
    if found.meaning:
        parts.append(_wrapped(found.meaning))
    if found.keys:
        width = max(len(_name(key)) for key in found.keys)
        parts.append("keys:\n" + "\n".join(_line(key, width) for key in found.keys))
    return "\n\n".join(parts)


def _line(key: Explanation, width: int) -> str:
    default = "must be given" if key.required else f"default {key.default}" if key.default else ""
    facts = "; ".join(part for part in (key.type, default) if part)
    meaning = " ".join(key.meaning.split("\n\n", maxsplit=1)[0].split())
    return f"  {_name(key):<{width}}  {facts}\n{_wrapped(meaning, ' ' * (width + 4))}".rstrip()


def _name(key: Explanation) -> str:
    return key.path.rsplit(".", 1)[-1]


def _wrapped(text: str, indent: str = "  ") -> str:
    width = min(_WIDTH_MAX, shutil.get_terminal_size((_WIDTH_MAX, 24)).columns)
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        textwrap.fill(
            " ".join(paragraph.split()),
            max(width, len(indent) + 20),
            initial_indent=indent,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
        for paragraph in paragraphs
    )

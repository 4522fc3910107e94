"""URLs by the rules of Go's parser, split into the attributes of the semantic conventions."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Any
from urllib.parse import unquote_plus, unquote_to_bytes

from bridge.ottl.errors import OttlError

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
_PORT = re.compile(r"(?::[0-9]*)?")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_IN_PATH = _UNRESERVED | frozenset(b"$&+,/:;=@")
_IN_USER = _UNRESERVED | frozenset(b"$&+,;=")
_IN_HOST = _UNRESERVED | frozenset(b"!\"$&'()*+,;=:[]<>")
_IN_FRAGMENT = _UNRESERVED | frozenset(b"$&+,/:;=?@!()*")
_IN_RAW = frozenset(b"!$&'()*+,;=:@[]%")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2}).{0,2}")


@dataclass(slots=True)
class _Url:
    scheme: str = ""
    opaque: str = ""
    user: str | None = None
    password: str | None = None
    host: str = ""
    has_authority: bool = False
    path: str = ""
    raw_path: str = ""
    query: str = ""
    force_query: bool = False
    fragment: str = ""
    raw_fragment: str = ""


def parse_url(text: str) -> dict[str, Any]:
    """
    The parts of *text*; of a text that begins with ``?`` only the query.

    Raises:
        OttlError: If it is no URL.
    """
    if text.startswith("?"):
        return _query_only(text[1:])
    url = _parse(text)
    hostname, port = _split_port(url.host)
    parts: dict[str, Any] = {
        "url.original": _write(url),
        "url.domain": hostname,
        "url.scheme": url.scheme,
        "url.path": url.path,
    }
    if port:
        number = int(port)
        if number >= 2**63:
            raise OttlError(f"port {port} is out of range")
        parts["url.port"] = number
    if url.fragment:
        parts["url.fragment"] = url.fragment
    if url.user is not None:
        parts["url.user_info"] = _write_user(url)
        if url.user:
            parts["url.username"] = url.user
        if url.password is not None:
            parts["url.password"] = url.password
    if url.query:
        parts["url.query"] = url.query
    _, dot, extension = url.path.rpartition(".")
    if dot and extension:
        parts["url.extension"] = extension
    return parts


def _query_only(text: str) -> dict[str, Any]:
    values: dict[str, list[str]] = {}
    for piece in text.split("&"):
        if not piece:
            continue
        if ";" in piece:
            raise OttlError("invalid semicolon separator in query")
        _check_escapes(piece)
        key, _, value = piece.partition("=")
        values.setdefault(unquote_plus(key), []).append(unquote_plus(value))
    return {"query": values} if values else {}


def _parse(text: str) -> _Url:
    rest, _, fragment = text.partition("#")
    if any(ord(character) < 0x20 or character == "\x7f" for character in rest):
        raise OttlError("invalid control character in URL")
    url = _Url()
    if rest == "*":
        url.path = "*"
        return url
    if rest.startswith(":"):
        raise OttlError("missing protocol scheme")
    scheme = _SCHEME.match(rest)
    if scheme:
        url.scheme, rest = scheme[1].lower(), rest[scheme.end() :]
    if rest.endswith("?") and rest.count("?") == 1:
        url.force_query, rest = True, rest[:-1]
    else:
        rest, _, url.query = rest.partition("?")
    if fragment:
        url.raw_fragment, url.fragment = fragment, _unescape(fragment)
    if not rest.startswith("/"):
        if url.scheme:
            url.opaque = rest
            return url
        if ":" in rest.partition("/")[0]:
            raise OttlError("first path segment in URL cannot contain colon")
    if rest.startswith("//") and (url.scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        _parse_authority(url, authority)
        url.has_authority = True
        rest = slash + path
    url.raw_path, url.path = rest, _unescape(rest)
    return url


def _parse_authority(url: _Url, authority: str) -> None:
    userinfo, at, host = authority.rpartition("@")
    url.host = _parse_host(host)
    if not at:
        return
    if not re.fullmatch(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*", userinfo):
        raise OttlError("invalid userinfo")
    user, colon, password = userinfo.partition(":")
    url.user = _unescape(user)
    if colon:
        url.password = _unescape(password)


def _parse_host(host: str) -> str:
    opening = host.rfind("[")
    if opening > 0:
        raise OttlError("invalid IP-literal")
    if opening == 0:
        closing = host.rfind("]")
        if closing < 0:
            raise OttlError("missing ']' in host")
        if not _PORT.fullmatch(host[closing + 1 :]):
            raise OttlError(f"invalid port {host[closing + 1 :]!r} after host")
        address = _unescape(host[1:closing])
        try:
            IPv6Address(address)
        except AddressValueError as error:
            raise OttlError(f"invalid host: {error}") from None
        return f"[{address}]{host[closing + 1 :]}"
    _, colon, port = host.partition(":")
    if colon and not _PORT.fullmatch(colon + port):
        raise OttlError(f"invalid port {colon + port!r} after host")
    for character in host:
        if character.isascii() and ord(character) not in _IN_HOST and character != "%":
            raise OttlError(f"invalid character {character!r} in host name")
    if re.search(r"%[0-7]", host) and not re.search(r"%25", host):
        raise OttlError("invalid URL escape in host name")
    return _unescape(host)


def _split_port(host: str) -> tuple[str, str]:
    name, colon, port = host.rpartition(":")
    if not colon or not _PORT.fullmatch(colon + port):
        name, port = host, ""
    return name.removeprefix("[").removesuffix("]") if name.startswith("[") else name, port


def _check_escapes(text: str) -> None:
    bad = _BAD_ESCAPE.search(text)
    if bad:
        raise OttlError(f"invalid URL escape {bad[0]!r}")


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    _check_escapes(text)
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode(
        "utf-8", "surrogateescape"
    )


def _escape(text: str, allowed: frozenset[int]) -> str:
    return "".join(
        chr(byte) if byte in allowed else f"%{byte:02X}"
        for byte in text.encode("utf-8", "surrogateescape")
    )


def _again(raw: str, allowed: frozenset[int], decoded: str) -> str:
    """The spelling that came if it is a valid one, else one of our own."""
    if raw and all(byte in allowed or byte in _IN_RAW for byte in raw.encode("utf-8", "replace")):
        return raw
    return _escape(decoded, allowed)


def _write_user(url: _Url) -> str:
    text = _escape(url.user or "", _IN_USER)
    if url.password is not None:
        text += ":" + _escape(url.password, _IN_USER)
    return text


def _write(url: _Url) -> str:
    """The URL as Go writes it back."""
    pieces = [f"{url.scheme}:" if url.scheme else ""]
    if url.opaque:
        pieces.append(url.opaque)
    else:
        if url.has_authority and (url.host or url.path or url.user is not None):
            pieces.append("//")
            if url.user is not None:
                pieces.append(_write_user(url) + "@")
            pieces.append(_escape(url.host, _IN_HOST))
        path = "*" if url.path == "*" else _again(url.raw_path, _IN_PATH, url.path)
        if path and not path.startswith("/") and url.host:
            pieces.append("/")
        pieces.append(path)
    if url.force_query or url.query:
        pieces.append("?" + url.query)
    if url.fragment:
        pieces.append("#" + _again(url.raw_fragment, _IN_FRAGMENT, url.fragment))
    return "".join(pieces)

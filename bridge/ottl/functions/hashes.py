"""Hashes of texts."""

import hashlib
from collections.abc import Callable
from typing import Any

import xxhash

from bridge.ottl.expressions import Expression, Get
from bridge.ottl.functions.registry import function, need
from bridge.ottl.murmur import murmur3_32, murmur3_128
from bridge.ottl.regex import to_bytes
from bridge.ottl.signature import Kind
from bridge.ottl.values import wrap


def _hashed(target: Expression, digest: Callable[[bytes], Any]) -> Get:
    read = target.get
    return lambda cursor: digest(to_bytes(read(cursor)))


@function("SHA256", need("target", Kind.STRING))
def sha256(target: Expression) -> Get:
    """SHA-256 in hex."""
    return _hashed(target, lambda data: hashlib.sha256(data).hexdigest())


@function("SHA512", need("target", Kind.STRING))
def sha512(target: Expression) -> Get:
    """SHA-512 in hex."""
    return _hashed(target, lambda data: hashlib.sha512(data).hexdigest())


@function("SHA1", need("target", Kind.STRING))
def sha1(target: Expression) -> Get:
    """SHA-1 in hex; no protection, only an identifier."""
    return _hashed(target, lambda data: hashlib.sha1(data, usedforsecurity=False).hexdigest())


@function("MD5", need("target", Kind.STRING))
def md5(target: Expression) -> Get:
    """MD5 in hex; no protection, only an identifier."""
    return _hashed(target, lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest())


@function("FNV", need("target", Kind.STRING))
def fnv(target: Expression) -> Get:
    """64-bit FNV-1a as an int with a sign."""
    return _hashed(target, fnv1a)


def fnv1a(data: bytes) -> int:
    """The 64-bit FNV-1a hash of *data* as an int with a sign."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return wrap(value)


@function("XXH3", need("target", Kind.STRING))
def xxh3(target: Expression) -> Get:
    """64-bit XXH3 in hex."""
    return _hashed(target, lambda data: xxhash.xxh3_64_hexdigest(data))


@function("XXH128", need("target", Kind.STRING))
def xxh128(target: Expression) -> Get:
    """128-bit XXH3 in hex."""
    return _hashed(target, lambda data: xxhash.xxh3_128_hexdigest(data))


@function("Murmur3Hash", need("target", Kind.STRING))
def murmur3(target: Expression) -> Get:
    """32-bit Murmur3 in hex, low byte first."""
    return _hashed(target, lambda data: murmur3_32(data).to_bytes(4, "little").hex())


@function("Murmur3Hash128", need("target", Kind.STRING))
def murmur3_long(target: Expression) -> Get:
    """128-bit Murmur3 in hex, low bytes first."""
    return _hashed(target, lambda data: murmur3_128(data).hex())

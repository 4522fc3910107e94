"""
Password files of Apache's htpasswd: which forms there are, and whether a password fits. Pure.

Forms: bcrypt (``htpasswd -B``), APR1-MD5 (its default), ``{SHA}`` and plain text. A password is
compared in constant time; bcrypt and APR1 are slow on purpose: callers remember what they said.
"""

import base64
import hashlib
import hmac

import bcrypt

_BCRYPT = ("$2a$", "$2b$", "$2y$")
_ITOA64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_APR1 = "$apr1$"
_APR1_ROUNDS = 1000
_APR1_ORDER = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))


def parse_htpasswd(text: str) -> dict[str, str]:
    """
    Users and their hashes; empty lines and comments are passed over.

    Raises:
        ValueError: If a line has no colon, or a hash of a kind that we do not know. Names the line
            by number and never shows it.
    """
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        user, colon, hashed = line.partition(":")
        if not colon or not user:
            raise ValueError(f"line {number} is not USER:HASH")
        if hashed.startswith("$") and not hashed.startswith((*_BCRYPT, _APR1)):
            raise ValueError(
                f"line {number} has a hash of another kind than bcrypt, apr1 and {{SHA}}: make it "
                "anew with htpasswd -B"
            )
        users[user] = hashed
    return users


def is_slow(hashed: str) -> bool:
    """Whether a comparison takes milliseconds."""
    return hashed.startswith((*_BCRYPT, _APR1))


def fits(password: str, hashed: str) -> bool:
    """Whether *password* is the one that was hashed."""
    given = password.encode()
    if hashed.startswith(_BCRYPT):
        try:
            # The algorithm looks at 72 bytes; the library refuses longer ones since its version 5.
            return bcrypt.checkpw(given[:72], hashed.encode())
        except ValueError:
            return False
    if hashed.startswith("{SHA}"):
        digest = hashlib.sha1(given, usedforsecurity=False).digest()
        return hmac.compare_digest(base64.b64encode(digest), hashed[5:].encode())
    if hashed.startswith(_APR1):
        salt = hashed.split("$")[2]
        return hmac.compare_digest(apr1(given, salt.encode()).encode(), hashed.encode())
    return hmac.compare_digest(given, hashed.encode())


def apr1(password: bytes, salt: bytes) -> str:
    """Apache's MD5 form of a password, as ``$apr1$SALT$HASH``."""
    salt = salt[:8]
    inner = _md5(password + salt + password)
    mixed = password + b"$apr1$" + salt
    mixed += inner * (len(password) // 16) + inner[: len(password) % 16]
    length = len(password)
    while length:
        mixed += b"\0" if length & 1 else password[:1]
        length >>= 1
    digest = _md5(mixed)
    for turn in range(_APR1_ROUNDS):
        text = password if turn & 1 else digest
        text += salt if turn % 3 else b""
        text += password if turn % 7 else b""
        digest = _md5(text + (digest if turn & 1 else password))
    out = "".join(_to64(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _APR1_ORDER)
    return f"$apr1${salt.decode('utf-8', 'replace')}${out}{_to64(digest[11], 2)}"


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _to64(value: int, characters: int) -> str:
    return "".join(_ITOA64[value >> 6 * place & 0x3F] for place in range(characters))

"""
OTLP bytes in the order in which the Go Collector writes them.

Official encoders write a message's fields by ascending number, Collectors by descending: the trace
id of a span comes last, and a resource stands behind its spans. Both are valid protobuf; whoever
reads OTLP must take both.
"""

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message


def encode_descending(message: Message) -> bytes:
    """Serialize *message* and everything in it with the highest field number first."""
    parts: list[bytes] = []
    for field, value in reversed(message.ListFields()):
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            alone = type(message)()
            _copy(alone, message, field)
            parts.append(alone.SerializeToString())
            continue
        for child in value if field.is_repeated else (value,):
            content = encode_descending(child)
            parts += (_varint(field.number << 3 | 2), _varint(len(content)), content)
    return b"".join(parts)


def _copy(target: Message, source: Message, field: FieldDescriptor) -> None:
    value = getattr(source, field.name)
    if field.is_repeated:
        getattr(target, field.name).extend(value)
    else:
        setattr(target, field.name, value)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)

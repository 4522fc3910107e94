"""
OTLP as lines over TCP: signal, number of items, and the request in base64, answered by one word.

A plugin as small as one can be that keeps every sentence of the contract. It needs nothing but
`bridge.core` and `bridge.options`.
"""

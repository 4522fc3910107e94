"""
A lean HTTP/1.1 server on `httptools`, for requests that are read whole and answered once.

`state` is the connection as a pure state machine, `protocol` its asyncio side, `whole_request` the
short way of requests that arrive whole; the listeners and timers are `bridge.http2.Server`. Nothing
here knows OTLP.
"""

from bridge.http1.limits import Http1Limits
from bridge.http1.message import Head, Request, Response
from bridge.http1.pages import PageServer, json_response, text_response
from bridge.http1.protocol import Handler, Http1Protocol
from bridge.http1.whole_request import Lane, WholeRequest

__all__ = [
    "Http1Protocol",
    "Handler",
    "Request",
    "Head",
    "Response",
    "Http1Limits",
    "Lane",
    "WholeRequest",
    # A few pages for machines.
    "PageServer",
    "text_response",
    "json_response",
]

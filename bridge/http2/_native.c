/*
 * What is looked at for every request of a connection, compiled: the frames of requests that have
 * arrived whole. call_finder.py decides whether this is used and does the same in Python;
 * tests/unit/http2/test_call_finder.py holds one against the other.
 *
 * It judges nothing: whatever is not exactly a head in one frame, followed by one gRPC message in
 * frames of the same stream, ends the search, and the state machine in Python looks at it.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

typedef const uint8_t *Bytes;

enum { FRAME_HEAD = 9, FRAME_MAX = 16384, PREFIX = 5 };
enum { DATA = 0, HEADERS = 1, END_STREAM = 1, END_HEADERS = 4 };

typedef struct {
    uint32_t length, stream_id;
    uint8_t kind, flags;
} Frame;

/* Whether a whole frame that we accept lies at *at*. */
static int read_frame(Bytes at, Bytes end, Frame *frame)
{
    if (end - at < FRAME_HEAD)
        return 0;
    frame->length = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
    frame->kind = at[3];
    frame->flags = at[4];
    frame->stream_id = ((uint32_t)at[5] << 24 | (uint32_t)at[6] << 16 | (uint32_t)at[7] << 8 | at[8])
                       & 0x7FFFFFFFu;
    return frame->length <= FRAME_MAX && (Py_ssize_t)frame->length <= end - at - FRAME_HEAD;
}

/*
 * The size of the message with its prefix in the DATA frames from *at* on, whose end is then in
 * *at*; 0 if they are not all there or not as plain as they could be.
 */
static Py_ssize_t measure(Bytes *at, Bytes end, uint32_t stream_id, Py_ssize_t room)
{
    Py_ssize_t size = 0;
    Frame frame;
    do {
        if (!read_frame(*at, end, &frame) || frame.kind != DATA || frame.stream_id != stream_id ||
            frame.flags & ~END_STREAM || !frame.length)
            return 0;
        size += frame.length;
        if (size > room)
            return 0;
        *at += FRAME_HEAD + frame.length;
    } while (!(frame.flags & END_STREAM));
    return size;
}

/* Copies what measure has measured; the prefix may lie in several frames as well. */
static void gather(Bytes at, Py_ssize_t size, uint8_t *prefix, uint8_t *message)
{
    Py_ssize_t done = 0;
    while (done < size) {
        Py_ssize_t length = (Py_ssize_t)at[0] << 16 | (Py_ssize_t)at[1] << 8 | at[2];
        Bytes content = at + FRAME_HEAD;
        at = content + length;
        while (done < PREFIX && length) {
            prefix[done++] = *content++;
            length--;
        }
        if (length && message)
            memcpy(message + done - PREFIX, content, (size_t)length);
        else if (!message && done == PREFIX)
            return;
        done += length;
    }
}

/* The call whose HEADERS frame is *head* and whose DATA frames begin at *body*; NULL without an
 * exception if its prefix says something else. */
static PyObject *make_call(Bytes start, const Frame *head, Bytes block, Bytes body, Bytes stop,
                           Py_ssize_t size)
{
    uint8_t prefix[PREFIX];
    gather(body, size, prefix, NULL);
    uint32_t declared = (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 |
                        (uint32_t)prefix[3] << 8 | prefix[4];
    if (prefix[0] > 1 || (Py_ssize_t)declared != size - PREFIX)
        return NULL;
    PyObject *message = PyBytes_FromStringAndSize(NULL, size - PREFIX);
    if (!message)
        return NULL;
    gather(body, size, prefix, (uint8_t *)PyBytes_AsString(message));
    return Py_BuildValue("ky#iNnn", (unsigned long)head->stream_id, (const char *)block,
                         (Py_ssize_t)head->length, (int)prefix[0], message,
                         (Py_ssize_t)(body - start), (Py_ssize_t)(stop - start));
}

static PyObject *find_calls(PyObject *self, PyObject *args)
{
    PyObject *data;
    Py_ssize_t position, last_id, count_max, message_max, room;
    (void)self;
    if (!PyArg_ParseTuple(args, "Snnnnn", &data, &position, &last_id, &count_max, &message_max, &room))
        return NULL;
    Bytes start = (Bytes)PyBytes_AsString(data), end = start + PyBytes_Size(data), at = start;
    if (position < 0 || position > end - start) {
        PyErr_SetString(PyExc_ValueError, "position is outside of data");
        return NULL;
    }
    PyObject *calls = PyList_New(0);
    if (!calls)
        return NULL;
    at += position;
    for (Py_ssize_t count = 0; count < count_max; count++) {
        Frame head;
        if (!read_frame(at, end, &head) || head.kind != HEADERS || head.flags != END_HEADERS ||
            !(head.stream_id & 1) || (Py_ssize_t)head.stream_id <= last_id)
            break;
        Bytes block = at + FRAME_HEAD, body = block + head.length, stop = body;
        Py_ssize_t size = measure(&stop, end, head.stream_id, room);
        if (size < PREFIX || size - PREFIX > message_max)
            break;
        PyObject *call = make_call(start, &head, block, body, stop, size);
        if (!call) {
            if (!PyErr_Occurred())
                break;
            Py_DECREF(calls);
            return NULL;
        }
        int failed = PyList_Append(calls, call);
        Py_DECREF(call);
        if (failed) {
            Py_DECREF(calls);
            return NULL;
        }
        last_id = head.stream_id;
        room -= size;
        at = stop;
    }
    return calls;
}

static PyMethodDef methods[] = {
    {"find_calls", find_calls, METH_VARARGS,
     "find_calls(data, position, last_id, count_max, message_bytes_max, room_bytes) -> whole calls\n"
     "from position on; see call_finder.py."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "bridge.http2._native", "Hot functions of bridge.http2.", 0, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModule_Create(&definition);
}

/*
 * What is looked at for every request of a connection, compiled. No length is followed without a
 * check against the end of what it lies in.
 *
 * The frames of requests that have arrived whole: call_finder.py does the same in Python. It judges
 * nothing: whatever is not exactly a head in one frame, followed by one gRPC message in frames of
 * the same stream, ends the search, and the state machine in Python looks at it.
 *
 * Header blocks: header_decoder.py does the same in Python, and has the header table.
 *
 * tests/unit/http2/test_call_finder.py and test_header_decoder.py hold the forms against each other.
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

enum { INDEXED = 0x80, ADDED = 0x40, RESIZED = 0x20, HUFFMAN = 0x80 };
enum { COMPLETE = 1, EMITS = 2, FAILS = 4 }; /* of a step of the Huffman code */
enum { OVERHEAD = 32, TABLE_MAX = 4096, SHIFT_MAX = 28, STEPS = 256 * 16 };

/* A header block as it is decoded. *entries* are the dynamic table, the newest last. */
typedef struct {
    Bytes at, end, steps;
    PyObject *entries, *known, *fields;
    Py_ssize_t table_bytes, table_bytes_max, changes;
} Block;

static int broken(const char *why)
{
    PyErr_SetString(PyExc_ValueError, why);
    return -1;
}

/* All of these return -1 with an exception, otherwise 0. */

static int read_integer(Block *block, uint8_t first, uint8_t mask, uint64_t *value)
{
    *value = first & mask;
    if (*value != mask)
        return 0;
    for (int shift = 0; shift <= SHIFT_MAX; shift += 7) {
        if (block->at == block->end)
            return broken("truncated integer");
        uint8_t byte = *block->at++;
        *value += (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return 0;
    }
    return broken("run-away integer");
}

/* The text that the Huffman code of *size* bytes stands for; codes have five bits or more. */
static PyObject *read_code(Bytes at, Py_ssize_t size, Bytes steps)
{
    PyObject *text = NULL;
    uint8_t *out = PyMem_Malloc((size_t)size * 2 + 1), *next = out;
    uint8_t state = 0, flags = COMPLETE;
    if (!out)
        return PyErr_NoMemory();
    for (Bytes end = at + size; at < end; at++) {
        for (int half = 4; half >= 0; half -= 4) {
            Bytes step = steps + 3 * (state * 16 + (*at >> half & 0x0F));
            state = step[0];
            flags = step[1];
            if (flags & FAILS) {
                broken("invalid Huffman code");
                goto done;
            }
            if (flags & EMITS)
                *next++ = step[2];
        }
    }
    if (flags & COMPLETE)
        text = PyBytes_FromStringAndSize((const char *)out, next - out);
    else
        broken("incomplete Huffman code");
done:
    PyMem_Free(out);
    return text;
}

static int read_text(Block *block, PyObject **text)
{
    uint64_t size;
    if (block->at == block->end)
        return broken("truncated string");
    uint8_t first = *block->at++;
    if (read_integer(block, first, 0x7F, &size))
        return -1;
    if (size > (uint64_t)(block->end - block->at))
        return broken("truncated string");
    *text = first & HUFFMAN ? read_code(block->at, (Py_ssize_t)size, block->steps)
                            : PyBytes_FromStringAndSize((const char *)block->at, (Py_ssize_t)size);
    block->at += size;
    return *text ? 0 : -1;
}

/* A borrowed entry of either table; NULL with an exception if there is none. */
static PyObject *entry_at(Block *block, uint64_t index)
{
    uint64_t known = (uint64_t)PyTuple_Size(block->known), count = (uint64_t)PyList_Size(block->entries);
    if (index && index <= known)
        return PyTuple_GetItem(block->known, (Py_ssize_t)(index - 1));
    if (index > known && index - known <= count)
        return PyList_GetItem(block->entries, (Py_ssize_t)(count - (index - known)));
    broken("no such entry");
    return NULL;
}

/* What a field adds to the table; -1 with an exception if it is none. */
static Py_ssize_t size_of(PyObject *field)
{
    PyObject *name = PyTuple_GetItem(field, 0), *value = name ? PyTuple_GetItem(field, 1) : NULL;
    Py_ssize_t name_size = value ? PyBytes_Size(name) : -1;
    Py_ssize_t value_size = name_size < 0 ? -1 : PyBytes_Size(value);
    return value_size < 0 ? -1 : name_size + value_size + OVERHEAD;
}

static int evict(Block *block)
{
    Py_ssize_t count = 0, entries = PyList_Size(block->entries);
    while (block->table_bytes > block->table_bytes_max && count < entries) {
        Py_ssize_t size = size_of(PyList_GetItem(block->entries, count++));
        if (size < 0)
            return -1;
        block->table_bytes -= size;
    }
    return count ? PyList_SetSlice(block->entries, 0, count, NULL) : 0;
}

static int read_literal(Block *block, uint8_t first)
{
    uint64_t index;
    PyObject *name = NULL, *value = NULL;
    if (read_integer(block, first, first & ADDED ? 0x3F : 0x0F, &index))
        return -1;
    if (index) {
        PyObject *entry = entry_at(block, index);
        if (!entry || !(name = PyTuple_GetItem(entry, 0)))
            return -1;
        Py_INCREF(name);
    } else if (read_text(block, &name)) {
        return -1;
    }
    if (read_text(block, &value)) {
        Py_DECREF(name);
        return -1;
    }
    PyObject *field = PyTuple_Pack(2, name, value);
    Py_DECREF(name);
    Py_DECREF(value);
    if (!field)
        return -1;
    int failed = PyList_Append(block->fields, field);
    if (!failed && first & ADDED) {
        Py_ssize_t size = size_of(field);
        failed = size < 0 || PyList_Append(block->entries, field);
        if (!failed) {
            block->changes++;
            block->table_bytes += size;
            /* An entry larger than the table empties it, itself included. */
            failed = evict(block);
        }
    }
    Py_DECREF(field);
    return failed ? -1 : 0;
}

static int read_representation(Block *block)
{
    uint8_t first = *block->at++;
    uint64_t value;
    if (first & INDEXED) {
        if (read_integer(block, first, 0x7F, &value))
            return -1;
        PyObject *entry = entry_at(block, value);
        return entry ? PyList_Append(block->fields, entry) : -1;
    }
    if (first & ADDED || !(first & RESIZED))
        return read_literal(block, first);
    if (PyList_Size(block->fields))
        return broken("table size update after a field");
    if (read_integer(block, first, 0x1F, &value))
        return -1;
    if (value > TABLE_MAX)
        return broken("table larger than allowed");
    block->changes++;
    block->table_bytes_max = (Py_ssize_t)value;
    return evict(block);
}

static PyObject *decode_block(PyObject *self, PyObject *args)
{
    Block block = {0};
    PyObject *data, *steps;
    (void)self;
    if (!PyArg_ParseTuple(args, "SOnnOS", &data, &block.entries, &block.table_bytes,
                          &block.table_bytes_max, &block.known, &steps))
        return NULL;
    if (!PyList_Check(block.entries) || !PyTuple_Check(block.known) || PyBytes_Size(steps) != 3 * STEPS) {
        PyErr_SetString(PyExc_TypeError, "a list, a tuple and the steps of the Huffman code");
        return NULL;
    }
    block.at = (Bytes)PyBytes_AsString(data);
    block.end = block.at + PyBytes_Size(data);
    block.steps = (Bytes)PyBytes_AsString(steps);
    if (!(block.fields = PyList_New(0)))
        return NULL;
    while (block.at < block.end) {
        if (read_representation(&block)) {
            Py_DECREF(block.fields);
            return NULL;
        }
    }
    return Py_BuildValue("Nnnn", block.fields, block.table_bytes, block.table_bytes_max, block.changes);
}

static PyMethodDef methods[] = {
    {"find_calls", find_calls, METH_VARARGS,
     "find_calls(data, position, last_id, count_max, message_bytes_max, room_bytes) -> whole calls\n"
     "from position on; see call_finder.py."},
    {"decode_block", decode_block, METH_VARARGS,
     "decode_block(block, entries, table_bytes, table_bytes_max, known, steps) -> its fields, the two\n"
     "figures afterwards, and how often the table has changed; see header_decoder.py."},
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

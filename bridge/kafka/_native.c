/*
 * The hottest functions of bridge.kafka, compiled: taking the records of one record batch apart,
 * putting one together with its checksum by the processor's own instruction, and counting down what
 * requests wait for. bridge/kafka/record_reader.py, checksum.py, framing.py and shares.py decide
 * whether they are used; tests/unit/kafka hold them against others that do the same.
 *
 * What is taken apart is what a broker sent, decompressed. No length is followed without a check
 * against the end of its record, and no number of anything is believed before its bytes are there.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

typedef const uint8_t *Bytes;

/* What all records of a batch have in common, and the headers of the one before. */
typedef struct {
    PyTypeObject *type; /* a subtype of tuple with seven items */
    allocfunc allocate;
    PyObject *topic, *partition;
    long long base_offset, base_timestamp, fixed_timestamp, first_wanted;
    Bytes headers_start;
    size_t headers_size;
    PyObject *headers;
} Batch;

/* Zigzag varint; false if it does not end in time or has more than 64 bits. */
static int read_number(Bytes *at, Bytes end, int64_t *value)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (*at == end)
            return 0;
        uint8_t byte = *(*at)++;
        if (shift == 63 && byte > 1)
            return 0;
        result |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *value = (int64_t)(result >> 1) ^ -(int64_t)(result & 1);
            return 1;
        }
    }
    return 0;
}

/* Bytes behind their length: *start is NULL for a null, which any negative length means. */
static int read_sized(Bytes *at, Bytes end, Bytes *start, size_t *size)
{
    int64_t length;
    if (!read_number(at, end, &length))
        return 0;
    *start = NULL;
    *size = 0;
    if (length < 0)
        return 1;
    if (length > end - *at)
        return 0;
    *start = *at;
    *size = (size_t)length;
    *at += length;
    return 1;
}

static PyObject *bytes_or_none(Bytes start, size_t size)
{
    if (start == NULL) {
        Py_INCREF(Py_None);
        return Py_None;
    }
    return PyBytes_FromStringAndSize((const char *)start, (Py_ssize_t)size);
}

static PyObject *broken(const char *what)
{
    PyErr_SetString(PyExc_ValueError, what);
    return NULL;
}

static PyObject *read_header(Bytes *at, Bytes end)
{
    Bytes name, value;
    size_t name_size, value_size;
    if (!read_sized(at, end, &name, &name_size) || name == NULL)
        return broken("a header has no name, or one that does not fit");
    if (!read_sized(at, end, &value, &value_size))
        return broken("the value of a header does not fit");
    PyObject *pair = PyTuple_New(2);
    if (pair == NULL)
        return NULL;
    PyObject *text = PyUnicode_DecodeUTF8((const char *)name, (Py_ssize_t)name_size, NULL);
    PyObject *content = text == NULL ? NULL : bytes_or_none(value, value_size);
    if (content == NULL) {
        Py_XDECREF(text);
        Py_DECREF(pair);
        return NULL;
    }
    PyTuple_SetItem(pair, 0, text);
    PyTuple_SetItem(pair, 1, content);
    return pair;
}

/* The headers of a record are what is left of it; neighbours mostly share theirs, byte for byte. */
static PyObject *read_headers(Batch *batch, Bytes at, Bytes end)
{
    Bytes start = at;
    if (batch->headers != NULL && batch->headers_size == (size_t)(end - at) &&
        memcmp(batch->headers_start, at, (size_t)(end - at)) == 0) {
        Py_INCREF(batch->headers);
        return batch->headers;
    }
    int64_t count;
    if (!read_number(&at, end, &count) || count < 0)
        return broken("the number of headers makes no sense");
    if (count > (end - at) / 2)
        return broken("a record names more headers than it can hold");
    PyObject *headers = PyTuple_New((Py_ssize_t)count);
    if (headers == NULL)
        return NULL;
    for (int64_t i = 0; i < count; i++) {
        PyObject *pair = read_header(&at, end);
        if (pair == NULL) {
            Py_DECREF(headers);
            return NULL;
        }
        PyTuple_SetItem(headers, (Py_ssize_t)i, pair);
    }
    if (at != end) {
        Py_DECREF(headers);
        return broken("a record is longer than what is in it");
    }
    Py_XDECREF(batch->headers);
    batch->headers = headers;
    batch->headers_start = start;
    batch->headers_size = (size_t)(end - start);
    Py_INCREF(headers);
    return headers;
}

static PyObject *make_record(
    const Batch *batch, int64_t offset, int64_t timestamp, PyObject *key, PyObject *value,
    PyObject *headers)
{
    PyObject *numbers[2] = {PyLong_FromLongLong(offset), PyLong_FromLongLong(timestamp)};
    PyObject *record = NULL;
    if (numbers[0] != NULL && numbers[1] != NULL && key != NULL && value != NULL)
        record = batch->allocate(batch->type, 7);
    if (record == NULL) {
        Py_XDECREF(numbers[0]);
        Py_XDECREF(numbers[1]);
        Py_XDECREF(key);
        Py_XDECREF(value);
        Py_DECREF(headers);
        return NULL;
    }
    Py_INCREF(batch->topic);
    Py_INCREF(batch->partition);
    PyTuple_SetItem(record, 0, batch->topic);
    PyTuple_SetItem(record, 1, batch->partition);
    PyTuple_SetItem(record, 2, numbers[0]);
    PyTuple_SetItem(record, 3, numbers[1]);
    PyTuple_SetItem(record, 4, key);
    PyTuple_SetItem(record, 5, value);
    PyTuple_SetItem(record, 6, headers);
    return record;
}

/* One record appended to `list`, unless it comes before the first that is wanted. */
static int take_record(Batch *batch, Bytes *at, Bytes end, PyObject *list)
{
    int64_t length, timestamp, offset;
    if (!read_number(at, end, &length) || length < 1 || length > end - *at) {
        broken("a record does not fit into its batch");
        return 0;
    }
    Bytes stop = *at + length, key, value;
    size_t key_size, value_size;
    Bytes here = *at + 1; /* attributes, of which there are none yet */
    *at = stop;
    if (!read_number(&here, stop, &timestamp) || !read_number(&here, stop, &offset) ||
        !read_sized(&here, stop, &key, &key_size) ||
        !read_sized(&here, stop, &value, &value_size)) {
        broken("the fields of a record do not fit into it");
        return 0;
    }
    /* Unsigned, since what a broken batch adds up to may wrap around. */
    offset = (int64_t)((uint64_t)batch->base_offset + (uint64_t)offset);
    timestamp = (int64_t)((uint64_t)batch->base_timestamp + (uint64_t)timestamp);
    if (batch->fixed_timestamp >= 0)
        timestamp = batch->fixed_timestamp;
    PyObject *headers = read_headers(batch, here, stop);
    if (headers == NULL)
        return 0;
    if (offset < batch->first_wanted) {
        Py_DECREF(headers);
        return 1;
    }
    PyObject *record = make_record(
        batch, offset, timestamp, bytes_or_none(key, key_size), bytes_or_none(value, value_size),
        headers);
    if (record == NULL)
        return 0;
    int failed = PyList_Append(list, record);
    Py_DECREF(record);
    return failed == 0;
}

static PyObject *take_apart(Batch *batch, Bytes at, size_t size, long long count)
{
    Bytes end = at + size;
    PyObject *list = PyList_New(0);
    if (list == NULL)
        return NULL;
    for (long long i = 0; i < count; i++) {
        if (!take_record(batch, &at, end, list)) {
            Py_DECREF(list);
            return NULL;
        }
    }
    if (at != end) {
        Py_DECREF(list);
        return broken("there are bytes behind the last record");
    }
    return list;
}

static PyObject *records(PyObject *module, PyObject *args)
{
    Batch batch;
    Py_buffer data;
    long long count;
    (void)module;
    memset(&batch, 0, sizeof batch);
    if (!PyArg_ParseTuple(
            args, "OOOy*LLLLL", &batch.type, &batch.topic, &batch.partition, &data, &count,
            &batch.base_offset, &batch.base_timestamp, &batch.fixed_timestamp,
            &batch.first_wanted))
        return NULL;
    PyObject *result = NULL;
    if (!PyType_Check((PyObject *)batch.type) ||
        !PyType_IsSubtype(batch.type, &PyTuple_Type)) {
        PyErr_SetString(PyExc_TypeError, "records are a type of tuple");
    } else {
        batch.allocate = (allocfunc)PyType_GetSlot(batch.type, Py_tp_alloc);
        result = take_apart(&batch, data.buf, (size_t)data.len, count);
    }
    Py_XDECREF(batch.headers);
    PyBuffer_Release(&data);
    return result;
}

/* ---- CRC-32C --------------------------------------------------------------------------------- */

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_INSTRUCTION __builtin_cpu_supports("sse4.2")

__attribute__((target("sse4.2"))) static uint32_t checksum(Bytes at, size_t size)
{
    uint64_t state = 0xFFFFFFFFu;
    for (; size >= 8; at += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        state = __builtin_ia32_crc32di(state, word);
    }
    for (; size > 0; at++, size--)
        state = __builtin_ia32_crc32qi((uint32_t)state, *at);
    return (uint32_t)state ^ 0xFFFFFFFFu;
}
#else
#define HAS_INSTRUCTION 0

static uint32_t checksum(Bytes at, size_t size)
{
    (void)at;
    return (uint32_t)size; /* never called */
}
#endif

static PyObject *crc32c(PyObject *module, PyObject *args)
{
    Py_buffer data;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*", &data))
        return NULL;
    PyObject *result = NULL;
    if (HAS_INSTRUCTION)
        result = PyLong_FromUnsignedLong(checksum(data.buf, (size_t)data.len));
    else
        PyErr_SetString(PyExc_NotImplementedError, "this processor has no CRC-32C");
    PyBuffer_Release(&data);
    return result;
}

/* ---- putting a record batch together ---------------------------------------------------------- */

enum { NUMBER_BYTES_MAX = 10, BATCH_HEAD_BYTES = 61, CHECKED_FROM = 21, LENGTH_FROM = 12 };

static uint8_t *write_number(uint8_t *out, int64_t number)
{
    uint64_t value = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
    for (; value > 0x7F; value >>= 7)
        *out++ = (uint8_t)(value & 0x7F) | 0x80;
    *out++ = (uint8_t)value;
    return out;
}

static uint8_t *write_big_endian(uint8_t *out, uint64_t value, int bytes)
{
    while (bytes-- > 0)
        *out++ = (uint8_t)(value >> (8 * bytes));
    return out;
}

/* All of a record before its value. A null key has the length -1. */
static PyObject *record_head(PyObject *module, PyObject *args)
{
    const char *key;
    Py_ssize_t key_size, value_size, tail_size;
    long long delta_ms, number;
    (void)module;
    if (!PyArg_ParseTuple(args, "z#nnLL", &key, &key_size, &value_size, &tail_size, &delta_ms,
                          &number))
        return NULL;
    if (value_size < 0 || value_size > INT32_MAX || tail_size < 0 || tail_size > INT32_MAX ||
        key_size > INT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "a record's parts are below 2 GiB");
        return NULL;
    }
    uint8_t before[4 * NUMBER_BYTES_MAX], length[NUMBER_BYTES_MAX], behind[NUMBER_BYTES_MAX];
    uint8_t *at = before;
    *at++ = 0; /* attributes */
    at = write_number(at, delta_ms);
    at = write_number(at, number);
    at = write_number(at, key == NULL ? -1 : key_size);
    size_t before_size = (size_t)(at - before), key_bytes = key == NULL ? 0 : (size_t)key_size;
    size_t behind_size = (size_t)(write_number(behind, value_size) - behind);
    size_t body = before_size + key_bytes + behind_size + (size_t)value_size + (size_t)tail_size;
    size_t length_size = (size_t)(write_number(length, (int64_t)body) - length);
    PyObject *result = PyBytes_FromStringAndSize(
        NULL, (Py_ssize_t)(length_size + before_size + key_bytes + behind_size));
    if (result == NULL)
        return NULL;
    uint8_t *out = (uint8_t *)PyBytes_AsString(result);
    memcpy(out, length, length_size);
    memcpy(out += length_size, before, before_size);
    out += before_size;
    if (key_bytes)
        memcpy(out, key, key_bytes);
    memcpy(out + key_bytes, behind, behind_size);
    return result;
}

/* What list items hold, one after the other, behind `skip` free bytes; NULL with an error set. */
static PyObject *join_behind(PyObject *pieces, size_t skip)
{
    size_t total = skip;
    Py_ssize_t count = PyList_Size(pieces), size;
    char *start;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (PyBytes_AsStringAndSize(PyList_GetItem(pieces, i), &start, &size) < 0)
            return NULL;
        if ((total += (size_t)size) > INT32_MAX) {
            PyErr_SetString(PyExc_OverflowError, "a batch is below 2 GiB");
            return NULL;
        }
    }
    PyObject *result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)total);
    if (result == NULL)
        return NULL;
    char *out = PyBytes_AsString(result) + skip;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyBytes_AsStringAndSize(PyList_GetItem(pieces, i), &start, &size);
        memcpy(out, start, (size_t)size);
        out += size;
    }
    return result;
}

static PyObject *frame_batch(PyObject *module, PyObject *args)
{
    PyObject *pieces;
    int attributes, count, epoch, sequence;
    long long first_ms, last_ms, producer;
    (void)module;
    if (!PyArg_ParseTuple(args, "iiLLLiiO!", &attributes, &count, &first_ms, &last_ms, &producer,
                          &epoch, &sequence, &PyList_Type, &pieces))
        return NULL;
    if (!HAS_INSTRUCTION) {
        PyErr_SetString(PyExc_NotImplementedError, "this processor has no CRC-32C");
        return NULL;
    }
    PyObject *result = join_behind(pieces, BATCH_HEAD_BYTES);
    if (result == NULL)
        return NULL;
    size_t size = (size_t)PyBytes_Size(result);
    uint8_t *start = (uint8_t *)PyBytes_AsString(result), *out = start + CHECKED_FROM;
    out = write_big_endian(out, (uint64_t)attributes, 2);
    out = write_big_endian(out, (uint64_t)((int64_t)count - 1), 4); /* the last record's number */
    out = write_big_endian(out, (uint64_t)first_ms, 8);
    out = write_big_endian(out, (uint64_t)last_ms, 8);
    out = write_big_endian(out, (uint64_t)producer, 8);
    out = write_big_endian(out, (uint64_t)epoch, 2);
    out = write_big_endian(out, (uint64_t)sequence, 4);
    write_big_endian(out, (uint64_t)count, 4);
    out = write_big_endian(start, 0, 8); /* the base offset is the broker's to say */
    out = write_big_endian(out, size - LENGTH_FROM, 4);
    out = write_big_endian(out, (uint64_t)-1, 4); /* no leader epoch */
    *out++ = 2;
    write_big_endian(out, checksum(start + CHECKED_FROM, size - CHECKED_FROM), 4);
    return result;
}

/* ---- counting down what requests wait for ------------------------------------------------------ */

typedef struct {
    PyObject_HEAD
    long long open, acknowledged_items, in_doubt_items;
    char live;
} Tally;

static PyTypeObject *tally_type;

static PyMemberDef tally_members[] = {
    {"open_entries", T_LONGLONG, offsetof(Tally, open), 0, NULL},
    {"acknowledged_items", T_LONGLONG, offsetof(Tally, acknowledged_items), 0, NULL},
    {"in_doubt_items", T_LONGLONG, offsetof(Tally, in_doubt_items), 0, NULL},
    {"live", T_BOOL, offsetof(Tally, live), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyObject *tally_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Tally *tally = (Tally *)allocate(type, 0);
    (void)args; /* for the `__init__` of whoever inherits */
    (void)kwargs;
    if (tally != NULL) {
        tally->open = 1;
        tally->live = 1;
    }
    return (PyObject *)tally;
}

static PyType_Slot tally_slots[] = {
    {Py_tp_new, tally_new},
    {Py_tp_members, tally_members},
    {Py_tp_doc, "What a request still waits for, and what became of it; see bridge/kafka/shares.py."},
    {0, NULL},
};

static PyType_Spec tally_spec = {
    "bridge.kafka._native.Tally", sizeof(Tally), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    tally_slots,
};

/* The tally and items of the share at `index`; NULL with an error set if it is none. */
static Tally *share_at(PyObject *shares, Py_ssize_t index, long long *items)
{
    PyObject *share = PyList_GetItem(shares, index);
    if (share == NULL || !PyTuple_Check(share) || PyTuple_Size(share) != 3 ||
        !PyObject_TypeCheck(PyTuple_GetItem(share, 0), tally_type)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a share is a tuple of a tally, its items and its end");
        return NULL;
    }
    *items = PyLong_AsLongLong(PyTuple_GetItem(share, 1));
    return *items == -1 && PyErr_Occurred() ? NULL : (Tally *)PyTuple_GetItem(share, 0);
}

static PyObject *open_shares(PyObject *module, PyObject *shares)
{
    long long items;
    (void)module;
    if (!PyList_Check(shares))
        return PyErr_Format(PyExc_TypeError, "shares are a list");
    for (Py_ssize_t i = 0, count = PyList_Size(shares); i < count; i++) {
        Tally *tally = share_at(shares, i, &items);
        if (tally == NULL)
            return NULL;
        tally->open++;
    }
    Py_RETURN_NONE;
}

static PyObject *doubt_shares(PyObject *module, PyObject *args)
{
    PyObject *shares;
    int sign;
    long long items;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!i", &PyList_Type, &shares, &sign))
        return NULL;
    for (Py_ssize_t i = 0, count = PyList_Size(shares); i < count; i++) {
        Tally *tally = share_at(shares, i, &items);
        if (tally == NULL)
            return NULL;
        tally->in_doubt_items += sign * items;
    }
    Py_RETURN_NONE;
}

static PyObject *acknowledge_shares(PyObject *module, PyObject *shares)
{
    long long items;
    (void)module;
    if (!PyList_Check(shares))
        return PyErr_Format(PyExc_TypeError, "shares are a list");
    PyObject *closed = PyList_New(0);
    if (closed == NULL)
        return NULL;
    for (Py_ssize_t i = 0, count = PyList_Size(shares); i < count; i++) {
        Tally *tally = share_at(shares, i, &items);
        if (tally == NULL) {
            Py_DECREF(closed);
            return NULL;
        }
        tally->in_doubt_items -= items;
        tally->acknowledged_items += items;
        if (--tally->open == 0 && PyList_Append(closed, (PyObject *)tally) < 0) {
            Py_DECREF(closed);
            return NULL;
        }
    }
    return closed;
}

static PyObject *all_live(PyObject *module, PyObject *shares)
{
    long long items;
    (void)module;
    if (!PyList_Check(shares))
        return PyErr_Format(PyExc_TypeError, "shares are a list");
    for (Py_ssize_t i = 0, count = PyList_Size(shares); i < count; i++) {
        Tally *tally = share_at(shares, i, &items);
        if (tally == NULL)
            return NULL;
        if (!tally->live)
            Py_RETURN_FALSE;
    }
    Py_RETURN_TRUE;
}

static PyMethodDef methods[] = {
    {"acknowledge_shares", acknowledge_shares, METH_O,
     "acknowledge_shares(shares) -> [tallies that wait for nothing more]; see bridge/kafka/shares.py."},
    {"all_live", all_live, METH_O, "all_live(shares) -> whether somebody waits for each."},
    {"doubt_shares", doubt_shares, METH_VARARGS, "doubt_shares(shares, sign); see shares.py."},
    {"open_shares", open_shares, METH_O, "open_shares(shares); see bridge/kafka/shares.py."},
    {"frame_batch", frame_batch, METH_VARARGS,
     "frame_batch(attributes, count, first_ms, last_ms, producer_id, producer_epoch, sequence, pieces)\n"
     "-> a record batch whose records are a list of bytes. Raises NotImplementedError as crc32c does."},
    {"record_head", record_head, METH_VARARGS,
     "record_head(key, value_size, tail_size, delta_ms, number) -> all of a record before its value;\n"
     "the tail is what follows it."},
    {"crc32c", crc32c, METH_VARARGS,
     "crc32c(data) -> the CRC-32C of bytes. Raises NotImplementedError where no instruction does it."},
    {"records", records, METH_VARARGS,
     "records(type, topic, partition, data, count, base_offset, base_timestamp, fixed_timestamp,\n"
     "first_wanted) -> list of type, a named tuple of topic, partition, offset, timestamp, key, value\n"
     "and headers, from the offset first_wanted on. fixed_timestamp below 0 is none. Raises\n"
     "ValueError for records that are not what they should be."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "bridge.kafka._native", "Hot functions of bridge.kafka.", 0, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL)
        return NULL;
    tally_type = (PyTypeObject *)PyType_FromSpec(&tally_spec);
    if (tally_type == NULL || PyModule_AddObjectRef(module, "Tally", (PyObject *)tally_type) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}

/*
 * The hottest functions of bridge.kafka, compiled: taking the records of one record batch apart, and
 * its checksum by the processor's own instruction. bridge/kafka/record_reader.py and checksum.py
 * decide whether they are used; tests/unit/kafka hold them against others that do the same.
 *
 * The input is what a broker sent, decompressed. No length is followed without a check against the
 * end of its record, and no number of anything is believed before its bytes are there.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

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

static PyMethodDef methods[] = {
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
    PyModuleDef_HEAD_INIT, "bridge.kafka._native", "The hot function of bridge.kafka.", 0, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModule_Create(&definition);
}

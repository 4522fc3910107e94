/*
 * What runs for every item that statements look at or change, compiled: taking the attributes of an
 * item apart, finding, reading and writing one of them, and putting them back. native.py decides
 * whether this is used; attributes.py and codec.py do the same in Python, and
 * tests/unit/ottl/test_native.py holds one against the other.
 *
 * Nothing is followed without a check against the end of what encloses it. Whatever protobuf allows
 * but senders hardly write (lists and maps as values, groups, a repeated value) gives None or
 * NotImplemented: the Python form then decides.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

typedef const uint8_t *Bytes;

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };
enum { KEY = 1, VALUE = 2 };
enum { TEXT = 1, TRUTH = 2, INTEGER = 3, NUMBER = 4, BINARY = 7 };

typedef struct {
    uint32_t number, type;
    Bytes start, content; /* of the tag; of what follows the length */
    uint64_t value;       /* of a number, or the length */
} Field;

static int read_varint(Bytes *at, Bytes end, uint64_t *value)
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
            *value = result;
            return 1;
        }
    }
    return 0;
}

static int read_field(Bytes *at, Bytes end, Field *field)
{
    uint64_t tag;
    field->start = *at;
    if (!read_varint(at, end, &tag) || tag > 0xFFFFFFFFu || tag >> 3 == 0)
        return 0;
    field->number = (uint32_t)(tag >> 3);
    field->type = (uint32_t)(tag & 7);
    switch (field->type) {
    case VARINT:
        return read_varint(at, end, &field->value);
    case FIXED64:
    case FIXED32: {
        size_t size = field->type == FIXED64 ? 8 : 4;
        if ((size_t)(end - *at) < size)
            return 0;
        field->value = 0;
        memcpy(&field->value, *at, size); /* little-endian, see the check at import */
        *at += size;
        return 1;
    }
    case LENGTH:
        if (!read_varint(at, end, &field->value) || field->value > (uint64_t)(end - *at))
            return 0;
        field->content = *at;
        *at += field->value;
        return 1;
    default:
        return 0;
    }
}

static int bytes_of(PyObject *object, Bytes *start, Bytes *end)
{
    char *data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(object, &data, &size) < 0)
        return 0;
    *start = (Bytes)data;
    *end = *start + size;
    return 1;
}

static PyObject *none(void)
{
    Py_INCREF(Py_None);
    return Py_None;
}

static PyObject *not_implemented(void)
{
    Py_INCREF(Py_NotImplemented);
    return Py_NotImplemented;
}

/* ---- items: their attributes, as they stand there -------------------------------------------- */

static PyObject *split(PyObject *module, PyObject *args)
{
    PyObject *item;
    unsigned number;
    Bytes at, end;
    Field field;
    (void)module;
    if (!PyArg_ParseTuple(args, "SI", &item, &number) || !bytes_of(item, &at, &end))
        return NULL;
    PyObject *found = PyList_New(0);
    while (found != NULL && at < end) {
        if (!read_field(&at, end, &field) || (field.number == number && field.type != LENGTH)) {
            Py_DECREF(found);
            return none();
        }
        if (field.number != number)
            continue;
        PyObject *pair =
            PyBytes_FromStringAndSize((const char *)field.content, (Py_ssize_t)field.value);
        if (pair == NULL || PyList_Append(found, pair) < 0)
            Py_CLEAR(found);
        Py_XDECREF(pair);
    }
    return found;
}

static size_t varint_size(uint64_t value)
{
    size_t size = 1;
    while (value >>= 7)
        size++;
    return size;
}

static uint8_t *put_varint(uint8_t *out, uint64_t value)
{
    while (value > 0x7F) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

static uint8_t *put_pairs(uint8_t *out, PyObject *pairs, uint32_t tag)
{
    Py_ssize_t count = PyList_Size(pairs);
    for (Py_ssize_t index = 0; index < count; index++) {
        PyObject *pair = PyList_GetItem(pairs, index);
        size_t size = (size_t)PyBytes_Size(pair);
        out = put_varint(put_varint(out, tag), size);
        memcpy(out, PyBytes_AsString(pair), size);
        out += size;
    }
    return out;
}

/* The new attributes take the place of the first old one, or come before the first later field. */
static PyObject *splice(PyObject *module, PyObject *args)
{
    PyObject *item, *pairs;
    unsigned number;
    Bytes start, at, end, place = NULL;
    Field field;
    (void)module;
    if (!PyArg_ParseTuple(args, "SIO!", &item, &number, &PyList_Type, &pairs) ||
        !bytes_of(item, &start, &end))
        return NULL;
    uint32_t tag = number << 3 | LENGTH;
    size_t size = 0;
    Py_ssize_t count = PyList_Size(pairs);
    for (Py_ssize_t index = 0; index < count; index++) {
        Py_ssize_t length = PyBytes_Size(PyList_GetItem(pairs, index));
        if (length < 0)
            return NULL;
        size += varint_size(tag) + varint_size((uint64_t)length) + (size_t)length;
    }
    int found = 0;
    for (at = start; at < end;) {
        if (!read_field(&at, end, &field))
            return none();
        if (field.number == number) {
            if (!found)
                place = field.start;
            found = 1;
            continue;
        }
        if (field.number > number && place == NULL)
            place = field.start;
        size += (size_t)(at - field.start);
    }
    PyObject *result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (result == NULL)
        return NULL;
    uint8_t *out = (uint8_t *)PyBytes_AsString(result);
    for (at = start; at < end;) {
        read_field(&at, end, &field);
        if (field.start == place)
            out = put_pairs(out, pairs, tag);
        if (field.number == number)
            continue;
        memcpy(out, field.start, (size_t)(at - field.start));
        out += at - field.start;
    }
    if (place == NULL)
        put_pairs(out, pairs, tag);
    return result;
}

/* ---- pairs: the key and the value of one attribute ------------------------------------------- */

typedef struct {
    Bytes key, value;
    size_t key_size, value_size;
    int has_value;
} Pair;

static int read_pair(PyObject *object, Pair *pair)
{
    Bytes at, end;
    Field field;
    int values = 0;
    if (!bytes_of(object, &at, &end)) {
        PyErr_Clear();
        return 0;
    }
    memset(pair, 0, sizeof *pair);
    while (at < end) {
        if (!read_field(&at, end, &field))
            return 0;
        if (field.number > VALUE)
            continue;
        if (field.type != LENGTH)
            return 0;
        if (field.number == KEY) {
            pair->key = field.content;
            pair->key_size = (size_t)field.value;
        } else {
            pair->value = field.content;
            pair->value_size = (size_t)field.value;
            pair->has_value = ++values;
        }
    }
    return values <= 1; /* protobuf would merge several */
}

static int has_key(PyObject *object, Bytes name, size_t size)
{
    Pair pair;
    Bytes at, end;
    if (!bytes_of(object, &at, &end)) {
        PyErr_Clear();
        return 0;
    }
    if (size < 0x80 && (size_t)(end - at) >= size + 2 && at[0] == (KEY << 3 | LENGTH)) {
        if (at[1] != size)
            return at[1] >= 0x80 && read_pair(object, &pair) && pair.key_size == size &&
                   memcmp(pair.key, name, size) == 0;
        /* A second key would count instead; nobody writes one. */
        return memcmp(at + 2, name, size) == 0;
    }
    return read_pair(object, &pair) && pair.key_size == size &&
           (size == 0 || memcmp(pair.key, name, size) == 0);
}

static PyObject *find(PyObject *module, PyObject *args)
{
    PyObject *pairs, *key;
    Py_ssize_t hint;
    Bytes name, end;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!Sn", &PyList_Type, &pairs, &key, &hint) ||
        !bytes_of(key, &name, &end))
        return NULL;
    size_t size = (size_t)(end - name);
    Py_ssize_t count = PyList_Size(pairs);
    if (hint >= 0 && hint < count && has_key(PyList_GetItem(pairs, hint), name, size))
        return PyLong_FromSsize_t(hint);
    for (Py_ssize_t index = 0; index < count; index++)
        if (has_key(PyList_GetItem(pairs, index), name, size))
            return PyLong_FromSsize_t(index);
    return PyLong_FromLong(-1);
}

static PyObject *number_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, 8);
    return PyFloat_FromDouble(value);
}

static PyObject *read_value(Bytes at, Bytes end)
{
    Field field;
    if (at == end)
        return none();
    if (!read_field(&at, end, &field) || at != end)
        return not_implemented();
    switch (field.number << 3 | field.type) {
    case TEXT << 3 | LENGTH:
        return PyUnicode_DecodeUTF8((const char *)field.content, (Py_ssize_t)field.value,
                                    "surrogateescape");
    case TRUTH << 3 | VARINT:
        return PyBool_FromLong(field.value != 0);
    case INTEGER << 3 | VARINT:
        return PyLong_FromLongLong((long long)field.value);
    case NUMBER << 3 | FIXED64:
        return number_of(field.value);
    case BINARY << 3 | LENGTH:
        return PyBytes_FromStringAndSize((const char *)field.content, (Py_ssize_t)field.value);
    default:
        return not_implemented();
    }
}

static PyObject *read_object(PyObject *module, PyObject *object)
{
    Pair pair;
    (void)module;
    if (!read_pair(object, &pair))
        return not_implemented();
    return read_value(pair.value, pair.value + pair.value_size);
}

static PyObject *value_at(PyObject *module, PyObject *args)
{
    PyObject *pairs, *key;
    Py_ssize_t index;
    Bytes name, end;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!Sn", &PyList_Type, &pairs, &key, &index) ||
        !bytes_of(key, &name, &end))
        return NULL;
    if (index < 0 || index >= PyList_Size(pairs))
        return not_implemented();
    PyObject *object = PyList_GetItem(pairs, index);
    if (!has_key(object, name, (size_t)(end - name)))
        return not_implemented();
    return read_object(module, object);
}

static PyObject *make_pair(PyObject *prefix, uint8_t tag, const void *content, size_t size,
                           int delimited)
{
    Bytes start, end;
    if (!bytes_of(prefix, &start, &end))
        return NULL;
    size_t head = delimited ? 1 + varint_size(size) : 1, value = head + size;
    size_t before = (size_t)(end - start), all = before + 1 + varint_size(value) + value;
    PyObject *result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)all);
    if (result == NULL)
        return NULL;
    uint8_t *out = (uint8_t *)PyBytes_AsString(result);
    memcpy(out, start, before);
    out += before;
    *out++ = VALUE << 3 | LENGTH;
    out = put_varint(out, value);
    *out++ = tag;
    if (delimited)
        out = put_varint(out, size);
    memcpy(out, content, size);
    return result;
}

static PyObject *make_blob(PyObject *prefix, uint8_t number, PyObject *data)
{
    Bytes start, end;
    if (!bytes_of(data, &start, &end))
        return NULL;
    return make_pair(prefix, (uint8_t)(number << 3 | LENGTH), start, (size_t)(end - start), 1);
}

static PyObject *pair(PyObject *module, PyObject *args)
{
    PyObject *prefix, *value;
    uint8_t digits[10];
    (void)module;
    if (!PyArg_ParseTuple(args, "SO", &prefix, &value))
        return NULL;
    if (PyUnicode_CheckExact(value)) {
        PyObject *data = PyUnicode_AsEncodedString(value, "utf-8", "surrogateescape");
        if (data == NULL)
            return NULL;
        PyObject *result = make_blob(prefix, TEXT, data);
        Py_DECREF(data);
        return result;
    }
    if (PyBool_Check(value)) {
        digits[0] = value == Py_True;
        return make_pair(prefix, TRUTH << 3 | VARINT, digits, 1, 0);
    }
    if (PyLong_CheckExact(value)) {
        uint64_t bits = PyLong_AsUnsignedLongLongMask(value);
        size_t size = (size_t)(put_varint(digits, bits) - digits);
        return make_pair(prefix, INTEGER << 3 | VARINT, digits, size, 0);
    }
    if (PyFloat_CheckExact(value)) {
        double number = PyFloat_AsDouble(value);
        return make_pair(prefix, NUMBER << 3 | FIXED64, &number, 8, 0);
    }
    if (PyBytes_CheckExact(value))
        return make_blob(prefix, BINARY, value);
    return not_implemented();
}

/* Which pairs stay, by their keys; the same list if all do, None if a key has no answer yet. */
static PyObject *kept(PyObject *module, PyObject *args)
{
    PyObject *pairs, *answers;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!", &PyList_Type, &pairs, &PyDict_Type, &answers))
        return NULL;
    PyObject *left = PyList_New(0);
    Py_ssize_t count = PyList_Size(pairs);
    for (Py_ssize_t index = 0; left != NULL && index < count; index++) {
        PyObject *object = PyList_GetItem(pairs, index), *key, *answer;
        Pair pair;
        if (!read_pair(object, &pair)) {
            Py_DECREF(left);
            return none();
        }
        key = PyBytes_FromStringAndSize((const char *)pair.key, (Py_ssize_t)pair.key_size);
        if (key == NULL) {
            Py_DECREF(left);
            return NULL;
        }
        answer = PyDict_GetItemWithError(answers, key);
        Py_DECREF(key);
        if (answer == NULL) {
            Py_DECREF(left);
            return PyErr_Occurred() ? NULL : none();
        }
        if (answer == Py_True && PyList_Append(left, object) < 0)
            Py_CLEAR(left);
    }
    if (left != NULL && PyList_Size(left) == count) {
        Py_DECREF(left);
        Py_INCREF(pairs);
        return pairs;
    }
    return left;
}

static PyMethodDef methods[] = {
    {"split", split, METH_VARARGS,
     "split(item, number) -> the contents of that field of the item, or None if the Python form must\n"
     "decide."},
    {"splice", splice, METH_VARARGS,
     "splice(item, number, contents) -> the item with other contents of that field, or None if the\n"
     "Python form must decide."},
    {"find", find, METH_VARARGS,
     "find(pairs, key, hint) -> the index of the pair with that key, tried at hint first; -1 if there\n"
     "is none."},
    {"read", read_object, METH_O,
     "read(pair) -> its value if that is nil, text, a bool, an int, a double or bytes, or\n"
     "NotImplemented."},
    {"value_at", value_at, METH_VARARGS,
     "value_at(pairs, key, index) -> the value of the pair there if it has that key, as read has it."},
    {"pair", pair, METH_VARARGS,
     "pair(prefix, value) -> the pair of the key that prefix holds with a value of such a type, or\n"
     "NotImplemented."},
    {"kept", kept, METH_VARARGS,
     "kept(pairs, answers) -> the pairs to whose keys answers says True, the same list if that are\n"
     "all; None if it lacks a key, or the Python form must decide."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "bridge.ottl._native", "Hot functions of bridge.ottl.", 0, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void)
{
    const uint16_t probe = 1;
    if (*(const uint8_t *)&probe != 1) {
        PyErr_SetString(PyExc_ImportError, "bridge.ottl._native needs a little-endian machine");
        return NULL;
    }
    return PyModule_Create(&definition);
}

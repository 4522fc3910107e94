/*
 * What runs for every item that statements look at or change, compiled: taking the attributes of an
 * item apart, reading and writing one of them, and putting them back. native.py decides whether this
 * is used; attributes.py and codec.py do the same in Python, and tests/unit/ottl/test_native.py
 * holds one against the other, also on bytes that are no protobuf.
 *
 * Nothing is followed without a check against the end of what encloses it. What is accepted here
 * protobuf accepts too, with the same outcome; whatever protobuf allows but senders hardly write
 * (lists and maps as values, groups, a repeated value, tags and lengths of more than five bytes)
 * gives None or NotImplemented: the Python form then decides, or raises.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

typedef const uint8_t *Bytes;

enum { SIZE_BYTES_MAX = 5, VARINT_BYTES_MAX = 10 };
enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };
enum { KEY = 1, VALUE = 2 };
enum { TEXT = 1, TRUTH = 2, INTEGER = 3, NUMBER = 4, BINARY = 7 };

typedef struct {
    uint32_t number, type;
    Bytes start, content; /* of the tag; of what follows the length */
    uint64_t value;       /* of a number, or the length */
} Field;

/* A varint of at most so many bytes: protobuf stops at five for tags and lengths. */
static int read_varint(Bytes *at, Bytes end, unsigned bytes_max, uint64_t *value)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 7 * bytes_max; shift += 7) {
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
    if (!read_varint(at, end, SIZE_BYTES_MAX, &tag) || tag > 0xFFFFFFFFu || tag >> 3 == 0)
        return 0;
    field->number = (uint32_t)(tag >> 3);
    field->type = (uint32_t)(tag & 7);
    switch (field->type) {
    case VARINT:
        return read_varint(at, end, VARINT_BYTES_MAX, &field->value);
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
        if (!read_varint(at, end, SIZE_BYTES_MAX, &field->value) || field->value > (uint64_t)(end - *at))
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

/* ---- pairs: the key and the value of one attribute ------------------------------------------- */

typedef struct {
    Bytes key, value;
    size_t key_size, value_size;
} Pair;

static int read_pair(Bytes at, Bytes end, Pair *pair)
{
    Field field;
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
        }
    }
    return 1;
}

static PyObject *key_of(Bytes start, Bytes end)
{
    Pair pair;
    if (!read_pair(start, end, &pair))
        return NULL;
    return PyBytes_FromStringAndSize((const char *)pair.key, (Py_ssize_t)pair.key_size);
}

/* Whether the object could be added; takes the reference. */
static int append(PyObject *list, PyObject *object)
{
    int done = object != NULL && PyList_Append(list, object) == 0;
    Py_XDECREF(object);
    return done;
}

/* NULL with an exception set, or None where the Python form must decide. */
static PyObject *give_up(PyObject *one, PyObject *other)
{
    Py_XDECREF(one);
    Py_XDECREF(other);
    return PyErr_Occurred() ? NULL : none();
}

static PyObject *keys_of(PyObject *module, PyObject *pairs)
{
    (void)module;
    if (!PyList_Check(pairs)) {
        PyErr_SetString(PyExc_TypeError, "a list is expected");
        return NULL;
    }
    PyObject *keys = PyList_New(0);
    Py_ssize_t count = PyList_Size(pairs);
    for (Py_ssize_t index = 0; keys != NULL && index < count; index++) {
        Bytes start, end;
        if (!bytes_of(PyList_GetItem(pairs, index), &start, &end) ||
            !append(keys, key_of(start, end)))
            return give_up(keys, NULL);
    }
    return keys;
}

/* ---- items: their attributes, as they stand there -------------------------------------------- */

static PyObject *split(PyObject *module, PyObject *args)
{
    PyObject *item, *keys, *pairs;
    unsigned number;
    Bytes at, end;
    Field field;
    (void)module;
    if (!PyArg_ParseTuple(args, "SI", &item, &number) || !bytes_of(item, &at, &end))
        return NULL;
    keys = PyList_New(0);
    pairs = PyList_New(0);
    if (keys == NULL || pairs == NULL)
        return give_up(keys, pairs);
    while (at < end) {
        if (!read_field(&at, end, &field) || (field.number == number && field.type != LENGTH))
            return give_up(keys, pairs);
        if (field.number != number)
            continue;
        if (!append(keys, key_of(field.content, at)) ||
            !append(pairs, PyBytes_FromStringAndSize((const char *)field.content,
                                                     (Py_ssize_t)field.value)))
            return give_up(keys, pairs);
    }
    return Py_BuildValue("(NN)", keys, pairs);
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
            if (field.type != LENGTH)
                return none();
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

/* The serialized value of the first pair with that key; nothing is made of the others. */
static PyObject *glance(PyObject *module, PyObject *args)
{
    PyObject *item, *name;
    unsigned number;
    Bytes at, end, wanted, wanted_end;
    Field field;
    Pair pair, found;
    int has_found = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "SIS", &item, &number, &name) || !bytes_of(item, &at, &end) ||
        !bytes_of(name, &wanted, &wanted_end))
        return NULL;
    size_t size = (size_t)(wanted_end - wanted);
    while (at < end) {
        if (!read_field(&at, end, &field) || (field.number == number && field.type != LENGTH))
            return not_implemented();
        if (field.number != number)
            continue;
        /* All pairs are read: one that is broken makes the item fail. */
        if (!read_pair(field.content, at, &pair))
            return not_implemented();
        if (!has_found && pair.key_size == size &&
            (size == 0 || memcmp(pair.key, wanted, size) == 0)) {
            found = pair;
            has_found = 1;
        }
    }
    if (!has_found)
        return none();
    return PyBytes_FromStringAndSize((const char *)found.value, (Py_ssize_t)found.value_size);
}

/* ---- values of attributes --------------------------------------------------------------------- */

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
    Bytes start, end;
    (void)module;
    if (!bytes_of(object, &start, &end))
        return NULL;
    if (!read_pair(start, end, &pair))
        return not_implemented();
    return read_value(pair.value, pair.value + pair.value_size);
}

/* The index of the first key with that name; -1 for none, -2 with an exception set. */
static Py_ssize_t find(PyObject *keys, PyObject *name)
{
    Bytes wanted, end, key, key_end;
    if (!bytes_of(name, &wanted, &end))
        return -2;
    size_t size = (size_t)(end - wanted);
    Py_ssize_t count = PyList_Size(keys);
    for (Py_ssize_t index = 0; index < count; index++) {
        if (!bytes_of(PyList_GetItem(keys, index), &key, &key_end))
            return -2;
        if ((size_t)(key_end - key) == size && memcmp(key, wanted, size) == 0)
            return index;
    }
    return -1;
}

static PyObject *get(PyObject *module, PyObject *args)
{
    PyObject *keys, *pairs, *name;
    if (!PyArg_ParseTuple(args, "O!O!O", &PyList_Type, &keys, &PyList_Type, &pairs, &name))
        return NULL;
    Py_ssize_t index = find(keys, name);
    if (index == -2)
        return NULL;
    if (index < 0)
        return none();
    if (index >= PyList_Size(pairs))
        return not_implemented();
    return read_object(module, PyList_GetItem(pairs, index));
}

/* Whether any of some pairs has more bytes than so many. */
static PyObject *any_longer(PyObject *module, PyObject *args)
{
    PyObject *pairs;
    Py_ssize_t above;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!n", &PyList_Type, &pairs, &above))
        return NULL;
    Py_ssize_t count = PyList_Size(pairs);
    for (Py_ssize_t index = 0; index < count; index++) {
        Py_ssize_t size = PyBytes_Size(PyList_GetItem(pairs, index));
        if (size < 0)
            return NULL;
        if (size > above)
            return PyBool_FromLong(1);
    }
    return PyBool_FromLong(0);
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

static PyObject *pair_of(PyObject *prefix, PyObject *value)
{
    uint8_t digits[10];
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

static PyObject *pair(PyObject *module, PyObject *args)
{
    PyObject *prefix, *value;
    (void)module;
    if (!PyArg_ParseTuple(args, "SO", &prefix, &value))
        return NULL;
    return pair_of(prefix, value);
}

/* ---- changing attributes ---------------------------------------------------------------------- */

/* Put a pair under its name; 1 if that changed anything, 0 if not, -1 with an exception set. */
static int put_pair(PyObject *keys, PyObject *pairs, PyObject *name, PyObject *new)
{
    Bytes start, end, old, old_end;
    Py_ssize_t index = find(keys, name);
    if (index == -2)
        return -1;
    if (index < 0)
        return PyList_Append(pairs, new) < 0 || PyList_Append(keys, name) < 0 ? -1 : 1;
    PyObject *held = PyList_GetItem(pairs, index);
    if (held == NULL || !bytes_of(held, &old, &old_end) || !bytes_of(new, &start, &end))
        return -1;
    if (end - start == old_end - old && memcmp(start, old, (size_t)(end - start)) == 0)
        return 0;
    Py_INCREF(new);
    return PyList_SetItem(pairs, index, new) < 0 ? -1 : 1;
}

static PyObject *put(PyObject *module, PyObject *args)
{
    PyObject *keys, *pairs, *name, *new;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!SS", &PyList_Type, &keys, &PyList_Type, &pairs, &name, &new))
        return NULL;
    int changed = put_pair(keys, pairs, name, new);
    return changed < 0 ? NULL : PyBool_FromLong(changed);
}

static PyObject *set(PyObject *module, PyObject *args)
{
    PyObject *keys, *pairs, *name, *prefix, *value;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!SSO", &PyList_Type, &keys, &PyList_Type, &pairs, &name,
                          &prefix, &value))
        return NULL;
    PyObject *made = pair_of(prefix, value);
    if (made == NULL || made == Py_NotImplemented)
        return made;
    int changed = put_pair(keys, pairs, name, made);
    Py_DECREF(made);
    return changed < 0 ? NULL : PyBool_FromLong(changed);
}

static PyObject *discard(PyObject *module, PyObject *args)
{
    PyObject *keys, *pairs, *name;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!S", &PyList_Type, &keys, &PyList_Type, &pairs, &name))
        return NULL;
    Py_ssize_t index = find(keys, name);
    if (index == -2)
        return NULL;
    if (index < 0)
        return PyBool_FromLong(0);
    if (PyList_SetSlice(keys, index, index + 1, NULL) < 0 ||
        PyList_SetSlice(pairs, index, index + 1, NULL) < 0)
        return NULL;
    return PyBool_FromLong(1);
}

/* Which keys and pairs stay; the same lists if all do, None if a key has no answer yet. */
static PyObject *kept(PyObject *module, PyObject *args)
{
    PyObject *keys, *pairs, *answers;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!O!", &PyList_Type, &keys, &PyList_Type, &pairs, &PyDict_Type,
                          &answers))
        return NULL;
    PyObject *left_keys = PyList_New(0), *left_pairs = PyList_New(0);
    Py_ssize_t count = PyList_Size(keys);
    if (left_keys == NULL || left_pairs == NULL || PyList_Size(pairs) != count)
        return give_up(left_keys, left_pairs);
    for (Py_ssize_t index = 0; index < count; index++) {
        PyObject *key = PyList_GetItem(keys, index);
        PyObject *answer = PyDict_GetItemWithError(answers, key);
        if (answer == NULL)
            return give_up(left_keys, left_pairs);
        if (answer == Py_True && (PyList_Append(left_keys, key) < 0 ||
                                  PyList_Append(left_pairs, PyList_GetItem(pairs, index)) < 0))
            return give_up(left_keys, left_pairs);
    }
    if (PyList_Size(left_keys) == count) {
        Py_DECREF(left_keys);
        Py_DECREF(left_pairs);
        return Py_BuildValue("(OO)", keys, pairs);
    }
    return Py_BuildValue("(NN)", left_keys, left_pairs);
}

static PyMethodDef methods[] = {
    {"split", split, METH_VARARGS,
     "split(item, number) -> keys and contents of that field of an item that protobuf took, or None if\n"
     "the Python form must decide."},
    {"keys", keys_of, METH_O,
     "keys(pairs) -> their keys, or None if the Python form must decide."},
    {"glance", glance, METH_VARARGS,
     "glance(item, number, name) -> the serialized value of the first pair with that key among the\n"
     "contents of that field, None if there is none, NotImplemented if the item must be parsed."},
    {"splice", splice, METH_VARARGS,
     "splice(item, number, contents) -> an item that protobuf took with other contents of that field,\n"
     "or None if the Python form must decide."},
    {"read", read_object, METH_O,
     "read(pair) -> its value if that is nil, text, a bool, an int, a double or bytes, or\n"
     "NotImplemented."},
    {"get", get, METH_VARARGS,
     "get(keys, pairs, name) -> the value of the first pair with that key, as read has it; None if\n"
     "there is none."},
    {"pair", pair, METH_VARARGS,
     "pair(prefix, value) -> the pair of the key that prefix holds with a value of such a type, or\n"
     "NotImplemented."},
    {"put", put, METH_VARARGS,
     "put(keys, pairs, name, pair) -> whether that changed anything; the pair takes the place of the\n"
     "first with that name, or comes last."},
    {"set", set, METH_VARARGS,
     "set(keys, pairs, name, prefix, value) -> what put gives for the pair that pair makes, or\n"
     "NotImplemented."},
    {"discard", discard, METH_VARARGS,
     "discard(keys, pairs, name) -> whether there was a pair with that name; the first is gone."},
    {"any_longer", any_longer, METH_VARARGS,
     "any_longer(pairs, above) -> whether any has more bytes than that."},
    {"kept", kept, METH_VARARGS,
     "kept(keys, pairs, answers) -> those to whose keys answers says True, the same lists if that are\n"
     "all; None if it lacks a key."},
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

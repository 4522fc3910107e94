/*
 * What runs for every span of tail sampling, compiled: finding spans and their trace ids in a body,
 * and reading the few facts about them that most policies ask for. native.py decides whether this is
 * used; scan.py and the column readers do the same in Python, and
 * tests/unit/processors/_gathering/test_native.py holds one against the other.
 *
 * What is here walks lengths and never follows one without a check against the end of what encloses
 * it. It gives up (returns None) on whatever protobuf allows but no OTLP sender writes: groups, a
 * known field with another wire type. The Python form then decides.
 */
#include "_protobuf.h"
#include "_held.h"

/* ---- scan ------------------------------------------------------------------------------------- */

static Outcome trace_id_of(Field *span, Bytes *id, size_t *size)
{
    Bytes at = span->content, end = at + span->value;
    Field field;
    *id = at;
    *size = 0;
    while (at < end) {
        Outcome outcome = read_field(&at, end, &field);
        if (outcome != OK)
            return outcome;
        if (field.number == TRACE_ID) {
            if (field.type != LENGTH)
                return ODD;
            *id = field.content; /* the last one counts */
            *size = (size_t)field.value;
        }
    }
    return OK;
}

static PyObject *make_range(Bytes id, size_t size, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t n)
{
    return Py_BuildValue("(y#nnn)", (const char *)id, (Py_ssize_t)size, start, stop, n);
}

static Outcome scan_spans(Bytes body, Field *group, PyObject *ranges)
{
    Bytes at = group->content, end = at + group->value, id = NULL, first = NULL, stop = NULL;
    size_t size = 0;
    Py_ssize_t count = 0;
    Field field;
    while (at < end) {
        Outcome outcome = read_field(&at, end, &field);
        if (outcome != OK)
            return outcome;
        if (field.number != SPAN)
            continue;
        if (field.type != LENGTH)
            return ODD;
        Bytes other;
        size_t other_size;
        if ((outcome = trace_id_of(&field, &other, &other_size)) != OK)
            return outcome;
        if (count && stop == field.start && other_size == size && memcmp(other, id, size) == 0) {
            count++;
            stop = at;
            continue;
        }
        if (count && add(ranges, make_range(id, size, first - body, stop - body, count)) != OK)
            return FAILED;
        id = other;
        size = other_size;
        first = field.start;
        stop = at;
        count = 1;
    }
    if (count)
        return add(ranges, make_range(id, size, first - body, stop - body, count));
    return OK;
}

typedef struct {
    PyObject *scopes, *resource, *scope; /* the list; the heads seen last */
} Scan;

static Outcome scan_scope(Scan *scan, Bytes body, Py_ssize_t origin, PyObject *resource, Field *group)
{
    PyObject *head = NULL, *ranges = PyList_New(0);
    if (ranges == NULL)
        return FAILED;
    Outcome outcome = head_of(group, &scan->scope, &head);
    if (outcome == OK)
        outcome = scan_spans(body, group, ranges);
    if (outcome == OK && PyList_Size(ranges) > 0)
        outcome = add(scan->scopes, Py_BuildValue("(nOOO)", origin, resource, head, ranges));
    Py_XDECREF(head);
    Py_DECREF(ranges);
    return outcome;
}

static Outcome scan_resource(Scan *scan, Bytes body, Field *group)
{
    PyObject *head = NULL;
    Outcome outcome = head_of(group, &scan->resource, &head);
    Bytes at = group->content, end = at + group->value;
    Field field;
    while (outcome == OK && at < end) {
        outcome = read_field(&at, end, &field);
        if (outcome == OK && field.number == SCOPE_GROUP)
            outcome = scan_scope(scan, body, group->start - body, head, &field);
    }
    Py_XDECREF(head);
    return outcome;
}

static PyObject *finish(Outcome outcome)
{
    if (outcome == FAILED)
        return NULL;
    if (outcome == BROKEN) {
        PyErr_SetString(PyExc_ValueError, "broken protobuf framing");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *scan(PyObject *module, PyObject *body)
{
    (void)module;
    if (!PyBytes_Check(body)) {
        PyErr_SetString(PyExc_TypeError, "bytes expected");
        return NULL;
    }
    Bytes start = (Bytes)PyBytes_AsString(body), at = start, end = at + PyBytes_Size(body);
    Scan state = {PyList_New(0), NULL, NULL};
    if (state.scopes == NULL)
        return NULL;
    Outcome outcome = OK;
    Field field;
    while (outcome == OK && at < end) {
        outcome = read_field(&at, end, &field);
        if (outcome != OK || field.number != RESOURCE_GROUP)
            continue; /* what else stands in a request belongs to nobody */
        outcome = field.type == LENGTH ? scan_resource(&state, start, &field) : ODD;
    }
    Py_XDECREF(state.resource);
    Py_XDECREF(state.scope);
    if (outcome == OK)
        return state.scopes;
    Py_DECREF(state.scopes);
    return finish(outcome);
}

/* ---- counting ---------------------------------------------------------------------------------- */

/* How many framed spans there are in a range; None if it is no range of framed spans. */
static PyObject *count(PyObject *module, PyObject *args)
{
    PyObject *body;
    Py_ssize_t start, stop;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!nn", &PyBytes_Type, &body, &start, &stop))
        return NULL;
    Py_ssize_t size = PyBytes_Size(body), found = 0;
    if (start >= 0 && start <= stop && stop <= size) {
        Bytes base = (Bytes)PyBytes_AsString(body), at = base + start, end = base + stop;
        uint64_t length;
        for (; at < end; found++) {
            at++; /* the tag, which the scan has looked at */
            if (read_varint(&at, end, &length) != OK || length > (uint64_t)(end - at)) {
                found = -1;
                break;
            }
            at += length;
        }
    } else {
        found = -1;
    }
    if (found >= 0)
        return PyLong_FromSsize_t(found);
    Py_INCREF(Py_None);
    return Py_None;
}

/* ---- facts ------------------------------------------------------------------------------------ */

static Outcome add_range(Facts *facts, PyObject *chunk, PyObject *start, PyObject *stop)
{
    PyObject *body = PyTuple_GetItem(chunk, 0);
    if (body == NULL)
        return FAILED;
    Py_ssize_t from = PyLong_AsSsize_t(start), to = PyLong_AsSsize_t(stop);
    if (PyErr_Occurred())
        return FAILED;
    if (!PyBytes_Check(body) || from < 0 || to < from || to > PyBytes_Size(body)) {
        PyErr_SetString(PyExc_ValueError, "no range of a body");
        return FAILED;
    }
    Bytes at = (Bytes)PyBytes_AsString(body) + from, end = at + (to - from);
    Field field;
    while (at < end) {
        Outcome outcome = read_field(&at, end, &field);
        if (outcome != OK)
            return outcome;
        if (field.number != SPAN || field.type != LENGTH)
            return ODD;
        if ((outcome = add_span(facts, &field)) != OK)
            return outcome;
    }
    return OK;
}

static PyObject *facts(PyObject *module, PyObject *parts)
{
    (void)module;
    Facts found = NO_FACTS;
    if (!PyList_Check(parts) || PyList_Size(parts) % 3) {
        PyErr_SetString(PyExc_TypeError, "a list of triples expected");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyList_Size(parts); i += 3) {
        Outcome outcome = add_range(&found, PyList_GetItem(parts, i), PyList_GetItem(parts, i + 1),
                                    PyList_GetItem(parts, i + 2));
        if (outcome != OK)
            return finish(outcome);
    }
    return Py_BuildValue("(KKiIi)", (unsigned long long)found.first, (unsigned long long)found.last,
                         found.timed, found.codes, found.flagged);
}

/* ---- the hash of the probabilistic policy ------------------------------------------------------ */

static PyObject *fnv1a_64(PyObject *module, PyObject *args)
{
    const char *data;
    Py_ssize_t size;
    unsigned long long state;
    (void)module;
    if (!PyArg_ParseTuple(args, "y#K", &data, &size, &state))
        return NULL;
    return PyLong_FromUnsignedLongLong(fnv1a((const uint8_t *)data, size, state));
}

static PyMethodDef methods[] = {
    {"scan", scan, METH_O, "scan(body) -> the scopes as scan.scan gives them, or None if it must decide."},
    {"facts", facts, METH_O,
     "facts(parts) -> (first start, last end, whether all spans have both, status codes as bits,\n"
     "whether one is marked as sampled), or None if the Python form must decide."},
    {"count", count, METH_VARARGS,
     "count(body, start, stop) -> the framed spans in that range, or None if the Python form must\n"
     "decide."},
    {"fnv1a_64", fnv1a_64, METH_VARARGS, "fnv1a_64(data, state) -> the state after data."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "bridge.processors._gathering._native", "Hot functions of gathering.", 0,
    methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void)
{
    const uint16_t one = 1;
    if (*(const uint8_t *)&one != 1) {
        PyErr_SetString(PyExc_ImportError, "only little-endian machines are supported");
        return NULL;
    }
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && (add_held(module) < 0 || add_taking(module) < 0 ||
                           add_request(module) < 0)) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}

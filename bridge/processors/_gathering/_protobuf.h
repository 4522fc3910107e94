/*
 * Walking protobuf, for what is compiled here. It walks lengths and never follows one without a check
 * against the end of what encloses it. It gives up (ODD) on whatever protobuf allows but no OTLP sender
 * writes: groups, a known field with another wire type. The Python form then decides.
 */
#pragma once
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

typedef const uint8_t *Bytes;
typedef enum { OK, BROKEN, ODD, FAILED } Outcome; /* FAILED: a Python exception is set. */

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };
enum { RESOURCE_GROUP = 1, SCOPE_GROUP = 2, SPAN = 2, HEAD = 1, URL = 3 };
enum { TRACE_ID = 1, START = 7, END = 8, STATUS = 15, FLAGS = 16, STATUS_CODE = 3 };

typedef struct {
    uint32_t number, type;
    Bytes start, content; /* of the tag; of what follows the length */
    uint64_t value;       /* of a number, or the length */
} Field;

static inline Outcome read_varint(Bytes *at, Bytes end, uint64_t *value)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (*at == end)
            return BROKEN;
        uint8_t byte = *(*at)++;
        if (shift == 63 && byte > 1)
            return BROKEN; /* more than 64 bits */
        result |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *value = result;
            return OK;
        }
    }
    return BROKEN;
}

static inline Outcome read_field(Bytes *at, Bytes end, Field *field)
{
    uint64_t tag;
    Outcome outcome;
    field->start = *at;
    if ((outcome = read_varint(at, end, &tag)) != OK)
        return outcome;
    if (tag > 0xFFFFFFFFu || tag >> 3 == 0)
        return ODD;
    field->number = (uint32_t)(tag >> 3);
    field->type = (uint32_t)(tag & 7);
    switch (field->type) {
    case VARINT:
        return read_varint(at, end, &field->value);
    case FIXED64:
        if (end - *at < 8)
            return BROKEN;
        memcpy(&field->value, *at, 8); /* little-endian machines only, see the check at import */
        *at += 8;
        return OK;
    case FIXED32: {
        uint32_t word;
        if (end - *at < 4)
            return BROKEN;
        memcpy(&word, *at, 4);
        field->value = word;
        *at += 4;
        return OK;
    }
    case LENGTH:
        if ((outcome = read_varint(at, end, &field->value)) != OK)
            return outcome;
        if (field->value > (uint64_t)(end - *at))
            return BROKEN;
        field->content = *at;
        *at += field->value;
        return OK;
    default:
        return ODD;
    }
}

static inline Outcome add(PyObject *list, PyObject *item)
{
    int failed = item == NULL || PyList_Append(list, item) < 0;
    Py_XDECREF(item);
    return failed ? FAILED : OK;
}

/* ---- heads: the fields of an envelope but its children, as they stand there ------------------- */

static inline Outcome measure_head(Bytes at, Bytes end, size_t *size)
{
    Field field;
    *size = 0;
    while (at < end) {
        Outcome outcome = read_field(&at, end, &field);
        if (outcome != OK)
            return outcome;
        if (field.number <= 3 && field.type != LENGTH)
            return ODD;
        if (field.number == SCOPE_GROUP)
            continue;
        *size += (size_t)(at - field.start);
    }
    return OK;
}

static inline PyObject *make_head(Bytes at, Bytes end, size_t size)
{
    PyObject *head = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (head == NULL)
        return NULL;
    uint8_t *out = (uint8_t *)PyBytes_AsString(head);
    Field field;
    while (at < end && read_field(&at, end, &field) == OK) {
        if (field.number == SCOPE_GROUP)
            continue;
        memcpy(out, field.start, (size_t)(at - field.start));
        out += at - field.start;
    }
    return head;
}

/* A head that equals the one before is the same object: consecutive scopes often share it. */
static inline Outcome head_of(Field *group, PyObject **last, PyObject **head)
{
    Bytes at = group->content, end = at + group->value;
    size_t size;
    Outcome outcome = measure_head(at, end, &size);
    if (outcome != OK)
        return outcome;
    PyObject *made = make_head(at, end, size);
    if (made == NULL)
        return FAILED;
    if (*last != NULL && (size_t)PyBytes_Size(*last) == size &&
        memcmp(PyBytes_AsString(*last), PyBytes_AsString(made), size) == 0) {
        Py_DECREF(made);
        made = *last;
        Py_INCREF(made);
    } else {
        Py_XDECREF(*last);
        *last = made;
        Py_INCREF(made);
    }
    *head = made;
    return OK;
}

/* ---- facts of spans ---------------------------------------------------------------------------- */

typedef struct {
    uint64_t first, last; /* nanoseconds */
    int timed;            /* whether every span has both times, none of them 0 */
    unsigned codes;       /* bit n: some span has status code n */
    int flagged;          /* whether some span is marked as sampled */
} Facts;

static const Facts NO_FACTS = {UINT64_MAX, 0, 1, 0, 0};

static inline void note_span(Facts *facts, uint64_t first, uint64_t last, uint64_t code, uint64_t flags)
{
    if (first == 0 || last == 0)
        facts->timed = 0;
    if (first < facts->first)
        facts->first = first;
    if (last > facts->last)
        facts->last = last;
    facts->codes |= code < 3 ? 1u << code : 8u;
    facts->flagged |= (int)(flags & 1);
}

static inline Outcome status_code(Field *status, uint64_t *code)
{
    Bytes at = status->content, end = at + status->value;
    Field field;
    while (at < end) {
        Outcome outcome = read_field(&at, end, &field);
        if (outcome != OK)
            return outcome;
        if (field.number == STATUS_CODE) {
            if (field.type != VARINT)
                return ODD;
            *code = field.value; /* occurrences of a message are merged: the last one counts */
        }
    }
    return OK;
}

static inline Outcome add_span(Facts *facts, Field *span)
{
    Bytes at = span->content, end = at + span->value;
    uint64_t first = 0, last = 0, code = 0, flags = 0;
    Field field;
    while (at < end) {
        Outcome outcome = read_field(&at, end, &field);
        if (outcome != OK)
            return outcome;
        switch (field.number) {
        case START:
        case END:
            if (field.type != FIXED64)
                return ODD;
            *(field.number == START ? &first : &last) = field.value;
            break;
        case STATUS:
            /* What no policy may ask for must not be judged: the Python form reads what is asked. */
            if (field.type != LENGTH || status_code(&field, &code) != OK)
                return ODD;
            break;
        case FLAGS:
            if (field.type != FIXED32)
                return ODD;
            flags = field.value;
            break;
        }
    }
    note_span(facts, first, last, code, flags);
    return OK;
}

/* ---- the hash of the probabilistic policy ------------------------------------------------------ */

static inline uint64_t fnv1a(const uint8_t *data, Py_ssize_t size, uint64_t state)
{
    for (Py_ssize_t i = 0; i < size; i++)
        state = (state ^ data[i]) * 0x100000001B3ull;
    return state;
}

/* What is held while traces wait, in C: plain.py has the same in Python, with what each field means. */
#pragma once
#include "_protobuf.h"

typedef struct {
    PyObject_HEAD
    PyObject *finished, *dropped, *error; /* a list of offsets; a dict of counts by offset */
    Py_ssize_t open_records, undecided_records, ended_records;
    char context, forgotten, stirred;
} Batch;

typedef struct {
    PyObject_HEAD
    Batch *batch;
    PyObject *error;
    long long offset;
    Py_ssize_t open, kept, dropped;
} Record;

typedef struct {
    PyObject *chunk; /* body, resource, scope, record */
    Record *record;  /* the chunk's */
    Py_ssize_t start, stop, spans;
} Part;

enum { FEW = 3 }; /* Most traces have no more ranges: those need no memory of their own. */

typedef struct {
    PyObject_HEAD
    PyObject *trace_id;
    Part *parts, few[FEW];
    Py_ssize_t count, capacity, spans, size_bytes;
    Facts facts;
    char known; /* whether facts were read of all spans */
    char decided, rooted, context;
} Trace;

extern PyTypeObject *batch_type, *record_type, *trace_type;

Record *make_record(Batch *batch, long long offset, Py_ssize_t dropped);
Trace *make_trace(PyObject *trace_id);
int add_part(Trace *trace, PyObject *chunk, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t spans);
int is_last_chunk(const Trace *trace, const PyObject *chunk);
void drop_parts(Trace *trace);
int record_moved(Record *record, PyObject *stirred);
int trace_kept(Trace *trace, PyObject *stirred);
int trace_dropped(Trace *trace, PyObject *stirred);
int is_trace_id(PyObject *trace_id);

int add_held(PyObject *module);
int add_taking(PyObject *module);
int add_request(PyObject *module);

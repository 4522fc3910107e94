/*
 * Batches, records and traces that are held, and what a decision or a delivery does to them.
 *
 * None of these objects is known to the cycle collector, since there are a hundred thousand of them and
 * they form no cycle: a trace refers to its chunks, those to records, those to their batch, and what a
 * batch refers to is the affair of the Python class derived from it.
 */
#include "_held.h"
#include <structmember.h>

PyTypeObject *batch_type, *record_type, *trace_type;

static void replace(PyObject **place, PyObject *object)
{
    PyObject *old = *place;
    *place = object;
    Py_XDECREF(old);
}

static void free_object(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyObject *allocate(PyTypeObject *type)
{
    return ((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
}

/* ---- batches ---------------------------------------------------------------------------------- */

static int batch_init(Batch *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"records", "context", NULL};
    Py_ssize_t records;
    int context = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n|p", names, &records, &context))
        return -1;
    replace(&self->finished, PyList_New(0));
    replace(&self->dropped, PyDict_New());
    self->open_records = self->undecided_records = records;
    self->context = (char)context;
    return self->finished == NULL || self->dropped == NULL ? -1 : 0;
}

static void batch_free(Batch *self)
{
    Py_XDECREF(self->finished);
    Py_XDECREF(self->dropped);
    Py_XDECREF(self->error);
    free_object((PyObject *)self);
}

static PyMemberDef batch_members[] = {
    {"finished", T_OBJECT, offsetof(Batch, finished), 0, NULL},
    {"dropped", T_OBJECT, offsetof(Batch, dropped), 0, NULL},
    {"error", T_OBJECT, offsetof(Batch, error), 0, NULL},
    {"open_records", T_PYSSIZET, offsetof(Batch, open_records), 0, NULL},
    {"undecided_records", T_PYSSIZET, offsetof(Batch, undecided_records), 0, NULL},
    {"ended_records", T_PYSSIZET, offsetof(Batch, ended_records), 0, NULL},
    {"context", T_BOOL, offsetof(Batch, context), 0, NULL},
    {"forgotten", T_BOOL, offsetof(Batch, forgotten), 0, NULL},
    {"stirred", T_BOOL, offsetof(Batch, stirred), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot batch_slots[] = {
    {Py_tp_init, batch_init},
    {Py_tp_dealloc, batch_free},
    {Py_tp_members, batch_members},
    {0, NULL},
};

static PyType_Spec batch_spec = {
    "bridge.processors._gathering._native.BatchCount", sizeof(Batch), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, batch_slots,
};

/* ---- records ---------------------------------------------------------------------------------- */

Record *make_record(Batch *batch, long long offset, Py_ssize_t dropped)
{
    Record *record = (Record *)allocate(record_type);
    if (record == NULL)
        return NULL;
    record->batch = (Batch *)Py_NewRef((PyObject *)batch);
    record->offset = offset;
    record->dropped = dropped;
    record->open = 1;
    return record;
}

static PyObject *record_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *batch;
    long long offset;
    Py_ssize_t dropped = 0;
    (void)type, (void)kwargs;
    if (!PyArg_ParseTuple(args, "O!L|n", batch_type, &batch, &offset, &dropped))
        return NULL;
    return (PyObject *)make_record((Batch *)batch, offset, dropped);
}

static void record_free(Record *self)
{
    Py_XDECREF((PyObject *)self->batch);
    Py_XDECREF(self->error);
    free_object((PyObject *)self);
}

static PyMemberDef record_members[] = {
    {"batch", T_OBJECT, offsetof(Record, batch), READONLY, NULL},
    {"error", T_OBJECT, offsetof(Record, error), 0, NULL},
    {"offset", T_LONGLONG, offsetof(Record, offset), READONLY, NULL},
    {"open", T_PYSSIZET, offsetof(Record, open), 0, NULL},
    {"kept", T_PYSSIZET, offsetof(Record, kept), 0, NULL},
    {"dropped", T_PYSSIZET, offsetof(Record, dropped), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot record_slots[] = {
    {Py_tp_new, record_new},
    {Py_tp_dealloc, record_free},
    {Py_tp_members, record_members},
    {0, NULL},
};

static PyType_Spec record_spec = {
    "bridge.processors._gathering._native.HeldRecord", sizeof(Record), 0, Py_TPFLAGS_DEFAULT,
    record_slots,
};

/* ---- what becomes of records ------------------------------------------------------------------ */

static int stir(Batch *batch, PyObject *stirred)
{
    if (batch->stirred)
        return 0;
    batch->stirred = 1;
    return PyList_Append(stirred, (PyObject *)batch);
}

static int note_finished(Record *record)
{
    Batch *batch = record->batch;
    if (batch->finished == NULL || !PyList_Check(batch->finished) || batch->dropped == NULL) {
        PyErr_SetString(PyExc_TypeError, "finished is to be a list, dropped a dict");
        return -1;
    }
    PyObject *offset = PyLong_FromLongLong(record->offset);
    int failed = offset == NULL || PyList_Append(batch->finished, offset) < 0;
    if (!failed && record->dropped) {
        PyObject *dropped = PyLong_FromSsize_t(record->dropped);
        failed = dropped == NULL || PyDict_SetItem(batch->dropped, offset, dropped) < 0;
        Py_XDECREF(dropped);
    }
    Py_XDECREF(offset);
    return failed ? -1 : 0;
}

static int record_ended(Record *record, PyObject *stirred)
{
    Batch *batch = record->batch;
    if (batch->forgotten)
        return 0;
    if (record->error != NULL && record->error != Py_None) {
        replace(&batch->error, Py_NewRef(record->error));
    } else if (record->offset >= 0 && !batch->context && note_finished(record) < 0) {
        return -1;
    }
    batch->open_records--;
    batch->ended_records++;
    return stir(batch, stirred);
}

/* A range of the record was decided, or the record was taken in. */
int record_moved(Record *record, PyObject *stirred)
{
    Batch *batch = record->batch;
    if (record->open != record->kept)
        return 0;
    if (!batch->forgotten && --batch->undecided_records == 0 && stir(batch, stirred) < 0)
        return -1;
    return record->open ? 0 : record_ended(record, stirred);
}

int trace_kept(Trace *trace, PyObject *stirred)
{
    for (Py_ssize_t i = 0; i < trace->count; i++) {
        trace->parts[i].record->kept++;
        if (record_moved(trace->parts[i].record, stirred) < 0)
            return -1;
    }
    return 0;
}

int trace_dropped(Trace *trace, PyObject *stirred)
{
    for (Py_ssize_t i = 0; i < trace->count; i++) {
        Record *record = trace->parts[i].record;
        record->dropped += trace->parts[i].spans;
        record->open--;
        if (record_moved(record, stirred) < 0)
            return -1;
    }
    return 0;
}

static int trace_delivered(Trace *trace, PyObject *stirred)
{
    for (Py_ssize_t i = 0; i < trace->count; i++) {
        Record *record = trace->parts[i].record;
        record->kept--;
        if (--record->open == 0 && record_ended(record, stirred) < 0)
            return -1;
    }
    drop_parts(trace);
    return 0;
}

/* ---- traces ----------------------------------------------------------------------------------- */

Trace *make_trace(PyObject *trace_id)
{
    Trace *trace = (Trace *)allocate(trace_type);
    if (trace == NULL)
        return NULL;
    trace->trace_id = Py_NewRef(trace_id);
    trace->parts = trace->few;
    trace->capacity = FEW;
    trace->facts = NO_FACTS;
    trace->known = 1;
    return trace;
}

static int grow(Trace *trace)
{
    if (trace->count < trace->capacity)
        return 0;
    Py_ssize_t capacity = trace->capacity * 2;
    Part *own = trace->parts == trace->few ? NULL : trace->parts;
    Part *parts = PyMem_Realloc(own, (size_t)capacity * sizeof(Part));
    if (parts == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (own == NULL)
        memcpy(parts, trace->few, sizeof(trace->few));
    trace->parts = parts;
    trace->capacity = capacity;
    return 0;
}

int add_part(Trace *trace, PyObject *chunk, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t spans)
{
    PyObject *record = PyTuple_GetItem(chunk, 3);
    if (record == NULL)
        return -1;
    if (!Py_IS_TYPE(record, record_type)) {
        PyErr_SetString(PyExc_TypeError, "a chunk ends with its record");
        return -1;
    }
    if (grow(trace) < 0)
        return -1;
    Part part = {Py_NewRef(chunk), (Record *)record, start, stop, spans};
    trace->parts[trace->count++] = part;
    trace->spans += spans;
    trace->size_bytes += stop - start;
    return 0;
}

/* Whether the last range of a trace is of that very chunk: others stand between it and the next. */
int is_last_chunk(const Trace *trace, const PyObject *chunk)
{
    return trace->count && trace->parts[trace->count - 1].chunk == chunk;
}

void drop_parts(Trace *trace)
{
    Py_ssize_t count = trace->count;
    Part few[FEW], *own = trace->parts == trace->few ? NULL : trace->parts;
    memcpy(few, trace->few, sizeof(few));
    trace->parts = trace->few;
    trace->capacity = FEW;
    trace->count = 0;
    for (Py_ssize_t i = 0; i < count; i++)
        Py_DECREF((own == NULL ? few : own)[i].chunk);
    PyMem_Free(own);
}

int is_trace_id(PyObject *trace_id)
{
    const char *id = PyBytes_AsString(trace_id);
    static const char zero[16];
    return PyBytes_Size(trace_id) == 16 && memcmp(id, zero, 16) != 0;
}

static PyObject *trace_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *trace_id;
    (void)type, (void)kwargs;
    if (!PyArg_ParseTuple(args, "O!", &PyBytes_Type, &trace_id))
        return NULL;
    return (PyObject *)make_trace(trace_id);
}

static void trace_free(Trace *self)
{
    drop_parts(self);
    Py_XDECREF(self->trace_id);
    free_object((PyObject *)self);
}

static PyObject *trace_text(Trace *self)
{
    PyObject *id = PyObject_CallMethod(self->trace_id, "hex", NULL);
    if (id == NULL)
        return NULL;
    const char *state = self->decided ? "decided" : "undecided";
    PyObject *text = PyUnicode_FromFormat("Trace(%U, %zd spans, %s)", id, self->spans, state);
    Py_DECREF(id);
    return text;
}

static PyObject *trace_add(Trace *self, PyObject *args)
{
    PyObject *chunk;
    Py_ssize_t start, stop, spans;
    if (!PyArg_ParseTuple(args, "O!nnn", &PyTuple_Type, &chunk, &start, &stop, &spans))
        return NULL;
    self->known = 0;
    int interleaved = is_last_chunk(self, chunk);
    if (add_part(self, chunk, start, stop, spans) < 0)
        return NULL;
    return PyBool_FromLong(interleaved);
}

static PyObject *trace_clear(Trace *self, PyObject *nothing)
{
    (void)nothing;
    drop_parts(self);
    Py_RETURN_NONE;
}

static PyObject *trace_split_context(Trace *self, PyObject *nothing)
{
    Trace *context = make_trace(self->trace_id);
    Py_ssize_t own = 0, count = self->count;
    (void)nothing;
    if (context == NULL)
        return NULL;
    context->known = context->context = 0;
    /* All that may fail comes first. */
    for (Py_ssize_t i = 0; i < count; i++) {
        Part *part = &self->parts[i];
        if (part->record->batch->context &&
            add_part(context, part->chunk, part->start, part->stop, part->spans) < 0) {
            Py_DECREF((PyObject *)context);
            return NULL;
        }
    }
    self->context = 0;
    self->spans -= context->spans;
    self->size_bytes -= context->size_bytes;
    self->count = count - context->count;
    for (Py_ssize_t i = 0; i < count; i++) {
        Part part = self->parts[i];
        if (part.record->batch->context)
            Py_DECREF(part.chunk); /* It lives on in the other trace. */
        else
            self->parts[own++] = part;
    }
    return (PyObject *)context;
}

static PyObject *trace_parts(Trace *self, void *nothing)
{
    PyObject *parts = PyList_New(self->count * 3);
    (void)nothing;
    for (Py_ssize_t i = 0; parts != NULL && i < self->count; i++) {
        Part *part = &self->parts[i];
        PyObject *start = PyLong_FromSsize_t(part->start), *stop = PyLong_FromSsize_t(part->stop);
        PyList_SetItem(parts, 3 * i, Py_NewRef(part->chunk));
        PyList_SetItem(parts, 3 * i + 1, start);
        PyList_SetItem(parts, 3 * i + 2, stop);
        if (start == NULL || stop == NULL)
            Py_CLEAR(parts);
    }
    return parts;
}

static PyObject *trace_own_spans(Trace *self, void *nothing)
{
    Py_ssize_t spans = 0;
    (void)nothing;
    for (Py_ssize_t i = 0; i < self->count; i++)
        if (!self->parts[i].record->batch->context)
            spans += self->parts[i].spans;
    return PyLong_FromSsize_t(spans);
}

static PyObject *trace_ranges(Trace *self, void *nothing)
{
    (void)nothing;
    return PyLong_FromSsize_t(self->count);
}

static PyMemberDef trace_members[] = {
    {"trace_id", T_OBJECT, offsetof(Trace, trace_id), READONLY, NULL},
    {"spans", T_PYSSIZET, offsetof(Trace, spans), READONLY, NULL},
    {"size_bytes", T_PYSSIZET, offsetof(Trace, size_bytes), READONLY, NULL},
    {"decided", T_BOOL, offsetof(Trace, decided), 0, NULL},
    {"rooted", T_BOOL, offsetof(Trace, rooted), 0, NULL},
    {"context", T_BOOL, offsetof(Trace, context), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef trace_properties[] = {
    {"parts", (getter)trace_parts, NULL, NULL, NULL},
    {"own_spans", (getter)trace_own_spans, NULL, NULL, NULL},
    {"ranges", (getter)trace_ranges, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef trace_methods[] = {
    {"add", (PyCFunction)trace_add, METH_VARARGS, NULL},
    {"clear", (PyCFunction)trace_clear, METH_NOARGS, NULL},
    {"split_context", (PyCFunction)trace_split_context, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot trace_slots[] = {
    {Py_tp_new, trace_new},         {Py_tp_dealloc, trace_free},
    {Py_tp_repr, trace_text},       {Py_tp_members, trace_members},
    {Py_tp_getset, trace_properties}, {Py_tp_methods, trace_methods},
    {0, NULL},
};

static PyType_Spec trace_spec = {
    "bridge.processors._gathering._native.Trace", sizeof(Trace), 0, Py_TPFLAGS_DEFAULT, trace_slots,
};

/* ---- the module's functions ------------------------------------------------------------------- */

static PyObject *answer(int failed)
{
    if (failed < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *release(PyObject *module, PyObject *args)
{
    PyObject *record, *stirred;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!", record_type, &record, &PyList_Type, &stirred))
        return NULL;
    ((Record *)record)->open--;
    return answer(record_moved((Record *)record, stirred));
}

static PyObject *kept(PyObject *module, PyObject *args)
{
    PyObject *trace, *stirred;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!", trace_type, &trace, &PyList_Type, &stirred))
        return NULL;
    return answer(trace_kept((Trace *)trace, stirred));
}

static PyObject *dropped(PyObject *module, PyObject *args)
{
    PyObject *trace, *stirred;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!", trace_type, &trace, &PyList_Type, &stirred))
        return NULL;
    return answer(trace_dropped((Trace *)trace, stirred));
}

static PyObject *delivered(PyObject *module, PyObject *args)
{
    PyObject *traces, *stirred;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!", &PyList_Type, &traces, &PyList_Type, &stirred))
        return NULL;
    for (Py_ssize_t i = 0; i < PyList_Size(traces); i++)
        if (!Py_IS_TYPE(PyList_GetItem(traces, i), trace_type)) {
            PyErr_SetString(PyExc_TypeError, "a list of traces expected");
            return NULL;
        }
    for (Py_ssize_t i = 0; i < PyList_Size(traces); i++)
        if (trace_delivered((Trace *)PyList_GetItem(traces, i), stirred) < 0)
            return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"release", release, METH_VARARGS, "See plain.py."},
    {"kept", kept, METH_VARARGS, "See plain.py."},
    {"dropped", dropped, METH_VARARGS, "See plain.py."},
    {"delivered", delivered, METH_VARARGS, "See plain.py."},
    {NULL, NULL, 0, NULL},
};

int add_held(PyObject *module)
{
    if (batch_type == NULL) {
        batch_type = (PyTypeObject *)PyType_FromSpec(&batch_spec);
        record_type = (PyTypeObject *)PyType_FromSpec(&record_spec);
        trace_type = (PyTypeObject *)PyType_FromSpec(&trace_spec);
    }
    if (batch_type == NULL || record_type == NULL || trace_type == NULL)
        return -1;
    if (PyModule_AddObjectRef(module, "BatchCount", (PyObject *)batch_type) < 0 ||
        PyModule_AddObjectRef(module, "HeldRecord", (PyObject *)record_type) < 0 ||
        PyModule_AddObjectRef(module, "Trace", (PyObject *)trace_type) < 0)
        return -1;
    return PyModule_AddFunctions(module, functions);
}

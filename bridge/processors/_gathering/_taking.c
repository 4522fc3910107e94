/*
 * Taking a batch in, and deciding many traces at once: what intake.py, judge.py and deciding.py do trace
 * by trace in Python. Whatever is not the everyday case is handed back to them.
 */
#include "_held.h"
#include <time.h>

/* ---- what was found in a body ----------------------------------------------------------------- */

typedef struct {
    Bytes id;
    size_t id_size;
    Py_ssize_t start, stop, spans;
    Facts facts;
    int known; /* whether facts could be read of all its spans */
} Range;

typedef struct {
    PyObject *resource, *scope;
    Py_ssize_t origin, stop; /* where its resource begins in the body; behind its last range */
} Scope;

typedef struct {
    PyObject_HEAD
    PyObject *body;
    Scope *scopes;
    Range *ranges;
    Py_ssize_t scope_count, scope_room, range_count, range_room;
    /* What changes while it is taken: where that stands, the record and the chunk in hand. */
    Py_ssize_t record, scope, range, record_stop;
    Record *entry;
    PyObject *chunk;
    int taking;
} Found;

static PyTypeObject *found_type;

static void *room_for(void *items, Py_ssize_t count, Py_ssize_t *room, size_t size)
{
    if (count < *room)
        return items;
    Py_ssize_t wanted = *room ? *room * 2 : 16;
    void *more = PyMem_Realloc(items, (size_t)wanted * size);
    if (more == NULL)
        PyErr_NoMemory();
    else
        *room = wanted;
    return more;
}

static Outcome read_span(Field *span, Bytes *id, size_t *size, Range *range)
{
    Bytes at = span->content, end = at + span->value;
    uint64_t first = 0, last = 0, code = 0, flags = 0;
    Field field;
    *id = at;
    *size = 0;
    range->known = 1;
    while (at < end) {
        Outcome outcome = read_field(&at, end, &field);
        if (outcome != OK)
            return outcome;
        switch (field.number) {
        case TRACE_ID:
            if (field.type != LENGTH)
                return ODD;
            *id = field.content; /* the last one counts */
            *size = (size_t)field.value;
            break;
        case START:
        case END:
            range->known &= field.type == FIXED64;
            *(field.number == START ? &first : &last) = field.value;
            break;
        case STATUS:
            range->known &= field.type == LENGTH && status_code(&field, &code) == OK;
            break;
        case FLAGS:
            range->known &= field.type == FIXED32;
            flags = field.value;
            break;
        }
    }
    range->facts = NO_FACTS;
    note_span(&range->facts, first, last, code, flags);
    return OK;
}

static void merge(Facts *facts, const Facts *more)
{
    facts->timed &= more->timed;
    if (more->first < facts->first)
        facts->first = more->first;
    if (more->last > facts->last)
        facts->last = more->last;
    facts->codes |= more->codes;
    facts->flagged |= more->flagged;
}

static Outcome find_spans(Found *found, Field *group)
{
    Bytes body = (Bytes)PyBytes_AsString(found->body);
    Bytes at = group->content, end = at + group->value;
    Range *range = NULL; /* the one that may go on */
    Field field;
    while (at < end) {
        Outcome outcome = read_field(&at, end, &field);
        if (outcome != OK)
            return outcome;
        if (field.number != SPAN)
            continue;
        if (field.type != LENGTH)
            return ODD;
        Range next;
        if ((outcome = read_span(&field, &next.id, &next.id_size, &next)) != OK)
            return outcome;
        next.start = field.start - body;
        next.stop = at - body;
        next.spans = 1;
        if (range != NULL && range->stop == next.start && range->id_size == next.id_size &&
            memcmp(range->id, next.id, next.id_size) == 0) {
            range->stop = next.stop;
            range->spans++;
            range->known &= next.known;
            merge(&range->facts, &next.facts);
            continue;
        }
        Range *ranges = room_for(found->ranges, found->range_count, &found->range_room, sizeof(Range));
        if (ranges == NULL)
            return FAILED;
        found->ranges = ranges;
        range = &ranges[found->range_count++];
        *range = next;
    }
    return OK;
}

static Outcome find_scope(Found *found, Bytes resource_at, PyObject *resource, PyObject **last, Field *group)
{
    PyObject *head = NULL;
    Py_ssize_t before = found->range_count;
    Outcome outcome = head_of(group, last, &head);
    if (outcome == OK)
        outcome = find_spans(found, group);
    if (outcome != OK || found->range_count == before) {
        Py_XDECREF(head);
        return outcome;
    }
    Scope *scopes = room_for(found->scopes, found->scope_count, &found->scope_room, sizeof(Scope));
    if (scopes == NULL) {
        Py_XDECREF(head);
        return FAILED;
    }
    found->scopes = scopes;
    Py_ssize_t origin = resource_at - (Bytes)PyBytes_AsString(found->body);
    Scope scope = {Py_NewRef(resource), head, origin, found->range_count};
    scopes[found->scope_count++] = scope;
    return OK;
}

static Outcome find_all(Found *found)
{
    Bytes at = (Bytes)PyBytes_AsString(found->body), end = at + PyBytes_Size(found->body);
    PyObject *last_resource = NULL, *last_scope = NULL, *head = NULL;
    Outcome outcome = OK;
    Field group, field;
    while (outcome == OK && at < end) {
        outcome = read_field(&at, end, &group);
        if (outcome != OK || group.number != RESOURCE_GROUP)
            continue; /* what else stands in a request belongs to nobody */
        if (group.type != LENGTH) {
            outcome = ODD;
            break;
        }
        outcome = head_of(&group, &last_resource, &head);
        Bytes inner = group.content, stop = inner + group.value;
        while (outcome == OK && inner < stop) {
            outcome = read_field(&inner, stop, &field);
            if (outcome == OK && field.number == SCOPE_GROUP)
                outcome = find_scope(found, group.start, head, &last_scope, &field);
        }
        Py_CLEAR(head);
    }
    Py_XDECREF(last_resource);
    Py_XDECREF(last_scope);
    return outcome;
}

static void found_free(Found *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    for (Py_ssize_t i = 0; i < self->scope_count; i++) {
        Py_XDECREF(self->scopes[i].resource);
        Py_XDECREF(self->scopes[i].scope);
    }
    PyMem_Free(self->scopes);
    PyMem_Free(self->ranges);
    Py_XDECREF(self->body);
    Py_XDECREF((PyObject *)self->entry);
    Py_XDECREF(self->chunk);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyObject *find(PyObject *module, PyObject *body)
{
    (void)module;
    if (!PyBytes_Check(body)) {
        PyErr_SetString(PyExc_TypeError, "bytes expected");
        return NULL;
    }
    Found *found = (Found *)((allocfunc)PyType_GetSlot(found_type, Py_tp_alloc))(found_type, 0);
    if (found == NULL)
        return NULL;
    found->body = Py_NewRef(body);
    Outcome outcome = find_all(found);
    if (outcome == OK)
        return (PyObject *)found;
    Py_DECREF((PyObject *)found);
    if (outcome == BROKEN)
        PyErr_SetString(PyExc_ValueError, "broken protobuf framing");
    if (outcome != ODD)
        return NULL;
    Py_RETURN_NONE;
}

/* ---- taking it ------------------------------------------------------------------------------------ */

/* Why taking stops: native.py names them too. */
enum { DONE, DUE, QUEUE, FOLLOW, OUTGROWN, CROWDED };

typedef struct {
    PyObject *batch, *records, *traces, *recent, *waiting, *stirred;
    long long clock_ms, wall_ms, due_ms, until_ms;
    Py_ssize_t size_max, room, began, strays, spans, interleaved;
    PyObject *what;
} Taking;

static int number_of(PyObject *record, Py_ssize_t index, long long *number)
{
    PyObject *item = PyTuple_GetItem(record, index);
    if (item == NULL)
        return -1;
    *number = PyLong_AsLongLong(item);
    return *number == -1 && PyErr_Occurred() ? -1 : 0;
}

/* Go on with the next record: 1 if there is one, 0 if something is to be done before. */
static int enter_record(Found *self, Taking *taking, int *why)
{
    long long offset, stamp_ms, stop, dropped;
    if (self->record >= PyTuple_Size(taking->records)) {
        *why = DONE;
        return 0;
    }
    PyObject *record = PyTuple_GetItem(taking->records, self->record);
    if (record == NULL || number_of(record, 0, &offset) < 0 || number_of(record, 1, &stamp_ms) < 0 ||
        number_of(record, 3, &stop) < 0 || number_of(record, 4, &dropped) < 0)
        return -1;
    if (taking->wall_ms >= 0 && stamp_ms > taking->clock_ms) {
        long long to_ms = stamp_ms < taking->wall_ms ? stamp_ms : taking->wall_ms;
        if (to_ms > taking->clock_ms)
            taking->clock_ms = to_ms;
        if (taking->due_ms <= taking->clock_ms) {
            *why = DUE;
            return 0;
        }
    }
    self->record_stop = (Py_ssize_t)stop;
    self->entry = make_record((Batch *)taking->batch, offset, (Py_ssize_t)dropped);
    return self->entry == NULL ? -1 : 1;
}

static int is_recent(PyObject *recent, PyObject *trace_id)
{
    int found = 0;
    for (Py_ssize_t i = 0; found == 0 && i < PyTuple_Size(recent); i++)
        found = PyDict_Contains(PyTuple_GetItem(recent, i), trace_id);
    return found;
}

/* A new trace; NULL without an error if something is to be done before, or if it is none. */
static Trace *begin(Found *self, Taking *taking, PyObject *trace_id, int *why)
{
    Range *range = &self->ranges[self->range];
    if (!is_trace_id(trace_id)) {
        taking->strays += range->spans;
    } else {
        int recent = is_recent(taking->recent, trace_id);
        if (recent < 0)
            return NULL;
        if (recent) {
            *why = FOLLOW;
            taking->what = Py_BuildValue("(OOnnn)", trace_id, self->chunk, range->start, range->stop,
                                         range->spans);
            self->range++;
            return NULL;
        }
    }
    if (taking->waiting == Py_None || taking->clock_ms > taking->until_ms) {
        if (!is_trace_id(trace_id))
            taking->strays -= range->spans; /* It will be looked at again. */
        *why = QUEUE;
        return NULL;
    }
    Trace *trace = make_trace(trace_id);
    if (trace == NULL)
        return NULL;
    if (PyDict_SetItem(taking->traces, trace_id, (PyObject *)trace) < 0 ||
        PyList_Append(taking->waiting, (PyObject *)trace) < 0) {
        Py_DECREF((PyObject *)trace);
        return NULL;
    }
    taking->began++;
    Py_DECREF((PyObject *)trace); /* Those two have it. */
    return trace;
}

/* Add a range to its trace: 1 if so, 0 if something is to be done, now or before. */
static int take_range(Found *self, Taking *taking, int *why)
{
    Range *range = &self->ranges[self->range];
    PyObject *trace_id = PyBytes_FromStringAndSize((const char *)range->id, (Py_ssize_t)range->id_size);
    if (trace_id == NULL)
        return -1;
    PyObject *known = PyDict_GetItemWithError(taking->traces, trace_id);
    if (known != NULL && !Py_IS_TYPE(known, trace_type))
        PyErr_SetString(PyExc_TypeError, "traces expected");
    Trace *trace = (Trace *)known;
    if (known == NULL && !PyErr_Occurred())
        trace = begin(self, taking, trace_id, why);
    Py_DECREF(trace_id);
    if (PyErr_Occurred())
        return -1;
    if (trace == NULL)
        return 0;
    taking->interleaved += is_last_chunk(trace, self->chunk);
    if (add_part(trace, self->chunk, range->start, range->stop, range->spans) < 0)
        return -1;
    self->entry->open++;
    trace->known &= (char)range->known;
    merge(&trace->facts, &range->facts);
    taking->spans += range->spans;
    self->range++;
    if (trace->size_bytes <= taking->size_max)
        return 1;
    *why = OUTGROWN;
    taking->what = Py_NewRef((PyObject *)trace);
    return 0;
}

static int take_record(Found *self, Taking *taking, int *why)
{
    while (self->scope < self->scope_count) {
        Scope *scope = &self->scopes[self->scope];
        if (scope->origin >= self->record_stop)
            break;
        if (self->chunk == NULL)
            self->chunk =
                PyTuple_Pack(4, self->body, scope->resource, scope->scope, (PyObject *)self->entry);
        if (self->chunk == NULL)
            return -1;
        while (self->range < scope->stop) {
            int taken = take_range(self, taking, why);
            if (taken <= 0)
                return taken;
        }
        Py_CLEAR(self->chunk);
        self->scope++;
    }
    Record *entry = self->entry;
    self->entry = NULL;
    self->record++;
    entry->open--;
    int failed = record_moved(entry, taking->stirred);
    Py_DECREF((PyObject *)entry);
    return failed < 0 ? -1 : 1;
}

static int take_records(Found *self, Taking *taking)
{
    int why = DONE;
    for (;;) {
        int went = self->entry != NULL ? 1 : enter_record(self, taking, &why);
        if (went > 0)
            went = take_record(self, taking, &why);
        if (went < 0)
            return -1;
        if (went == 0)
            return why;
        if (taking->room >= 0 && taking->began > taking->room)
            return CROWDED;
    }
}

static PyObject *found_take(Found *self, PyObject *args)
{
    Taking taking = {0};
    if (!PyArg_ParseTuple(args, "O!O!O!O!OO!LLLLnn", batch_type, &taking.batch, &PyTuple_Type,
                          &taking.records, &PyDict_Type, &taking.traces, &PyTuple_Type, &taking.recent,
                          &taking.waiting, &PyList_Type, &taking.stirred, &taking.clock_ms,
                          &taking.wall_ms, &taking.due_ms, &taking.until_ms, &taking.size_max,
                          &taking.room))
        return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_Size(taking.recent); i++)
        if (!PyDict_Check(PyTuple_GetItem(taking.recent, i))) {
            PyErr_SetString(PyExc_TypeError, "dicts expected");
            return NULL;
        }
    if ((taking.waiting != Py_None && !PyList_Check(taking.waiting)) || self->taking) {
        PyErr_SetString(PyExc_TypeError, "a list or None expected, in one call at a time");
        return NULL;
    }
    self->taking = 1;
    int why = take_records(self, &taking);
    self->taking = 0;
    if (why < 0 || PyErr_Occurred()) {
        Py_XDECREF(taking.what);
        return NULL;
    }
    PyObject *what = taking.what == NULL ? Py_NewRef(Py_None) : taking.what;
    return Py_BuildValue("(iLnnnnN)", why, taking.clock_ms, taking.began, taking.strays, taking.spans,
                         taking.interleaved, what);
}

static PyObject *found_ranges(Found *self, void *nothing)
{
    (void)nothing;
    return PyLong_FromSsize_t(self->range_count);
}

static PyMethodDef found_methods[] = {
    {"take", (PyCFunction)found_take, METH_VARARGS,
     "take(batch, records, traces, recent, waiting, stirred, clock_ms, wall_ms, due_ms, until_ms,\n"
     "size_max, room) -> (why it stopped, clock_ms, traces begun, spans without an id, spans, ranges\n"
     "interleaved, what).\n"
     "Call again until it is done."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef found_properties[] = {
    {"ranges", (getter)found_ranges, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot found_slots[] = {
    {Py_tp_dealloc, found_free},
    {Py_tp_methods, found_methods},
    {Py_tp_getset, found_properties},
    {0, NULL},
};

static PyType_Spec found_spec = {
    "bridge.processors._gathering._native.Found", sizeof(Found), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, found_slots,
};

/* ---- judging ------------------------------------------------------------------------------------ */

/* Kinds of policies: plan.py names them too. */
enum { ALWAYS, LATENCY, STATUS_CODES, PROBABLE, SPAN_COUNT, FLAGGED };
/* What is said of a trace; ASK: the Python form has to. */
enum { NOT_SAMPLED, SAMPLED, ASK };
enum { POLICIES_MAX = 64 };

typedef struct {
    long long kind;
    uint64_t a, b;
} Rule;

static int read_rule(PyObject *given, Rule *rule)
{
    if (!PyTuple_Check(given) || PyTuple_Size(given) != 3) {
        PyErr_SetString(PyExc_TypeError, "a rule is a kind and two numbers");
        return -1;
    }
    rule->kind = PyLong_AsLongLong(PyTuple_GetItem(given, 0));
    rule->a = PyLong_AsUnsignedLongLongMask(PyTuple_GetItem(given, 1));
    rule->b = PyLong_AsUnsignedLongLongMask(PyTuple_GetItem(given, 2));
    return PyErr_Occurred() ? -1 : 0;
}

static int may_judge(const Trace *trace, const Rule *rule)
{
    const uint64_t sign = 1ull << 63;
    const Facts *facts = &trace->facts;
    if (rule->kind == LATENCY) /* Times that are unset, or negative for the Collector, are special. */
        return trace->known && facts->timed && facts->first < sign && facts->last < sign;
    return trace->known || rule->kind == ALWAYS || rule->kind == PROBABLE || rule->kind == SPAN_COUNT;
}

static int samples(const Trace *trace, const Rule *rule)
{
    static const uint8_t zero[16];
    switch (rule->kind) {
    case LATENCY:
        return (int64_t)(trace->facts.last - trace->facts.first) / 1000000 >= (int64_t)rule->a;
    case STATUS_CODES:
        return (trace->facts.codes & rule->a) != 0;
    case PROBABLE: {
        Py_ssize_t size = PyBytes_Size(trace->trace_id);
        const uint8_t *id = size ? (const uint8_t *)PyBytes_AsString(trace->trace_id) : zero;
        return rule->a == UINT64_MAX || fnv1a(id, size ? size : 16, rule->b) <= rule->a;
    }
    case SPAN_COUNT:
        return (uint64_t)trace->spans >= rule->a && (!rule->b || (uint64_t)trace->spans <= rule->b);
    case FLAGGED:
        return trace->facts.flagged;
    default:
        return 1;
    }
}

static long long nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void judge_all(PyObject *traces, uint8_t *said, const Rule *rules, Py_ssize_t count, int first_match,
                      long long (*tallies)[3])
{
    Py_ssize_t size = PyList_Size(traces);
    for (Py_ssize_t i = 0; i < size; i++) {
        Trace *trace = (Trace *)PyList_GetItem(traces, i);
        said[i] = trace->decided || trace->context ? ASK : NOT_SAMPLED;
        for (Py_ssize_t rule = 0; rule < count && said[i] != ASK; rule++)
            if (!may_judge(trace, &rules[rule]))
                said[i] = ASK;
    }
    for (Py_ssize_t rule = 0; rule < count; rule++) {
        long long asked = 0, sampled = 0, began_ns = nanoseconds();
        for (Py_ssize_t i = 0; i < size; i++) {
            if (said[i] == ASK || (first_match && said[i] == SAMPLED))
                continue;
            asked++;
            if (samples((Trace *)PyList_GetItem(traces, i), &rules[rule])) {
                sampled++;
                said[i] = SAMPLED;
            }
        }
        tallies[rule][0] = asked;
        tallies[rule][1] = sampled;
        tallies[rule][2] = nanoseconds() - began_ns;
    }
}

static int are_traces(PyObject *traces)
{
    for (Py_ssize_t i = 0; i < PyList_Size(traces); i++)
        if (!Py_IS_TYPE(PyList_GetItem(traces, i), trace_type)) {
            PyErr_SetString(PyExc_TypeError, "a list of traces expected");
            return 0;
        }
    return 1;
}

static PyObject *judge(PyObject *module, PyObject *args)
{
    PyObject *plan, *traces;
    int first_match;
    Rule rules[POLICIES_MAX];
    long long tallies[POLICIES_MAX][3];
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!p", &PyTuple_Type, &plan, &PyList_Type, &traces, &first_match))
        return NULL;
    Py_ssize_t count = PyTuple_Size(plan), size = PyList_Size(traces);
    if (count > POLICIES_MAX) {
        PyErr_SetString(PyExc_ValueError, "too many policies");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        if (read_rule(PyTuple_GetItem(plan, i), &rules[i]) < 0)
            return NULL;
    if (!are_traces(traces))
        return NULL;
    PyObject *said = PyBytes_FromStringAndSize(NULL, size), *counted = PyList_New(0);
    if (said == NULL || counted == NULL)
        goto failed;
    judge_all(traces, (uint8_t *)PyBytes_AsString(said), rules, count, first_match, tallies);
    for (Py_ssize_t i = 0; i < count; i++)
        if (add(counted, Py_BuildValue("(LLL)", tallies[i][0], tallies[i][1], tallies[i][2])) != OK)
            goto failed;
    return Py_BuildValue("(NN)", said, counted);
failed:
    Py_XDECREF(said);
    Py_XDECREF(counted);
    return NULL;
}

/* ---- acting on what was said --------------------------------------------------------------------- */

typedef struct {
    PyObject *undecided, *stirred, *sampled, *dropped, *kept, *left;
    Py_ssize_t spans; /* of those that were dropped */
} Settling;

static int settle_one(Settling *all, Trace *trace, int said)
{
    if (trace->decided)
        return 0;
    if (said == ASK || trace->context)
        return PyList_Append(all->left, (PyObject *)trace);
    trace->decided = 1;
    if (PyDict_DelItem(all->undecided, trace->trace_id) < 0)
        return -1;
    if (is_trace_id(trace->trace_id) &&
        PyList_Append(said == SAMPLED ? all->sampled : all->dropped, trace->trace_id) < 0)
        return -1;
    if (said == SAMPLED)
        return trace_kept(trace, all->stirred) < 0 ? -1 : PyList_Append(all->kept, (PyObject *)trace);
    all->spans += trace->spans;
    if (trace_dropped(trace, all->stirred) < 0)
        return -1;
    drop_parts(trace); /* Its place in the queue outlives the trace. */
    return 0;
}

static PyObject *settle(PyObject *module, PyObject *args)
{
    PyObject *traces, *said;
    Settling all = {0};
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!O!O!", &PyList_Type, &traces, &PyBytes_Type, &said, &PyDict_Type,
                          &all.undecided, &PyList_Type, &all.stirred))
        return NULL;
    if (!are_traces(traces))
        return NULL;
    if (PyBytes_Size(said) != PyList_Size(traces)) {
        PyErr_SetString(PyExc_ValueError, "one decision for each trace expected");
        return NULL;
    }
    all.sampled = PyList_New(0);
    all.dropped = PyList_New(0);
    all.kept = PyList_New(0);
    all.left = PyList_New(0);
    int failed = all.sampled == NULL || all.dropped == NULL || all.kept == NULL || all.left == NULL;
    const char *decisions = PyBytes_AsString(said);
    for (Py_ssize_t i = 0; !failed && i < PyList_Size(traces); i++)
        failed = settle_one(&all, (Trace *)PyList_GetItem(traces, i), decisions[i]) < 0;
    if (!failed)
        return Py_BuildValue("(NNNNn)", all.sampled, all.dropped, all.kept, all.left, all.spans);
    Py_XDECREF(all.sampled);
    Py_XDECREF(all.dropped);
    Py_XDECREF(all.kept);
    Py_XDECREF(all.left);
    return NULL;
}

/* ---- what is odd about spans ---------------------------------------------------------------------- */

enum { SPAN_ID = 2, LOOKED_AT_MAX = 64 };

typedef struct {
    uint64_t ids[LOOKED_AT_MAX], earliest, latest;
    Py_ssize_t spans, equal, elsewhen, backwards;
    int whole; /* whether all spans have both times */
} Odd;

/* 0 if the Python form has to look. */
static int look_at(Odd *odd, Field *span)
{
    Bytes at = span->content, end = at + span->value;
    uint64_t start = 0, stop = 0, id = 0;
    int starts = 0, stops = 0, ids = 0;
    Field field;
    while (at < end) {
        if (read_field(&at, end, &field) != OK)
            return 0;
        if (field.number == SPAN_ID) {
            if (field.type != LENGTH || field.value != 8)
                return 0;
            memcpy(&id, field.content, 8);
            ids++;
        } else if (field.number == START || field.number == END) {
            if (field.type != FIXED64)
                return 0;
            *(field.number == START ? &start : &stop) = field.value;
            *(field.number == START ? &starts : &stops) += 1;
        }
    }
    if (odd->spans == LOOKED_AT_MAX || ids != 1 || starts > 1 || stops > 1)
        return 0;
    for (Py_ssize_t i = 0; i < odd->spans; i++)
        if (odd->ids[i] == id) {
            odd->equal++;
            break;
        }
    odd->ids[odd->spans++] = id;
    odd->elsewhen += start < odd->earliest || start > odd->latest;
    odd->backwards += stop < start;
    odd->whole &= starts && stops;
    return 1;
}

static PyObject *oddities(PyObject *module, PyObject *args)
{
    PyObject *given;
    Odd odd = {.whole = 1};
    unsigned long long earliest, latest;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!KK", trace_type, &given, &earliest, &latest))
        return NULL;
    odd.earliest = earliest;
    odd.latest = latest;
    Trace *trace = (Trace *)given;
    for (Py_ssize_t i = 0; i < trace->count; i++) {
        PyObject *body = PyTuple_GetItem(trace->parts[i].chunk, 0);
        Py_ssize_t start = trace->parts[i].start, stop = trace->parts[i].stop;
        if (body == NULL)
            return NULL;
        if (!PyBytes_Check(body) || start < 0 || stop < start || stop > PyBytes_Size(body))
            Py_RETURN_NONE;
        Bytes at = (Bytes)PyBytes_AsString(body) + start, end = at + (stop - start);
        Field field;
        while (at < end)
            if (read_field(&at, end, &field) != OK || field.number != SPAN || field.type != LENGTH ||
                !look_at(&odd, &field))
                Py_RETURN_NONE;
    }
    return Py_BuildValue("(nnn)", odd.equal, odd.whole ? odd.backwards : 0, odd.elsewhen);
}

static PyMethodDef functions[] = {
    {"find", find, METH_O, "find(body) -> what scan finds, to be taken; None if the Python form must."},
    {"judge", judge, METH_VARARGS,
     "judge(plan, traces, first_match) -> (a byte for each trace: 0 not sampled, 1 sampled, 2 the\n"
     "Python form must say; (asked, sampled, nanoseconds) of each policy)."},
    {"settle", settle, METH_VARARGS,
     "settle(traces, said, undecided, stirred) -> (ids sampled, ids dropped, traces kept, traces left\n"
     "to the Python form, spans dropped)."},
    {"oddities", oddities, METH_VARARGS,
     "oddities(trace, earliest_ns, latest_ns) -> (equal span ids, spans that end before they start,\n"
     "spans of another time), or None if the Python form must look."},
    {NULL, NULL, 0, NULL},
};

int add_taking(PyObject *module)
{
    if (found_type == NULL)
        found_type = (PyTypeObject *)PyType_FromSpec(&found_spec);
    return found_type == NULL ? -1 : PyModule_AddFunctions(module, functions);
}

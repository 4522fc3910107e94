/* Writing traces as one request: what request_grouped in request.py does, with one copy of each span. */
#include "_held.h"

typedef struct {
    Bytes at;
    size_t size;
    Py_ssize_t next; /* the next one of the same scope, or -1 */
} Piece;

typedef struct {
    PyObject *head; /* borrowed: the traces have it */
    size_t size;    /* of head and pieces */
    Py_ssize_t first, last, next;
} ScopeGroup;

typedef struct {
    PyObject *head, *scopes; /* borrowed; own: the numbers of its scopes by their heads */
    size_t size;
    Py_ssize_t first, last;
} ResourceGroup;

typedef struct {
    Piece *pieces;
    ScopeGroup *scopes;
    ResourceGroup *resources;
    Py_ssize_t piece_count, scope_count, resource_count, scope_room, resource_room;
    PyObject *numbers; /* of resources by their heads */
    Py_ssize_t resource, scope; /* used last, or -1 */
} Request;

static int more_room(void **items, Py_ssize_t count, Py_ssize_t *room, size_t size)
{
    if (count < *room)
        return 0;
    Py_ssize_t wanted = *room ? *room * 2 : 8;
    void *more = PyMem_Realloc(*items, (size_t)wanted * size);
    if (more == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *items = more;
    *room = wanted;
    return 0;
}

/* The number under *key*, which is *next* if there was none; -1 for an error. */
static Py_ssize_t number_under(PyObject *numbers, PyObject *key, Py_ssize_t next)
{
    PyObject *known = PyDict_GetItemWithError(numbers, key);
    if (known != NULL)
        return PyLong_AsSsize_t(known);
    PyObject *number = PyErr_Occurred() ? NULL : PyLong_FromSsize_t(next);
    int failed = number == NULL || PyDict_SetItem(numbers, key, number) < 0;
    Py_XDECREF(number);
    return failed ? -1 : next;
}

static int find_resource(Request *all, PyObject *head)
{
    if (all->resource >= 0 && all->resources[all->resource].head == head)
        return 0;
    if (more_room((void **)&all->resources, all->resource_count, &all->resource_room, sizeof(ResourceGroup)))
        return -1;
    Py_ssize_t number = number_under(all->numbers, head, all->resource_count);
    if (number < 0)
        return -1;
    if (number == all->resource_count) {
        PyObject *scopes = PyDict_New();
        if (scopes == NULL)
            return -1;
        ResourceGroup made = {head, scopes, (size_t)PyBytes_Size(head), -1, -1};
        all->resources[all->resource_count++] = made;
    }
    all->resource = number;
    all->scope = -1;
    return 0;
}

static int find_scope(Request *all, PyObject *head)
{
    if (all->scope >= 0 && all->scopes[all->scope].head == head)
        return 0;
    if (more_room((void **)&all->scopes, all->scope_count, &all->scope_room, sizeof(ScopeGroup)))
        return -1;
    ResourceGroup *resource = &all->resources[all->resource];
    Py_ssize_t number = number_under(resource->scopes, head, all->scope_count);
    if (number < 0)
        return -1;
    if (number == all->scope_count) {
        ScopeGroup made = {head, (size_t)PyBytes_Size(head), -1, -1, -1};
        all->scopes[all->scope_count++] = made;
        if (resource->last < 0)
            resource->first = number;
        else
            all->scopes[resource->last].next = number;
        resource->last = number;
    }
    all->scope = number;
    return 0;
}

static int add_piece(Request *all, Part *part)
{
    PyObject *body = PyTuple_GetItem(part->chunk, 0), *resource = PyTuple_GetItem(part->chunk, 1);
    PyObject *scope = PyTuple_GetItem(part->chunk, 2);
    if (body == NULL || resource == NULL || scope == NULL)
        return -1;
    if (!PyBytes_Check(body) || !PyBytes_Check(resource) || !PyBytes_Check(scope) || part->start < 0 ||
        part->stop < part->start || part->stop > PyBytes_Size(body)) {
        PyErr_SetString(PyExc_ValueError, "no range of a body");
        return -1;
    }
    if (find_resource(all, resource) < 0 || find_scope(all, scope) < 0)
        return -1;
    ScopeGroup *group = &all->scopes[all->scope];
    Piece piece = {(Bytes)PyBytes_AsString(body) + part->start, (size_t)(part->stop - part->start), -1};
    if (group->last < 0)
        group->first = all->piece_count;
    else
        all->pieces[group->last].next = all->piece_count;
    group->last = all->piece_count;
    group->size += piece.size;
    all->pieces[all->piece_count++] = piece;
    return 0;
}

static size_t varint_size(size_t value)
{
    size_t size = 1;
    while (value >>= 7)
        size++;
    return size;
}

static uint8_t *frame(uint8_t *out, uint8_t tag, size_t size, PyObject *head)
{
    *out++ = tag;
    for (; size > 0x7F; size >>= 7)
        *out++ = (uint8_t)(size & 0x7F) | 0x80;
    *out++ = (uint8_t)size;
    memcpy(out, PyBytes_AsString(head), (size_t)PyBytes_Size(head));
    return out + PyBytes_Size(head);
}

static PyObject *write_request(Request *all)
{
    size_t total = 0;
    for (Py_ssize_t i = 0; i < all->resource_count; i++) {
        ResourceGroup *resource = &all->resources[i];
        for (Py_ssize_t s = resource->first; s >= 0; s = all->scopes[s].next)
            resource->size += 1 + varint_size(all->scopes[s].size) + all->scopes[s].size;
        total += 1 + varint_size(resource->size) + resource->size;
    }
    PyObject *body = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)total);
    if (body == NULL)
        return NULL;
    uint8_t *out = (uint8_t *)PyBytes_AsString(body);
    for (Py_ssize_t i = 0; i < all->resource_count; i++) {
        ResourceGroup *resource = &all->resources[i];
        out = frame(out, 0x0A, resource->size, resource->head);
        for (Py_ssize_t s = resource->first; s >= 0; s = all->scopes[s].next) {
            out = frame(out, 0x12, all->scopes[s].size, all->scopes[s].head);
            for (Py_ssize_t p = all->scopes[s].first; p >= 0; p = all->pieces[p].next) {
                memcpy(out, all->pieces[p].at, all->pieces[p].size);
                out += all->pieces[p].size;
            }
        }
    }
    return body;
}

static int collect(Request *all, PyObject *traces)
{
    Py_ssize_t ranges = 0;
    for (Py_ssize_t i = 0; i < PyList_Size(traces); i++) {
        PyObject *trace = PyList_GetItem(traces, i);
        if (!Py_IS_TYPE(trace, trace_type)) {
            PyErr_SetString(PyExc_TypeError, "a list of traces expected");
            return -1;
        }
        ranges += ((Trace *)trace)->count;
    }
    all->pieces = PyMem_Malloc((size_t)(ranges ? ranges : 1) * sizeof(Piece));
    all->numbers = PyDict_New();
    if (all->pieces == NULL || all->numbers == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyList_Size(traces); i++) {
        Trace *trace = (Trace *)PyList_GetItem(traces, i);
        for (Py_ssize_t p = 0; p < trace->count; p++)
            if (add_piece(all, &trace->parts[p]) < 0)
                return -1;
    }
    return 0;
}

static PyObject *request(PyObject *module, PyObject *traces)
{
    Request all = {.resource = -1, .scope = -1};
    (void)module;
    if (!PyList_Check(traces)) {
        PyErr_SetString(PyExc_TypeError, "a list of traces expected");
        return NULL;
    }
    PyObject *body = collect(&all, traces) < 0 ? NULL : write_request(&all);
    for (Py_ssize_t i = 0; i < all.resource_count; i++)
        Py_DECREF(all.resources[i].scopes);
    Py_XDECREF(all.numbers);
    PyMem_Free(all.resources);
    PyMem_Free(all.scopes);
    PyMem_Free(all.pieces);
    return body;
}

static PyMethodDef functions[] = {
    {"request", request, METH_O, "request(traces) -> what request_grouped gives of their ranges."},
    {NULL, NULL, 0, NULL},
};

int add_request(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}

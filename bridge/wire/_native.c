/*
 * The hottest functions of bridge.wire, compiled: counting the items of a request, and splitting one
 * or many by partition; besides, what keeps the memory for it. bridge/wire/native.py decides whether
 * they are used; bridge/wire/split.py and count.py are the same in Python, and
 * tests/unit/wire/test_native.py holds one against the other.
 *
 * What is here walks lengths and copies slices. It never follows a length without a check against
 * the end of its enclosing message, and recurses no deeper than a limit that it is given. Splitting
 * gives up (returns None) on whatever protobuf allows but no OTLP sender writes: groups, a known
 * field with another wire type; the Python form then decides, so that there is one definition of the
 * odd cases. Counting decides alone, since it stands at the door: what it lets in can be decoded.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef const uint8_t *Bytes;

typedef enum { OK, BROKEN, ODD, NO_MEMORY, TOO_DEEP, TOO_MANY } Outcome;

/* One field of a message: its number, its type, and for lengths-delimited ones its content. */
typedef struct {
    uint32_t number;
    uint32_t type;
    Bytes start;   /* of the tag */
    Bytes content; /* of a length-delimited field */
    size_t size;   /* of that content */
} Field;

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, START_GROUP = 3, END_GROUP = 4, FIXED32 = 5, NO_TYPE = 7 };
enum { GROUPS_MAX = 32 };

static Outcome read_varint(Bytes *at, Bytes end, uint64_t *value)
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

static inline Outcome read_value(Bytes *at, Bytes end, Field *field)
{
    uint64_t value;
    Outcome outcome;
    switch (field->type) {
    case VARINT:
        return read_varint(at, end, &value);
    case FIXED64:
        if (end - *at < 8)
            return BROKEN;
        *at += 8;
        return OK;
    case FIXED32:
        if (end - *at < 4)
            return BROKEN;
        *at += 4;
        return OK;
    case LENGTH:
        if (*at < end && **at < 0x80)
            value = *(*at)++;
        else if ((outcome = read_varint(at, end, &value)) != OK)
            return outcome;
        if (value > (uint64_t)(end - *at))
            return BROKEN;
        field->content = *at;
        field->size = (size_t)value;
        *at += value;
        return OK;
    default:
        return ODD; /* groups, and the two types that do not exist */
    }
}

static inline Outcome read_field(Bytes *at, Bytes end, Field *field)
{
    uint64_t tag;
    Outcome outcome;
    field->start = *at;
    if (*at < end && **at < 0x80) {
        tag = *(*at)++;
    } else if ((outcome = read_varint(at, end, &tag)) != OK) {
        return outcome;
    }
    field->number = 0;
    field->type = tag > 0xFFFFFFFFu ? NO_TYPE : (uint32_t)(tag & 7);
    if (tag > 0xFFFFFFFFu || tag >> 3 == 0)
        return ODD; /* decoders differ in what they say of it */
    field->number = (uint32_t)(tag >> 3);
    return read_value(at, end, field);
}

/* The rest of a group whose start tag was read. Not recursive: the open ones are in an array. */
static Outcome skip_group(Bytes *at, Bytes end, uint32_t number)
{
    uint32_t open[GROUPS_MAX];
    size_t depth = 0;
    Field field;
    open[depth++] = number;
    while (depth > 0) {
        Outcome outcome = read_field(at, end, &field);
        if (outcome == ODD && field.number == 0)
            outcome = read_value(at, end, &field); /* upb takes the number 0 in here, and so must we */
        if (outcome == OK)
            continue;
        if (outcome != ODD)
            return BROKEN;
        if (field.type == START_GROUP && depth < GROUPS_MAX)
            open[depth++] = field.number;
        else if (field.type != END_GROUP || open[--depth] != field.number)
            return BROKEN;
    }
    return OK;
}

/* What `read_field` called odd: passed over if it is a group, broken if it is what nobody takes. */
static Outcome pass_over(Bytes *at, Bytes end, const Field *field)
{
    if (field->number == 0 || field->type != START_GROUP)
        return BROKEN;
    return skip_group(at, end, field->number);
}

static Outcome read_any_field(Bytes *at, Bytes end, Field *field)
{
    Outcome outcome = read_field(at, end, field);
    return outcome == ODD ? pass_over(at, end, field) : outcome;
}

/* ---- arrays that grow ---------------------------------------------------------------------- */

typedef struct {
    void *items;
    size_t count, room, item_size;
} Array;

static void *append(Array *array)
{
    if (array->count == array->room) {
        size_t room = array->room ? array->room * 2 : 64;
        void *items = realloc(array->items, room * array->item_size);
        if (items == NULL)
            return NULL;
        array->items = items;
        array->room = room;
    }
    return (char *)array->items + array->count++ * array->item_size;
}

/* ---- a request taken apart ------------------------------------------------------------------- */

typedef struct {
    Bytes start;
    size_t size;
} Slice;

/* A resource or scope group: its fields but for the children, as they stand there. */
typedef struct {
    size_t first_slice, slices, head_size;
    size_t parent; /* of a scope its resource, of a resource the number of its request */
    size_t size; /* of the content that is being written for one partition */
} Envelope;

typedef struct {
    Bytes start; /* content */
    size_t size;
    size_t scope;
    int32_t partition;
} Item;

typedef struct {
    Array slices, resources, scopes, items;
    uint32_t id_field;
    int partitions, murmur, keyless;
    size_t body; /* the number of the request that is being read, of several */
    Bytes last_id; /* of the item before, since a trace's spans often stand together */
    int32_t last_partition;
} Request;

static Outcome add_head(Request *request, Envelope *envelope, Field *field, Bytes end)
{
    Slice *slice = append(&request->slices);
    if (slice == NULL)
        return NO_MEMORY;
    slice->start = field->start;
    slice->size = (size_t)(end - field->start);
    envelope->slices++;
    envelope->head_size += slice->size;
    return OK;
}

/* The key of a trace is the lower-case hex text of its id; of anything else it is empty. */

static uint32_t fnv1a(const char *key, size_t size)
{
    uint32_t state = 0x811C9DC5u;
    for (size_t i = 0; i < size; i++)
        state = (state ^ (uint8_t)key[i]) * 0x01000193u;
    return state;
}

static uint32_t murmur2(const char *key, size_t size)
{
    const uint32_t m = 0x5BD1E995u;
    uint32_t state = 0x9747B28Cu ^ (uint32_t)size; /* size is 0 or 32: no tail */
    for (size_t i = 0; i + 4 <= size; i += 4) {
        uint32_t k = (uint32_t)(uint8_t)key[i] | (uint32_t)(uint8_t)key[i + 1] << 8 |
                     (uint32_t)(uint8_t)key[i + 2] << 16 | (uint32_t)(uint8_t)key[i + 3] << 24;
        k *= m;
        k ^= k >> 24;
        state = state * m ^ k * m;
    }
    state ^= state >> 13;
    state *= m;
    return state ^ state >> 15;
}

static int32_t place(const Request *request, Bytes id, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    static const uint8_t zero[16] = {0};
    char key[32];
    size_t key_size = 0;
    if (size == 16 && memcmp(id, zero, 16) != 0) {
        for (int i = 0; i < 16; i++) {
            key[2 * i] = digits[id[i] >> 4];
            key[2 * i + 1] = digits[id[i] & 15];
        }
        key_size = 32;
    } else if (request->keyless) {
        return -1;
    }
    if (request->murmur)
        return (int32_t)((murmur2(key, key_size) & 0x7FFFFFFFu) % (uint32_t)request->partitions);
    /* sarama_compat: a signed remainder, made positive */
    int64_t hash = (int32_t)fnv1a(key, key_size);
    return (int32_t)((hash < 0 ? -hash : hash) % request->partitions);
}

static Outcome check_item(Field *item, uint32_t id_field, Bytes *id, size_t *id_size)
{
    Bytes at = item->content, end = at + item->size;
    Field field;
    *id = NULL;
    *id_size = 0;
    while (at < end) {
        Outcome outcome = read_field(&at, end, &field);
        if (outcome != OK)
            return outcome;
        if (field.number == id_field) {
            if (field.type != LENGTH)
                return ODD;
            *id = field.content; /* the last one counts */
            *id_size = field.size;
        }
    }
    return OK;
}

static Outcome add_item(Request *request, Field *field, size_t scope)
{
    Bytes id;
    size_t id_size;
    Outcome outcome = check_item(field, request->id_field, &id, &id_size);
    if (outcome != OK)
        return outcome;
    Item *item = append(&request->items);
    if (item == NULL)
        return NO_MEMORY;
    item->start = field->content;
    item->size = field->size;
    item->scope = scope;
    if (id_size == 16 && request->last_id != NULL && memcmp(id, request->last_id, 16) == 0) {
        item->partition = request->last_partition;
        return OK;
    }
    item->partition = request->last_partition = place(request, id, id_size);
    request->last_id = id_size == 16 ? id : NULL;
    return OK;
}

static Outcome add_scope(Request *request, Field *group, size_t resource)
{
    size_t number = request->scopes.count;
    Envelope *scope = append(&request->scopes);
    if (scope == NULL)
        return NO_MEMORY;
    memset(scope, 0, sizeof *scope);
    scope->parent = resource;
    scope->first_slice = request->slices.count;
    Bytes at = group->content, end = at + group->size;
    Field field;
    while (at < end) {
        Outcome outcome = read_field(&at, end, &field);
        if (outcome != OK)
            return outcome;
        if (field.number == 2) {
            outcome = field.type == LENGTH ? add_item(request, &field, number) : ODD;
        } else if (field.number <= 3 && field.type != LENGTH) {
            outcome = ODD;
        } else {
            outcome = add_head(request, scope, &field, at);
        }
        if (outcome != OK)
            return outcome;
    }
    return OK;
}

static Outcome add_resource(Request *request, Field *group)
{
    size_t number = request->resources.count;
    Envelope *resource = append(&request->resources);
    if (resource == NULL)
        return NO_MEMORY;
    memset(resource, 0, sizeof *resource);
    resource->parent = request->body;
    /* Heads of a resource must lie together: they are gathered before its scopes are read. */
    resource->first_slice = request->slices.count;
    Bytes at = group->content, end = at + group->size;
    Field field;
    Outcome outcome;
    while (at < end) {
        if ((outcome = read_field(&at, end, &field)) != OK)
            return outcome;
        if (field.number <= 3 && field.type != LENGTH)
            return ODD;
        if (field.number != 2 && (outcome = add_head(request, resource, &field, at)) != OK)
            return outcome;
    }
    at = group->content;
    while (at < end) {
        if ((outcome = read_field(&at, end, &field)) != OK)
            return outcome;
        if (field.number == 2 && (outcome = add_scope(request, &field, number)) != OK)
            return outcome;
    }
    return OK;
}

static Outcome take_apart(Request *request, Bytes at, size_t size)
{
    Bytes end = at + size;
    Field field;
    while (at < end) {
        Outcome outcome = read_field(&at, end, &field);
        if (outcome != OK)
            return outcome;
        if (field.number != 1)
            continue; /* belongs to nobody */
        outcome = field.type == LENGTH ? add_resource(request, &field) : ODD;
        if (outcome != OK)
            return outcome;
    }
    return OK;
}

static void clear(Request *request)
{
    free(request->slices.items);
    free(request->resources.items);
    free(request->scopes.items);
    free(request->items.items);
}

static void prepare(Request *request, int logs)
{
    memset(request, 0, sizeof *request);
    request->slices.item_size = sizeof(Slice);
    request->resources.item_size = sizeof(Envelope);
    request->scopes.item_size = sizeof(Envelope);
    request->items.item_size = sizeof(Item);
    request->id_field = logs ? 9 : 1;
}

/* ---- putting together ------------------------------------------------------------------------ */

static size_t framed(size_t content)
{
    size_t size = 2 + content; /* a tag below 16 and the first byte of the length */
    for (size_t rest = content >> 7; rest; rest >>= 7)
        size++;
    return size;
}

static uint8_t *write_frame(uint8_t *out, uint8_t number, size_t content)
{
    *out++ = (uint8_t)(number << 3 | LENGTH);
    while (content > 0x7F) {
        *out++ = (uint8_t)(content & 0x7F) | 0x80;
        content >>= 7;
    }
    *out++ = (uint8_t)content;
    return out;
}

static uint8_t *write_head(const Request *request, const Envelope *envelope, uint8_t *out)
{
    const Slice *slice = (const Slice *)request->slices.items + envelope->first_slice;
    for (size_t i = 0; i < envelope->slices; i++, slice++) {
        memcpy(out, slice->start, slice->size);
        out += slice->size;
    }
    return out;
}

/* The items that `order` names are one partition's, in their order; their envelopes are written
 * once for each run of them. Sizes first, from the inside out, then the bytes. */
static size_t measure(Request *request, const size_t *order, size_t count)
{
    const Item *items = request->items.items;
    Envelope *scopes = request->scopes.items, *resources = request->resources.items;
    size_t total = 0;
    for (size_t i = 0; i < count;) {
        size_t resource = scopes[items[order[i]].scope].parent;
        size_t content = resources[resource].head_size;
        while (i < count && scopes[items[order[i]].scope].parent == resource) {
            size_t scope = items[order[i]].scope;
            size_t inner = scopes[scope].head_size;
            for (; i < count && items[order[i]].scope == scope; i++)
                inner += framed(items[order[i]].size);
            scopes[scope].size = inner;
            content += framed(inner);
        }
        resources[resource].size = content;
        total += framed(content);
    }
    return total;
}

static void write_items(const Request *request, const size_t *order, size_t count, uint8_t *out)
{
    const Item *items = request->items.items;
    const Envelope *scopes = request->scopes.items, *resources = request->resources.items;
    size_t resource = SIZE_MAX, scope = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        const Item *item = &items[order[i]];
        if (item->scope != scope) {
            scope = item->scope;
            if (scopes[scope].parent != resource) {
                resource = scopes[scope].parent;
                out = write_frame(out, 1, resources[resource].size);
                out = write_head(request, &resources[resource], out);
            }
            out = write_frame(out, 2, scopes[scope].size);
            out = write_head(request, &scopes[scope], out);
        }
        out = write_frame(out, 2, item->size);
        memcpy(out, item->start, item->size);
        out += item->size;
    }
}

/* What `measure` found to take `total` bytes. */
static PyObject *build(const Request *request, const size_t *order, size_t count, size_t total)
{
    PyObject *body = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)total);
    if (body != NULL)
        write_items(request, order, count, (uint8_t *)PyBytes_AsString(body));
    return body;
}

/* How the result of one partition is made: appended to `result`; 0, or -1 with an error set. */
typedef struct {
    PyObject *owners; /* of the requests, in their order; NULL if there is only one request */
    size_t bytes_max;
    size_t left; /* bytes that all pieces may still take together */
} Shape;

/* Whether a piece of `total` bytes may be made too; if not, with an error set. */
static int afford(Shape *shape, size_t total)
{
    if (total > shape->left) {
        PyErr_SetString(PyExc_BufferError, "the pieces copy too much");
        return 0;
    }
    shape->left -= total;
    return 1;
}

static int append_whole(Request *request, const size_t *order, size_t count, Py_ssize_t partition,
                        Shape *shape, PyObject *result)
{
    size_t total = measure(request, order, count);
    PyObject *body = afford(shape, total) ? build(request, order, count, total) : NULL;
    PyObject *entry = body ? Py_BuildValue("(nNn)", partition, body, (Py_ssize_t)count) : NULL;
    int failed = entry == NULL || PyList_Append(result, entry) < 0;
    Py_XDECREF(entry);
    return failed ? -1 : 0;
}

static size_t body_of(const Request *request, size_t item)
{
    const Envelope *scopes = request->scopes.items, *resources = request->resources.items;
    const Item *items = request->items.items;
    return resources[scopes[items[item].scope].parent].parent;
}

/* Pieces of at most `bytes_max` bytes, cut only between requests; with each, whose share of it ends
 * where. A share that is larger is a piece by itself. */
static int append_shared(Request *request, const size_t *order, size_t count, Py_ssize_t partition,
                         Shape *shape, PyObject *result)
{
    for (size_t next = 0; next < count;) {
        size_t first = next, total = 0;
        PyObject *shares = PyList_New(0);
        if (shares == NULL)
            return -1;
        while (next < count) {
            size_t number = body_of(request, order[next]), stop = next + 1;
            while (stop < count && body_of(request, order[stop]) == number)
                stop++;
            size_t size = measure(request, order + next, stop - next);
            if (total && total + size > shape->bytes_max)
                break;
            total += size;
            PyObject *owner = PyList_GetItem(shape->owners, (Py_ssize_t)number);
            PyObject *share = owner ? Py_BuildValue("(Onn)", owner, (Py_ssize_t)(stop - next),
                                                    (Py_ssize_t)total)
                                    : NULL;
            int failed = share == NULL || PyList_Append(shares, share) < 0;
            Py_XDECREF(share);
            if (failed) {
                Py_DECREF(shares);
                return -1;
            }
            next = stop;
        }
        PyObject *body =
            afford(shape, total) ? build(request, order + first, next - first, total) : NULL;
        PyObject *entry =
            body ? Py_BuildValue("(nNnO)", partition, body, (Py_ssize_t)(next - first), shares) : NULL;
        int failed = entry == NULL || PyList_Append(result, entry) < 0;
        Py_XDECREF(entry);
        Py_DECREF(shares);
        if (failed)
            return -1;
    }
    return 0;
}

/* Items by partition, stable: a counting sort over partitions + 1, the first for those without. */
static PyObject *build_all(Request *request, Shape *shape)
{
    size_t count = request->items.count, kinds = (size_t)request->partitions + 1;
    const Item *items = request->items.items;
    size_t *starts = calloc(kinds + 1, sizeof *starts);
    size_t *order = malloc((count ? count : 1) * sizeof *order);
    PyObject *result = NULL;
    if (starts == NULL || order == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (size_t i = 0; i < count; i++)
        starts[items[i].partition + 2]++;
    for (size_t kind = 1; kind <= kinds; kind++)
        starts[kind] += starts[kind - 1];
    for (size_t i = 0; i < count; i++)
        order[starts[items[i].partition + 1]++] = i;
    /* Each start has moved to its end, which is the next one's start. */
    if ((result = PyList_New(0)) == NULL)
        goto done;
    for (size_t kind = 0, from = 0; kind < kinds; from = starts[kind++]) {
        if (starts[kind] == from)
            continue;
        size_t size = starts[kind] - from;
        Py_ssize_t partition = (Py_ssize_t)kind - 1;
        int failed = shape->owners == NULL
                         ? append_whole(request, order + from, size, partition, shape, result)
                         : append_shared(request, order + from, size, partition, shape, result);
        if (failed) {
            Py_CLEAR(result);
            goto done;
        }
    }
done:
    free(starts);
    free(order);
    return result;
}

static PyObject *finish(Outcome outcome)
{
    if (outcome == NO_MEMORY)
        return PyErr_NoMemory();
    if (outcome == BROKEN) {
        PyErr_SetString(PyExc_ValueError, "broken protobuf framing");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *split(PyObject *module, PyObject *args)
{
    Py_buffer body;
    Py_ssize_t copied_max;
    int logs, partitions, murmur;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*pipn", &body, &logs, &partitions, &murmur, &copied_max))
        return NULL;
    if (partitions < 1 || partitions > 1000000 || copied_max < 0) {
        PyBuffer_Release(&body);
        PyErr_SetString(PyExc_OverflowError, "partitions must be between 1 and 1,000,000, and "
                                             "copied_max not negative");
        return NULL;
    }
    Request request;
    prepare(&request, logs);
    request.partitions = partitions;
    request.murmur = murmur;
    request.keyless = logs;
    Outcome outcome = take_apart(&request, body.buf, (size_t)body.len);
    Shape shape = {NULL, SIZE_MAX, (size_t)body.len + (size_t)copied_max};
    PyObject *result = outcome == OK ? build_all(&request, &shape) : finish(outcome);
    clear(&request);
    PyBuffer_Release(&body);
    return result;
}

static PyObject *split_many(PyObject *module, PyObject *args)
{
    PyObject *bodies, *owners;
    Py_ssize_t bytes_max, copied_max;
    int logs, partitions, murmur;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!pipnn", &PyList_Type, &bodies, &PyList_Type, &owners, &logs,
                          &partitions, &murmur, &bytes_max, &copied_max))
        return NULL;
    if (partitions < 1 || partitions > 1000000 || bytes_max < 0 || copied_max < 0 ||
        PyList_Size(bodies) != PyList_Size(owners)) {
        PyErr_SetString(PyExc_OverflowError, "partitions must be between 1 and 1,000,000, bytes_max "
                                             "and copied_max not negative, and every body needs its "
                                             "owner");
        return NULL;
    }
    Request request;
    prepare(&request, logs);
    request.partitions = partitions;
    request.murmur = murmur;
    request.keyless = logs;
    Outcome outcome = OK;
    size_t left = (size_t)copied_max;
    PyObject *result = NULL;
    /* Nothing here runs other Python code, so the list keeps its bodies alive. */
    for (Py_ssize_t i = 0; outcome == OK && i < PyList_Size(bodies); i++) {
        char *start;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(PyList_GetItem(bodies, i), &start, &size) < 0)
            goto done;
        request.body = (size_t)i;
        left += (size_t)size;
        outcome = take_apart(&request, (Bytes)start, (size_t)size);
    }
    if (outcome == NO_MEMORY) {
        PyErr_NoMemory();
    } else if (outcome == OK) {
        Shape shape = {owners, (size_t)bytes_max, left};
        result = build_all(&request, &shape);
        if (result == NULL && PyErr_ExceptionMatches(PyExc_BufferError)) {
            PyErr_Clear(); /* as with a broken one */
            result = Py_None;
            Py_INCREF(result);
        }
    } else {
        /* The caller finds out which one it is. */
        result = Py_None;
        Py_INCREF(result);
    }
done:
    clear(&request);
    return result;
}

/* ---- looking through a request before it is taken ---------------------------------------------- */

/* What a message is, as far as values (AnyValue) can be reached through it. */
typedef enum {
    NOTHING, REQUEST, RESOURCE_GROUP, SCOPE_GROUP, RESOURCE, SCOPE, SPAN, EVENT, LINK, LOG, METRIC,
    NUMBERS, HISTOGRAMS, EXPONENTIALS, SUMMARIES, NUMBER, HISTOGRAM, EXPONENTIAL, SUMMARY, EXEMPLAR,
    PAIR, VALUE, LIST, MAP, KINDS
} Kind;

enum { FIELDS_END = 14 }; /* field numbers that matter are below it */

static const uint8_t children[KINDS][FIELDS_END] = {
    [REQUEST] = {[1] = RESOURCE_GROUP},
    [RESOURCE_GROUP] = {[1] = RESOURCE, [2] = SCOPE_GROUP},
    [SCOPE_GROUP] = {[1] = SCOPE}, /* and items, by signal */
    [RESOURCE] = {[1] = PAIR},
    [SCOPE] = {[3] = PAIR},
    [SPAN] = {[9] = PAIR, [11] = EVENT, [13] = LINK},
    [EVENT] = {[3] = PAIR},
    [LINK] = {[4] = PAIR},
    [LOG] = {[5] = VALUE, [6] = PAIR},
    [METRIC] = {[5] = NUMBERS, [7] = NUMBERS, [9] = HISTOGRAMS, [10] = EXPONENTIALS,
                [11] = SUMMARIES, [12] = PAIR},
    [NUMBERS] = {[1] = NUMBER},
    [HISTOGRAMS] = {[1] = HISTOGRAM},
    [EXPONENTIALS] = {[1] = EXPONENTIAL},
    [SUMMARIES] = {[1] = SUMMARY},
    [NUMBER] = {[5] = EXEMPLAR, [7] = PAIR},
    [HISTOGRAM] = {[8] = EXEMPLAR, [9] = PAIR},
    [EXPONENTIAL] = {[1] = PAIR, [11] = EXEMPLAR},
    [SUMMARY] = {[7] = PAIR},
    [EXEMPLAR] = {[7] = PAIR},
    [PAIR] = {[2] = VALUE},
    [VALUE] = {[5] = LIST, [6] = MAP},
    [LIST] = {[1] = VALUE},
    [MAP] = {[1] = PAIR},
};
static const uint8_t item_kinds[] = {SPAN, METRIC, LOG};

typedef struct {
    Kind item;
    size_t depth_max, envelopes_max, fields_max; /* what is allowed */
    size_t items, envelopes, fields;             /* what was found */
} Scan;

static Kind child_of(Kind kind, const Field *field)
{
    if (field->type != LENGTH || field->number >= FIELDS_END)
        return NOTHING;
    return (Kind)children[kind][field->number];
}

/* Whether lists and maps stand more than `left` deep in each other. Each takes 4 bytes at least, so
 * that small values, which are nearly all, need no look; a broken one counts as flat, since nobody
 * can decode it. The recursion is as deep as `depth_max` allows, and each byte is read once. */
static Outcome look_into(Scan *scan, Kind kind, Bytes at, size_t size, size_t left)
{
    Bytes end = at + size;
    Field field;
    while (at < end) {
        if (read_any_field(&at, end, &field) != OK)
            return OK;
        if (++scan->fields > scan->fields_max)
            return TOO_MANY;
        Kind child = child_of(kind, &field);
        if (child == NOTHING)
            continue;
        size_t deeper = left;
        if (child == LIST || child == MAP) {
            if (left == 0)
                return TOO_DEEP;
            deeper--;
        }
        if (field.size < 4 * deeper)
            continue;
        Outcome outcome = look_into(scan, child, field.content, field.size, deeper);
        if (outcome != OK)
            return outcome;
    }
    return OK;
}

/* The points of a metric: those of the kind of data that comes last, as protobuf has it. */
static Outcome count_points(Scan *scan, const Field *data, size_t *points)
{
    Bytes at = data->content, end = at + data->size;
    Field field;
    while (at < end) {
        if (read_any_field(&at, end, &field) != OK)
            return BROKEN;
        if (++scan->fields > scan->fields_max)
            return TOO_MANY;
        *points += field.number == 1 && field.type == LENGTH;
    }
    return OK;
}

static Outcome scan_item(Scan *scan, const Field *item)
{
    Bytes at = item->content, end = at + item->size;
    size_t points = 0, fields = scan->fields, small = scan->item == METRIC ? 0 : 4 * scan->depth_max;
    uint32_t data = 0;
    Field field;
    while (at < end) {
        Outcome outcome = read_field(&at, end, &field);
        if (outcome != OK && (outcome != ODD || (outcome = pass_over(&at, end, &field)) != OK))
            return outcome;
        fields++;
        if (field.type != LENGTH || field.size < small)
            continue;
        Kind child = child_of(scan->item, &field);
        if (child == NOTHING)
            continue;
        scan->fields = fields;
        if (child >= NUMBERS && child <= SUMMARIES) {
            if (field.number != data)
                points = 0;
            data = field.number;
            if ((outcome = count_points(scan, &field, &points)) != OK)
                return outcome;
        }
        if (field.size >= 4 * scan->depth_max) {
            outcome = look_into(scan, child, field.content, field.size, scan->depth_max);
            if (outcome != OK)
                return outcome;
        }
        fields = scan->fields;
    }
    scan->fields = fields;
    if (fields > scan->fields_max)
        return TOO_MANY;
    scan->items += scan->item == METRIC ? points : 1;
    return OK;
}

/* A request, or one of its groups. */
static Outcome scan_envelope(Scan *scan, Kind kind, Bytes at, size_t size)
{
    Bytes end = at + size;
    Field field;
    while (at < end) {
        Outcome outcome = read_any_field(&at, end, &field);
        if (outcome != OK)
            return outcome;
        Kind child = child_of(kind, &field);
        if (kind == SCOPE_GROUP && field.number == 2 && field.type == LENGTH) {
            outcome = scan_item(scan, &field);
        } else if (child == RESOURCE_GROUP || child == SCOPE_GROUP) {
            if (++scan->envelopes > scan->envelopes_max)
                return TOO_MANY;
            outcome = scan_envelope(scan, child, field.content, field.size);
        } else if (++scan->fields > scan->fields_max) {
            return TOO_MANY;
        } else if (child != NOTHING && field.size >= 4 * scan->depth_max) {
            outcome = look_into(scan, child, field.content, field.size, scan->depth_max);
        }
        if (outcome != OK)
            return outcome;
    }
    return OK;
}

/* What `signal` and the limits of a call ask to be looked for; 0 with an error set if it is nonsense. */
static int prepare_scan(
    Scan *scan, int signal, Py_ssize_t depth_max, Py_ssize_t envelopes_max, Py_ssize_t fields_max)
{
    if (signal < 0 || signal > 2 || depth_max < 0 || depth_max > 1000 || envelopes_max < 0 ||
        fields_max < 0) {
        PyErr_SetString(PyExc_OverflowError, "signal, depth_max, envelopes_max or fields_max");
        return 0;
    }
    Scan fresh = {(Kind)item_kinds[signal], (size_t)depth_max, (size_t)envelopes_max,
                  (size_t)fields_max, 0, 0, 0};
    *scan = fresh;
    return 1;
}

static PyObject *count(PyObject *module, PyObject *args)
{
    Py_buffer body;
    Py_ssize_t depth_max, envelopes_max, fields_max;
    int signal;
    Scan scan;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*innn", &body, &signal, &depth_max, &envelopes_max, &fields_max))
        return NULL;
    if (!prepare_scan(&scan, signal, depth_max, envelopes_max, fields_max)) {
        PyBuffer_Release(&body);
        return NULL;
    }
    Outcome outcome = scan_envelope(&scan, REQUEST, body.buf, (size_t)body.len);
    PyBuffer_Release(&body);
    if (outcome == OK)
        return PyLong_FromSize_t(scan.items);
    if (outcome == TOO_DEEP)
        PyErr_SetString(PyExc_RecursionError, "values in each other");
    else if (outcome == TOO_MANY)
        PyErr_SetString(PyExc_BufferError, "too many envelopes or fields");
    else
        PyErr_SetString(PyExc_ValueError, "broken protobuf framing");
    return NULL;
}

/* The count of one body; None for what is no bytes, broken, or beyond the limits. */
static PyObject *count_one(const Scan *fresh, PyObject *body)
{
    Scan scan = *fresh;
    char *start;
    Py_ssize_t size;
    if (PyBytes_Check(body) && PyBytes_AsStringAndSize(body, &start, &size) == 0 &&
        scan_envelope(&scan, REQUEST, (Bytes)start, (size_t)size) == OK)
        return PyLong_FromSize_t(scan.items);
    Py_INCREF(Py_None);
    return Py_None;
}

static PyObject *count_many(PyObject *module, PyObject *args)
{
    PyObject *bodies;
    Py_ssize_t depth_max, envelopes_max, fields_max;
    int signal;
    Scan scan;
    (void)module;
    if (!PyArg_ParseTuple(
            args, "O!innn", &PyList_Type, &bodies, &signal, &depth_max, &envelopes_max,
            &fields_max) ||
        !prepare_scan(&scan, signal, depth_max, envelopes_max, fields_max))
        return NULL;
    Py_ssize_t number = PyList_Size(bodies);
    PyObject *counts = PyList_New(number);
    for (Py_ssize_t i = 0; counts != NULL && i < number; i++) {
        PyObject *found = count_one(&scan, PyList_GetItem(bodies, i));
        if (found == NULL || PyList_SetItem(counts, i, found) < 0) {
            Py_DECREF(counts);
            counts = NULL;
        }
    }
    return counts;
}

static PyObject *keep_freed(PyObject *module, PyObject *args)
{
    int mapped_from, kept;
    (void)module;
    if (!PyArg_ParseTuple(args, "ii", &mapped_from, &kept))
        return NULL;
#ifdef __GLIBC__
    return PyBool_FromLong(mallopt(M_MMAP_THRESHOLD, mapped_from) && mallopt(M_TRIM_THRESHOLD, kept));
#else
    Py_RETURN_FALSE; /* Other C libraries have ways of their own. */
#endif
}

static PyMethodDef methods[] = {
    {"count", count, METH_VARARGS,
     "count(body, signal, depth_max, envelopes_max, fields_max) -> number of spans, data points or log\n"
     "records; signal is 0 for traces, 1 for metrics, 2 for logs. Raises ValueError for broken framing,\n"
     "RecursionError if lists and maps stand more than depth_max deep in each other, BufferError if\n"
     "there are more resources and scopes than envelopes_max, or more fields than fields_max."},
    {"count_many", count_many, METH_VARARGS,
     "count_many(bodies, signal, depth_max, envelopes_max, fields_max) -> [count of each of a list of\n"
     "bytes, or None where count would raise or there are no bytes]."},
    {"keep_freed", keep_freed, METH_VARARGS,
     "keep_freed(mapped_from, kept) -> whether glibc took them: bytes from which a block is mapped by\n"
     "itself, and bytes of freed memory that the process keeps; see bridge/wire/freed_memory.py."},
    {"split", split, METH_VARARGS,
     "split(body, logs, partitions, murmur2, copied_max) -> [(partition, request, items)], partition -1\n"
     "for log records without a trace id; or None if the Python form must decide. Raises ValueError for\n"
     "broken framing, BufferError if the pieces exceed the body by more than copied_max bytes."},
    {"split_many", split_many, METH_VARARGS,
     "split_many(bodies, owners, logs, partitions, murmur2, bytes_max, copied_max) -> [(partition,\n"
     "request, items, [(owner, items, end), ...])]: the bodies joined and split at once. Several pieces of a partition\n"
     "follow each other, cut between bodies so that none exceeds bytes_max unless one body's share\n"
     "does; shares are consecutive and end is where one ends in its piece. None if a body is broken,\n"
     "the pieces exceed the bodies by more than copied_max bytes, or the Python form must decide."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "bridge.wire._native", "Hot functions of bridge.wire.", 0, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModule_Create(&definition);
}

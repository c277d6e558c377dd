/* The stable C interface of Manta: everything that crosses the border of libmanta.so.
 *
 * The typed C++ interface (manta.h) is header-only and built on these functions alone, so that one shared
 * library serves both C++ string ABIs, every C++ standard from 17 on, and other languages.
 *
 * Rules that hold for every function unless its comment says otherwise:
 *  - Thread safety: may be called from any thread at any time; a `manta_ref` or `manta_actor` may be used
 *    by several threads at once.
 *  - Errors: a function that can fail returns `manta_error*`: NULL for success, else an owned error that the
 *    caller frees with manta_error_free(). Out-parameters are untouched on failure.
 *  - Structs that the caller fills start with `struct_size = sizeof(the struct)`, so that fields can be
 *    appended: the library reads only what the caller's version has.
 *  - Durations are nanoseconds in int64_t; a negative one means "no limit".
 */
#ifndef MANTA_MANTA_C_H_
#define MANTA_MANTA_C_H_

#include <stddef.h>
#include <stdint.h>

#define MANTA_API __attribute__((visibility("default")))
#define MANTA_ABI_VERSION 8

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Opaque handles --------------------------------------------------------------------------------- */

typedef struct manta_runtime manta_runtime; /* this process's connection to a cluster */
typedef struct manta_ref manta_ref;         /* one counted reference to an object (a future value) */
typedef struct manta_actor manta_actor;     /* one counted handle to an actor */
typedef struct manta_stream manta_stream;   /* the results of a task that gives them one by one */
typedef struct manta_error manta_error;

typedef struct manta_bytes {
  const void* data;
  size_t size;
} manta_bytes;

/* Memory that the caller owns. */
typedef struct manta_blob manta_blob;
MANTA_API const void* manta_blob_data(const manta_blob* blob);
MANTA_API size_t manta_blob_size(const manta_blob* blob);
MANTA_API void manta_blob_free(manta_blob* blob); /* NULL is allowed */

/* Names an object in the whole cluster. Value 0 in `owner` is the nil id. */
typedef struct manta_object_id {
  uint64_t owner;      /* id of the process that owns it */
  uint32_t index;      /* place in the owner's table */
  uint32_t generation; /* which use of that place */
} manta_object_id;

/* Names a placement group in the whole cluster. Both zero: the nil id, which stands for none. */
typedef struct manta_placement_group_id {
  uint64_t creator; /* id of the process that created it */
  uint64_t serial;
} manta_placement_group_id;

/* Names an actor in the whole cluster. Both zero: the nil id. */
typedef struct manta_actor_id {
  uint64_t creator; /* id of the process that created it */
  uint64_t serial;
} manta_actor_id;

/* ---- Errors ----------------------------------------------------------------------------------------- */

typedef enum manta_error_kind {
  MANTA_ERROR_INVALID_ARGUMENT = 1, /* the call itself is wrong: mend the program */
  MANTA_ERROR_NOT_INITIALIZED = 2,
  MANTA_ERROR_NOT_SUPPORTED = 3, /* part of the documented surface that is not there yet */
  MANTA_ERROR_TIMEOUT = 4,       /* GetTimeoutError */
  MANTA_ERROR_TASK = 5,          /* user code threw: type, message and stack of the original */
  MANTA_ERROR_WORKER_CRASHED = 6,
  MANTA_ERROR_ACTOR_DIED = 7,
  MANTA_ERROR_ACTOR_UNAVAILABLE = 8,
  MANTA_ERROR_TASK_CANCELLED = 9,
  MANTA_ERROR_OWNER_DIED = 10,
  MANTA_ERROR_OBJECT_LOST = 11,
  MANTA_ERROR_OBJECT_STORE_FULL = 12,
  MANTA_ERROR_OBJECT_TOO_LARGE = 13,
  MANTA_ERROR_NODE_DIED = 14, /* the node daemon (and so the cluster of a local driver) is gone */
  MANTA_ERROR_TASK_UNSCHEDULABLE = 15,
  MANTA_ERROR_ACTOR_UNSCHEDULABLE = 16,
  MANTA_ERROR_PENDING_CALLS_LIMIT = 17,
  MANTA_ERROR_ACTOR_NAME_TAKEN = 18,
  MANTA_ERROR_ACTOR_NOT_FOUND = 19,
  MANTA_ERROR_VERSION_MISMATCH = 20,
  MANTA_ERROR_START_FAILED = 21, /* a cluster or a worker could not be started */
  MANTA_ERROR_AUTHENTICATION = 22,
  MANTA_ERROR_SYSTEM = 23, /* an operating system call failed; message names it */
  MANTA_ERROR_END_OF_STREAM = 24, /* stands for what comes behind the last item of a stream */
  MANTA_ERROR_TASK_PLACEMENT_GROUP_REMOVED = 25,  /* the task ran, or was to run, in a group that is gone */
  MANTA_ERROR_ACTOR_PLACEMENT_GROUP_REMOVED = 26  /* the actor was to be placed in a group that is gone */
} manta_error_kind;

MANTA_API manta_error_kind manta_error_get_kind(const manta_error* error);
/* What was wrong and what to do. The three texts live as long as the error. Never NULL. */
MANTA_API const char* manta_error_message(const manta_error* error);
/* For MANTA_ERROR_TASK: the demangled type of the exception, else "". */
MANTA_API const char* manta_error_type_name(const manta_error* error);
/* For MANTA_ERROR_TASK: where the exception was thrown, as lines of text: process, and frames of the user's code; then the
 * same for each task that let it pass, outermost last. At most 64 frames each and 16 KiB in all. Else "". */
MANTA_API const char* manta_error_stack(const manta_error* error);
/* What the front-end that ran the task has attached for itself (manta_call_ops.fail_with): an exception in its own form. Lives as long
 * as the error; of size 0 when there is none. */
MANTA_API manta_bytes manta_error_payload(const manta_error* error);
/* Which actor cannot run the call (ACTOR_DIED, ACTOR_UNAVAILABLE); the nil id when that is not known, and for other kinds. */
MANTA_API manta_actor_id manta_error_actor(const manta_error* error);
/* The first result of the task that was cancelled (TASK_CANCELLED); the nil id when that is not known, and for other kinds. */
MANTA_API manta_object_id manta_error_task(const manta_error* error);
MANTA_API void manta_error_free(manta_error* error); /* NULL is allowed */

/* ---- Functions -------------------------------------------------------------------------------------- */

/* Code that a worker can run: an invoker (compiled by the header for one signature) and the user's function
 * that it calls, as offsets in modules that are named by a hash of their build id. A worker runs the same
 * executable, so offsets mean the same there. */
typedef struct manta_function_id {
  uint32_t module;
  uint32_t invoker;
  uint32_t target_module;
  uint32_t target;
} manta_function_id;

typedef struct manta_call manta_call;
typedef struct manta_calls manta_calls;
typedef void (*manta_invoker)(manta_call* call);

/* Makes `invoker` callable from other processes. Called by static constructors, before main and before the
 * runtime exists; a worker refuses a descriptor that names code which was not registered. */
MANTA_API void manta_invoker_register(manta_invoker invoker, const char* signature);

/* Finds the id of registered code. `target` (an address of a function, or NULL if the invoker needs none) must
 * lie in the executable or in a library that it had loaded when main started.
 * Cost: a search over modules; callers keep the result per function. */
MANTA_API manta_error* manta_function_find(manta_invoker invoker, const void* target, const char* name,
                                           manta_function_id* out);

/* ---- Calls across languages -------------------------------------------------------------------------- */

typedef enum manta_language {
  MANTA_LANGUAGE_SAME = 0,  /* the caller's own */
  MANTA_LANGUAGE_PYTHON = 1 /* workers are forked from the job's Python (manta_config.python) */
} manta_language;

/* Of a worker of `language`: runs the calls that other languages make, whose function is {0, language, 0, 0}. Called as
 * manta_invoker_register is. */
MANTA_API void manta_language_invoker_register(manta_language language, manta_invoker invoker);

typedef enum manta_named_kind { MANTA_NAMED_FUNCTION = 0, MANTA_NAMED_FACTORY = 1, MANTA_NAMED_METHOD = 2 } manta_named_kind;

/* A C++ function that other languages call by its name. */
typedef struct manta_named_function {
  size_t struct_size;
  manta_named_kind kind;
  manta_invoker invoker; /* NULL: it takes or returns what cannot travel */
  const void* target;    /* manta_call.target of its calls */
  /* "(parameters)result": how each is encoded (include/manta/detail/schema.h). Lives as long as the code. */
  const char* (*signature)(void);
  unsigned char prefix[24]; /* what stands before the arguments of each call */
  size_t prefix_size;
} manta_named_function;

/* By static constructors. `names`: of several functions, with commas between them, as they stand in the source; `index`: whose turn it
 * is. */
MANTA_API void manta_named_function_register(const char* names, uint32_t index, const manta_named_function* function);
/* By the name that stands in the source, or without `&`, the picked parameters of an overload, and spaces, where that is not ambiguous.
 * Error INVALID_ARGUMENT says what there is. */
MANTA_API manta_error* manta_named_function_find(const char* name, manta_named_function* out);

/* ---- Running a task (worker side, seen by invokers only) ---------------------------------------------- */

typedef struct manta_failure {
  manta_error_kind kind; /* MANTA_ERROR_TASK for an exception of user code */
  const char* type_name; /* mangled name as by typeid(e).name(), demangled by the library */
  const char* message;
} manta_failure;

typedef struct manta_call_ops {
  /* Space for result `index` of `size` bytes, and the references that its bytes contain. Returns NULL when there is
   * no room: the call has failed with the reason recorded, and the invoker returns. */
  void* (*allocate_result)(manta_call* call, uint32_t index, size_t size, manta_ref* const* nested,
                           size_t num_nested);
  void (*fail)(manta_call* call, const manta_failure* failure);
  /* A new counted reference that keeps dependency `index` readable after the call has returned. */
  manta_ref* (*retain_dependency)(manta_call* call, uint32_t index);
  /* Creation calls of actors: hands over the instance; `destroy` runs when the actor ends gracefully. */
  void (*set_actor)(manta_call* call, void* instance, void (*destroy)(void* instance));
  /* As fail, for the failure of another task that this one lets pass: `stack` is what manta_error_stack said of it. */
  void (*pass_on)(manta_call* call, const manta_failure* failure, const char* stack);
  /* As pass_on, with bytes that manta_error_payload gives back; more than 4 MiB are left out. */
  void (*fail_with)(manta_call* call, const manta_failure* failure, const char* stack, manta_bytes payload);

  /* ---- For event loops (see manta_calls_run) */
  /* In the creation call of an actor: its calls of concurrency group `group` (NULL: the default one) will wait for manta_calls_run
   * instead of running on threads of the library; as many of them as the group has threads are under way at once. Valid as long as the
   * process. NULL: no such group, or no creation call. */
  manta_calls* (*serve)(manta_call* call, const char* group);
  /* In a call that manta_calls_run has begun: it goes on after its invoker has returned, until `finish`. What it was called with ends
   * with the invoker; `ops` and the space for results stay. `data` is for manta_calls_run's `cancelled`. Returns 0 for other calls. */
  int (*defer)(manta_call* call, void* data);
  /* The end of a deferred call, on any thread: nothing of it may be used afterwards. */
  void (*finish)(manta_call* call);
  /* From resume to suspend the calling thread runs the deferred call: what it submits or asks belongs to it. May nest, with others inside. */
  void (*resume)(manta_call* call);
  void (*suspend)(manta_call* call);

  /* ---- For streams (manta_task_spec.stream) */
  /* Sends result 0, as it was written or allocated, as the next item of the caller's stream; it can be filled anew then. Waits until the
   * caller has room and, if `most_ahead` is not 0, until fewer items than that are not taken yet. What a call that is not for a stream
   * sends gets lost. Returns 1; 0 when the call is to stop, since it was cancelled or nobody is there any more (or has failed already, or
   * has more results than one); 2, in a deferred call, where other calls would have to wait: ask again later, with nothing written
   * meanwhile. */
  int (*emit)(manta_call* call, uint32_t most_ahead);

  /* From on (1) to off (0) manta_zygote_hooks.stop_task may be called for the task, at once if it was cancelled before. No effect on
   * calls of actors, and on threads other than the worker's main one. */
  void (*set_stoppable)(manta_call* call, int on);
} manta_call_ops;

/* One execution. The runtime fills it; the invoker reads its inputs and writes `inline_size` or uses `ops`.
 * Lives for the duration of the invoker. */
struct manta_call {
  manta_runtime* runtime;
  const manta_call_ops* ops;
  const void* target;       /* address of the user's function, or NULL */
  const void* args;         /* what the caller encoded */
  size_t args_size;
  const manta_bytes* dependencies; /* values of the references that were top-level arguments, in order */
  uint32_t num_dependencies;
  uint32_t num_results;
  void* actor;              /* the instance, for methods */
  /* Fast path for a call with one result of at most inline_capacity bytes without references in it: write it to
   * inline_result and set inline_size. */
  void* inline_result;
  size_t inline_capacity;
  size_t inline_size;
};

/* ---- Life of the runtime ------------------------------------------------------------------------------ */

typedef struct manta_resource {
  const char* name;
  double quantity; /* granularity 0.0001 */
} manta_resource;

/* What a node is called by. A name has at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends, perhaps after a DNS
 * name and '/'; so has a value, without a prefix, or it is empty. Names that begin with "ray.io/" are set by the system: ray.io/node-id on
 * every node, and ray.io/accelerator-type where its GPUs are known. */
typedef struct manta_label {
  const char* name;
  const char* value;
} manta_label;

/* INVALID_ARGUMENT: no node can be given such a label. */
MANTA_API manta_error* manta_label_check(const char* name, const char* value);
/* What a selector may ask of a label: "eu", "!eu", "in(eu, us)", "!in(eu, us)", "exists()" or "!exists()"; a label that is not there has none
 * of any values. INVALID_ARGUMENT: `condition` is none, or `name` no name of a label. */
MANTA_API manta_error* manta_label_condition_check(const char* name, const char* condition);

typedef struct manta_config {
  size_t struct_size;
  const char* address;      /* NULL: $MANTA_ADDRESS, $RAY_ADDRESS, else start a cluster. "local", "auto", "NAME" */
  const char* ray_namespace; /* NULL: a fresh one for this job */
  double num_cpus;          /* negative: what the machine (or the container) has */
  double num_gpus;          /* negative: what the machine has */
  const manta_resource* resources;
  size_t num_resources;
  uint64_t object_store_bytes; /* 0: 30 % of memory, within the container's limit */
  int log_to_driver;           /* output of workers is printed by the driver */
  /* How this program's workers start, if not as the program itself: a path and the arguments (the first is the program's name) of
   * something that calls manta_zygote_main, an interpreter for instance. NULL: as the program. */
  const char* worker_program;
  const char* const* worker_arguments;
  size_t num_worker_arguments;
  const manta_label* labels; /* of the node of a cluster that is started */
  size_t num_labels;
  /* The interpreter of workers that run Python for this program, a path or a name in $PATH. NULL: $MANTA_PYTHON, else python3. It has to
   * have the package manta. */
  const char* python;
  /* Where they look for modules, and for C++ libraries of functions with names, before the usual places: folders and libraries. */
  const char* const* code_search_path;
  size_t num_code_search_path;
  /* Where text for people goes that would be written to stdout and stderr: what workers print, and what the runtime says of the cluster. Whole lines. Called on a
   * thread of the runtime's, one call at a time, until manta_shutdown has returned; nothing else goes on in this process meanwhile: it has to return at once, and
   * may call nothing of Manta's. NULL: written. */
  void (*show)(int is_stderr, const char* text, size_t size);
} manta_config;

MANTA_API void manta_config_init(manta_config* config); /* defaults */

/* Connects this process, starting a local cluster if the address asks for none. At most one runtime can be the
 * current one; use manta_runtime_start for more. */
MANTA_API manta_error* manta_init(const manta_config* config);
MANTA_API manta_error* manta_shutdown(void); /* ends what manta_init started; no-op when not initialised; an error inside of a worker */
MANTA_API int manta_is_initialized(void);

/* The runtime that manta_init or the worker's start made, or NULL. Cost: one load. */
MANTA_API manta_runtime* manta_current(void);
/* Which of the runtimes that this process has had it is, from 1 on. An address may come back after manta_shutdown, a serial does not. */
MANTA_API uint64_t manta_runtime_serial(const manta_runtime* runtime);
/* The error for a call that found no runtime: says whether Init is missing, or Shutdown came before. */
MANTA_API manta_error* manta_not_initialized_error(const char* what);

typedef struct manta_zygote_hooks {
  size_t struct_size;
  /* Called around the fork of a worker; any may be NULL. */
  void (*before_fork)(void);
  void (*after_fork_in_zygote)(void);
  void (*after_fork_in_worker)(void);
  /* Whether a task that waits may run its own children on its thread, in its process: no worker is needed for them, and what the two of
   * them have in the process (locks, thread-local state) they share. */
  int children_in_place;
  /* Called on some thread when the task that runs on the worker's main thread is to stop, and is stoppable (manta_call_ops), which does
   * not end before this has returned. NULL: tasks are stopped where they wait only, see manta_cancel. */
  void (*stop_task)(void);
} manta_zygote_hooks;

/* The life of the process that a front-end's workers are forked from, in a program that the daemon has started as worker_program. Returns
 * an exit status: in the zygote when the daemon is gone, and in each worker when that has ended. No other thread may run. A program that
 * nobody started as a zygote gets status 2 and a line on stderr. */
MANTA_API int manta_zygote_main(const manta_zygote_hooks* hooks);

/* ---- Objects ------------------------------------------------------------------------------------------- */

MANTA_API void manta_ref_retain(manta_ref* ref);
MANTA_API void manta_ref_release(manta_ref* ref); /* the last one frees the object */
MANTA_API void manta_ref_id(const manta_ref* ref, manta_object_id* out);
/* A reference found inside a value, or carried here by other means: the one of this process for that object, counted for the caller. What was carried is an
 * object of this cluster as long as the process that let its id out keeps a reference; else its value is an error, or, when the id is used again, another object. */
MANTA_API manta_ref* manta_ref_import(manta_runtime* runtime, const manta_object_id* id);

/* How long a call waits beside its own bound: until `gives_up` returns nonzero. The waiting thread calls it some twenty times a second, with no
 * lock of the runtime held. */
typedef struct manta_patience {
  int (*gives_up)(void* context);
  void* context;
} manta_patience;

/* Creates an object of `size` bytes whose value contains the references `nested`. The caller writes *data, then
 * calls manta_put_seal, then may share the reference. Large values are written in shared memory, without a copy
 * (64-byte aligned). A reference that is released before the seal gives the object up. Errors: OBJECT_TOO_LARGE, OBJECT_STORE_FULL
 * after a bounded wait for room. That wait ends with TASK_CANCELLED when the task of the calling thread is cancelled, or when
 * `patience`, if not NULL, is at its end. */
MANTA_API manta_error* manta_put_begin(manta_runtime* runtime, size_t size, manta_ref* const* nested, size_t num_nested,
                                       const manta_patience* patience, void** data, manta_ref** out);
MANTA_API void manta_put_seal(manta_ref* ref);

/* Waits until all `count` objects have values; values[i] points at the bytes of refs[i], which stay readable as long
 * as the caller holds refs[i]. On an object whose task failed: its error at once, without waiting for the rest. */
MANTA_API manta_error* manta_get(manta_runtime* runtime, manta_ref* const* refs, size_t count, int64_t timeout,
                                 manta_bytes* values);

/* For readers that may write too: *out is a writable view of `size` bytes at `data`, which manta_get or a call has given out as bytes of `ref`. A page
 * that is written becomes the view's own (copy-on-write); the object stays as it is. NULL: they do not lie in shared memory, and want a copy.
 * The caller holds `ref` until manta_copy_on_write_end. Cost: one system call, and a page fault per 16 pages that are read. */
MANTA_API manta_error* manta_copy_on_write(manta_ref* ref, const void* data, size_t size, void** out);
MANTA_API void manta_copy_on_write_end(void* view, size_t size);

/* Waits until at least `num_returns` of the objects are there (or have failed), or the time is up. Sets ready[i] to 1 for
 * the first `num_returns` ready ones in order, else 0. Errors: invalid arguments only, not a timeout. */
MANTA_API manta_error* manta_wait(manta_runtime* runtime, manta_ref* const* refs, size_t count,
                                  size_t num_returns, int64_t timeout, uint8_t* ready);

/* ---- Event loops ---------------------------------------------------------------------------------------- */

/* Tags of references whose values have come, for a loop that polls descriptors. */
typedef struct manta_ready_queue manta_ready_queue;
MANTA_API manta_error* manta_ready_queue_new(manta_runtime* runtime, manta_ready_queue** out);
/* Readable while there are tags to take. */
MANTA_API int manta_ready_queue_fd(const manta_ready_queue* queue);
/* `tag` comes once the object has a value or has failed: also when the runtime is shut down. The caller holds `ref` until then, or
 * until it frees the queue. Error: NOT_INITIALIZED, and no tag will come. */
MANTA_API manta_error* manta_ready_queue_add(manta_ready_queue* queue, manta_ref* ref, uint64_t tag);
/* Takes up to `capacity` tags; returns how many. */
MANTA_API size_t manta_ready_queue_take(manta_ready_queue* queue, uint64_t* tags, size_t capacity);
MANTA_API void manta_ready_queue_free(manta_ready_queue* queue); /* NULL is allowed */

/* The calls of an actor that an event loop of the front-end runs (manta_call_ops.serve), one thread at a time for each `calls`.
 * manta_calls_run begins at most `most` of those that wait, on the calling thread and in the order in which they came, and calls
 * `cancelled` with the data of each deferred call that is to stop. Returns how many of both. */
MANTA_API size_t manta_calls_run(manta_calls* calls, size_t most, void (*cancelled)(void* data));
/* Before the loop sleeps: looks for calls, and for tags in `ready` (may be NULL), for some microseconds, at most `limit`. Returns 1 when
 * there are some; else 0, and the descriptor gets readable when a call comes. */
MANTA_API int manta_calls_await(manta_calls* calls, manta_ready_queue* ready, int64_t limit);
MANTA_API int manta_calls_fd(const manta_calls* calls);

/* ---- Tasks --------------------------------------------------------------------------------------------- */

#define MANTA_DEFAULT_INT INT32_MIN
/* Not a number, which no amount is: a negative one is an error. */
#define MANTA_DEFAULT_QUANTITY __builtin_nan("")

typedef struct manta_task_options {
  size_t struct_size;
  double num_cpus;   /* MANTA_DEFAULT_QUANTITY: 1 for tasks; actors 1 to place and 0 to run */
  double num_gpus;   /* MANTA_DEFAULT_QUANTITY: 0 */
  double memory;     /* bytes; MANTA_DEFAULT_QUANTITY: 0 */
  const manta_resource* resources;
  size_t num_resources;
  int32_t max_retries;                       /* -1: without end; MANTA_DEFAULT_INT: 3, actors' methods 0 */
  int32_t retry_exceptions;                  /* 0 no, 1 every exception, 2 the types listed */
  const char* const* retry_exception_types;  /* mangled names */
  size_t num_retry_exception_types;
  const char* concurrency_group; /* calls of actors: NULL for the default group */
  /* Names what the front-end does to a worker before its first task (modules, variables): workers with another environment, or none,
   * take no such tasks. At most MANTA_ENVIRONMENT_LIMIT bytes, and 1,024 of a job. NULL: the caller's own; "": the job's workers. */
  const char* environment;
  /* Where tasks and actors run. NULL: as the task or actor that submits them, if that passes its group on; the nil id: in no group. Not for
   * calls of actors. */
  const manta_placement_group_id* placement_group;
  int32_t bundle_index; /* which bundle of the group; -1: any */
  int32_t capture_child_tasks; /* 1: what runs there passes the group on to what it submits */
  /* Which nodes will do; NULL or "": any. Not for calls of actors. Alternatives, the earlier the better, between '|', each "any" or conditions
   * NAME=CONDITION (manta_label_condition_check) between '&':  "zone=in(eu, us) & gpu=!exists() | any". A demand goes to the first alternative
   * that a node with room meets, else waits for the first that a node meets which could have room. Before them, ended by ':', options:
   *   patient    wait for a node of the first alternative that one could ever serve, even if one of a later has room
   *   fail       if no node will do, the task or actor fails as UNSCHEDULABLE, instead of waiting for one to join
   *   fail-now   the same if the node that is asked has no room at once
   *   spread     one after the other goes to another node, as far as these have room */
  const char* nodes;
  manta_language language;     /* of the workers that run it */
} manta_task_options;
#define MANTA_ENVIRONMENT_LIMIT 128
#define MANTA_NODES_LIMIT 16384 /* bytes of manta_task_options.nodes */

MANTA_API void manta_task_options_init(manta_task_options* options);

/* Options are checked and interned once; submissions name them by number. 0 stands for the defaults. Each different set of options
 * stays for the life of the runtime, and its number means nothing to another one. With a placement group whose bundles this process has
 * not seen yet the call waits for the daemon. Error INVALID_ARGUMENT, too, for an index that the group has not, and for resources that
 * fit in none of its bundles. */
MANTA_API manta_error* manta_task_options_intern(manta_runtime* runtime, const manta_task_options* options,
                                                 uint32_t* out);

typedef struct manta_task_spec {
  manta_function_id function;
  const char* function_name; /* for people; static storage, but of calls with a `name` */
  const void* args;          /* encoded arguments, copied by the call; at most MANTA_ARGS_LIMIT bytes */
  size_t args_size;
  manta_ref* const* dependencies; /* top-level references: their values arrive with the task */
  uint32_t num_dependencies;
  uint32_t num_nested; /* references inside args */
  manta_ref* const* nested;
  uint32_t num_results; /* 0 is allowed: nothing can be awaited, errors are reported on the driver */
  uint32_t options;
  const char* name; /* shown to people instead of the function's, copied by the call; NULL: none. Not read for actors' constructors */
  manta_stream* stream; /* NULL: none. Else what the task emits comes here, its one result at its end. A stream is for one call */
} manta_task_spec;

/* A by-value argument whose encoding is larger belongs into an object of its own (manta_put_begin). */
#define MANTA_INLINE_ARG_LIMIT 16384
#define MANTA_ARGS_LIMIT 262144

/* For a language whose threads submit while they hold a lock of its own, as Python's do. When many threads submit at once, they take turns,
 * and each sleeps some milliseconds at most: the thread calls `begin` before that, and `end`, with what `begin` has returned, afterwards.
 * To be set before the first submission. */
MANTA_API void manta_sleep_hooks_set(void* (*begin)(void), void (*end)(void* begun));

/* Submits a task; results[0..num_results) receive one counted reference each. Waits for nothing but its turn (manta_sleep_hooks_set).
 * Cost: no system call and no allocation in steady state. */
MANTA_API manta_error* manta_submit(manta_runtime* runtime, const manta_task_spec* spec, manta_ref** results);

/* A task that has not started fails with TASK_CANCELLED. One that runs is interrupted where it waits (Get and Wait fail with
 * TASK_CANCELLED there) or asks (manta_context.is_cancelled); with `force` its worker is killed. It is never tried again.
 * recursive: the tasks that it submitted too. A finished task: no effect. Errors: INVALID_ARGUMENT for `force` on an actor's call. */
MANTA_API manta_error* manta_cancel(manta_ref* ref, int force, int recursive);

/* ---- Streams ------------------------------------------------------------------------------------------- */

/* The items that a task sends while it runs, in their order. If the task fails, its error is the last item; if it is tried again, the
 * items that have come stay as they are. `most_ahead`: for the task's owner to tell the task what was taken, if that is to know
 * (manta_call_ops.emit); 0: it is not. Error: NOT_INITIALIZED. */
MANTA_API manta_error* manta_stream_new(manta_runtime* runtime, uint32_t most_ahead, manta_stream** out);
/* A new counted reference to the next item, never NULL: without a value while it has not come, with the error END_OF_STREAM when there are
 * no more. The same one until manta_stream_advance. */
MANTA_API manta_ref* manta_stream_peek(manta_stream* stream);
/* Goes on to the item after it. Returns 0 when that item has not come, or there are no more. */
MANTA_API int manta_stream_advance(manta_stream* stream);
/* The items that were not taken are freed, and those that still come. The task goes on. NULL is allowed. */
MANTA_API void manta_stream_free(manta_stream* stream);

/* ---- Actors -------------------------------------------------------------------------------------------- */

typedef struct manta_actor_options {
  size_t struct_size;
  const char* name;          /* NULL: anonymous */
  const char* ray_namespace; /* NULL: the job's */
  int detached;              /* lives until killed; else as long as handles to it */
  int get_if_exists;
  int32_t max_restarts;      /* -1: without end */
  int32_t max_task_retries;  /* default of its methods */
  int32_t max_pending_calls; /* -1: no limit */
  int32_t max_concurrency;   /* threads that run methods; 1 keeps order */
  const manta_resource* concurrency_groups; /* name and number of threads */
  size_t num_concurrency_groups;
  manta_bytes description;   /* for manta_actor_description; at most MANTA_ACTOR_DESCRIPTION_LIMIT bytes */
} manta_actor_options;

#define MANTA_ACTOR_DESCRIPTION_LIMIT 65536

MANTA_API void manta_actor_options_init(manta_actor_options* options);

/* Creates an actor by running `constructor`, whose invoker calls set_actor. Never waits for it: a failure shows in calls. */
MANTA_API manta_error* manta_actor_create(manta_runtime* runtime, const manta_task_spec* constructor,
                                          const manta_actor_options* options, manta_actor** out);
/* Calls a method; otherwise as manta_submit. Calls of one process to an actor run in the order of submission. */
MANTA_API manta_error* manta_actor_submit(manta_actor* actor, const manta_task_spec* spec, manta_ref** results);
MANTA_API void manta_actor_retain(manta_actor* actor);
MANTA_API void manta_actor_release(manta_actor* actor);
MANTA_API void manta_actor_get_id(const manta_actor* actor, manta_actor_id* out);
/* What stands for the actor's life, borrowed from the handle; NULL if handles do not keep it alive (detached, or found by name).
 * A value that contains a handle lists it among its references: so the actor lives while the value travels. */
MANTA_API manta_ref* manta_actor_lifetime(const manta_actor* actor);
MANTA_API manta_actor* manta_actor_import(manta_runtime* runtime, const manta_actor_id* id);
/* ACTOR_NOT_FOUND when nobody has that name. */
MANTA_API manta_error* manta_actor_find(manta_runtime* runtime, const char* name, const char* ray_namespace,
                                        manta_actor** out);
/* What its creator has told of a named actor for whoever finds it (manta_actor_options.description). *out: NULL when that is nothing, and
 * for one that has died. Waits for the daemon. */
MANTA_API manta_error* manta_actor_description(manta_actor* actor, manta_blob** out);
MANTA_API manta_error* manta_actor_kill(manta_actor* actor, int no_restart);
/* Ends the actor that runs the calling method, after that method. Error outside of an actor. */
MANTA_API manta_error* manta_actor_exit(manta_runtime* runtime);
/* After the running task the worker takes no other, and ends once its own tasks have ended and nobody refers to its objects. Error outside
   of tasks. */
MANTA_API manta_error* manta_worker_retire(manta_runtime* runtime);

/* ---- Where am I ----------------------------------------------------------------------------------------- */

typedef struct manta_context {
  size_t struct_size;
  uint64_t process_id;
  uint64_t job_id;
  uint8_t node_id[16];
  manta_object_id task_id; /* nil in a driver outside of tasks */
  manta_actor_id actor_id; /* nil outside of actors */
  const char* ray_namespace;
  const char* task_name;
  const char* session_directory;
  int actor_was_restarted;
  int is_driver;
  int is_cancelled; /* of the running task */
  int32_t pid;
  uint64_t gpus; /* bit i: GPU i of the node, or a share of it, is assigned to this process */
  const char* environment; /* manta_task_options.environment of what this worker was started for; "" in drivers */
  manta_placement_group_id placement_group; /* that the calling task or actor runs in; nil: none */
  int32_t bundle_index;                     /* that it asked for */
  int captures_child_tasks;                 /* whether it passes the group on */
} manta_context;

MANTA_API manta_error* manta_context_get(manta_runtime* runtime, manta_context* out);

/* Fills up to `capacity` entries and returns how many there are. Names live until the next call by this thread. */
MANTA_API manta_error* manta_cluster_resources(manta_runtime* runtime, int available, manta_resource* out,
                                               size_t capacity, size_t* count);

/* The same for what is reserved for the task or actor that the calling process runs; nothing in a driver. */
MANTA_API manta_error* manta_assigned_resources(manta_runtime* runtime, manta_resource* out, size_t capacity,
                                                size_t* count);

/* The labels of the node that this process runs on: fills up to `capacity` entries and sets *count to how many there are. They live as long
 * as the runtime. Cost: none but the copy. */
MANTA_API manta_error* manta_node_labels(manta_runtime* runtime, manta_label* out, size_t capacity, size_t* count);

/* ---- Placement groups -------------------------------------------------------------------------------------- */

/* Groups of resources (bundles) that are reserved together, all or nothing, for the tasks and actors that name the group. A group waits
 * until there is room for it, in the order of creation; it is there until it is removed, or its job is over. */

typedef enum manta_placement_strategy {
  MANTA_PLACEMENT_PACK = 0,          /* on as few nodes as can be */
  MANTA_PLACEMENT_SPREAD = 1,        /* on as many nodes as can be */
  MANTA_PLACEMENT_STRICT_PACK = 2,   /* on one node */
  MANTA_PLACEMENT_STRICT_SPREAD = 3  /* every bundle on a node of its own */
} manta_placement_strategy;

typedef enum manta_placement_group_state {
  MANTA_PLACEMENT_GROUP_PENDING = 0,
  MANTA_PLACEMENT_GROUP_CREATED = 1,
  MANTA_PLACEMENT_GROUP_REMOVED = 2,
  MANTA_PLACEMENT_GROUP_RESCHEDULING = 3 /* a node with bundles of it is gone: these are looked for anew */
} manta_placement_group_state;

typedef struct manta_bundle {
  const manta_resource* resources;
  size_t num_resources;
  const char* node_id; /* in what manta_placement_groups gives: 32 hex digits, "" while it is nowhere. Not read otherwise */
} manta_bundle;

typedef struct manta_placement_group_options {
  size_t struct_size;
  const manta_bundle* bundles;
  size_t num_bundles;
  int strategy;
  const char* name;          /* NULL: anonymous */
  const char* ray_namespace; /* of the name; NULL: the job's */
  int detached;              /* stays when its job is over */
  const char* soft_node_id;  /* where the bundles had better be, if they fit there; NULL: anywhere */
  const char* const* bundle_nodes; /* for each bundle, which nodes will do, as manta_task_options.nodes without options; NULL, all of
                                      them or one: any */
} manta_placement_group_options;

MANTA_API void manta_placement_group_options_init(manta_placement_group_options* options);

/* Waits for the daemon to note the group, not for its resources. INVALID_ARGUMENT: no bundles, one without resources, a strategy that there
 * is not, a name that another group has. */
MANTA_API manta_error* manta_placement_group_create(manta_runtime* runtime, const manta_placement_group_options* options,
                                                    manta_placement_group_id* out);
/* Stops what runs in the group, which fails with TASK_PLACEMENT_GROUP_REMOVED (actors die), and frees the resources. Does not wait. No
 * error for a group that is not there. */
MANTA_API manta_error* manta_placement_group_remove(manta_runtime* runtime, const manta_placement_group_id* id);
/* A reference to an object that gets the value `value` once the group is created, and the error TASK_PLACEMENT_GROUP_REMOVED if it is
 * removed. */
MANTA_API manta_error* manta_placement_group_ready(manta_runtime* runtime, const manta_placement_group_id* id, manta_bytes value,
                                                   manta_ref** out);

typedef struct manta_placement_group_info {
  manta_placement_group_id id;
  const char* name;
  const char* ray_namespace;
  int strategy;
  int state;
  int detached;
  uint64_t job_id;
  const manta_bundle* bundles;
  size_t num_bundles;
  const char* reason; /* why it is not there yet, for people */
} manta_placement_group_info;

typedef struct manta_placement_group_list manta_placement_group_list;
/* By `id` if that is not NULL, else by `name` (and `ray_namespace`, NULL: the job's) if that is not NULL, else all. Removed groups are
 * found by id, and among all, for a while. An empty list: there is none. */
MANTA_API manta_error* manta_placement_groups(manta_runtime* runtime, const manta_placement_group_id* id, const char* name,
                                              const char* ray_namespace, manta_placement_group_list** out);
MANTA_API size_t manta_placement_group_list_size(const manta_placement_group_list* list);
/* Lives as long as the list. */
MANTA_API const manta_placement_group_info* manta_placement_group_list_at(const manta_placement_group_list* list, size_t index);
MANTA_API void manta_placement_group_list_free(manta_placement_group_list* list); /* NULL is allowed */

/* ---- Keys and values --------------------------------------------------------------------------------------- */

/* Tables of the whole cluster, kept by the daemon of its head, in memory: they end with the cluster. Names of tables (NULL: "") and
 * keys have at most 4 KiB, values 8 MiB; all together at most 256 MiB, of which an entry takes some hundred bytes beside its own.
 * Every call waits for the daemon; calls of one process go one after the other.
 * Errors of all: NOT_INITIALIZED for a runtime that was shut down, or NULL; NODE_DIED; INVALID_ARGUMENT for what is too large. */

#define MANTA_KV_OVERWRITE 1 /* what is there; else that stays */
/* The entry goes when this job (its driver, and detached actors) and all others that have put it so are over. An entry that anybody
 * has put without this flag stays until it is deleted. */
#define MANTA_KV_OF_JOB 2

/* *added: whether the key is new; `added` may be NULL. OBJECT_STORE_FULL when the tables are full: nothing is evicted. */
MANTA_API manta_error* manta_kv_put(manta_runtime* runtime, const char* table, manta_bytes key, manta_bytes value,
                                    int flags, int* added);
/* *out: NULL when there is no such key. */
MANTA_API manta_error* manta_kv_get(manta_runtime* runtime, const char* table, manta_bytes key, manta_blob** out);
MANTA_API manta_error* manta_kv_exists(manta_runtime* runtime, const char* table, manta_bytes key, int* out);
/* by_prefix: all keys of the table that begin with `key`. *count: how many there were; `count` may be NULL. */
MANTA_API manta_error* manta_kv_delete(manta_runtime* runtime, const char* table, manta_bytes key, int by_prefix,
                                       uint64_t* count);
/* The keys of the table that begin with `prefix`, in order, each behind its length, a little-endian u32. INVALID_ARGUMENT when that
 * is more than 8 MiB: ask with longer prefixes. */
MANTA_API manta_error* manta_kv_keys(manta_runtime* runtime, const char* table, manta_bytes prefix, manta_blob** out);

MANTA_API const char* manta_version(void);

#ifdef __cplusplus
}
#endif

#endif /* MANTA_MANTA_C_H_ */

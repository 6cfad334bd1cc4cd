import type { Look, PythonFrame, PythonStack } from '../model/index.ts';
import { type CoreFrame, type CoreStacksData, coreStacks } from '../probes/core-stacks.ts';
import { ownFrame } from './python.ts';

/**
 * What the interrupted code was doing. `collector`: the garbage collector walked over objects. `object`: an object was being
 * made or destroyed. `fatal`: the interpreter noticed a broken state and gave up. `heap`: the allocator did, or fell over its
 * own books. `recursion`: the stack was full. `other`: none of these.
 */
export type Moment = 'collector' | 'object' | 'fatal' | 'heap' | 'recursion' | 'other';

/** A core's dead thread, taken apart. */
export interface Anatomy {
  readonly data: CoreStacksData;
  readonly evidenceId: string;
  readonly moment: Moment;
  /** The frame that shows the moment; the innermost one where none does. */
  readonly telling: CoreFrame | null;
  /** C frames from where the fault was, innermost first, without the signal's handler and without abort(3). */
  readonly frames: readonly CoreFrame[];
  /**
   * The innermost frame outside of the interpreter and the C library, before Python code was executed; macros of Python.h that
   * are compiled into it are not it.
   */
  readonly foreign: CoreFrame | null;
  /** The dead thread's Python frames; null when none were read. */
  readonly stack: PythonStack | null;
  /** The program's own innermost frame. */
  readonly own: PythonFrame | null;
  /** Shared objects that were mapped and belong to neither system nor interpreter. */
  readonly extensions: readonly string[];
}

const HANDLER = '<signal handler called>';
const ABORT =
  /^(?:__GI_)?_{0,2}(?:raise|abort|gsignal|libc_signal_restore_set|pthread_kill_(?:implementation|internal)|pthread_kill)$/;
const EVALUATES = /^_?PyEval_|^_PyEval|^gen_send_ex/;
const COLLECTS =
  /^(?:subtract_refs|visit_decref|visit_reachable|visit_move|update_refs|move_unreachable|deduce_unreachable|delete_garbage|untrack_tuples|gc_collect_\w+|collect(?:_\w+)?|_PyGC_\w+|PyGC_Collect|gc_collect|gc_list_\w+|\w+_traverse|gc_decref)$/;
const MAKES =
  /^(?:\w*_?dealloc|_Py_Dealloc|_?Py_DECREF|_?Py_XDECREF|\w*GC_(?:UN)?T(?:RACK|rack)|PyObject_GC_\w+|_PyObject_GC_\w+|PyTuple_New|tuple_alloc|_PyTuple_\w+|maybe_freelist_\w+|free_keys_object|dictkeys_decref|_PyTrash\w*|PyList_New|PyDict_New|new_dict|_PyObject_New\w*|PyType_GenericAlloc|_PyType_AllocNoTrack|\w*_clear)$/;
const GIVES_UP =
  /^(?:fatal_error\w*|_?Py_FatalError\w*|_PyObject_AssertFailed|_Py_NegativeRefcount|_Py_FatalRefcountErrorFunc|_PyObject_Dump)$/;
const ALLOCATES =
  /^(?:__libc_(?:message|free|malloc|calloc|realloc)|malloc_printerr|_int_(?:free|malloc|realloc)\w*|malloc_consolidate|unlink_chunk|tcache_\w+|__GI___libc_\w+|free|malloc|pymalloc_(?:alloc|free)|_PyObject_(?:Malloc|Free|Realloc)|PyObject_(?:Malloc|Free)|_PyMem_Debug\w*)$/;
/** Frames from which on the stack counts as exhausted by recursion; the reader shows no more of a stack. */
const DEEP = 300;
/** As many C frames as are read of a stack, nearly. */
const DEEP_NATIVE = 50;

/** A path of the interpreter itself: its executable or library, and the extension modules that it is delivered with. */
export const isInterpreter = (object: string): boolean =>
  /\/(?:lib)?(?:python|pypy)\d?(?:[\d.]+)?[a-z]{0,3}(?:\.so[\d.]*)?$/.test(object) ||
  (/\/lib-dynload\//.test(object) && !/\/_ctypes\./.test(object));

/** A shared object that neither the system nor the interpreter brings along. */
export const isExtension = (object: string): boolean =>
  /\.so(?:\.[\d.]+)?$/.test(object) &&
  !isInterpreter(object) &&
  !/^(?:\/usr)?\/lib(?:32|64)?\/(?!.*\/(?:site|dist)-packages\/)/.test(object);

const isCLibrary = (object: string): boolean =>
  /(?:^|\/)(?:libc|libm|ld|ld-linux-[\w-]+|libpthread|libdl|librt|libffi|linux-vdso)[-.\d]*\.so/.test(object) ||
  /ld-musl|vdso/.test(object);

/** Neither the interpreter nor the C library: what a person would look at first. */
export const isOthersCode = (object: string): boolean => !isInterpreter(object) && !isCLibrary(object);

const isForeign = (frame: CoreFrame, interpreter: ReadonlySet<string>): boolean =>
  frame.function !== HANDLER && !interpreter.has(frame.object) && isOthersCode(frame.object);

const momentOf = (
  near: readonly CoreFrame[],
  interpreter: ReadonlySet<string>,
  aborted: boolean,
  deep: boolean,
): { moment: Moment; telling: CoreFrame | null } => {
  // An extension's own type has a dealloc and a traverse too; what counts here are the interpreter's.
  const find = (pattern: RegExp, most: number) =>
    near.slice(0, most).find((frame) => !isForeign(frame, interpreter) && pattern.test(frame.function ?? '')) ?? null;
  const says = (moment: Moment, telling: CoreFrame | null) => ({ moment, telling });
  if (deep) return says('recursion', near[0] ?? null);
  const gaveUp = find(GIVES_UP, near.length);
  if (gaveUp !== null) {
    // Whoever noticed it tells more than how it gave up.
    const noticed = near.slice(near.findLastIndex((frame) => GIVES_UP.test(frame.function ?? '')) + 1)[0];
    return says('fatal', noticed !== undefined && !isForeign(noticed, interpreter) ? noticed : gaveUp);
  }
  const allocates = find(ALLOCATES, 6);
  if (allocates !== null && (aborted || allocates === near[0])) return says('heap', allocates);
  const collects = find(COLLECTS, 12);
  if (collects !== null) return says('collector', collects);
  const makes = find(MAKES, 4);
  return makes === null ? says('other', near[0] ?? null) : says('object', makes);
};

const stackOf = (data: CoreStacksData): PythonStack | null => {
  const readable = data.python.filter((thread) => thread.stacks.length > 0);
  const dead =
    readable.find((thread) => thread.tid === data.died) ??
    readable.find((thread) => thread.gil > 0) ??
    (readable.length === 1 ? readable[0] : undefined);
  return dead?.stacks[0] ?? null;
};

/** The newest core of the family, as core-stacks read it; null when it was not read. */
export const anatomyOf = (look: Look): Anatomy | null => {
  const seen = look.see(coreStacks);
  if (!seen.seen) return null;
  const { data } = seen;
  // A handler that ran on this stack (uWSGI's, faulthandler's) lies inside of what it interrupted.
  const handled = data.native.findLastIndex((frame) => frame.function === HANDLER);
  const began = data.native.slice(handled + 1);
  const aborted = began.some((frame) => ABORT.test(frame.function ?? ''));
  const frames = began.slice(began.findLastIndex((frame) => ABORT.test(frame.function ?? '')) + 1);
  const evaluated = frames.findIndex((frame) => EVALUATES.test(frame.function ?? ''));
  const near = evaluated < 0 ? frames : frames.slice(0, evaluated);
  const interpreter = new Set(
    frames.filter((frame) => EVALUATES.test(frame.function ?? '')).map((frame) => frame.object),
  );
  const stack = stackOf(data);
  const deep = (stack?.frames.length ?? 0) >= DEEP && frames.length >= DEEP_NATIVE && !aborted;
  return {
    data,
    evidenceId: seen.evidenceId,
    ...momentOf(near, interpreter, aborted, deep),
    frames,
    foreign:
      near.find((frame) => isForeign(frame, interpreter) && !(frame.inlined && /^_?Py/.test(frame.function ?? ''))) ??
      null,
    stack,
    own: stack === null ? null : ownFrame(stack),
    extensions: data.core.extensions.map((each) => each.path),
  };
};

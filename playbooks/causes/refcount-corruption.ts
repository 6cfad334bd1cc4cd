import { defineCause, type FindingDraft, type Fix, type Look, type Quote } from '../model/index.ts';
import { coreStacks } from '../probes/core-stacks.ts';
import { identify } from '../probes/identify.ts';
import { type LogLine, type LogTailData, logTail } from '../probes/log-tail.ts';
import { type Anatomy, anatomyOf, isInterpreter } from '../reading/crash-core.ts';
import { type ToldCrash, toldCrash } from '../reading/crash-told.ts';
import { type Crashes, crashesOf } from '../reading/crashes.ts';
import { code, list, shellQuote } from '../reading/text.ts';
import {
  baseName,
  bySignals,
  coreFix,
  coreQuotes,
  deathQuotes,
  faultHandlerFix,
  howOften,
  mismatch,
  packageFix,
  placeOf,
  pythonPlace,
  stormFix,
  theDead,
  toldQuotes,
  whoDied,
} from './native-crash.texts.ts';
import { mayHaveCore, relatedOf } from './native-crash.ts';

/** A crash longer ago than this is history and no headline. */
const RECENT_SECONDS = 24 * 3600;

/** What the interpreter says itself when it meets a wrong reference count (Objects/object.c, Modules/gcmodule.c). */
const OF_COUNTS =
  /already tracked|ref ?count|deallocating (?:None|True|False)|gc_get_refs|_PyObject_AssertFailed|dealloc/i;

interface Message {
  readonly line: LogLine;
  readonly evidenceId: string;
}

/** Lines of the process's own logs in which the interpreter complains about reference counts. */
const messagesOf = (look: Look, crashes: Crashes): Message[] => {
  const seen = look.see(logTail);
  if (!seen.seen) return [];
  const { evidenceId, data } = seen;
  return data.lines
    .filter((line) => !line.before)
    .filter((line) => line.kind === 'refcount' || (line.kind === 'fatal-python' && OF_COUNTS.test(line.text)))
    .filter((line) => (timeOf(line, data) ?? crashes.now) > crashes.now - RECENT_SECONDS)
    .map((line) => ({ line, evidenceId }));
};

const timeOf = (line: LogLine, data: LogTailData): number | null =>
  line.time ?? (line.file === null ? null : (data.files[line.file]?.written ?? null));

/** What makes it a matter of reference counts, in words, and how sure that is by itself. */
interface Sign {
  readonly why: string;
  readonly direct: boolean;
}

const signsOf = (messages: readonly Message[], anatomy: Anatomy | null): Sign[] => {
  const signs: Sign[] = [];
  if (messages.length > 0) {
    const text = messages.at(-1)?.line.text ?? '';
    signs.push({ why: `the interpreter itself said ${code(text, 120)} before it gave up`, direct: true });
  }
  if (anatomy === null) return signs;
  const where = anatomy.telling?.function ?? null;
  const at = where === null ? '' : ` (${code(where, 60)})`;
  const names = anatomy.frames.map((frame) => frame.function ?? '').join('\n');
  if (anatomy.moment === 'fatal' && /AssertFailed|NegativeRefcount|RefcountError|GC_T(?:rack|RACK)|dealloc/.test(names))
    signs.push({ why: `the interpreter gave up over an object’s books${at}`, direct: true });
  if (anatomy.moment === 'collector')
    signs.push({ why: `it died while the garbage collector walked over the live objects${at}`, direct: true });
  if (anatomy.moment === 'object')
    signs.push({ why: `it died while an object was made or destroyed${at}`, direct: true });
  if (anatomy.moment === 'other' && anatomy.foreign === null && isInterpreter(anatomy.frames[0]?.object ?? ''))
    signs.push({ why: `it died in the interpreter’s own code${at}, on an object that was no more`, direct: false });
  if (anatomy.moment === 'heap')
    signs.push({ why: `the allocator met books that were overwritten${at}`, direct: false });
  return signs;
};

/** Who touched the objects: the extension on the stack, else those that were loaded. */
interface Suspects {
  readonly onStack: string | null;
  readonly loaded: readonly string[];
}

const suspectsOf = (look: Look, anatomy: Anatomy | null): Suspects => ({
  onStack: anatomy?.foreign?.object ?? null,
  loaded: anatomy !== null ? anatomy.extensions : (toldCrash(look)?.extensions ?? []),
});

const confidenceOf = (signs: readonly Sign[], suspects: Suspects, crashes: Crashes): number => {
  const last = Math.max(...crashes.deaths.map((death) => death.time ?? crashes.now), 0);
  if (crashes.deaths.length > 0 && crashes.now - last > RECENT_SECONDS) return 0.45;
  const direct = signs.some((sign) => sign.direct);
  if (direct && suspects.onStack !== null) return 0.93;
  if (direct && suspects.loaded.length === 1) return signs.length > 1 ? 0.88 : 0.8;
  if (direct) return 0.7;
  // Overwritten memory is no matter of counts by itself; a fault in the interpreter's own code nearly always is.
  const inside = signs.some((sign) => sign.why.includes('own code'));
  return inside && suspects.loaded.length === 1 ? 0.6 : 0.45;
};

const suspectText = (suspects: Suspects, anatomy: Anatomy | null): string => {
  if (suspects.onStack !== null && anatomy !== null) {
    return `The extension on the stack is ${code(suspects.onStack, 240)}, in ${placeOf(anatomy) ?? 'a function without a symbol'}.`;
  }
  if (suspects.loaded.length === 0)
    return 'No extension beyond the interpreter’s own was found to be loaded; ctypes and embedding programs can do it too.';
  const [only] = suspects.loaded;
  return suspects.loaded.length === 1
    ? `No extension was on the stack at that moment, as is usual: the damage is done earlier. The only one that was loaded beside the interpreter’s own is ${code(only ?? '', 240)}.`
    : `No extension was on the stack at that moment, as is usual: the damage is done earlier. Loaded were ${list(suspects.loaded.slice(0, 6).map((path) => code(baseName(path), 80)))}.`;
};

const proofFix = (suspects: Suspects, anatomy: Anatomy | null, told: ToldCrash | null, crashes: Crashes): Fix => {
  const suspect = suspects.onStack ?? suspects.loaded[0] ?? null;
  const name = suspect === null ? 'the extension' : code(baseName(suspect), 80);
  const python = pythonPlace(anatomy, told);
  const exe = crashes.who.data.exe?.path ?? 'python3';
  const version = /\d\.\d+/.exec(crashes.who.data.runtime.version ?? '')?.[0] ?? '3';
  return {
    title: `Prove it with a debug build, and mend the counts in ${suspect === null ? 'the extension' : baseName(suspect).slice(0, 80)}`,
    detail:
      `A debug build of Python checks every count and stops at the first wrong one, which is near the culprit and not where the process dies now${python === null ? '' : `; run what ${python} does under it`}. ` +
      `In ${name} look at each PyTuple_SET_ITEM, PyList_SET_ITEM and Py_BuildValue("N"), which take a reference over, at each PyTuple_GetItem, PyList_GetItem and PyDict_GetItem, which only lend one: ` +
      'where a lent reference is stored or given away a Py_INCREF is missing, and where one that was lent or given away is dropped there is a Py_DECREF too many. Tuples that are kept and filled again must have one owner only.',
    code: `python${version}-dbg -X dev -X faulthandler app.py     # built with --with-pydebug; extensions compiled against it\n${shellQuote(exe)} -c 'import gc; gc.set_threshold(1)'     # set in the program: the collector then dies near the culprit`,
  };
};

const serialFix = (suspects: Suspects): Fix => {
  const suspect = suspects.onStack ?? suspects.loaded[0] ?? null;
  return {
    title: 'Until it is mended: do without that feature, or one thread at a time',
    detail: `Switch off what calls ${suspect === null ? 'the extension' : code(baseName(suspect), 80)} (uWSGI’s spooler, a C accelerator that has a Python twin), or let one thread in a process call it: most such faults need two threads or a certain order of events. Renewing workers often (max requests) only hides it.`,
    code: 'uwsgi --threads 1 …     # gunicorn --worker-class sync --threads 1 …',
  };
};

const findingOf = (look: Look, crashes: Crashes, signs: readonly Sign[], anatomy: Anatomy | null): FindingDraft => {
  const messages = messagesOf(look, crashes);
  const suspects = suspectsOf(look, anatomy);
  const confidence = confidenceOf(signs, suspects, crashes);
  const suspect = suspects.onStack ?? (suspects.loaded.length === 1 ? (suspects.loaded[0] ?? null) : null);
  const told = toldCrash(look);
  const python = pythonPlace(anatomy, told);
  const noCore = coreFix(look, crashes, anatomy);
  const quotes: Quote[] = [
    ...messages.slice(-1).map((each) => look.quote(each.evidenceId, each.line.at)),
    ...(anatomy === null ? toldQuotes(look, told).slice(1) : coreQuotes(look, anatomy)),
    ...deathQuotes(look, crashes.deaths, 2, anatomy),
  ];
  const inferred =
    suspects.onStack !== null
      ? signs.some((sign) => sign.direct)
        ? ''
        : ' Inferred: that it is a count and not another overwritten piece of memory.'
      : ' Inferred: which extension did the damage; the stack shows where it was met and not where it was done.';
  return {
    confidence,
    title: `${whoDied(crashes)} die ${crashes.deaths.length === 0 ? 'of' : `${bySignals(crashes.deaths)} over`} an object whose reference count is wrong${suspect === null ? '' : `: ${suspects.onStack === null ? 'suspect is' : 'in'} ${code(baseName(suspect), 100)}`}${python === null ? '' : `, met in ${python}`}`,
    summary:
      `${crashes.deaths.length === 0 ? '' : `${whoDied(crashes)} died ${bySignals(crashes.deaths)} ${howOften(crashes)}: ${theDead(crashes.deaths)}. `}` +
      `It is a matter of reference counts, because ${list(signs.map((sign) => sign.why))}. ${suspectText(suspects, anatomy)}` +
      `${python === null ? '' : ` The Python line above it is ${python}.`}${anatomy === null ? '' : mismatch(anatomy)}${inferred}`,
    evidence: [...quotes, look.quote(crashes.who.evidenceId, 2)].slice(0, 7),
    fixes: [
      proofFix(suspects, anatomy, told, crashes),
      serialFix(suspects),
      ...(suspect?.startsWith('/') ? [packageFix(suspect, crashes, anatomy)] : []),
      ...(noCore === null ? [] : [noCore, ...(told === null ? [faultHandlerFix(crashes)] : [])]),
      stormFix(python),
    ],
    ...relatedOf(crashes),
  };
};

/** Workers die because an extension took a reference too many from an object, or gave one too few. */
export const refcountCorruption = defineCause({
  id: 'refcount-corruption',
  title: 'An extension mistreats reference counts',
  needs: [identify],
  explains: ['native-crash'],
  judge: (look) => {
    const crashes = crashesOf(look);
    if (crashes === null)
      return { verdict: 'cannot-tell', why: 'who the process is was not seen', wants: [identify.id] };
    const messages = messagesOf(look, crashes);
    const anatomy = anatomyOf(look);
    const signs = signsOf(messages, anatomy);
    if (signs.length > 0) {
      const wants = crashes.deaths.length > 0 && mayHaveCore(look) ? [coreStacks.id] : [];
      return { verdict: 'fires', findings: [findingOf(look, crashes, signs, anatomy)], wants };
    }
    if (crashes.deaths.length === 0) {
      const log = look.see(logTail);
      return log.seen
        ? { verdict: 'clear', why: 'nobody of its family crashed, and no log complains about reference counts' }
        : { verdict: 'cannot-tell', why: `its logs were not read: ${log.why}`, wants: [logTail.id] };
    }
    if (anatomy === null || anatomy.frames.length === 0) {
      const open = mayHaveCore(look);
      return {
        verdict: 'cannot-tell',
        why: `its family crashes, and ${open ? 'no core was opened yet' : 'there is no core that shows in the midst of what'}`,
        wants: open ? [coreStacks.id] : [],
      };
    }
    return { verdict: 'clear', why: 'the core shows no crash in the making, keeping or destroying of objects' };
  },
});

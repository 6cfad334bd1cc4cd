import { defineCause, type FindingDraft, type Look, type Quote, type Verdict } from '../model/index.ts';
import { children } from '../probes/children.ts';
import { coreStacks } from '../probes/core-stacks.ts';
import { coredumps } from '../probes/coredumps.ts';
import { identify } from '../probes/identify.ts';
import { kernelLog } from '../probes/kernel-log.ts';
import { logTail } from '../probes/log-tail.ts';
import { strace } from '../probes/strace.ts';
import { type Anatomy, anatomyOf } from '../reading/crash-core.ts';
import type { Death, Tie } from '../reading/crash-deaths.ts';
import { type ToldCrash, type ToldPlace, toldCrash, toldPlace } from '../reading/crash-told.ts';
import { type Crashes, crashesOf } from '../reading/crashes.ts';
import { signalName } from '../reading/signals.ts';
import { code, list } from '../reading/text.ts';
import {
  baseName,
  bySignals,
  coreFix,
  coreQuotes,
  deathQuotes,
  faultHandlerFix,
  howOften,
  mismatch,
  ownCodeFix,
  packageFix,
  placeOf,
  pythonPlace,
  stormFix,
  theDead,
  toldQuotes,
  whoDied,
} from './native-crash.texts.ts';

/** A crash longer ago than this is history and no headline. */
const RECENT_SECONDS = 24 * 3600;

/** What started longer after a crash than this did not take the place of what had crashed. */
const SUCCEEDS_SECONDS = 600;

/** How sure it is that a death was one of the family's, before anything is known of its place. */
const TIED: Readonly<Record<Tie, number>> = { trace: 0.85, core: 0.85, log: 0.8, layout: 0.8, restart: 0.6 };
const TIES = ['trace', 'core', 'log', 'layout', 'restart'] as const;

const strongest = (deaths: readonly Death[]): Tie =>
  TIES.find((tie) => deaths.some((death) => death.ties.includes(tie))) ?? 'restart';

/** The shared object in which it happened, as far as cores and the kernel tell without opening a core. */
const objectOf = (crashes: Crashes, anatomy: Anatomy | null, told: ToldPlace | null): string | null => {
  if (anatomy !== null) return anatomy.foreign?.object ?? anatomy.frames[0]?.object ?? null;
  if (told !== null) return told.object;
  const inCore = crashes.deaths.findLast((death) => death.core?.crashedIn)?.core?.crashedIn?.path;
  return inCore ?? crashes.deaths.findLast((death) => death.fault !== null)?.fault?.name ?? null;
};

const whereText = (
  crashes: Crashes,
  anatomy: Anatomy | null,
  told: ToldCrash | null,
  object: string | null,
): string => {
  const python = pythonPlace(anatomy, told);
  if (anatomy !== null) {
    const place = placeOf(anatomy);
    const deep =
      anatomy.moment === 'recursion' ? ' The stack was full: Python functions called each other without an end.' : '';
    const native = place === null ? `The C stack in the core could not be read: ${anatomy.data.nativeWhy}.` : '';
    const above =
      python === null
        ? ` The Python stack could not be read: ${anatomy.data.pythonWhy ?? 'the dead thread had none'}.`
        : ` The Python line above it is ${python}.`;
    return `${place === null ? native : `The newest core shows the crash in ${place}, in ${code(object ?? '', 240)}.`}${above}${deep}${mismatch(anatomy)}`;
  }
  const fault = crashes.deaths.findLast((death) => death.fault !== null)?.fault ?? null;
  const offset = fault?.offset ?? null;
  const said =
    told === null
      ? ''
      : ` The process wrote ${code(`Fatal Python error: ${told.error}`, 120)} before it died${python === null ? '' : `, in ${python}`}.`;
  if (object !== null) {
    const at = fault?.name === object && offset !== null ? ` at offset ${offset}` : '';
    return `The code that crashed was in ${code(object, 240)}${at}; its function ${python === null ? 'and the Python line are' : 'is'} not known without opening a core.${said}`;
  }
  return `In which extension it happened is not known: there is no core, and the kernel’s log does not tell.${said}`;
};

const titleOf = (crashes: Crashes, anatomy: Anatomy | null, told: ToldCrash | null, object: string | null): string => {
  const place = anatomy === null ? null : placeOf(anatomy);
  const python = pythonPlace(anatomy, told);
  const where = place !== null ? ` in ${place}` : object !== null ? ` in ${code(baseName(object), 100)}` : '';
  return `${whoDied(crashes)} die ${bySignals(crashes.deaths)}${where}${python === null ? '' : `, called from ${python}`}`;
};

const confidenceOf = (crashes: Crashes, anatomy: Anatomy | null, object: string | null): number => {
  const last = Math.max(...crashes.deaths.map((death) => death.time ?? crashes.now));
  if (
    crashes.now - last > RECENT_SECONDS ||
    (crashes.role === 'predecessor' && crashes.started - last > SUCCEEDS_SECONDS)
  )
    return 0.45;
  const tie = strongest(crashes.deaths);
  const predecessor = crashes.role === 'predecessor' ? 0.05 : 0;
  if (anatomy !== null && anatomy.frames.length > 0) {
    return (anatomy.own !== null || anatomy.foreign !== null ? 0.95 : 0.9) - predecessor;
  }
  // Without a stack the extension's function is not known.
  return Math.min(0.85, TIED[tie] + (object !== null && tie !== 'restart' ? 0.03 : 0)) - predecessor;
};

const findingOf = (look: Look, crashes: Crashes, anatomy: Anatomy | null): FindingDraft => {
  const told = toldCrash(look);
  const place = anatomy === null ? toldPlace(look) : null;
  const object = objectOf(crashes, anatomy, place);
  const python = pythonPlace(anatomy, told);
  const tie = strongest(crashes.deaths);
  const inferred = [
    ...(tie === 'restart'
      ? [
          'that the dead one was of this family: it had the same name, died in an extension that this process has loaded too, and one of the family started right after it',
        ]
      : []),
    ...(anatomy === null && object === null ? ['which extension did it: that is not known yet'] : []),
    ...(crashes.role === 'predecessor' ? ['that what died was this process’s predecessor'] : []),
  ];
  const confidence = confidenceOf(crashes, anatomy, object);
  const quotes: Quote[] = [
    ...(place === null ? [] : [look.quote(place.evidenceId, place.at)]),
    ...(anatomy === null ? toldQuotes(look, told) : coreQuotes(look, anatomy)),
    ...deathQuotes(look, crashes.deaths, anatomy === null ? 3 : 2, anatomy),
  ];
  const noCore = coreFix(look, crashes, anatomy);
  const own = ownCodeFix(crashes, anatomy, told, object);
  return {
    confidence,
    title: titleOf(crashes, anatomy, told, object),
    summary:
      `${whoDied(crashes)} died ${bySignals(crashes.deaths)} ${howOften(crashes)}: ${theDead(crashes.deaths)}. ` +
      `${whereText(crashes, anatomy, told, object)} Requests that such a worker was serving get no answer (502 from a proxy).` +
      (confidence < 0.9 && inferred.length > 0 ? ` Inferred: ${list(inferred)}.` : ''),
    evidence: [...quotes, look.quote(crashes.who.evidenceId, 2)].slice(0, 7),
    fixes: [
      ...(noCore === null ? [] : [noCore]),
      ...(own === null ? [] : [own]),
      ...(object === null || !object.startsWith('/') || own !== null ? [] : [packageFix(object, crashes, anatomy)]),
      stormFix(python),
      ...(anatomy === null && told === null ? [faultHandlerFix(crashes)] : []),
    ],
    ...relatedOf(crashes),
  };
};

/** The master, when a worker was asked about: it sees all deaths. */
export const relatedOf = (crashes: Crashes): Pick<FindingDraft, 'related'> => {
  const parent = crashes.who.data.parent;
  return crashes.role !== 'sibling' || parent === null
    ? {}
    : { related: [{ pid: parent.pid, why: 'the master that sees its workers die and starts new ones' }] };
};

/** Forked children that came or went while it was looked at: somebody is being replaced. */
const churns = (look: Look, crashes: Crashes): boolean => {
  const { children: first, ageSeconds, command } = crashes.who.data;
  const forks = first.filter((child) => child.command === command);
  const later = look.see(children);
  if (later.seen) {
    const own = later.data.processes.filter((each) => each.relation === 'descendant' && each.depth === 1);
    const came = own.some((each) => each.origin === 'forked' && each.states[0] === '-');
    const went = forks.some((child) => !own.some((each) => each.pid === child.pid));
    if (came || went) return true;
  }
  return ageSeconds >= 1 && forks.some((child) => (child.ageSeconds ?? ageSeconds) < Math.min(60, ageSeconds / 3));
};

const nothingSeen = (look: Look, crashes: Crashes): Verdict => {
  const trace = look.see(strace);
  const open = [
    ...(look.see(coredumps).seen ? [] : [coredumps.id]),
    ...(look.see(logTail).seen ? [] : [logTail.id]),
    ...(look.see(kernelLog).seen ? [] : [kernelLog.id]),
  ];
  const clean = crashes.otherEnds.filter((end) => end.status !== null);
  const killed = crashes.otherEnds.filter((end) => end.signal !== null);
  if (trace.seen && crashes.otherEnds.length > 0) {
    const ends = [
      ...(clean.length > 0
        ? [`${clean.length} by exit (status ${list([...new Set(clean.map((end) => `${end.status}`))])})`]
        : []),
      ...(killed.length > 0
        ? [`${killed.length} by ${list([...new Set(killed.map((end) => signalName(end.signal ?? 0)))])}`]
        : []),
    ];
    return { verdict: 'clear', why: `its children ended ${list(ends)} while it was traced, none by a crash` };
  }
  if (open.length === 3)
    return {
      verdict: 'cannot-tell',
      why: 'neither cores nor logs nor the kernel’s log were seen',
      wants: open,
    };
  const dumps = look.see(coredumps);
  const unread = dumps.seen ? dumps.data.unread.filter((each) => crashes.now - each.written < RECENT_SECONDS) : [];
  if (unread.length > 0 && look.see(coreStacks).seen === false && (mayHaveCore(look) || !trace.seen)) {
    return {
      verdict: 'cannot-tell',
      why: `${code(unread[0]?.path ?? '', 200)} may be a core of its family, and could not be read: ${unread[0]?.why ?? ''}`,
      wants: mayHaveCore(look) ? [coreStacks.id, strace.id] : [strace.id],
    };
  }
  if (churns(look, crashes) && !trace.seen) {
    return {
      verdict: 'cannot-tell',
      why: 'its workers are replaced, and no log, core or kernel message says how they end; a trace of the master would',
      wants: [strace.id],
    };
  }
  const missing = open.length === 0 ? '' : ` (not seen: ${list(open)})`;
  return { verdict: 'clear', why: `no core, log line or kernel message tells of a crash in its family${missing}` };
};

/** Whether a core may be there to be opened; it is not looked for again when it was, nor where cores are switched off. */
export const mayHaveCore = (look: Look): boolean => {
  const opened = look.see(coreStacks);
  if (opened.seen || (opened.reason !== 'not-run' && opened.reason !== 'not-needed')) return false;
  const dumps = look.see(coredumps);
  if (!dumps.seen) return true;
  // One that is just being written over by the next crash may not have been seen.
  const { cores, pattern, limits } = dumps.data;
  return cores.length > 0 || (!pattern.text.startsWith('|') && limits.some((limit) => limit.soft !== 0));
};

/** Workers of a master, or the process before this one, end by a fault in native code. */
export const nativeCrash = defineCause({
  id: 'native-crash',
  title: 'Workers crash in native code',
  needs: [identify],
  explains: ['waiting-forever', 'zombie-children'],
  judge: (look) => {
    const crashes = crashesOf(look);
    if (crashes === null)
      return { verdict: 'cannot-tell', why: 'who the process is was not seen', wants: [identify.id] };
    if (crashes.deaths.length === 0) return nothingSeen(look, crashes);
    const anatomy = anatomyOf(look);
    // A trace is of use where only a restart ties the dead to this family.
    const unsure = strongest(crashes.deaths) === 'restart';
    const wants = mayHaveCore(look) ? [coreStacks.id] : unsure ? [strace.id] : [];
    return { verdict: 'fires', findings: [findingOf(look, crashes, anatomy)], wants };
  },
});

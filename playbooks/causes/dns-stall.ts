import { defineCause } from '../model/index.ts';
import { nativeStacks } from '../probes/native-stacks.ts';
import { sample } from '../probes/sample.ts';
import { strace } from '../probes/strace.ts';
import { pythonThreads } from '../reading/python.ts';
import { duration, visible } from '../reading/text.ts';
import {
  type Asked,
  askedServers,
  isNameServerItself,
  type Lookup,
  lookups,
  tracedQuestions,
} from './dns-stall.seen.ts';
import { draftFor } from './dns-stall.texts.ts';

/** Seconds from which on an answer of a name server is late. */
const LATE = 0.25;
/** Share of the window in lookups from which on they are what the process does. */
const MOST = 0.5;

const surenessOf = (found: readonly Lookup[], asked: Asked | undefined, traced: boolean) => {
  const [first] = found;
  const stands = asked !== undefined && (asked.share === null || asked.share >= 0.5);
  const frames = first?.by !== 'socket';
  if (frames && (stands || traced)) return { confidence: 0.93, inferred: null };
  if (frames) {
    return {
      confidence: 0.75,
      inferred:
        'which service keeps it waiting: no question to a name server was seen, so it may be asked through a cache or another source of names',
    };
  }
  if (traced) return { confidence: 0.9, inferred: null };
  return {
    confidence: 0.8,
    inferred:
      'that the wait of this thread is the one for the name server: it has such a socket open, and waits as the C library does for an answer',
  };
};

/** Threads wait for a name server that does not answer, or late. */
export const dnsStall = defineCause({
  id: 'dns-stall',
  title: 'Lookups of names are not answered, or late',
  needs: [sample],
  explains: ['blocked-on-network', 'waiting-forever'],
  judge: (look) => {
    const sampled = look.see(sample);
    if (!sampled.seen) return { verdict: 'cannot-tell', why: sampled.why, wants: [sample.id] };
    const { data } = sampled;
    if (data.seconds < 0.4 || data.samples < 4)
      return { verdict: 'cannot-tell', why: 'the window was too short to call a lookup late' };
    const servers = askedServers(look);
    const found = lookups(look, data, pythonThreads(look), servers).filter(
      (each) => each.by !== 'socket' || !isNameServerItself(look),
    );
    const late = found.filter((each) => each.wait >= LATE);
    const stuck = late.filter((each) => each.share >= MOST);
    const [asked] = servers;
    const traced = tracedQuestions(look);
    const wants = [strace.id, nativeStacks.id];
    const [first] = stuck;
    if (first !== undefined) {
      const draft = draftFor(look, sampled, asked, stuck, surenessOf(stuck, asked, traced?.asked != null));
      if (draft !== null) return { verdict: 'fires', findings: [draft], wants };
    }
    const [slow] = late.filter((each) => each.share * data.seconds >= 0.5);
    if (slow !== undefined) {
      const inferred = 'that it goes on: it was in lookups for a part of the window only';
      const draft = draftFor(look, sampled, asked, [slow], { confidence: 0.45, inferred });
      if (draft !== null) return { verdict: 'fires', findings: [draft] };
    }
    const [quick] = found;
    return {
      verdict: 'clear',
      why:
        quick === undefined
          ? 'no thread was seen looking up a name'
          : `it looks up names${asked === undefined ? '' : ` at ${visible(asked.peer)}`}, and an answer takes about ${duration(quick.wait)}`,
    };
  },
});

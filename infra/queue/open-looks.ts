import type { Queue } from 'bullmq';
import { type Progress, Request } from '../../playbooks/model/index.ts';
import { ProgressMessage } from './messages.ts';

/** A look that has no answer yet. */
export interface OpenLook {
  readonly request: Request;
  readonly state: 'waits' | 'runs';
  /** Null before the first one. */
  readonly progress: Progress | null;
}

/** Looks are looked through in pages, and not without end. */
const PAGE = 200;
const MOST = 4_000;

/** The looks that wait or run which `wanted` accepts, of the first few thousand of each. Throws what Redis throws. */
export const openLooks = async (looks: Queue<Request>, wanted: (request: Request) => boolean): Promise<OpenLook[]> => {
  const found = new Map<string, OpenLook>();
  // Those that run come last, so that one that begins meanwhile is not missed; it then is in both lists.
  for (const state of ['waiting', 'active'] as const) {
    for (let from = 0; from < MOST; from += PAGE) {
      const jobs = await looks.getJobs([state], from, from + PAGE - 1, true);
      for (const job of jobs) {
        const request = Request.safeParse(job?.data).data;
        if (request === undefined || !wanted(request)) continue;
        const progress = ProgressMessage.safeParse(job.progress).data?.progress ?? null;
        found.set(request.id, { request, state: state === 'active' ? 'runs' : 'waits', progress });
      }
      if (jobs.length < PAGE) break;
    }
  }
  return [...found.values()];
};

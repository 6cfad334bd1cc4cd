import { noTrace } from '../infra/tracing/trace.ts';
import {
  type Evidence,
  type KnownHost,
  LookFailed,
  type Observation,
  type Phase,
  type Playbook,
  type Probe,
  type Request,
  type StepContext,
  type Target,
} from '../playbooks/model/index.ts';
import { type IdentifyData, identify } from '../playbooks/probes/identify.ts';
import { sourceLines } from '../playbooks/probes/source-lines.ts';
import { guiltyPlaces } from '../playbooks/reading/guilty-frames.ts';
import { checkApprovedProcess, checkStep, permitted } from './approval.ts';
import { openUnlessAborted, whyAborted } from './cancelled.ts';
import { endedMeanwhile } from './ending/tell.ts';
import { distinctPlaces, withExcerpts } from './excerpts.ts';
import type { Tools } from './investigate.ts';
import type { HostShell } from './ssh/shell.ts';
import { collectStep, evidenceIds, type NextEvidenceId } from './stages/collect.ts';
import { type Judgement, judge, lookAt } from './stages/judge.ts';
import { observe } from './stages/observe.ts';
import { type PlannedStep, plan, refusal } from './stages/plan.ts';
import { connectionLost, failureOf, PHASE_WORDS, percentOf } from './words.ts';

/** The state of one look between its phases: what was collected, what was read out of it, and who the target is. */
export const beginLook = (
  request: Request,
  playbook: Playbook,
  tools: Tools,
  shell: HostShell,
  startedAt: number,
  startedBefore: ReadonlySet<string>,
  ids: NextEvidenceId = evidenceIds(),
) => {
  const steps = plan(playbook, tools.probes, request.options);
  const evidence: Evidence[] = [];
  const observations = new Map<string, Observation<unknown>>();
  /** What stands for a step that was ended before it was done: nothing may be judged by half a window. */
  const cutShort = new Map<string, Observation<never>>();
  const caveats: string[] = [];
  const probesOfPlaybook = new Set([identify.id, ...playbook.steps.map((step) => step.probe)]);
  let target: Target = { host: request.host, pid: request.pid, startTime: '0' };
  let known: KnownHost | null = null;
  let process: IdentifyData | null = null;
  let connectionLostIn: Phase | null = null;

  const contextOf = (step: PlannedStep): StepContext => ({
    target,
    windowSeconds: request.windowSeconds ?? playbook.windowSeconds,
    known,
    options: step.options,
    keepFolder: tools.keepFolder(request.host),
  });

  const runStep = async (step: PlannedStep, guarded: boolean, onSent?: () => void): Promise<void> => {
    const no = refusal(step, { allow: permitted(request), known, startedBefore });
    if (no !== null) {
      observations.set(step.probe.id, no);
      return;
    }
    const noticed = step.probe.impacts.some((impact) => impact !== 'none');
    if (noticed) {
      checkStep(request, step.probe.impacts, tools.now());
      const unwritten = (await tools.audit?.began(step.probe, target)) ?? null;
      if (unwritten !== null) {
        observations.set(step.probe.id, unwritten);
        return;
      }
      await tools.journal.started(step.probe.id, step.probe.impacts);
    }
    const context = contextOf(step);
    const attributes = { 'straceback.request': request.id, 'straceback.probe': step.probe.id };
    const collected = await (tools.trace ?? noTrace).span('step', attributes, async (note) => {
      const got = await collectStep(shell, step, context, ids, guarded, onSent);
      note({ 'straceback.end': got.end, 'straceback.bytes': got.stdout.length, 'straceback.dropped': got.dropped });
      return got;
    });
    if (noticed) await tools.audit?.ended(step.probe, target, collected);
    evidence.push(collected);
    const { id } = step.probe;
    if (!tools.signal.aborted) {
      observations.set(id, observe(step, collected, context));
      return;
    }
    const why = `${id} was ended before it was done`;
    const none: Observation<never> = { seen: false, reason: 'interrupted', why };
    const seen = collected.stdout.length === 0 ? none : observe(step, collected, context);
    observations.set(id, seen.seen ? { ...seen, partly: [...seen.partly, why] } : none);
    cutShort.set(id, none);
  };

  const tell = (phase: Phase, running: readonly PlannedStep[], share = 0) =>
    tools.progress({
      requestId: request.id,
      doing: PHASE_WORDS[phase],
      probes: running.map((step) => step.probe.id),
      percent: percentOf(phase, share),
      seconds: (tools.now() - startedAt) / 1000,
    });

  const whole = () => ({ target, evidence, observations: new Map([...observations, ...cutShort]) });
  const judgeNow = (): Judgement => judge(whole(), tools.causes, probesOfPlaybook);

  return {
    /** Who is it? Runs alone and first: everything later depends on the start time that it reads. */
    identify: async (): Promise<Judgement> => {
      const step = { probe: identify as Probe, options: {}, always: true };
      tell(1, [step]);
      // The answer may be there already, but nobody wants it any more.
      if (tools.signal.aborted) throw whyAborted(tools.signal);
      const began = tools.now();
      await runStep(step, false);
      tools.counts?.phase(1, (tools.now() - began) / 1000);
      const seen = lookAt({ target, evidence, observations }).see(identify);
      if (!seen.seen) throw failureOf(request, seen, evidence.at(-1));
      process = seen.data;
      if (request.startTime !== undefined && request.startTime !== process.startTime) {
        throw new LookFailed(
          'process-replaced',
          `Process ${request.pid} on ${request.host} is not the one that was chosen: that one has ended, and its pid was reused by ${process.command.slice(0, 80)}. Ask again with the process that you want.`,
        );
      }
      const bornAt = (evidence.at(-1)?.startedAt ?? startedAt) - process.ageSeconds * 1000;
      if (request.startTime === undefined && bornAt > request.requestedAt + 2000) {
        throw new LookFailed(
          'process-replaced',
          `Process ${request.pid} on ${request.host} started after you asked: the one you meant has ended and its pid was reused by ${process.command.slice(0, 80)}. Ask again with the pid you want.`,
        );
      }
      checkApprovedProcess(request, process.startTime);
      target = { ...target, startTime: process.startTime };
      known = {
        python: process.host.python,
        tools: process.host.tools,
        runtime: process.runtime,
        threads: process.threads,
        rssKib: process.memory.rssKib,
        root: process.host.uid === 0,
      };
      shell.remember?.({ python: known.python, tools: known.tools, root: known.root });
      return judgeNow();
    },
    /** Runs the steps of these phases side by side: those that always run, and those that some cause wants. */
    run: async (phases: readonly Phase[], wanted: ReadonlySet<string>): Promise<void> => {
      const running: PlannedStep[] = [];
      for (const step of phases.flatMap((each) => steps.get(each) ?? [])) {
        if (step.probe.id === identify.id) continue;
        if (step.always || wanted.has(step.probe.id)) running.push(step);
        else
          observations.set(step.probe.id, {
            seen: false,
            reason: 'not-needed',
            why: `${step.probe.id} was not needed`,
          });
      }
      if (running.length === 0) return;
      const phase = running.map((step) => step.probe.phase).reduce((a, b) => (a > b ? a : b));
      const unfinished = new Set(running);
      const began = tools.now();
      const windowMs = 1000 * (request.windowSeconds ?? playbook.windowSeconds);
      const again = () => tell(phase, [...unfinished], Math.min(0.95, (tools.now() - began) / windowMs));
      tell(phase, running);
      const telling = setInterval(again, 1000);
      await Promise.all(running.map((step) => runStep(step, true).finally(() => unfinished.delete(step)))).finally(() =>
        clearInterval(telling),
      );
      tools.counts?.phase(phase, (tools.now() - began) / 1000);
      if (evidence.some((each) => each.end === 'connection-lost')) connectionLostIn = phase;
    },
    /** The phase in which the connection to the host was lost, if it was. */
    lostIn: (): Phase | null => connectionLostIn,
    judge: judgeNow,
    /**
     * Adds the source around the places that findings name; leaves them as they are where it cannot be read. `onSent` hears when
     * the host has been asked, if it is asked at all.
     */
    withSource: async (judgement: Judgement, onSent: () => void): Promise<Judgement> => {
      const view = lookAt({ target, evidence, observations });
      const places = distinctPlaces(judgement.findings.flatMap((finding) => guiltyPlaces(finding, view)));
      if (places.length === 0 || connectionLostIn !== null) return judgement;
      const options = { places: places.map(({ file, line }) => ({ file, line })) };
      await runStep({ probe: sourceLines as Probe, options, always: true }, true, onSent);
      const seen = lookAt({ target, evidence, observations }).see(sourceLines);
      return seen.seen ? { ...judgement, findings: withExcerpts(judgement.findings, view, seen) } : judgement;
    },
    /**
     * Whether it is still the same process, so that the report does not speak of one that has gone. Nothing is asked of the host
     * after it, so the clearing up there follows right behind.
     */
    lastCheck: async (): Promise<void> => {
      if (connectionLostIn !== null) {
        caveats.push(
          `${connectionLost(request.host, connectionLostIn)} This report rests on what was seen until then.`,
        );
        return;
      }
      const checking = shell.run({
        id: 'last-check',
        argv: ['true'],
        scripts: [],
        seconds: 5,
        bytes: 16,
        endWith: 'TERM',
        ptraces: false,
        target,
      });
      shell.leave?.();
      const { end } = await checking;
      if (end === 'target-gone') {
        const gone = 'The process ended, or its pid was reused, while it was being looked at.';
        const more = await endedMeanwhile({ target, process }, () =>
          openUnlessAborted(tools.signal, () => tools.openShell(request.host)),
        );
        caveats.push(more === null ? gone : `${gone} ${more}`);
      } else if (end !== 'exited' && !tools.signal.aborted) {
        caveats.push(
          `Whether the process was still there at the end could not be checked: ${request.host} gave no answer any more.`,
        );
      }
      if (startedBefore.size > 0) {
        caveats.push(
          `An earlier run of this look was interrupted after it had started ${[...startedBefore].join(', ')}; those steps were not run again.`,
        );
      }
    },
    /** Who the process is; null before that is known. */
    who: (): IdentifyData | null => process,
    /** Probes that were ended before they were done. */
    ended: (): string[] => [...cutShort.keys()],
    /** Something that a reader of the report has to know. */
    keepInMind: (caveat: string): void => void caveats.push(caveat),
    outcome: () => {
      if (process === null)
        throw new LookFailed('internal', 'The process was not identified before the report was made.');
      const look = lookAt(whole());
      return { request, playbook, process, look, probes: tools.probes, evidence, observations, caveats };
    },
  };
};

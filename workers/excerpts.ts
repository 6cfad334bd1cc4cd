import type { Finding, Look, Observation, SourceExcerpt } from '../playbooks/model/index.ts';
import type { SourceLinesData } from '../playbooks/probes/source-lines.ts';
import { type GuiltyPlace, guiltyPlaces } from '../playbooks/reading/guilty-frames.ts';

const MOST_PLACES = 6;

const same = (a: Pick<GuiltyPlace, 'file' | 'line'>, b: Pick<GuiltyPlace, 'file' | 'line'>): boolean =>
  a.file === b.file && a.line === b.line;

/** Each place once, the first six. */
export const distinctPlaces = (places: readonly GuiltyPlace[]): GuiltyPlace[] =>
  places.filter((place, index) => places.findIndex((other) => same(place, other)) === index).slice(0, MOST_PLACES);

/** The findings, each with the source that was read around the places that it quotes. */
export const withExcerpts = (
  findings: readonly Finding[],
  look: Look,
  seen: Extract<Observation<SourceLinesData>, { seen: true }>,
): Finding[] =>
  findings.map((finding) => {
    const source = guiltyPlaces(finding, look).flatMap((place): SourceExcerpt[] => {
      const read = seen.data.places.find((each) => same(each, place));
      if (read === undefined || read.lines.length === 0) return [];
      return [{ ...place, evidenceId: seen.evidenceId, lines: read.lines, newer: read.newer }];
    });
    return source.length === 0 ? finding : { ...finding, source };
  });

import { resample } from '../speech/index.ts';
import { compareAudio } from '../testing/compare-audio.ts';
import type { AudioComparison } from '../testing/compare-audio.ts';
import type { CallInput, CallRecord } from './call-run.ts';

/**
 * How the answer is judged: as an echo of what was said; by itself; or, with `auto`, as an echo where the server says
 * that it is one or it sounds like one.
 */
export const VERIFY_MODES = ['auto', 'echo', 'none'] as const;
export type VerifyMode = (typeof VERIFY_MODES)[number];

export interface Verdict {
  readonly good: boolean;
  /** What is wrong, in sentences. */
  readonly problems: readonly string[];
  /** Where the answer was judged as an echo. */
  readonly comparison: AudioComparison | undefined;
}

/** The rate at which an echo is compared: that of what was said on the way to the model. */
const COMPARED_RATE_HZ = 16_000;

export function judge(record: CallRecord, input: CallInput, verify: VerifyMode): Verdict {
  const problems: string[] = [];
  if (record.failure !== undefined) problems.push(record.failure);
  for (const { code, message } of record.faults) problems.push(`${code}: ${message}`);
  if (record.droppedFrames > 0) {
    problems.push(`${record.droppedFrames} frames were not sent: the network or the server was too slow.`);
  }
  const incomplete = record.returns.filter(({ recovered }) => !recovered).length;
  if (incomplete > 0) {
    problems.push(`${incomplete} × the server was reached again and something of the call was missing.`);
  }
  if (record.misplacedSamples > 0) {
    problems.push(`${record.misplacedSamples} samples are missing or doubled by the server's own count.`);
  }
  const isEcho = verify === 'echo' || (verify === 'auto' && record.model === 'echo');
  const comparison = compare(record, input, isEcho ? 'echo' : verify);
  if (comparison !== undefined) problems.push(...comparison.problems);
  // Where the call failed before anything was answered, that nothing was answered is no second problem.
  const isUnheard = record.failure !== undefined && record.text === '';
  if (input.kind === 'text' && isEcho && !isUnheard && record.text.trim() !== input.text.trim()) {
    problems.push(`The answer is not the text that was sent: '${record.text}'.`);
  }
  return { good: problems.length === 0, problems, comparison };
}

function compare(record: CallRecord, input: CallInput, verify: VerifyMode): AudioComparison | undefined {
  if (input.kind === 'text' || verify === 'none') return undefined;
  if (record.audio.length === 0 && (verify === 'auto' || record.failure !== undefined)) return undefined;
  const received = record.audio.map((turn) => resample(turn, record.rateHz, COMPARED_RATE_HZ));
  const comparison = compareAudio(input.recording.at(COMPARED_RATE_HZ), received, COMPARED_RATE_HZ);
  // Whatever is no echo is found nowhere in what was said.
  const soundsLikeOne = comparison.turns.some((turn) => turn.endMs > turn.startMs);
  return soundsLikeOne || verify === 'echo' ? comparison : undefined;
}

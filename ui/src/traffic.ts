import type { PageAction } from './page-action.ts';
import { SOUND_LEVEL } from './sound-level.ts';

/** What went to the server and what came from it, in one call. */
export interface Traffic {
  readonly sentMs: number;
  readonly sentFrames: number;
  readonly receivedMs: number;
  readonly receivedFrames: number;
  /** How loud the microphone is, 0 to 1; falls slowly, so that it can be read. */
  readonly level: number;
  /** When the user last made a sound, or wrote. */
  readonly lastInputAtMs?: number;
  /** Whether the next audio is the first one of a turn. */
  readonly isTurnSilent: boolean;
  /** How long the user waited for the first sound of the last spoken turn. */
  readonly firstAudioMs?: number;
}

export const NO_TRAFFIC: Traffic = {
  sentMs: 0,
  sentFrames: 0,
  receivedMs: 0,
  receivedFrames: 0,
  level: 0,
  isTurnSilent: true,
};

/** What is left of a level after one frame of 20 ms: a shout has faded after a third of a second. */
const LEVEL_DECAY = 0.85;

export function reduceTraffic(traffic: Traffic, action: PageAction): Traffic {
  switch (action.type) {
    case 'callBegan':
      return NO_TRAFFIC;
    case 'audioSent':
      return {
        ...traffic,
        sentMs: traffic.sentMs + action.durationMs,
        sentFrames: traffic.sentFrames + 1,
        level: Math.max(action.level, traffic.level * LEVEL_DECAY),
        ...(action.level >= SOUND_LEVEL ? { lastInputAtMs: action.atMs } : {}),
      };
    case 'typed':
      return { ...traffic, lastInputAtMs: action.atMs };
    case 'audioReceived':
      return {
        ...traffic,
        receivedMs: traffic.receivedMs + action.durationMs,
        receivedFrames: traffic.receivedFrames + 1,
        isTurnSilent: false,
        ...firstAudio(traffic, action.atMs),
      };
    case 'event': {
      const { type } = action.event;
      return type === 'turnComplete' || type === 'interrupted' ? { ...traffic, isTurnSilent: true } : traffic;
    }
    case 'microphoneClosed':
    case 'callEnding':
    case 'callEnded':
      return { ...traffic, level: 0 };
    default:
      return traffic;
  }
}

function firstAudio(traffic: Traffic, atMs: number): { readonly firstAudioMs?: number } {
  if (!traffic.isTurnSilent || traffic.lastInputAtMs === undefined) return {};
  return { firstAudioMs: atMs - traffic.lastInputAtMs };
}

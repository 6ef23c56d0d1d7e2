import type { LogFields, LogLevel, Logger } from '../../src/kernel/index.ts';
import { VirtualClock, seededRandom } from '../../src/kernel/index.ts';
import { AudioChunk } from '../../src/protocol/index.ts';
import type { LiveEvent, LiveEventOf, LiveEventType, Part } from '../../src/protocol/index.ts';
import { Agent, AgentSession } from '../../src/session/index.ts';
import type { AgentSessionOptions, StoredSession, Tool } from '../../src/session/index.ts';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';
import type { ScriptedModelOptions } from '../../src/testing/scripted-model.ts';

export const TWO_HOURS_MS = 2 * 60 * 60_000;

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that keeps its lines. */
export class LogBook {
  readonly lines: LogLine[] = [];
  readonly log: Logger;

  constructor() {
    const keep =
      (level: LogLevel) =>
      (message: string, fields: LogFields = {}): void =>
        void this.lines.push({ level, message, fields });
    this.log = { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };
  }

  /** What is told of the beginning and the end of closings, at the level everybody sees. */
  get closings(): string[] {
    return this.at('info').filter((message) => message === 'closing' || message === 'closed');
  }

  at(level: LogLevel): string[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.message);
  }
}

export interface LiveRigOptions extends Partial<Omit<AgentSessionOptions, 'model' | 'agent'>> {
  readonly tools?: readonly Tool[];
  readonly script?: ScriptedModelOptions;
}

/** A live session on a scripted model and virtual time, with all that it said written down. */
export class LiveRig {
  readonly clock = new VirtualClock();
  readonly book = new LogBook();
  readonly events: LiveEvent[] = [];
  readonly closes: unknown[] = [];
  readonly model: ScriptedModel;
  readonly session: AgentSession;

  constructor({ tools = [], script, ...options }: LiveRigOptions = {}) {
    this.model = new ScriptedModel(script);
    this.session = new AgentSession({
      agent: new Agent({ name: 'agent', tools }),
      model: this.model,
      clock: this.clock,
      random: seededRandom(1),
      log: this.book.log,
      ...options,
    });
    this.session.on('event', (event) => void this.events.push(event));
    this.session.on('close', (report) => void this.closes.push(report));
  }

  /** Starts, and lets everything due happen. */
  static async live(options: LiveRigOptions = {}): Promise<LiveRig> {
    const rig = new LiveRig(options);
    await rig.session.start();
    await rig.clock.settle();
    return rig;
  }

  of<Type extends LiveEventType>(type: Type): LiveEventOf<Type>[] {
    return this.events.filter((event): event is LiveEventOf<Type> => event.type === type);
  }

  get history(): string[] {
    return historyOf(this.session.session);
  }
}

/** A history as one reads it: `user: Hello`, `model: call weather(1)`, `user: result weather(1)`. */
export function historyOf({ history }: Pick<StoredSession, 'history'>): string[] {
  return history.map(({ role, parts }) => `${role}: ${parts.map(partOf).join(' + ')}`);
}

function partOf({ text, functionCall, functionResponse }: Part): string {
  if (text !== undefined) return text;
  if (functionCall !== undefined) return `call ${functionCall.name}(${functionCall.id})`;
  if (functionResponse !== undefined) return `result ${functionResponse.name}(${functionResponse.id})`;
  return 'other';
}

/** 20 ms of silence. */
export function frame(rateHz = 16_000): AudioChunk {
  return AudioChunk.fromPcm(new Uint8Array((rateHz / 50) * 2), rateHz);
}

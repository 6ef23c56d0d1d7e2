import type { Scheduler } from 'fast-check';
import { AudioChunk, textContent } from '../../src/protocol/index.ts';
import type { Content } from '../../src/protocol/index.ts';
import {
  AuthenticationError,
  ConnectionLostError,
  HandleRejectedError,
  OverloadedError,
  tool,
} from '../../src/session/index.ts';
import type { ModelInput } from '../../src/session/index.ts';
import type { ClientInput } from '../../src/session/input-ring.ts';
import { newSession } from '../../src/session/session-store.ts';
import type { ScriptedConnection } from '../../src/testing/scripted-model.ts';
import { seededRandom } from '../../src/kernel/index.ts';
import { LiveRig } from './live-rig.ts';

/** What the client does. */
const CLIENT_ACTS = [
  ...([
    'say',
    'say',
    'note',
    'speak',
    'speak',
    'burst',
    'quiet',
    'begin',
    'end',
    'moment',
    'wait',
    'wait',
    'wait',
    'long',
  ] as const),
  ...(['leave', 'drain', 'close', 'abort'] as const),
] as const;

/** What the model says and does not say. */
const ANSWER_ACTS = [
  ...(['text', 'text', 'voice', 'whole', 'complete', 'complete', 'interrupt'] as const),
  ...(['hear', 'heard', 'tell', 'call', 'call', 'cancel', 'result', 'result', 'fail'] as const),
  ...(['prompt', 'shortPrompt', 'detected'] as const),
] as const;

/** What becomes of connections, and the provider's word of it. */
const NETWORK_ACTS = [
  ...(['lose', 'lose', 'lose', 'loseHandle', 'loseKey', 'accept', 'accept', 'accept', 'refuse'] as const),
  ...([
    'answerNo',
    'rejectHandle',
    'refuseKey',
    'busy',
    'handle',
    'handle',
    'handle',
    'notResumable',
  ] as const),
  ...(['goAway', 'goAwayNow', 'goAwaySometime', 'block', 'unblock', 'deafen', 'slowGoodbye'] as const),
  ...(['noPongs', 'moment', 'wait', 'wait', 'wait', 'long'] as const),
] as const;

export type Act = (typeof CLIENT_ACTS)[number] | (typeof ANSWER_ACTS)[number] | (typeof NETWORK_ACTS)[number];

/** The verbs and failures that end a session for good: a run without them goes deeper. */
export const ENDINGS: ReadonlySet<Act> = new Set(
  (['leave', 'drain', 'close', 'abort', 'loseKey', 'refuseKey'] as const).map((act): Act => act),
);

export const CLIENT: readonly Act[] = CLIENT_ACTS;
export const PEER: readonly Act[] = [...ANSWER_ACTS, ...NETWORK_ACTS];
/** A peer that never answers. */
export const MUTE_PEER: readonly Act[] = NETWORK_ACTS;

export interface RaceOptions {
  readonly acceptsAtOnce: boolean;
  readonly takesContent: boolean;
  readonly withoutHandle: 'fail' | 'reseed';
  /** Whether the stored session has a handle from an earlier run. */
  readonly isStored: boolean;
  /** Room for five frames instead of half a minute. */
  readonly isTight: boolean;
}

/** Where a handle was issued, and what that connection had been sent by then. */
interface Issued {
  readonly connection: ScriptedConnection | undefined;
  readonly inputs: number;
}

const PROVIDER = { provider: 'scripted' };
const FRAME_MS = 20;
export const STORED_TEXT = 'said before';

/** A live session, all that may happen to it as acts, and the record of what did. */
export class SupervisedRace {
  readonly rig: LiveRig;
  /** What the client has queued and the queue has taken, in order. */
  readonly queued: ClientInput[] = [];
  readonly problems: string[] = [];
  readonly #tools: PromiseWithResolvers<unknown>[] = [];
  readonly #handles = new Map<string, Issued>([['stored', { connection: undefined, inputs: 0 }]]);
  readonly #acceptsAtOnce: boolean;
  readonly #settled = new Set<ScriptedConnection>();
  #isHealed = false;
  #count = 0;
  #calls = 0;

  constructor(options: RaceOptions, scheduler: Scheduler) {
    this.#acceptsAtOnce = options.acceptsAtOnce;
    const execute = (): Promise<unknown> => {
      const run = Promise.withResolvers<unknown>();
      this.#tools.push(run);
      return run.promise;
    };
    const clock = { now: () => 0, wallTime: () => Date.UTC(2030, 0, 1), setTimer: undefined as never };
    const session = newSession(clock, seededRandom(1));
    if (options.isStored) {
      session.history.push(textContent('user', STORED_TEXT));
      session.resumption = {
        handle: 'stored',
        atMs: clock.wallTime(),
        modelId: 'scripted',
        historyLength: 1,
      };
    }
    this.rig = new LiveRig({
      session,
      script: {
        acceptsAtOnce: options.acceptsAtOnce,
        capabilities: { resumption: true, takesContent: options.takesContent },
      },
      reconnect: {
        withoutHandle: options.withoutHandle,
        ...(options.isTight ? { bufferedAudioMs: 5 * FRAME_MS } : {}),
      },
      tools: [tool({ name: 'it', description: '', execute })],
    });
    this.#watchDials(scheduler);
    this.rig.session.start().catch(() => undefined);
  }

  /** What a connection was sent by its client, and not by the runtime: by number, in the order it came. */
  received(connection: ScriptedConnection): number[] {
    return this.#numbers(connection.inputs);
  }

  /** What of it the peer of a connection knows, whoever of its predecessors heard it. */
  heard(connection: ScriptedConnection, inputs = connection.inputs.length): number[] {
    const issued = this.#handles.get(connection.setup.resumptionHandle ?? '');
    const before = issued?.connection === undefined ? [] : this.heard(issued.connection, issued.inputs);
    return [...before, ...this.#numbers(connection.inputs.slice(0, inputs))];
  }

  /** Every text the peer of a connection was told, by whatever way, as often as it was. */
  known(connection: ScriptedConnection, inputs = connection.inputs.length): string[] {
    const { resumptionHandle, history } = connection.setup;
    const issued = resumptionHandle === undefined ? undefined : this.#handles.get(resumptionHandle);
    const before =
      issued === undefined
        ? textsOf(history)
        : issued.connection === undefined
          ? [STORED_TEXT]
          : this.known(issued.connection, issued.inputs);
    return [...before, ...this.told(connection, inputs)];
  }

  /** What of it was told over the connection itself. */
  told(connection: ScriptedConnection, inputs = connection.inputs.length): string[] {
    return connection.inputs.slice(0, inputs).flatMap((input) => {
      if (input.type === 'content') return textsOf([input.content]);
      return input.type === 'history' ? textsOf(input.turns) : [];
    });
  }

  /** Nothing is in the way any more: whatever can settle does. */
  async heal(): Promise<void> {
    const { model, clock } = this.rig;
    this.#isHealed = true;
    for (let step = 0; step < 12; step += 1) {
      const dial = model.dials.at(-1);
      if (dial !== undefined) {
        dial.bufferedBytes = 0;
        if (dial.isOpen) dial.takesInput = true;
        dial.answersProbes = true;
        this.#settle(dial, () => dial.accept());
      }
      await clock.advance(9_000);
    }
  }

  /** The numbers of inputs among what was queued. Audio that is sent again is a copy: it bears its number. */
  #numbers(inputs: readonly ModelInput[]): number[] {
    return inputs
      .map((input) => {
        if (input.type !== 'audio') return this.queued.indexOf(input as ClientInput);
        const [high = 0, low = 0] = input.audio.samples.subarray(-2);
        return high * 128 + low;
      })
      .filter((number) => number >= 0);
  }

  /** Audio that bears the number it will have, in two samples that nobody can hear. */
  #numbered(sample: number): AudioChunk {
    const audio = audioOf(sample, 16_000);
    const number = this.queued.length;
    audio.samples.set([number >> 7, number & 127], audio.sampleCount - 2);
    return audio;
  }

  async act(act: Act): Promise<void> {
    const { session, model, clock } = this.rig;
    const connection = model.dials.at(-1);
    switch (act) {
      case 'moment':
        return clock.advance(FRAME_MS);
      case 'wait':
        return clock.advance(2_000);
      case 'long':
        return clock.advance(12_000);
      case 'leave':
        session.queue.close();
        return;
      case 'drain':
      case 'close':
      case 'abort':
        void session[act]();
        return;
      case 'result':
        this.#tools.shift()?.resolve('done');
        return;
      case 'fail':
        this.#tools.shift()?.reject(new Error('failed'));
        return;
      case 'say':
      case 'note':
        this.#count += 1;
        this.#queue({
          type: 'content',
          content: textContent('user', `T${this.#count}`),
          turnComplete: act === 'say',
        });
        return;
      case 'speak':
      case 'quiet':
        this.#queue({ type: 'audio', audio: this.#numbered(act === 'speak' ? 5_000 : 0) });
        return;
      case 'burst':
        for (let count = 0; count < 4; count += 1) await this.act('speak');
        return;
      case 'begin':
        this.#queue({ type: 'activityStart' });
        return;
      case 'end':
        this.#queue({ type: 'activityEnd' });
        return;
      default:
        if (connection !== undefined) this.#peer(act, connection);
    }
  }

  #peer(act: Exclude<Act, (typeof CLIENT_ACTS)[number] | 'result' | 'fail'>, peer: ScriptedConnection): void {
    this.#count += 1;
    const mark = `M${this.#count}`;
    const usage = (promptTokens: number) =>
      peer.output({ type: 'usage', usage: { promptTokens, responseTokens: 1, totalTokens: promptTokens } });
    const hear = (speaker: 'user' | 'agent', finished: boolean): void =>
      peer.output({ type: 'transcript', speaker, text: mark, finished });
    const refuse = (error: Error): void => this.#settle(peer, () => peer.refuse(error));
    const acts: Record<typeof act, () => void> = {
      text: () => peer.output({ type: 'text', text: mark }),
      voice: () => peer.output({ type: 'audio', audio: audioOf(3_000, 24_000) }),
      whole: () => peer.output({ type: 'generationComplete' }),
      complete: () => peer.output({ type: 'turnComplete' }),
      interrupt: () => peer.output({ type: 'interrupted' }, { type: 'turnComplete' }),
      hear: () => hear('user', false),
      heard: () => hear('user', true),
      tell: () => hear('agent', false),
      call: () => this.#call(peer),
      cancel: () => peer.output({ type: 'toolCallCancellation', ids: [`${this.#calls}`] }),
      prompt: () => usage(2_000),
      shortPrompt: () => usage(310),
      detected: () => peer.output({ type: 'voiceActivity', activity: 'start' }),
      lose: () => peer.end({ code: 1006 }),
      loseHandle: () => peer.end({ code: 1008, error: new HandleRejectedError('unknown', PROVIDER) }),
      loseKey: () => peer.end({ code: 1008, error: new AuthenticationError('bad key', PROVIDER) }),
      accept: () => this.#settle(peer, () => peer.accept()),
      refuse: () => refuse(new ConnectionLostError('refused', PROVIDER)),
      answerNo: () => refuse(new ConnectionLostError('no', { ...PROVIDER, closeCode: 1011 })),
      rejectHandle: () => refuse(new HandleRejectedError('unknown', PROVIDER)),
      refuseKey: () => refuse(new AuthenticationError('bad key', PROVIDER)),
      busy: () => refuse(new OverloadedError('busy', { ...PROVIDER, retryAfterMs: 5_000 })),
      handle: () => this.#issue(peer, mark),
      notResumable: () => peer.output({ type: 'resumption', handle: undefined }),
      goAway: () => peer.output({ type: 'goAway', timeLeftMs: 10_000 }),
      goAwayNow: () => peer.output({ type: 'goAway', timeLeftMs: 0 }),
      goAwaySometime: () => peer.output({ type: 'goAway' }),
      block: () => void (peer.bufferedBytes = Infinity),
      unblock: () => void (peer.bufferedBytes = 0),
      deafen: () => void (peer.takesInput = false),
      slowGoodbye: () => void (peer.finishes = true),
      noPongs: () => void (peer.answersProbes = false),
    };
    acts[act]();
  }

  /** A dial that was accepted cannot be refused any more. */
  #settle(dial: ScriptedConnection, settle: () => void): void {
    if (this.#acceptsAtOnce || this.#settled.has(dial)) return;
    this.#settled.add(dial);
    settle();
  }

  #call(peer: ScriptedConnection): void {
    this.#calls += 1;
    peer.output({ type: 'toolCall', calls: [{ id: `${this.#calls}`, name: 'it', args: {} }] });
  }

  #issue(peer: ScriptedConnection, handle: string): void {
    this.#handles.set(handle, { connection: peer, inputs: peer.inputs.length });
    peer.output({ type: 'resumption', handle });
  }

  #queue(input: ClientInput): void {
    const { queue } = this.rig.session;
    if (queue.isClosed) return;
    // Before it is queued: a connection that is ready is sent it within the call.
    this.queued.push(input);
    queue.send(input);
  }

  /** Looks at every dial as it is made, and lets the scheduler say when its outcome is heard of. */
  #watchDials(scheduler: Scheduler): void {
    const { model, session } = this.rig;
    const connect = model.connect.bind(model);
    model.connect = (setup, sink, scope) => {
      if (model.openConnections > 0) this.problems.push('dialled beside an open connection');
      if (session.state === 'closing' || session.state === 'closed')
        this.problems.push('C1: dialled for a session that was closed');
      if (setup.resumptionHandle !== undefined && setup.history.length > 0)
        this.problems.push('R2: history and handle together');
      const dialled = connect(setup, sink, scope);
      // Races before the first connection are few, and there are tests of their own for them.
      const isFirst = this.#acceptsAtOnce && model.dials.length === 1;
      if (this.#isHealed || isFirst) return dialled;
      const label = `dial ${model.dials.length} is heard of`;
      // A dial that is given up never settles: only what has an outcome is put before the scheduler.
      return dialled.then(
        (connection) => scheduler.schedule(Promise.resolve(), label).then(() => connection),
        (error: unknown) => scheduler.schedule(Promise.resolve(), label).then(() => Promise.reject(error)),
      );
    };
  }
}

function audioOf(sample: number, rateHz: number): AudioChunk {
  return AudioChunk.fromSamples(new Int16Array((rateHz / 1_000) * FRAME_MS).fill(sample), rateHz);
}

export function textsOf(contents: readonly Content[]): string[] {
  return contents.flatMap(({ parts }) => parts.flatMap(({ text }) => text ?? []));
}

import assert from 'node:assert/strict';
import { VirtualClock, seededRandom } from '../../src/kernel/index.ts';
import { gemini } from '../../src/models/gemini/index.ts';
import type { LiveEvent } from '../../src/protocol/index.ts';
import { Agent, AgentSession, tool } from '../../src/session/index.ts';
import type { AgentSessionOptions, LiveModel, SessionCloseReport, Tool } from '../../src/session/index.ts';
import { eventName } from './words.ts';
import { Provider } from './provider.ts';
import type { Json, ProviderOptions } from './provider.ts';

const TWO_HOURS_MS = 2 * 60 * 60_000;

/** Longer than anything a scene waits for, the longest bound of a drain included. */
export const LONG_ENOUGH_MS = 30_000;

/** How long the tool of a scene takes, and how long it unwinds when it is told to stop. */
const LOOKUP_MS = 2_000;
const UNWIND_MS = 300;

export interface SceneOptions extends Partial<Omit<AgentSessionOptions, 'agent' | 'model' | 'clock'>> {
  /** Default: one named `clerk`, with these tools and instructions. */
  readonly agent?: Agent;
  readonly clock?: VirtualClock;
  readonly provider?: Omit<ProviderOptions, 'clock'>;
  readonly tools?: readonly Tool[];
  /** Default: Gemini over the simulated sockets of `provider`. */
  readonly model?: LiveModel;
  readonly instructions?: () => Promise<string>;
}

/** How a live session ended, as everybody around it saw it. */
export interface SceneEnd {
  readonly report: SessionCloseReport;
  /** What was emitted since the end was asked for, in order; of texts and transcripts the whole ones. */
  readonly events: readonly string[];
  /** Since the end was asked for. */
  readonly tookMs: number;
}

/** A live session on virtual time and simulated sockets, to be ended in some way. */
export class Scene {
  readonly clock: VirtualClock;
  readonly provider: Provider;
  readonly session: AgentSession;
  readonly events: LiveEvent[] = [];
  /** What `start()` came to; undefined while it is under way or was never called. */
  started: { readonly error?: unknown } | undefined;
  #closedAtMs: number | undefined;
  #askedAtMs = 0;
  #eventsBefore = 0;

  constructor({
    clock = new VirtualClock(),
    provider,
    tools = [],
    instructions,
    model,
    agent,
    ...rest
  }: SceneOptions = {}) {
    this.clock = clock;
    this.provider = new Provider({ clock, ...provider });
    this.session = new AgentSession({
      agent:
        agent ?? new Agent({ name: 'clerk', tools, ...(instructions === undefined ? {} : { instructions }) }),
      model:
        model ??
        gemini({
          model: 'gemini-2.5-flash',
          apiKey: 'any',
          baseUrl: 'http://provider',
          transport: this.provider,
        }),
      random: seededRandom(1),
      ...(rest.owner === undefined ? { clock } : {}),
      ...rest,
    });
    this.session.on('event', (event) => void this.events.push(event));
    this.session.on('close', () => {
      this.#closedAtMs = clock.now();
    });
  }

  /** A session that is connected and says nothing. */
  static async connected(options: SceneOptions = {}): Promise<Scene> {
    const scene = new Scene(options);
    await scene.start();
    return scene;
  }

  /**
   * A session in the middle of everything: a tool of two seconds is under way, which unwinds in 300 ms when its signal
   * fires, the agent has begun to say something, and will say the rest when the model has the tool's result.
   */
  static async busy(options: SceneOptions = {}): Promise<Scene> {
    const clock = options.clock ?? new VirtualClock();
    const scene = await Scene.connected({
      tools: [lookup(clock)],
      ...options,
      clock,
      provider: {
        heard: ({ toolResponse }, provider) => {
          if (toolResponse === undefined) return;
          provider.say(
            { serverContent: { outputTranscription: { text: ' It is open.' } } },
            { serverContent: { turnComplete: true } },
          );
        },
        ...options.provider,
      },
    });
    await scene.said(
      { toolCall: { functionCalls: [{ id: '1', name: 'lookup', args: {} }] } },
      { serverContent: { outputTranscription: { text: 'Let me see.' } } },
    );
    return scene;
  }

  /** Begins to start, and lets what is due happen. */
  async start(): Promise<void> {
    this.session.start().then(
      () => (this.started = {}),
      (error: unknown) => (this.started = { error }),
    );
    await this.clock.settle();
  }

  /** The provider says this, and it arrives. */
  async said(...messages: readonly Json[]): Promise<void> {
    this.provider.say(...messages);
    await this.clock.settle();
  }

  /** What is told from here on belongs to the end. */
  asked(): void {
    this.#askedAtMs = this.clock.now();
    this.#eventsBefore = this.events.length;
  }

  /** Asks for the end, waits for it, and looks whether anything is left behind. */
  async end(ask: (scene: Scene) => unknown): Promise<SceneEnd> {
    this.asked();
    ask(this);
    await this.clock.advance(LONG_ENOUGH_MS);
    assert.equal(this.session.state, 'closed', 'it has not ended');
    const report = await this.session.closed;
    const told = this.events.slice(this.#eventsBefore);
    const events = told.filter((event) => !('partial' in event && event.partial)).map(eventName);
    const tookMs = (this.#closedAtMs ?? NaN) - this.#askedAtMs;
    await this.#expectNothingLeft();
    return { report, events, tookMs };
  }

  /** Nothing is held, nothing is told, and nothing is dialled, for two hours. */
  async #expectNothingLeft(): Promise<void> {
    const { clock, provider, session, events } = this;
    const before = { dials: provider.dials, events: events.length };
    await clock.advance(TWO_HOURS_MS);
    assert.deepEqual({ dials: provider.dials, events: events.length }, before);
    assert.deepEqual(session.resources(), []);
    assert.equal(provider.openSockets, 0, 'a socket is open');
    assert.equal(clock.pendingTimers, 0, 'a timer is set');
  }
}

/** Takes two seconds, and 300 ms when it is told to stop. */
export function lookup(clock: VirtualClock, timeoutMs?: number): Tool {
  return tool({
    name: 'lookup',
    description: 'Looks something up.',
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    execute: (_args, { signal }) =>
      new Promise((resolve) => {
        const found = clock.setTimer(LOOKUP_MS, () => resolve({ open: true }));
        signal.addEventListener('abort', () => {
          found.cancel();
          clock.setTimer(UNWIND_MS, () => resolve({ open: 'unknown' }));
        });
      }),
  });
}

/** Never ends, whatever it is told. */
export const deafLookup: Tool = tool({
  name: 'lookup',
  description: 'Looks something up for ever.',
  execute: () => new Promise(() => undefined),
});

import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../../kernel/index.ts';
import { BYTES_PER_SAMPLE, base64ByteLength } from '../../../protocol/index.ts';
import type { ClientMessage, RealtimeInput, ToolResult, Turn } from './client-message.ts';
import type { ConversationContext } from './conversation-context.ts';
import type { Fault } from './fault-types.ts';
import type { JsonObject } from './proto-json.ts';
import type { Recorder } from './recorder.ts';
import { redactHeaders, redactTarget } from './redaction.ts';
import type { RequestTarget } from './request-target.ts';

/** How far a connection came. `dialled`: its first bytes are there; `open`: a WebSocket; `ready`: set up; `closed`: its socket is gone. */
export type ConnectionStage = 'dialled' | 'open' | 'ready' | 'closed';

/** How a connection ended, as seen from the server. */
export interface ConnectionEnding {
  /** Who ended it first. */
  readonly by: 'client' | 'emulator';
  /** The code the emulator sent, or the client's; 1005: a frame without one; 1006: no frame at all. */
  readonly code: number;
  readonly reason: string;
}

/** Milliseconds of the emulator's clock; undefined: it did not come to that. */
export interface ConnectionTimes {
  readonly dialledAtMs: number;
  readonly openedAtMs?: number;
  readonly setupAtMs?: number;
  readonly readyAtMs?: number;
  readonly closedAtMs?: number;
}

/** Texts and tool results kept for looking at; a load test sends more than anybody reads. */
const MAX_KEPT = 1_000;

/** What an emulator saw of one connection. */
export class ConnectionRecord {
  /** Counted from 1, in the order of dialling. */
  readonly number: number;
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #recorder: Recorder | undefined;
  #stage: ConnectionStage = 'dialled';
  #times: ConnectionTimes;
  #ending: ConnectionEnding | undefined;
  #target: RequestTarget | undefined;
  #setup: JsonObject | undefined;
  #resumedFrom: string | undefined;
  #resumedContext = { turns: 0, inputSamples: 0 };
  #inputSamples = 0;
  #sentMessages = 0;
  readonly #messages = { setup: 0, clientContent: 0, realtimeInput: 0, toolResponse: 0 };
  readonly #inputs = { audio: 0, video: 0, text: 0, activityStart: 0, activityEnd: 0, audioStreamEnd: 0 };
  readonly #turns: Turn[] = [];
  readonly #texts: string[] = [];
  readonly #toolResults: ToolResult[] = [];

  constructor(number: number, clock: Clock, changed: () => void, recorder: Recorder | undefined) {
    this.number = number;
    this.#recorder = recorder;
    this.#clock = clock;
    this.#changed = changed;
    this.#times = { dialledAtMs: clock.now() };
    recorder?.add('dialled', number, {});
  }

  get stage(): ConnectionStage {
    return this.#stage;
  }

  get times(): ConnectionTimes {
    return this.#times;
  }

  /** Undefined while the socket is there. */
  get ending(): ConnectionEnding | undefined {
    return this.#ending;
  }

  get api(): RequestTarget['api'] | undefined {
    return this.#target?.api;
  }

  /** The API key, ephemeral token or bearer token the client came with. */
  get credential(): string | undefined {
    return this.#target?.credential;
  }

  /** The setup as it came, its keys in camelCase. */
  get setup(): JsonObject | undefined {
    return this.#setup;
  }

  /** The handle the connection was resumed with. */
  get resumedFrom(): string | undefined {
    return this.#resumedFrom;
  }

  /** What the model remembered when the connection was set up: zeros, unless it was resumed. */
  get rememberedAtSetup(): { readonly turns: number; readonly inputSamples: number } {
    return this.#resumedContext;
  }

  /** Samples of audio that came in on this connection, whatever their rates. */
  get inputSamples(): number {
    return this.#inputSamples;
  }

  /** Messages that came in, by kind. */
  get messages(): Readonly<Record<ClientMessage['kind'], number>> {
    return this.#messages;
  }

  /** What came in as `realtimeInput`, by kind. */
  get inputs(): Readonly<Record<RealtimeInput['kind'], number>> {
    return this.#inputs;
  }

  /** The turns that came in as `clientContent`, in order; the first 1 000. */
  get turns(): readonly Turn[] {
    return this.#turns;
  }

  /** The texts that came in as `realtimeInput`, in order; the first 1 000. */
  get texts(): readonly string[] {
    return this.#texts;
  }

  /** The results of tools that came in, in order; the first 1 000. */
  get toolResults(): readonly ToolResult[] {
    return this.#toolResults;
  }

  /** Messages that went out. */
  get sentMessages(): number {
    return this.#sentMessages;
  }

  /** The request to upgrade is there, or the plain request that took its place. */
  requested({ method, url = '', headers }: Pick<IncomingMessage, 'method' | 'url' | 'headers'>): void {
    this.#recorder?.add('request', this.number, {
      method,
      target: redactTarget(url),
      headers: redactHeaders(headers),
    });
  }

  opened(target: RequestTarget): void {
    this.#target = target;
    this.#recorder?.add('open', this.number, { api: target.api, version: target.version });
    this.#advance('open', { openedAtMs: this.#clock.now() });
  }

  ready(resumedFrom: string | undefined, context: ConversationContext): void {
    this.#recorder?.add('ready', this.number, { resumed: resumedFrom !== undefined });
    this.#resumedFrom = resumedFrom;
    this.#resumedContext = { turns: context.turns.length, inputSamples: context.inputSamples };
    this.#advance('ready', { readyAtMs: this.#clock.now() });
  }

  closed(ending: ConnectionEnding): void {
    this.#recorder?.add('closed', this.number, { ...ending });
    this.#ending = ending;
    this.#advance('closed', { closedAtMs: this.#clock.now() });
  }

  /** A frame is there, not yet read. */
  heard(text: string): void {
    this.#recorder?.message('in', this.number, text);
  }

  /** A fault happens. */
  suffered(fault: Fault): void {
    this.#recorder?.add('fault', this.number, { fault });
  }

  received(message: ClientMessage): void {
    this.#messages[message.kind] += 1;
    if (message.kind === 'setup') {
      this.#setup = message.setup;
      this.#times = { ...this.#times, setupAtMs: this.#clock.now() };
    } else if (message.kind === 'clientContent') keep(this.#turns, message.turns);
    else if (message.kind === 'toolResponse') keep(this.#toolResults, message.results);
    else for (const input of message.inputs) this.#receivedInput(input);
    this.#changed();
  }

  sent(text: string): void {
    this.#recorder?.message('out', this.number, text);
    this.#sentMessages += 1;
    this.#changed();
  }

  #receivedInput(input: RealtimeInput): void {
    this.#inputs[input.kind] += 1;
    if (input.kind === 'audio') {
      this.#inputSamples += Math.floor(base64ByteLength(input.base64) / BYTES_PER_SAMPLE);
    } else if (input.kind === 'text') keep(this.#texts, [input.text]);
  }

  #advance(stage: ConnectionStage, times: Partial<ConnectionTimes>): void {
    this.#stage = stage;
    this.#times = { ...this.#times, ...times };
    this.#changed();
  }
}

function keep<Item>(list: Item[], items: readonly Item[]): void {
  list.push(...items.slice(0, MAX_KEPT - list.length));
}

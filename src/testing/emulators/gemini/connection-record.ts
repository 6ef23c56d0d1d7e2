import type { LogFields } from '../../../kernel/index.ts';
import { BYTES_PER_SAMPLE, base64ByteLength } from '../../../protocol/index.ts';
import { EmulatedRecord, keep } from '../emulated-record.ts';
import type { JsonObject } from '../json-object.ts';
import type { ClientMessage, RealtimeInput, ToolResult, Turn } from './client-message.ts';
import type { ConversationContext } from './conversation-context.ts';
import type { RequestTarget } from './request-target.ts';

/** What an emulator saw of one connection. */
export class ConnectionRecord extends EmulatedRecord {
  #target: RequestTarget | undefined;
  #setup: JsonObject | undefined;
  #resumedFrom: string | undefined;
  #resumedContext = { turns: 0, inputSamples: 0 };
  #inputSamples = 0;
  readonly #messages = { setup: 0, clientContent: 0, realtimeInput: 0, toolResponse: 0 };
  readonly #inputs = { audio: 0, video: 0, text: 0, activityStart: 0, activityEnd: 0, audioStreamEnd: 0 };
  readonly #turns: Turn[] = [];
  readonly #texts: string[] = [];
  readonly #toolResults: ToolResult[] = [];

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

  opened(target: RequestTarget): void {
    this.#target = target;
    this.record('open', { api: target.api, version: target.version });
    this.advance('open', { openedAtMs: this.now });
  }

  ready(resumedFrom: string | undefined, context: ConversationContext): void {
    this.record('ready', { resumed: resumedFrom !== undefined });
    this.#resumedFrom = resumedFrom;
    this.#resumedContext = { turns: context.turns.length, inputSamples: context.inputSamples };
    this.advance('ready', { readyAtMs: this.now });
  }

  describe(): JsonObject {
    const { number, stage, api, times, ending, resumedFrom, rememberedAtSetup, setup } = this;
    const { messages, inputs, inputSamples, sentMessages } = this;
    const came = { messages, inputs, inputSamples, sentMessages };
    return { number, stage, api, times, ending, resumedFrom, rememberedAtSetup, ...came, setup };
  }

  summary(): LogFields {
    return { inputSamples: this.#inputSamples, received: this.#messages };
  }

  received(message: ClientMessage): void {
    this.#messages[message.kind] += 1;
    if (message.kind === 'setup') {
      this.#setup = message.setup;
      this.note({ setupAtMs: this.now });
    } else if (message.kind === 'clientContent') keep(this.#turns, message.turns);
    else if (message.kind === 'toolResponse') keep(this.#toolResults, message.results);
    else for (const input of message.inputs) this.#receivedInput(input);
    this.changed();
  }

  #receivedInput(input: RealtimeInput): void {
    this.#inputs[input.kind] += 1;
    if (input.kind === 'audio') {
      this.#inputSamples += Math.floor(base64ByteLength(input.base64) / BYTES_PER_SAMPLE);
    } else if (input.kind === 'text') keep(this.#texts, [input.text]);
  }
}

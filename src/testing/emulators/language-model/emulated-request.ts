import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Lifetime } from '../../../kernel/index.ts';
import { resetSocket } from '../../fault-proxy/reset-socket.ts';
import type { ChatAnswer } from './chat-answer.ts';
import type { ChatRequest } from './chat-request.ts';
import type { LanguageModelFault } from './emulator-script.ts';

/** How a request ended. `left`: the client went, or the emulator closed, before the answer was whole. */
export type RequestEnding = 'answered' | 'refused' | 'fault' | 'left';

/** What an emulator remembers of a request. */
export interface RequestRecord {
  /** Counted from 1. */
  readonly number: number;
  /** The body as it came. */
  readonly body: unknown;
  /** Whether it brought a key. The key itself is not kept. */
  readonly hasKey: boolean;
  /** Pieces of the answer that were sent. */
  readonly pieces: number;
  /** Undefined while it is being answered. */
  readonly ending: RequestEnding | undefined;
}

/** Keeps a record up. */
export interface RequestNotes {
  sent(): void;
  ended(ending: RequestEnding): void;
}

/** An error as the service writes it. */
export function sendError(
  response: ServerResponse,
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify({ error: { message, type: typeOf(status), param: null, code: null } }));
}

function typeOf(status: number): string {
  if (status === 401 || status === 403) return 'authentication_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}

/** Reads a body, at most `maxBytes` of it; undefined: it is larger, or no JSON. */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= maxBytes) chunks.push(chunk);
  }
  try {
    return bytes > maxBytes ? undefined : (JSON.parse(Buffer.concat(chunks).toString()) as unknown);
  } catch {
    // Said in the answer.
    return undefined;
  }
}

/** One request being answered, in pieces, with what is to go wrong with it. */
export class EmulatedRequest {
  readonly #request: ChatRequest;
  readonly #response: ServerResponse;
  readonly #scope: Lifetime;
  readonly #notes: RequestNotes;
  readonly #id: string;

  constructor(
    request: ChatRequest,
    response: ServerResponse,
    scope: Lifetime,
    notes: RequestNotes,
    number: number,
  ) {
    this.#request = request;
    this.#response = response;
    this.#scope = scope;
    this.#notes = notes;
    this.#id = `chatcmpl-${number}`;
  }

  /** @throws ClosedError when the client goes, or the emulator closes, first. */
  async answer(answer: ChatAnswer, fault: LanguageModelFault | undefined, pieceMs: number): Promise<void> {
    if (fault?.type === 'status') {
      const { status, retryAfter, message = `Emulated status ${status}.` } = fault;
      sendError(
        this.#response,
        status,
        message,
        retryAfter === undefined ? {} : { 'Retry-After': retryAfter },
      );
      this.#notes.ended('fault');
      return;
    }
    if (fault?.type === 'slowFirstByte') await this.#scope.sleep(fault.ms);
    if (this.#request.stream) await this.#stream(answer, fault, pieceMs);
    else this.#whole(answer);
  }

  #whole({ message, finishReason, usage }: ChatAnswer): void {
    this.#response.writeHead(200, { 'Content-Type': 'application/json' });
    const choices = [{ index: 0, message, finish_reason: finishReason }];
    this.#response.end(JSON.stringify({ ...this.#head('chat.completion'), choices, usage }));
    this.#notes.ended('answered');
  }

  async #stream(answer: ChatAnswer, fault: LanguageModelFault | undefined, pieceMs: number): Promise<void> {
    this.#response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
    this.#response.flushHeaders();
    this.#chunk({ role: 'assistant', content: '' });
    const at = fault !== undefined && 'afterPieces' in fault ? (fault.afterPieces ?? 0) : 0;
    for (const [index, piece] of [...answer.pieces, undefined].entries()) {
      if (fault !== undefined && index === at && (await this.#goWrong(fault))) return;
      if (piece === undefined) break;
      if (pieceMs > 0) await this.#scope.sleep(pieceMs);
      this.#chunk(piece);
      this.#notes.sent();
    }
    this.#chunk({}, answer.finishReason);
    if (this.#request.includeUsage) this.#send({ choices: [], usage: answer.usage });
    this.#response.write('data: [DONE]\n\n');
    this.#response.end();
    this.#notes.ended('answered');
  }

  /** Gives whether that was the end of it. */
  async #goWrong(fault: LanguageModelFault): Promise<boolean> {
    switch (fault.type) {
      case 'malformed':
        this.#response.write('data: {"choices": [{"delta": \n\n');
        return false;
      case 'stall':
        await this.#scope.sleep(Infinity);
        return true;
      case 'reset':
        await this.#written();
        this.#notes.ended('fault');
        if (this.#response.socket !== null) resetSocket(this.#response.socket);
        return true;
      case 'error': {
        const { message = 'The server had an error.', kind = 'server_error' } = fault;
        this.#response.write(`data: ${JSON.stringify({ error: { message, type: kind, code: null } })}\n\n`);
        this.#notes.ended('fault');
        this.#response.end();
        return true;
      }
      case 'cut':
        this.#notes.ended('fault');
        this.#response.end();
        return true;
      case 'status':
      case 'slowFirstByte':
        return false;
    }
  }

  /** What was sent has left for the network: a reset would take it along. */
  #written(): Promise<void> {
    return new Promise((resolve) => {
      this.#response.write(': \n\n', () => resolve());
    });
  }

  #chunk(delta: Readonly<Record<string, unknown>>, finish: string | null = null): void {
    this.#send({ choices: [{ index: 0, delta, finish_reason: finish }] });
  }

  #send(fields: Readonly<Record<string, unknown>>): void {
    const chunk = { ...this.#head('chat.completion.chunk'), ...fields };
    this.#response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  }

  #head(object: string): Readonly<Record<string, unknown>> {
    const created = Math.floor(this.#scope.clock.wallTime() / 1_000);
    return { id: this.#id, object, created, model: this.#request.model };
  }
}

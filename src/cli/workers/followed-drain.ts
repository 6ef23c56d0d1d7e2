import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Lifetime } from '../../kernel/index.ts';
import { wholeProgress } from './admin-answers.ts';
import type { WholeProgress } from './admin-answers.ts';
import { headersOf } from './fellows.ts';
import type { Fellows } from './fellows.ts';
import { answerError, noWorkerError } from './relay.ts';

export interface FollowedDrainOptions {
  readonly fellows: Fellows;
  readonly scope: Lifetime;
  hold(): () => void;
}

/** A worker that ends alone is not waited for by its followers for longer than this. */
const ALONE_MS = 2_000;

/**
 * How the drain of all workers goes, as one: a line of JSON each time this worker tells its own, to the end of the last. The
 * worker that was asked has its own end wait for that of the others, so that somebody is there to tell the last line.
 */
export class FollowedDrain {
  readonly #options: FollowedDrainOptions;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  /** What each worker said last. */
  readonly #said = new Map<number, WholeProgress>();
  readonly #following = new Set<number>();
  #release: (() => void) | undefined;

  constructor(options: FollowedDrainOptions, request: IncomingMessage, response: ServerResponse) {
    this.#options = options;
    this.#request = request;
    this.#response = response;
  }

  begin(): void {
    const { fellows, scope, hold } = this.#options;
    this.#release = hold();
    this.#response.on('close', () => this.#release?.());
    for (let slot = 0; slot < fellows.place.count; slot += 1) {
      this.#following.add(slot);
      const inner = fellows.request(slot, {
        method: 'GET',
        path: '/admin/drain?follow=true',
        headers: headersOf(this.#request),
      });
      scope.own('followed drain', inner, { abort: (held) => void held.destroy() });
      this.#response.on('close', () => inner.destroy());
      inner.on('error', () => inner.destroy());
      inner.on('close', () => {
        scope.release(inner);
        this.#ended(slot);
      });
      inner.on('response', (answer) => this.#follow(slot, answer));
      inner.end();
    }
  }

  #follow(slot: number, answer: IncomingMessage): void {
    if (answer.statusCode !== 200) {
      this.#refuse(answer);
      return;
    }
    let rest = '';
    answer.setEncoding('utf8');
    answer.on('error', () => answer.destroy());
    answer.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#said.set(slot, JSON.parse(line) as WholeProgress);
      if (slot === this.#own && lines.length > 0) this.#tell();
    });
  }

  get #own(): number {
    return this.#options.fellows.place.slot;
  }

  #tell(): void {
    if (this.#said.size < this.#following.size || this.#response.writableEnded) return;
    if (!this.#response.headersSent) {
      this.#response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    }
    this.#response.write(`${JSON.stringify(wholeProgress([...this.#said.values()]))}\n`);
    const own = this.#said.get(this.#own);
    const others = [...this.#said].filter(([slot]) => slot !== this.#own);
    const isAlone = (own?.elapsedMs ?? 0) > ALONE_MS && others.every(([, { stage }]) => stage === 'serving');
    if (isAlone) this.#release?.();
  }

  /** A worker has told its last line, or has gone without. */
  #ended(slot: number): void {
    this.#following.delete(slot);
    const others = [...this.#following].filter((each) => each !== this.#own);
    // Now our own end may come, and its last line is that of the whole.
    if (others.length === 0) this.#release?.();
    if (this.#following.size > 0 || this.#response.writableEnded) return;
    if (this.#said.size > 0) this.#tell();
    if (!this.#response.headersSent) answerError(this.#response, noWorkerError());
    this.#response.end();
  }

  #refuse(answer: IncomingMessage): void {
    if (this.#response.headersSent) return;
    this.#response.writeHead(answer.statusCode ?? 502, {
      'content-type': answer.headers['content-type'] ?? 'application/json',
    });
    answer.on('error', () => this.#response.destroy());
    answer.pipe(this.#response);
  }
}

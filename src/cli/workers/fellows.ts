import { request as httpRequest } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Lifetime } from '../../kernel/index.ts';
import { CLIENT_ADDRESS_HEADER } from '../../server/http/index.ts';
import { socketPathOf } from './place.ts';
import type { Door, WorkerPlace } from './place.ts';
import { headersForPeer } from './raw-request.ts';

/** How long a fellow may take for a question about itself: it is answered from memory. */
const ASK_TIMEOUT_MS = 2_000;

/**
 * How long the others are waited for once one has said enough: who asks whether a server is ready gives it a second, most often,
 * and one worker that hangs must not take a machine away.
 */
export const ENOUGH_PATIENCE_MS = 500;

/** What such an answer may be long: some thousand calls, each a line. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** What one worker says to a question. */
export interface Answer {
  readonly slot: number;
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body?: Buffer;
}

/** The workers of this server as one of them reaches them: over their sockets, also itself. */
export class Fellows {
  readonly place: WorkerPlace;
  readonly #scope: Lifetime;
  readonly #door: Door;

  constructor(place: WorkerPlace, scope: Lifetime, door: Door) {
    this.place = place;
    this.#scope = scope;
    this.#door = door;
  }

  /** Where the worker of a slot is. */
  pathOf(slot: number): string {
    return socketPathOf(this.place, slot, this.#door);
  }

  /** Begins a request to the worker of a slot. It has no time-out; `signal` ends it. */
  request(slot: number, { method, path, headers }: Omit<Question, 'body' | 'method'> & { method: string }) {
    const socketPath = this.pathOf(slot);
    // The name that was asked for stands in the headers, or is added to them.
    return httpRequest({ socketPath, method, path, headers, setHost: false, agent: false });
  }

  /** What the worker of a slot answers; undefined when there is none that does in time. */
  ask(slot: number, question: Question): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const request = this.request(slot, question);
      const settle = (answer: Answer | undefined): void => {
        bound.cancel();
        resolve(answer);
        request.destroy();
      };
      const bound = this.#scope.timer('question', ASK_TIMEOUT_MS, () => settle(undefined));
      request.on('error', () => settle(undefined));
      request.on('response', (response) => {
        readText(response).then(
          (body) =>
            settle({
              slot,
              status: response.statusCode ?? 0,
              contentType: response.headers['content-type'] ?? '',
              body,
            }),
          () => settle(undefined),
        );
      });
      request.end(question.body);
    });
  }

  /** What every worker answers, by slot; undefined for one that does not. */
  askAll(question: Question): Promise<(Answer | undefined)[]> {
    return Promise.all(Array.from({ length: this.place.count }, (_, slot) => this.ask(slot, question)));
  }

  /** The same, but once `ENOUGH_PATIENCE_MS` are over, one answer that is enough is. */
  async askUntil(
    question: Question,
    isEnough: (answer: Answer) => boolean,
  ): Promise<readonly (Answer | undefined)[]> {
    const answers = Array.from<Answer | undefined>({ length: this.place.count });
    const settled = Promise.withResolvers<void>();
    let isPatient = true;
    const look = (): void => {
      if (!isPatient && answers.some((answer) => answer !== undefined && isEnough(answer))) settled.resolve();
    };
    const patience = this.#scope.timer('patience', ENOUGH_PATIENCE_MS, () => {
      isPatient = false;
      look();
    });
    const asked = Array.from(answers, async (_, slot) => {
      answers[slot] = await this.ask(slot, question);
      look();
    });
    await Promise.race([Promise.all(asked), settled.promise]);
    patience.cancel();
    return [...answers];
  }
}

/** What of the headers of a request matters to a question about the whole: who asks, from where, and for which name. */
const WHO_ASKS = new Set(['host', 'origin', 'authorization', 'x-forwarded-for', CLIENT_ADDRESS_HEADER]);

export function headersOf(request: IncomingMessage): OutgoingHttpHeaders {
  return Object.fromEntries(headersForPeer(request).filter(([name]) => WHO_ASKS.has(name.toLowerCase())));
}

/** A body as text. @throws when it is too long, or ends in the middle. */
async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_ANSWER_BYTES) throw new RangeError('The answer is too long.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

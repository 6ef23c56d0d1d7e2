import type { IncomingMessage, ServerResponse } from 'node:http';
import { describeError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { AmbiguousSessionError } from '../../server/index.ts';
import { PROMETHEUS_TEXT, formatMetric } from '../../server/metrics/index.ts';
import { readWorker, wholeList, wholeProgress } from './admin-answers.ts';
import { headersOf } from './fellows.ts';
import type { Answer, Fellows } from './fellows.ts';
import { FollowedDrain } from './followed-drain.ts';
import { answerError, noWorkerError, relayRequest } from './relay.ts';
import { sumMetrics } from './sum-metrics.ts';
import type { SupervisorLink } from './supervisor-link.ts';

export interface WholeAnswersOptions {
  readonly fellows: Fellows;
  readonly scope: Lifetime;
  readonly supervisor: SupervisorLink;
  hold(): () => void;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

/** What was measured of sessions and events is in the memory of whoever had them, and their paths do not say who that is. */
const TRACE_PATH = /^(?:\/dev\/apps\/[^/]+)?\/debug\/trace\//;

const CLOSE_PATH = /^\/admin\/sessions\/([^/]+)\/close$/;

/** Answers about the server as a whole, made of what every worker says of itself. */
export class WholeAnswers {
  readonly #options: WholeAnswersOptions;

  constructor(options: WholeAnswersOptions) {
    this.#options = options;
  }

  /** Whether it takes this request. */
  request(request: IncomingMessage, response: ServerResponse): boolean {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const handler = this.#handlerOf(path, request);
    if (handler === undefined) return false;
    void this.#answered(handler, request, response);
    return true;
  }

  #handlerOf(path: string, { method, url = '' }: IncomingMessage): Handler | undefined {
    const follows = queryOf(url).get('follow') === 'true';
    switch (`${method} ${path}`) {
      case 'GET /ready':
        return (request, response) => this.#ready(request, response);
      case 'GET /metrics':
        return (request, response) => this.#metrics(request, response);
      case 'GET /admin/sessions':
        return (request, response) => this.#list(request, response);
      case 'GET /admin/drain':
        return follows
          ? (request, response) => new FollowedDrain(this.#options, request, response).begin()
          : (request, response) => this.#progress(request, response);
      case 'POST /admin/drain':
        return (request, response) => this.#verb(request, response);
      default: {
        if (method === 'GET' && TRACE_PATH.test(path))
          return (request, response) => this.#trace(request, response);
        const [, id] = method === 'POST' ? (CLOSE_PATH.exec(path) ?? []) : [];
        return id === undefined ? undefined : (request, response) => this.#close(id, request, response);
      }
    }
  }

  async #answered(handler: Handler, request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await handler(request, response);
    } catch (error) {
      this.#options.scope.log.warn('question about all workers failed', { error: describeError(error) });
      answerError(response, error);
    }
  }

  /**
   * Ready as long as one worker is: the others are had again within moments, and a machine with seven of eight workers is not
   * taken away for the eighth. Without a supervisor nobody has them again, so a whole without it asks to be replaced.
   */
  async #ready(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { fellows, supervisor } = this.#options;
    const isReady = (answer: Answer | undefined): boolean => answer?.status === 200;
    const question = { method: 'GET', path: '/ready', headers: headersOf(request) } as const;
    const answers = await fellows.askUntil(question, isReady);
    const ready = answers.filter(isReady).length;
    const workers = { workers: fellows.place.count, ready };
    if (ready > 0 && supervisor.isThere) answerJson(response, 200, { status: 'ready', ...workers });
    else answerJson(response, 503, { status: supervisor.isThere ? 'draining' : 'unsupervised', ...workers });
  }

  async #metrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { fellows, supervisor } = this.#options;
    const answers = await fellows.askAll({
      method: 'GET',
      path: '/metrics',
      headers: headersOf(request),
    });
    if (passOnRefusal(answers, response)) return;
    const up = answers.map((answer, slot) => ({
      labels: { worker: String(slot) },
      value: answer === undefined ? 0 : 1,
    }));
    const texts = answers.flatMap((answer) => (answer === undefined ? [] : [answer.body]));
    response.writeHead(200, { 'content-type': PROMETHEUS_TEXT });
    response.end(
      sumMetrics(texts) +
        formatMetric('holdfast_worker_up', 'gauge', 'Whether the worker answers, by its number.', up) +
        formatMetric(
          'holdfast_workers_supervised',
          'gauge',
          'Whether the process that replaces workers is there.',
          supervisor.isThere ? 1 : 0,
        ),
    );
  }

  /** Whoever knows most: the others know nothing. */
  async #trace(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answers = await this.#askAll(request, request.url ?? '');
    const given = answers.flatMap((answer) => answer ?? []);
    const found = given.filter(({ status }) => status === 200);
    const [most] = found.toSorted((one, other) => other.body.length - one.body.length);
    const answer = most ?? given[0];
    if (answer === undefined) throw noWorkerError();
    pass(answer, response);
  }

  async #list(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answers = await this.#askAll(request, request.url ?? '');
    if (passOnRefusal(answers, response)) return;
    answerJson(response, 200, wholeList(answers.flatMap((answer) => (answer ? [readWorker(answer)] : []))));
  }

  async #progress(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answers = await this.#askAll(request, '/admin/drain');
    if (passOnRefusal(answers, response)) return;
    const workers = answers.flatMap((answer) => (answer ? [readWorker(answer).progress] : []));
    answerJson(response, 200, wholeProgress(workers));
  }

  /** A verb for the whole: the supervisor tells it to everybody, and where there is none, this worker does. */
  async #verb(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { fellows, supervisor } = this.#options;
    const { slot } = fellows.place;
    const headers = { ...headersOf(request), 'content-type': 'application/json' };
    const before = await this.#askAll(request, '/admin/drain');
    if (passOnRefusal(before, response)) return;
    const body = await readBody(request);
    const verb = verbOf(body, request.url ?? '');
    const question = { method: 'POST', path: request.url ?? '', headers, body } as const;
    if (verb !== undefined && !(await this.#mayEnd(request, response))) return;
    // Everybody is told before we are: who has no call ends within moments of hearing it.
    if (verb !== undefined && supervisor.isThere) await supervisor.tell({ tag: 'verb', verb });
    else if (verb !== undefined) {
      const others = before.flatMap((answer) =>
        answer === undefined || answer.slot === slot ? [] : answer.slot,
      );
      await Promise.all(others.map((other) => fellows.ask(other, question)));
    }
    const answer = await fellows.ask(slot, question);
    if (verb === undefined && answer !== undefined) pass(answer, response);
    else {
      const workers = before.flatMap((each) => (each ? [readWorker(each).progress] : []));
      answerJson(response, 202, { verb, ...wholeProgress(workers) });
    }
  }

  /** Whether who asks may end the server: asked with a verb that there is not, which is looked at last. */
  async #mayEnd(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const { fellows } = this.#options;
    const headers = { ...headersOf(request), 'content-type': 'application/json' };
    const body = Buffer.from('{"verb":"none"}');
    const answer = await fellows.ask(fellows.place.slot, {
      method: 'POST',
      path: '/admin/drain',
      headers,
      body,
    });
    if (answer?.status === 400) return true;
    if (answer === undefined) throw noWorkerError();
    pass(answer, response);
    return false;
  }

  /** A session is named by its id, which more than one live session may have: of different users, on different workers. */
  async #close(id: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { place } = this.#options.fellows;
    const answers = await this.#askAll(request, `/admin/sessions?${queryOf(request.url ?? '')}`);
    if (passOnRefusal(answers, response)) return;
    const name = decodeURIComponent(id);
    const having = answers.flatMap((answer) => {
      if (answer === undefined) return [];
      return readWorker(answer).calls.some((call) => call.id === name) ? [answer.slot] : [];
    });
    const [slot = place.slot, ...others] = having;
    if (others.length > 0) {
      throw new AmbiguousSessionError(
        `Several live sessions have the id '${name}'. Choose one with ?app= and &user=; GET /admin/sessions lists them.`,
      );
    }
    relayRequest(request, response, { ...this.#options, slot });
  }

  #askAll(request: IncomingMessage, path: string): Promise<(Answer | undefined)[]> {
    return this.#options.fellows.askAll({ method: 'GET', path, headers: headersOf(request) });
  }
}

/** Where one worker refuses to answer, the whole does: they have one configuration. @throws where nobody answers. */
function passOnRefusal(answers: readonly (Answer | undefined)[], response: ServerResponse): boolean {
  const given = answers.filter((answer) => answer !== undefined);
  if (given.length === 0) throw noWorkerError();
  const refusal = given.find(({ status }) => status !== 200);
  if (refusal === undefined) return false;
  pass(refusal, response);
  return true;
}

function pass({ status, contentType, body }: Answer, response: ServerResponse): void {
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' });
  response.end(body);
}

function answerJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

/** The query alone: the target of a request is whatever a stranger has written, `//` too, and need not be a URL. */
function queryOf(target: string): URLSearchParams {
  const [, query = ''] = /\?([^#]*)/.exec(target) ?? [];
  return new URLSearchParams(query);
}

/** A verb is a word; what is longer is none. */
const MAX_VERB_BODY_BYTES = 4_096;

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes <= MAX_VERB_BODY_BYTES) chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The verb as the route reads it; undefined for what that refuses. */
function verbOf(body: Buffer, url: string): 'drain' | 'close' | 'abort' | undefined {
  const inQuery = queryOf(url).get('verb') ?? 'drain';
  const text = body.toString().trim();
  const verb = text === '' || text === 'null' ? inQuery : (fieldOf(text) ?? inQuery);
  return verb === 'drain' || verb === 'close' || verb === 'abort' ? verb : undefined;
}

function fieldOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { readonly verb?: unknown } | null)?.verb ?? undefined;
  } catch {
    // The route says what is wrong with it.
    return 'unreadable';
  }
}

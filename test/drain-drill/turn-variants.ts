import { randomUUID } from 'node:crypto';
import { SERVER_CLOSE_TIMEOUT_MS } from '../../src/server/index.ts';
import type { DrillServer } from './drill-server.ts';
import { seconds } from './timeline.ts';
import { AGENTS_DIR, boundMs, exitProblems } from './variant.ts';
import type { Variant } from './variant.ts';

// Text turns: an answer of server-sent events that is under way when the server is told to end.

/** A turn that has begun: its agent works, and its client has read that it does. */
class SseTurn {
  readonly events: Record<string, unknown>[] = [];
  /** The whole of it, when the stream has ended as it should; what it broke with otherwise. */
  readonly ended: Promise<'whole' | Error>;
  readonly begun: Promise<void>;
  readonly #begun = Promise.withResolvers<void>();

  constructor({ url }: DrillServer, says: string) {
    this.begun = this.#begun.promise;
    this.ended = this.#read(url, says).then(
      () => 'whole' as const,
      (error: unknown) => error as Error,
    );
    // One that ends before its first event has failed; whoever waits for it is told how.
    void this.ended.then((end) =>
      this.#begun.reject(new Error(`The turn ended (${String(end)}) with ${JSON.stringify(this.events)}`)),
    );
    this.begun.catch(() => undefined);
  }

  get last(): Record<string, unknown> {
    return this.events.at(-1) ?? {};
  }

  async #read(url: string, text: string): Promise<void> {
    const sessionId = randomUUID();
    const json = { 'content-type': 'application/json' };
    const made = await fetch(`${url}/apps/slow/users/drill/sessions`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ sessionId }),
    });
    if (made.status !== 200) throw new Error(`its session was answered with ${made.status}`);
    const response = await fetch(`${url}/run_sse`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({
        appName: 'slow',
        userId: 'drill',
        sessionId,
        newMessage: { role: 'user', parts: [{ text }] },
      }),
    });
    if (response.status !== 200 || response.body === null) {
      throw new Error(`the turn was answered with ${response.status}`);
    }
    let rest = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const pieces = (rest + chunk).split('\n\n');
      rest = pieces.pop() ?? '';
      for (const piece of pieces) {
        this.events.push(JSON.parse(piece.replace(/^data: /, '')) as Record<string, unknown>);
      }
      if (JSON.stringify(this.events).includes('functionCall')) this.#begun.resolve();
    }
  }
}

const finishes: Variant = {
  clause: 'D5',
  name: 'a text turn under way is let finish',
  run: async (stage) => {
    const server = await stage.server({ agentsDir: AGENTS_DIR });
    const workMs = stage.scale.drainTimeoutS * 500;
    const turn = new SseTurn(server, `work ${workMs}`);
    await turn.begun;
    const sinceMs = await stage.drain(server);
    const end = await turn.ended;
    const exit = await exitProblems(server, { status: 0, cut: 0, sinceMs, withinMs: workMs + 1_000 });
    const problems = [...exit.problems];
    if (end !== 'whole') problems.push(`its stream broke: ${end.message}`);
    if (!JSON.stringify(turn.events).includes('The work is done.')) problems.push('its answer is missing');
    return { measured: `a turn of ${seconds(workMs)}; ended after ${seconds(exit.tookMs)}`, problems };
  },
};

const cut: Variant = {
  clause: 'D3',
  name: 'a text turn that hangs ends with an error event at the deadline',
  run: async (stage) => {
    const server = await stage.server({ agentsDir: AGENTS_DIR });
    const turn = new SseTurn(server, 'work 600000');
    await turn.begun;
    const sinceMs = await stage.drain(server);
    const end = await turn.ended;
    const tookMs = performance.now() - sinceMs;
    const exit = await exitProblems(server, { status: 1, cut: 1, sinceMs, withinMs: boundMs(stage.scale) });
    const problems = [...exit.problems];
    if (end !== 'whole') problems.push(`its stream broke instead of ending: ${end.message}`);
    if (typeof turn.last['error'] !== 'string') {
      problems.push(`its last event tells no error: ${JSON.stringify(turn.last)}`);
    }
    const lateMs = tookMs - stage.scale.drainTimeoutS * 1_000;
    // Its tool is given the bound of a close to stop in.
    if (lateMs < 0 || lateMs > SERVER_CLOSE_TIMEOUT_MS) {
      problems.push(`it ended ${seconds(lateMs)} from the deadline`);
    }
    return {
      measured: `ended ${seconds(lateMs)} from the deadline; the server after ${seconds(exit.tookMs)}`,
      problems,
    };
  },
};

export const turnVariants: readonly Variant[] = [finishes, cut];

import { WebSocket } from 'ws';
import type { Logger } from '../../src/kernel/index.ts';
import { createServer } from '../../src/server/index.ts';
import type { HoldfastServer } from '../../src/server/index.ts';
import { Agent } from '../../src/session/index.ts';
import type { AgentContext, AgentOptions, AgentSession, LiveModel } from '../../src/session/index.ts';

/** A server of one agent, and one client of it: a call as it is in production. */
export class ServedClient {
  readonly server: HoldfastServer;
  /** Whom it is shown to; forgotten then, because a settled promise holds what it was settled with. */
  #shown: ((session: AgentSession) => void) | undefined;
  #client: WebSocket | undefined;

  constructor(agent: AgentOptions, model: LiveModel, log: Logger) {
    // The session is the server's own; an agent's hook is who gets to see it.
    const { onEnter } = agent;
    const seen = (context: AgentContext): unknown => {
      this.#shown?.(context.session);
      this.#shown = undefined;
      return onEnter?.(context);
    };
    const served = new Agent({ ...agent, onEnter: seen });
    this.server = createServer({ agents: { desk: served }, model, log });
  }

  /** The client connects; resolves when its agent has the conversation, and `shown` was given the session. */
  async connect(shown: (session: AgentSession) => void): Promise<void> {
    const { url } = await this.server.listen();
    const answer = await fetch(`${url}/apps/desk/users/u/sessions`, { method: 'POST' });
    const { id } = (await answer.json()) as { id: string };
    const live = Promise.withResolvers<void>();
    this.#shown = (session) => {
      shown(session);
      live.resolve();
    };
    const client = new WebSocket(
      `${url.replace('http', 'ws')}/run_live?app_name=desk&user_id=u&session_id=${id}`,
    );
    client.on('error', () => undefined);
    this.#client = client;
    await live.promise;
  }

  /** It goes without a word. */
  vanish(): void {
    this.#client?.terminate();
  }

  hangUp(): void {
    this.#client?.close(1_000);
  }

  /** It reads nothing any more, and so answers no close. */
  stopReading(): void {
    this.#client?.pause();
  }

  /** Ends both. What the server still holds then. */
  async end(): Promise<string[]> {
    this.#client?.terminate();
    this.#client = undefined;
    await this.server.abort();
    return this.server.resources();
  }
}

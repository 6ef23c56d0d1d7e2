import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { connectSession } from '../../src/client/index.ts';
import type { ClientState, LiveClient } from '../../src/client/index.ts';
import { VirtualClock } from '../../src/kernel/index.ts';
import { ConnectionLostError } from '../../src/session/index.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';
import type { Way, WayTable } from './way-table.ts';
import { code, codeOf, goodbye } from './words.ts';

interface ClientScene {
  readonly clock: VirtualClock;
  readonly client: LiveClient;
  readonly test: TestServer;
}

interface ClientWay {
  readonly name: string;
  readonly why: string;
  /** Where it connects to. Default: a session that is there. */
  readonly url?: (test: TestServer) => string;
  readonly sessionId?: string;
  /** Whether it is open when the end is asked for. Default true. */
  readonly isOpen?: boolean;
  ask(scene: ClientScene): unknown;
}

/** How its state ended, with the close code it was told. */
function endOf(state: ClientState): string {
  assert.ok(state.tag === 'closed');
  const { code: closeCode, reason, reconnect } = state;
  return `${goodbye({ code: closeCode, reason })}${reconnect ? ', come back' : ''}`;
}

function client({ name, why, url, sessionId = 's1', isOpen = true, ask }: ClientWay): Way {
  return {
    name,
    why,
    play: async () => {
      const clock = new VirtualClock();
      const test = await startServer();
      await test.createSession('s1');
      const held = connectSession({
        url: url?.(test) ?? test.url,
        appName: 'demo',
        userId: 'u',
        sessionId,
        clock,
      });
      let opened = 'resolves';
      held.opened.catch((error: unknown) => (opened = `rejects ${codeOf(error)}`));
      if (isOpen) {
        await held.opened;
        await until('the model is connected', () => test.model.openConnections === 1);
      }
      await ask({ clock, client: held, test });
      const { verb } = await held.closed;
      let content = 'is taken';
      try {
        held.sendText('Hello');
      } catch (error) {
        content = `throws ${codeOf(error)}`;
      }
      assert.deepEqual(held.resources(), []);
      assert.equal(clock.pendingTimers, 0);
      await until('the server holds no call', () => test.server.liveSessions === 0);
      await test.server.abort();
      return [code(verb), opened, endOf(held.state), content];
    },
  };
}

/** An address at which connections are taken and nothing is ever said. */
async function silentAddress(): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((socket) => void socket.on('error', () => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => void server.close() };
}

const neverAnswered: Way = {
  name: 'nobody answers within `connectTimeoutMs`',
  why: 'The socket is let go of.',
  play: async () => {
    const silent = await silentAddress();
    const way = client({
      name: '',
      why: '',
      url: () => silent.url,
      isOpen: false,
      ask: ({ clock }) => clock.advance(11_000),
    });
    try {
      return await way.play();
    } finally {
      silent.close();
    }
  },
};

export const liveClient: WayTable = {
  name: 'live-client',
  columns: ['how it ends', 'verb', '`opened`', 'it is closed with', 'content after it', 'what it means'],
  ways: [
    client({
      name: '`close()`',
      why: 'The server is told, and ends the live session.',
      ask: ({ client: held }) => void held.close(),
    }),
    client({
      name: '`abort()`',
      why: 'Nothing is waited for.',
      ask: ({ client: held }) => void held.abort(),
    }),
    client({
      name: '`drain()`, an answer is under way',
      why: 'It is heard to its end.',
      ask: async ({ client: held, test }) => {
        held.sendText('Hello');
        await until('the model is asked', () => test.model.last.received.length === 1);
        void held.drain();
        test.model.last.output({ type: 'text', text: 'Hi' }, { type: 'turnComplete' });
      },
    }),
    client({
      name: 'the live session ends',
      why: 'The range of the code says what to do.',
      ask: ({ test }) =>
        test.model.last.fail(new ConnectionLostError('The line is dead.', { provider: 'scripted' })),
    }),
    client({
      name: 'the server closes',
      why: 'Another one may answer.',
      ask: ({ test }) => void test.server.close(),
    }),
    client({
      name: 'the server goes without a word, and does not come back',
      why: 'It is dialled for as long as it would have waited.',
      ask: async ({ test, client: held, clock }) => {
        await test.server.abort();
        // Sockets are refused in real time, and dialled in virtual time.
        while (held.state.tag !== 'closed') {
          await clock.advance(1_000);
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
    }),
    client({
      name: 'no such session',
      why: 'It never was open.',
      sessionId: 'nobody',
      isOpen: false,
      ask: () => undefined,
    }),
    client({
      name: 'nobody listens there',
      why: 'The same.',
      url: () => 'http://127.0.0.1:1',
      isOpen: false,
      ask: () => undefined,
    }),
    client({
      name: '`close()` before it is open',
      why: 'The dial goes on without us until the platform gives it up.',
      isOpen: false,
      ask: ({ client: held }) => void held.close(),
    }),
    neverAnswered,
  ],
};

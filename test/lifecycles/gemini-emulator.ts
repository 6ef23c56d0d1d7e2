import assert from 'node:assert/strict';
import { Lifetime, VirtualClock } from '../../src/kernel/index.ts';
import { GeminiEmulator } from '../../src/testing/index.ts';
import type { Fault, GeminiEmulatorOptions } from '../../src/testing/index.ts';
import { GeminiWire } from '../support/gemini-wire.ts';
import { until } from '../support/live-server.ts';
import type { Way, WayTable } from './way-table.ts';
import { NOTHING, goodbye } from './words.ts';

interface EmulatedScene {
  readonly clock: VirtualClock;
  readonly emulator: GeminiEmulator;
  readonly wire: GeminiWire;
}

interface EmulatorWay {
  readonly name: string;
  readonly why: string;
  readonly options?: GeminiEmulatorOptions;
  /** Default: it is set up. */
  readonly opening?: 'dial' | 'open' | 'ready';
  ask(scene: EmulatedScene): unknown;
}

/** The client's code, or the status its upgrade was refused with; nothing where it waits. */
function seenBy(wire: GeminiWire): string {
  if (wire.httpStatus !== undefined) return `HTTP ${wire.httpStatus}`;
  return wire.closed === undefined ? NOTHING : goodbye(wire.closed);
}

function connection({ name, why, options = {}, opening = 'ready', ask }: EmulatorWay): Way {
  return {
    name,
    why,
    play: async () => {
      const clock = new VirtualClock();
      const owner = Lifetime.root({ name: 'emulator', clock });
      const emulator = await GeminiEmulator.start({ owner, ...options });
      using wire = new GeminiWire(emulator.url);
      if (opening !== 'dial') await wire.opened();
      if (opening === 'ready') {
        wire.send({ setup: { model: 'models/gemini-2.5-flash' } });
        await wire.message('setupComplete');
      }
      await ask({ clock, emulator, wire });
      await wire.ended();
      const record = emulator.connections.last;
      await until('the record tells the end', () => record?.ending !== undefined && emulator.sockets === 0);
      const { by, code, reason } = record?.ending ?? assert.fail('there is no record');
      const closed = owner.close();
      await clock.advance(10_000);
      await closed;
      assert.deepEqual(owner.resources(), []);
      assert.equal(emulator.sockets, 0);
      assert.equal(clock.pendingTimers, 0);
      return [seenBy(wire), `${by}, ${goodbye({ code, reason })}`];
    },
  };
}

/** Goes wrong as it is told to, once it is set up. */
function broken(name: string, what: Fault, why: string): Way {
  return connection({ name, why, ask: ({ emulator }) => emulator.inject(what) });
}

export const geminiEmulator: WayTable = {
  name: 'gemini-emulator',
  columns: ['how it ends', 'the client sees', 'its record says: by whom, and how', 'what it means'],
  ways: [
    connection({
      name: 'the client closes it',
      why: 'Its close frame is answered.',
      ask: ({ wire }) => wire.socket.close(1000, 'done'),
    }),
    connection({
      name: 'the client goes without a word',
      why: 'Nothing is sent any more.',
      ask: ({ wire }) => wire.socket.terminate(),
    }),
    connection({
      name: '`connectionLifetimeMs` is over',
      why: 'A goAway was said before it.',
      options: { connectionLifetimeMs: 60_000 },
      ask: ({ clock }) => clock.advance(60_000),
    }),
    connection({
      name: 'anything but a setup comes first',
      why: 'As the service does.',
      opening: 'open',
      ask: ({ wire }) => wire.sendText('Hello'),
    }),
    connection({
      name: 'a model that is not among `models`',
      why: 'As the service does.',
      options: { models: ['gemini-live'] },
      opening: 'open',
      ask: ({ wire }) => wire.send({ setup: { model: 'models/nobody' } }),
    }),
    connection({
      name: '`httpStatus`',
      why: 'There was no WebSocket.',
      options: { faults: [{ what: { type: 'httpStatus', status: 503 } }] },
      opening: 'dial',
      ask: () => undefined,
    }),
    connection({
      name: '`refuseTcp`',
      why: 'There was no upgrade either.',
      options: { faults: [{ what: { type: 'refuseTcp' } }] },
      opening: 'dial',
      ask: () => undefined,
    }),
    broken(
      '`close` with a code',
      { type: 'close', code: 1011, reason: 'Internal error encountered.' },
      'A close frame.',
    ),
    broken('`close` without a code', { type: 'close' }, 'An empty close frame, which is read as 1005.'),
    broken('`reset`', { type: 'reset' }, 'A TCP reset, which is read as 1006.'),
    broken('`endWithoutCloseFrame`', { type: 'endWithoutCloseFrame' }, 'A TCP FIN without a close frame.'),
    connection({
      name: '`goAway` with `then`',
      why: 'The notice, and the end after it.',
      ask: async ({ emulator, clock, wire }) => {
        emulator.inject({ type: 'goAway', timeLeft: '5s', then: { afterMs: 5_000, code: 1001 } });
        await wire.message('goAway');
        await clock.advance(5_000);
      },
    }),
    connection({
      name: '`halfOpen`, and the client gives it up',
      why: 'Its close frame was not answered.',
      ask: ({ emulator, wire }) => {
        emulator.inject({ type: 'halfOpen' });
        wire.socket.close(1000);
        wire.socket.terminate();
      },
    }),
    connection({
      name: 'the emulator closes',
      why: 'It stops listening, too.',
      ask: ({ emulator }) => void emulator.close(),
    }),
    connection({
      name: 'the emulator closes, and the client is half open',
      why: 'Nobody there would answer, so nothing is waited for.',
      ask: ({ emulator }) => {
        emulator.inject({ type: 'halfOpen' });
        void emulator.close();
      },
    }),
    connection({
      name: 'the emulator aborts',
      why: 'Every socket is destroyed.',
      ask: ({ emulator }) => void emulator.abort(),
    }),
  ],
};

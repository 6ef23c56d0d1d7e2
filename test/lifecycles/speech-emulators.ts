import assert from 'node:assert/strict';
import { Lifetime, VirtualClock } from '../../src/kernel/index.ts';
import { SpeechToTextEmulator, TextToSpeechEmulator } from '../../src/testing/index.ts';
import type { SpeechToTextEmulatorOptions, SttFault } from '../../src/testing/index.ts';
import type { JsonWire } from '../support/json-wire.ts';
import { until } from '../support/live-server.ts';
import { DeepgramTtsWire, DeepgramWire, GatewaySttWire, GatewayTtsWire } from '../support/speech-wire.ts';
import type { Way, WayTable } from './way-table.ts';
import { NOTHING, goodbye } from './words.ts';

type Emulator = SpeechToTextEmulator | TextToSpeechEmulator;

interface SpeechScene<Wire extends JsonWire> {
  readonly clock: VirtualClock;
  readonly emulator: Emulator;
  readonly wire: Wire;
}

interface SpeechWay<Wire extends JsonWire> {
  readonly name: string;
  readonly why: string;
  start(owner: Lifetime): Promise<Emulator>;
  dial(url: string): Promise<Wire>;
  ask(scene: SpeechScene<Wire>): unknown;
}

/** What the client sees: a status, or the type of the last message and the close behind it. */
function seenBy(wire: JsonWire): string {
  if (wire.httpStatus !== undefined) return `HTTP ${wire.httpStatus}`;
  const last = wire.messages.at(-1)?.type as string | undefined;
  const end = wire.closed === undefined ? NOTHING : goodbye(wire.closed);
  return last === undefined ? end : `\`${last}\`, then ${end}`;
}

function connection<Wire extends JsonWire>({ name, why, start, dial, ask }: SpeechWay<Wire>): Way {
  return {
    name,
    why,
    play: async () => {
      const clock = new VirtualClock();
      const owner = Lifetime.root({ name: 'emulator', clock });
      const emulator = await start(owner);
      using wire = await dial(emulator.url);
      await ask({ clock, emulator, wire });
      await wire.ended();
      const record = emulator.connections.last;
      await until('the record tells the end', () => record?.ending !== undefined && emulator.sockets === 0);
      const { by, code, reason } = record?.ending ?? assert.fail('there is no record');
      const closed = owner.close();
      await clock.advance(10_000);
      await closed;
      assert.deepEqual(owner.resources(), []);
      assert.equal(clock.pendingTimers, 0);
      return [seenBy(wire), `${by}, ${goodbye({ code, reason })}`];
    },
  };
}

type SttWay<Wire extends JsonWire> = Omit<SpeechWay<Wire>, 'start' | 'dial'> & {
  readonly options?: SpeechToTextEmulatorOptions;
};

/** On the wire of Deepgram, when audio can come. */
function deepgram({ options = {}, ...way }: SttWay<DeepgramWire>): Way {
  return connection({
    ...way,
    start: (owner) => SpeechToTextEmulator.start({ owner, ...options }),
    dial: (url) => DeepgramWire.open(url),
  });
}

/** On the wire of the gateway, when the session is created. */
function gateway({ options = {}, ...way }: SttWay<GatewaySttWire>): Way {
  return connection({
    ...way,
    start: (owner) => SpeechToTextEmulator.start({ owner, ...options }),
    dial: (url) => GatewaySttWire.ready(url),
  });
}

function broken(name: string, what: SttFault, why: string): Way {
  return deepgram({
    name,
    why,
    ask: async ({ emulator }) => {
      await emulator.waitFor(({ connections }) => connections.last?.stage === 'ready');
      (emulator as SpeechToTextEmulator).inject(what);
    },
  });
}

/** Closes once the service has answered, as a client should. */
async function closeBehind(wire: GatewaySttWire | GatewayTtsWire): Promise<void> {
  wire.send({ type: 'session.close' });
  await wire.kind('closed');
  wire.socket.close(1000);
}

/** One session more than there may be, beside one that ends first. */
const refused: Way = {
  name: 'one more than `maxSessions`',
  why: 'There was no WebSocket. A socket that was left behind counts.',
  play: async () => {
    await using emulator = await SpeechToTextEmulator.start({ maxSessions: 1 });
    using first = await GatewaySttWire.ready(emulator.url);
    using second = new GatewaySttWire(emulator.url);
    await second.ended();
    const record = emulator.connections.nth(2);
    await until('the record tells the end', () => record?.ending !== undefined);
    const { by, code, reason } = record?.ending ?? assert.fail('there is no record');
    assert.equal(first.closed, undefined);
    return [seenBy(second), `${by}, ${goodbye({ code, reason })}`];
  },
};

export const speechEmulators: WayTable = {
  name: 'speech-emulators',
  columns: ['how it ends', 'the client sees', 'its record says: by whom, and how', 'what it means'],
  ways: [
    deepgram({
      name: 'the client closes it',
      why: 'Without having asked for the end: what was being said is lost.',
      ask: ({ wire }) => wire.socket.close(1000),
    }),
    deepgram({
      name: '`CloseStream`',
      why: 'The last results, what was heard, and the close, all of the service.',
      ask: ({ wire }) => wire.send({ type: 'CloseStream' }),
    }),
    gateway({
      name: '`session.close`, and the client closes',
      why: 'The socket is the client’s.',
      ask: ({ wire }) => closeBehind(wire),
    }),
    gateway({
      name: '`session.close` with `gatewayCloses`',
      why: 'Or the service’s.',
      options: { gatewayCloses: true },
      ask: ({ wire }) => wire.send({ type: 'session.close' }),
    }),
    deepgram({
      name: 'nothing comes for `deepgramIdleMs`',
      why: 'Neither audio nor a KeepAlive.',
      ask: async ({ emulator, clock }) => {
        await emulator.waitFor(({ connections }) => connections.last?.stage === 'ready');
        await clock.advance(10_000);
      },
    }),
    gateway({
      name: 'nothing comes for `gatewayInactivityMs`',
      why: 'Its error has the code 2007; the close has one of its own.',
      ask: ({ clock }) => clock.advance(1_800_000),
    }),
    gateway({
      name: 'nobody speaks for `recycleIdleMs`',
      why: 'Routine: whoever still listens dials again.',
      options: { recycleIdleMs: 180_000 },
      ask: ({ clock }) => clock.advance(180_000),
    }),
    refused,
    broken('`error`', { type: 'error', code: 'NET-0000' }, 'An error, and the close behind it.'),
    broken(
      '`close` with a code',
      { type: 'close', code: 1011, reason: 'NET-0001' },
      'A close, and no error.',
    ),
    broken('`reset`', { type: 'reset' }, 'A TCP reset, which is read as 1006.'),
    gateway({
      name: 'the end is not answered, and the client gives it up',
      why: '`silence` on `end`: a bound of the client’s own ends it.',
      options: { faults: [{ when: { on: 'end' }, what: { type: 'silence' } }] },
      ask: async ({ emulator, wire }) => {
        wire.send({ type: 'session.close' });
        await emulator.waitFor(({ connections }) => connections.last?.endRequests === 1);
        wire.socket.close(1000);
      },
    }),
    connection({
      name: 'text-to-speech: `session.close`, and the client closes',
      why: 'What was flushed is spoken before.',
      start: (owner) => TextToSpeechEmulator.start({ owner }),
      dial: (url) => GatewayTtsWire.ready(url),
      ask: ({ wire }) => closeBehind(wire),
    }),
    connection({
      name: 'text-to-speech: `Close`',
      why: 'What was given is spoken before; the close is of the service.',
      start: (owner) => TextToSpeechEmulator.start({ owner }),
      dial: (url) => DeepgramTtsWire.ready(url),
      ask: ({ wire }) => wire.send({ type: 'Close' }),
    }),
    deepgram({
      name: 'the emulator closes',
      why: 'It stops listening, too.',
      ask: ({ emulator }) => void emulator.close(),
    }),
    deepgram({
      name: 'the emulator aborts',
      why: 'Every socket is destroyed.',
      ask: ({ emulator }) => void emulator.abort(),
    }),
  ],
};

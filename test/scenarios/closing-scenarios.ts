import assert from 'node:assert/strict';
import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../../src/models/ws-transport.ts';
import { AudioChunk, textContent } from '../../src/protocol/index.ts';
import { DEFAULT_FLUSH_TIMEOUT_MS, TOOL_UNWIND_MS } from '../../src/session/index.ts';
import { lookup } from './lookup-tool.ts';
import type { Scenario } from './scenario.ts';
import type { Stage } from './stage.ts';

const QUEUED = 200;
const SETUP_AWAY_MS = 800;
const TOOL_MS = 5_000;

/** A polite goodbye to a peer that answers; the bound is that of one that does not. */
const BY_CLOSE = { reason: 'user_initiated', boundMs: DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } as const;

const frame = (): AudioChunk => AudioChunk.fromSamples(new Int16Array(320), 16_000);

/** Asks for the lookup, and closes the queue while it runs. */
async function closeInLookup(stage: Stage, heedsSignal: boolean) {
  stage.queue.sendContent(textContent('user', 'call lookup {}'));
  const ending = await stage.loop(
    stage.run({ tools: [lookup(stage.clock, TOOL_MS, heedsSignal)] }),
    (event) => {
      if (event.type !== 'toolCall') return;
      stage.asked();
      stage.queue.close();
    },
  );
  assert.ok(
    stage.events.some(({ type }) => type === 'toolCall'),
    'the tool was never called',
  );
  return ending;
}

/** `queue.close()`, and the verbs of the session, in every state. */
export const closingScenarios: readonly Scenario[] = [
  {
    clause: 'C10',
    name: 'close while idle',
    expected: { outcome: 'returned', ...BY_CLOSE },
    play: (stage) => stage.loopUntilConnected(stage.run(), () => stage.queue.close()),
  },
  {
    clause: 'C11',
    name: `close, ${QUEUED} queued, connection ready`,
    also: 'all of them arrive',
    expected: { outcome: 'returned', ...BY_CLOSE, boundMs: DEFAULT_FLUSH_TIMEOUT_MS + BY_CLOSE.boundMs },
    play: async (stage) => {
      const ending = await stage.loopUntilConnected(stage.run(), () => {
        for (let sent = 0; sent < QUEUED; sent += 1) stage.queue.sendAudio(frame());
        stage.queue.close();
      });
      await stage.socketsGone();
      assert.equal(stage.emulator.connections.last?.inputs.audio, QUEUED);
      return ending;
    },
  },
  {
    clause: 'C11',
    name: `close, ${QUEUED} queued, setup ${SETUP_AWAY_MS} ms away`,
    also: 'they are reported unsent',
    provider: { setupDelayMs: SETUP_AWAY_MS },
    expected: { outcome: 'returned', ...BY_CLOSE, unsent: QUEUED },
    play: (stage) => {
      for (let sent = 0; sent < QUEUED; sent += 1) stage.queue.sendContent(textContent('user', `${sent}`));
      return stage.loopUntil(
        stage.run(),
        ({ connections }) => connections.last?.messages.setup === 1,
        () => stage.queue.close(),
      );
    },
  },
  {
    clause: 'C10',
    name: 'close, upgrade not answered yet',
    provider: { faults: [{ what: { type: 'neverAnswerUpgrade' } }] },
    expected: { outcome: 'returned', ...BY_CLOSE },
    play: (stage) =>
      stage.loopUntil(
        stage.run(),
        ({ connections }) => connections.count === 1,
        () => stage.queue.close(),
      ),
  },
  {
    clause: 'C10',
    name: 'close while waiting for setup',
    provider: { faults: [{ what: { type: 'neverSetupComplete' } }] },
    expected: { outcome: 'returned', ...BY_CLOSE },
    play: (stage) =>
      stage.loopUntil(
        stage.run(),
        ({ connections }) => connections.last?.messages.setup === 1,
        () => stage.queue.close(),
      ),
  },
  {
    clause: 'C10',
    name: 'close, half-open peer',
    also: `its socket is destroyed after ${DEFAULT_SOCKET_CLOSE_TIMEOUT_MS} ms`,
    expected: { outcome: 'returned', ...BY_CLOSE },
    play: async (stage) => {
      const ending = await stage.loopUntilConnected(stage.run(), () => {
        stage.emulator.inject({ type: 'halfOpen' });
        stage.queue.close();
      });
      assert.ok(
        stage.durationMs >= DEFAULT_SOCKET_CLOSE_TIMEOUT_MS - 50,
        `the peer had only ${Math.round(stage.durationMs)} ms to answer`,
      );
      return ending;
    },
  },
  {
    clause: 'C10',
    name: 'close, peer ignores the close frame',
    provider: { faults: [{ what: { type: 'ignoreClose' } }] },
    expected: { outcome: 'returned', ...BY_CLOSE },
    play: (stage) => stage.loopUntilConnected(stage.run(), () => stage.queue.close()),
  },
  {
    clause: 'C5',
    name: `close, ${TOOL_MS / 1_000} s tool that heeds its signal`,
    expected: { outcome: 'returned', ...BY_CLOSE, boundMs: TOOL_UNWIND_MS + BY_CLOSE.boundMs },
    play: (stage) => closeInLookup(stage, true),
  },
  {
    clause: 'C4',
    name: `close, ${TOOL_MS / 1_000} s tool that does not`,
    also: 'the report names it, abandoned',
    expected: { outcome: 'returned', ...BY_CLOSE, boundMs: TOOL_UNWIND_MS + BY_CLOSE.boundMs },
    play: async (stage) => {
      const ending = await closeInLookup(stage, false);
      const left = ending.report?.steps.filter(({ outcome }) => outcome === 'abandoned') ?? [];
      assert.match(left.map(({ name }) => name).join(), /lookup/);
      return ending;
    },
  },
  {
    clause: 'C11',
    name: 'in-band { close: true }, send()',
    also: 'isClosed at once',
    expected: { outcome: 'returned', ...BY_CLOSE },
    play: (stage) =>
      stage.loopUntilConnected(stage.run(), () => {
        stage.queue.send({ close: true });
        assert.equal(stage.queue.isClosed, true);
      }),
  },
  {
    clause: 'C10',
    name: 'queue closed before runLive',
    also: 'nothing is dialled',
    expected: { outcome: 'returned', ...BY_CLOSE, dials: 0, unsent: 1 },
    play: (stage) => {
      stage.queue.sendContent(textContent('user', 'Hello'));
      stage.queue.close();
      return stage.loop(stage.run());
    },
  },
  {
    clause: 'C2',
    name: 'abort() while idle',
    expected: { outcome: 'returned', reason: 'aborted', boundMs: 0 },
    play: (stage) => {
      const run = stage.run();
      return stage.loopUntilConnected(run, () => void run.session.abort());
    },
  },
  {
    clause: 'C2',
    name: 'close, half-open peer, then abort()',
    also: 'the abort does not wait for the close',
    expected: { outcome: 'returned', reason: 'user_initiated', boundMs: 0 },
    play: async (stage) => {
      const run = stage.run();
      const ending = await stage.loopUntilConnected(run, () => {
        stage.emulator.inject({ type: 'halfOpen' });
        void run.session.close();
        void run.session.abort();
      });
      return ending;
    },
  },
  {
    clause: 'C11',
    name: 'drain() with a question queued',
    also: 'the answer comes whole',
    expected: { outcome: 'returned', reason: 'drained', boundMs: 5_000 },
    play: async (stage) => {
      const run = stage.run();
      const ending = await stage.loopUntilConnected(run, () => {
        stage.queue.sendContent(textContent('user', 'Are you there?'));
        void run.session.drain();
      });
      assert.ok(
        stage.events.some(({ type }) => type === 'turnComplete'),
        'the answer was cut',
      );
      return ending;
    },
  },
];

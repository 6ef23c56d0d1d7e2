import assert from 'node:assert/strict';
import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../../src/models/ws-transport.ts';
import { tool } from '../../src/session/index.ts';
import { lookup } from './lookup-tool.ts';
import type { Expected, Scenario } from './scenario.ts';
import type { Stage } from './stage.ts';

const TOOL_MS = 3_000;
const QUESTION = 'Where is my parcel?';
const CALL = 'call lookup {}';

const returned = (dials = 1, history = 0): Expected => ({
  outcome: 'returned',
  reason: 'user_initiated',
  dials,
  history,
  boundMs: DEFAULT_SOCKET_CLOSE_TIMEOUT_MS,
});

async function called(stage: Stage): Promise<void> {
  stage.say(CALL);
  await stage.event(({ type }) => type === 'toolCall');
}

function resultsAt(stage: Stage): number {
  return [...stage.emulator.connections].reduce((sum, { toolResults }) => sum + toolResults.length, 0);
}

const heardMeanwhile: Scenario = {
  clause: 'R10',
  name: `${TOOL_MS / 1_000} s tool, the microphone is open`,
  also: 'what it hears is not held up by the tool',
  time: 'virtual',
  expected: returned(),
  play: async (stage) => {
    await stage.connected({ tools: [lookup(stage.clock, TOOL_MS)] });
    await called(stage);
    stage.beQuiet(100);
    await stage.provider(({ connections }) => connections.last?.inputs.audio === 100);
    assert.equal(resultsAt(stage), 0, 'the tool had ended');
    await stage.answered();
    assert.equal(resultsAt(stage), 1);
    return stage.hangUp();
  },
};

const interrupted: Scenario = {
  clause: 'R10',
  name: `${TOOL_MS / 1_000} s tool, the user interrupts (toolCallCancellation)`,
  also: 'its signal fires at once, no result is sent, the words are answered',
  time: 'virtual',
  expected: returned(),
  play: async (stage) => {
    let firedAtMs: number | undefined;
    const waiting = tool({
      name: 'lookup',
      description: 'Looks something up until it is told to stop.',
      execute: (_args, { signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            firedAtMs = stage.clock.now();
            resolve({});
          });
        }),
    });
    await stage.connected({ tools: [waiting] });
    await called(stage);
    const saidAtMs = stage.clock.now();
    stage.speak(30);
    stage.beQuiet(60);
    await stage.event(({ type }) => type === 'toolCallCancellation');
    await stage.answered();
    assert.ok(firedAtMs !== undefined && firedAtMs - saidAtMs <= 100, 'the signal did not fire at once');
    assert.equal(resultsAt(stage), 0);
    return stage.hangUp();
  },
};

/** The handle is from before the call: to the next connection a result would be that of a call it never made. */
const lostMeanwhile: Scenario = {
  clause: 'R10',
  name: `${TOOL_MS / 1_000} s tool, reset meanwhile`,
  also: 'it runs once; call and result are told in words, and answered',
  time: 'virtual',
  expected: returned(2, 3),
  play: async (stage) => {
    await stage.connected({ tools: [lookup(stage.clock, TOOL_MS)] });
    await stage.ask(QUESTION);
    await called(stage);
    stage.inject({ type: 'reset' });
    await stage.told('resumed');
    await stage.answered();
    assert.equal(stage.events.filter(({ type }) => type === 'toolCall').length, 1);
    assert.equal(resultsAt(stage), 0, 'a connection that did not call was sent a result');
    return stage.hangUp();
  },
};

/**
 * A model that takes no content in mid-session cannot be told of an exchange its handle does not include, and said again
 * the question would call a second time: the loss is told, and the history keeps question and result.
 */
const lostForGood: Scenario = {
  clause: 'R10',
  name: `the same on gemini-3.1-flash-live-preview`,
  also: 'a warning says that the result is lost; the session goes on',
  time: 'virtual',
  expected: { ...returned(2), lost: 1 },
  play: async (stage) => {
    const model = stage.model('gemini-3.1-flash-live-preview');
    const run = await stage.connected({ model, tools: [lookup(stage.clock, TOOL_MS)] });
    await stage.ask(QUESTION);
    await called(stage);
    stage.inject({ type: 'reset' });
    await stage.told('resumed');
    await stage.event((event) => event.type === 'warning' && event.code === 'HOLDFAST_TOOL_RESULT_LOST');
    const { history } = run.session.session;
    assert.ok(history.some(({ parts }) => parts.some(({ functionResponse }) => functionResponse)));
    assert.equal(resultsAt(stage), 0, 'a connection that did not call was sent a result');
    await stage.ask('And now?');
    return stage.hangUp();
  },
};

/** Tools, while the conversation and its connection go on. */
export const toolScenarios: readonly Scenario[] = [heardMeanwhile, interrupted, lostMeanwhile, lostForGood];

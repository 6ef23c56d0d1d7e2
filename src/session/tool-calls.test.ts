import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { LiveRig, frame } from '../../test/support/live-rig.ts';
import type { FunctionCall, FunctionResponse } from '../protocol/index.ts';
import type { ModelInput } from './live-model.ts';
import { seedHistory } from './seed-history.ts';
import { tool } from './tool.ts';
import type { ToolContext } from './tool.ts';

const call = (name: string, id = '1', args: FunctionCall['args'] = {}): FunctionCall => ({ id, name, args });

/** What the model was answered. */
function answers(rig: LiveRig): FunctionResponse[] {
  const responses = (input: ModelInput) => (input.type === 'toolResponse' ? input.responses : []);
  return rig.model.connection.inputs.flatMap(responses);
}

async function ended(rig: LiveRig): Promise<void> {
  void rig.session.close();
  await rig.clock.advance(5_000);
  await rig.session.closed;
}

/** Calls one tool whose execute is this, and gives back what the model was answered. */
async function answerOf(
  execute: (args: Readonly<Record<string, unknown>>, context: ToolContext) => unknown,
): Promise<unknown> {
  const rig = await LiveRig.live({ tools: [tool({ name: 'it', description: '', execute })] });
  rig.model.connection.output({ type: 'toolCall', calls: [call('it')] });
  await rig.clock.settle();
  const [answer, ...more] = answers(rig);
  expect(more).toEqual([]);
  expect(rig.history).toEqual(['model: call it(1)', 'user: result it(1)']);
  expect(rig.of('toolResult')).toMatchObject([{ result: answer }]);
  await ended(rig);
  expect(rig.history).toHaveLength(2);
  return answer?.response;
}

describe('tool calls', () => {
  it('R10 tools: a result is an object, or is wrapped into one', async () => {
    expect(await answerOf(() => ({ warm: true }))).toEqual({ warm: true });
    expect(await answerOf(async () => 'warm')).toEqual({ output: 'warm' });
    expect(await answerOf(() => undefined)).toEqual({ output: null });
    expect(await answerOf(() => [1, 2])).toEqual({ output: [1, 2] });
  });

  it('R10 tools: a throw, a rejection and a result that is not JSON are told to the model as errors', async () => {
    const thrown = (): never => {
      throw new Error('broken');
    };
    expect(await answerOf(thrown)).toEqual({ error: 'broken' });
    expect(await answerOf(async () => thrown())).toEqual({ error: 'broken' });
    expect(await answerOf(() => 1n)).toMatchObject({ error: expect.stringContaining('not JSON') });
    expect(await answerOf(() => () => 1)).toMatchObject({ error: expect.stringContaining('not JSON') });
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(await answerOf(() => circle)).toMatchObject({ error: expect.stringContaining('not JSON') });
  });

  it('R10 tools: arguments are checked by the schema, also by one that checks asynchronously', async () => {
    const parameters = z.object({ city: z.string().refine(async (city) => city !== 'Atlantis') });
    const rig = await LiveRig.live({
      tools: [
        tool({ name: 'weather', description: '', parameters, execute: ({ city }) => `fine in ${city}` }),
      ],
    });
    rig.model.connection.output({
      type: 'toolCall',
      calls: [
        call('weather', '1', { city: 'Rome' }),
        call('weather', '2', { city: 7 }),
        call('weather', '3', { city: 'Atlantis' }),
      ],
    });
    await rig.clock.settle();
    const byId = Object.fromEntries(answers(rig).map(({ id, response }) => [id, response]));
    expect(byId['1']).toEqual({ output: 'fine in Rome' });
    expect(byId['2']).toMatchObject({ error: expect.stringContaining('arguments of') });
    expect(byId['3']).toMatchObject({ error: expect.stringContaining('arguments of') });
    await ended(rig);
  });

  it('R10 tools: an unknown one is answered with what there is', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output({ type: 'toolCall', calls: [call('nothing')] });
    expect(answers(rig)).toMatchObject([{ response: { error: expect.stringContaining("'nothing'") } }]);
    expect(rig.history).toEqual(['model: call nothing(1)', 'user: result nothing(1)']);
    await ended(rig);
  });

  it('R10 tools: one that never settles times out by itself, and audio goes on meanwhile', async () => {
    let signal: AbortSignal | undefined;
    const slow = tool({
      name: 'slow',
      description: '',
      timeoutMs: 3_000,
      execute: (_, context) => {
        ({ signal } = context);
        return new Promise(() => undefined);
      },
    });
    const rig = await LiveRig.live({ tools: [slow] });
    rig.model.connection.output({ type: 'toolCall', calls: [call('slow')] });
    await rig.clock.advance(2_999);
    rig.model.connection.output({ type: 'audio', audio: frame() });
    expect(rig.of('audio')).toHaveLength(1);
    expect(answers(rig)).toEqual([]);
    expect(signal?.aborted).toBe(false);
    await rig.clock.advance(2);
    expect(answers(rig)).toMatchObject([{ response: { error: expect.stringContaining('3000 ms') } }]);
    expect(signal?.aborted).toBe(true);
    await ended(rig);
    expect(answers(rig)).toHaveLength(1);
  });

  it('R10 cancellation: the signal fires, the model gets no answer, the history says so, once', async () => {
    const late = Promise.withResolvers<string>();
    let signal: AbortSignal | undefined;
    const slow = tool({
      name: 'slow',
      description: '',
      execute: (_, context) => {
        ({ signal } = context);
        return late.promise;
      },
    });
    const rig = await LiveRig.live({ tools: [slow] });
    rig.session.on('event', (event) => {
      if (event.type === 'toolCallCancellation') expect(signal?.aborted).toBe(true);
    });
    rig.model.connection.output({ type: 'toolCall', calls: [call('slow')] });
    await rig.clock.settle();
    rig.model.connection.output({ type: 'toolCallCancellation', ids: ['1', 'unknown'] });
    late.resolve('late');
    await rig.clock.settle();
    rig.model.connection.output({ type: 'toolCallCancellation', ids: ['1'] });
    expect(answers(rig)).toEqual([]);
    expect(rig.history).toEqual(['model: call slow(1)', 'user: result slow(1)']);
    expect(rig.of('toolResult')).toHaveLength(1);
    await ended(rig);
    expect(rig.book.at('error')).toEqual([]);
  });

  it('R10 cancellation: after the result it changes nothing', async () => {
    const rig = await LiveRig.live({ tools: [tool({ name: 'it', description: '', execute: () => 1 })] });
    rig.model.connection.output({ type: 'toolCall', calls: [call('it')] });
    await rig.clock.settle();
    rig.model.connection.output({ type: 'toolCallCancellation', ids: ['1'] });
    expect(answers(rig)).toHaveLength(1);
    expect(rig.of('toolResult')).toHaveLength(1);
    await ended(rig);
  });

  it('R10 tools: a repeated call is not run twice; who has its answer gives it again', async () => {
    let runs = 0;
    const results = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
    const charge = tool({ name: 'charge', description: '', execute: () => results[runs++]?.promise });
    const rig = await LiveRig.live({ tools: [charge] });
    rig.model.connection.output({ type: 'toolCall', calls: [call('charge'), call('charge')] });
    rig.model.connection.output({ type: 'toolCall', calls: [call('charge')] });
    await rig.clock.settle();
    results[0]?.resolve('paid');
    await rig.clock.settle();
    expect(answers(rig)).toHaveLength(1);
    rig.model.connection.output({ type: 'toolCall', calls: [call('charge')] });
    await rig.clock.settle();
    expect(runs).toBe(1);
    expect(answers(rig)).toHaveLength(2);
    expect(rig.of('warning').map(({ code }) => code)).toEqual(
      Array.from({ length: 3 }, () => 'HOLDFAST_DUPLICATE_TOOL_CALL'),
    );
    expect(rig.history).toEqual(['model: call charge(1)', 'user: result charge(1)']);
    await ended(rig);
  });

  it('R10 tools: a result that meets a full socket is sent when there is room, before what the client says', async () => {
    const rig = await LiveRig.live({ tools: [tool({ name: 'it', description: '', execute: () => 1 })] });
    rig.model.connection.output({ type: 'toolCall', calls: [call('it')] });
    rig.model.connection.bufferedBytes = Infinity;
    rig.session.queue.sendAudio(frame());
    await rig.clock.advance(100);
    expect(rig.model.connection.inputs).toEqual([]);
    rig.model.connection.bufferedBytes = 0;
    await rig.clock.advance(20);
    expect(rig.model.connection.inputs.map(({ type }) => type)).toEqual(['toolResponse', 'audio']);
    await ended(rig);
  });

  it('R10 tools: a result is sent once, also when its answer makes a listener send', async () => {
    const rig = await LiveRig.live({
      tools: [tool({ name: 'it', description: '', execute: () => 1 })],
      script: {
        onInput: (input, connection) => {
          if (input.type === 'toolResponse') connection.output({ type: 'text', text: 'Thanks' });
        },
      },
    });
    rig.session.on('event', ({ type }) => {
      if (type === 'text') rig.session.queue.sendActivityStart();
    });
    rig.model.connection.output({ type: 'toolCall', calls: [call('it')] });
    await rig.clock.settle();
    expect(rig.model.connection.inputs.map(({ type }) => type)).toEqual(['toolResponse', 'activityStart']);
    await ended(rig);
  });

  it('R10 history: it never ends in the middle of a call, whatever the tool does after the close', async () => {
    for (const verb of ['close', 'abort'] as const) {
      const late = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
      const tools = [
        tool({ name: 'it', description: '', execute: (_, { callId }) => late[Number(callId)]?.promise }),
      ];
      const rig = await LiveRig.live({ tools });
      rig.model.connection.output({ type: 'toolCall', calls: [call('it', '0'), call('it', '1')] });
      await rig.clock.settle();
      void rig.session[verb]();
      const whole = ['model: call it(0) + call it(1)', 'user: result it(0)', 'user: result it(1)'];
      expect(rig.history).toEqual(whole);
      await rig.clock.advance(5_000);
      late[0]?.resolve('late');
      late[1]?.reject(new Error('late'));
      await rig.clock.settle();
      expect(rig.history).toEqual(whole);
      expect(answers(rig)).toEqual([]);
    }
  });
});

describe('seedHistory', () => {
  it('R10 seeding: results follow their calls at once, and a lost one is told as lost', () => {
    const result = (id: string) => ({ functionResponse: { id, name: 'it', response: {} } });
    const seed = seedHistory([
      { role: 'model', parts: [{ functionCall: call('it', '1') }, { functionCall: call('it', '2') }] },
      { role: 'user', parts: [{ text: 'Meanwhile' }] },
      { role: 'user', parts: [result('2')] },
      { role: 'user', parts: [result('orphan')] },
    ]);
    expect(seed).toMatchObject([
      { role: 'model' },
      {
        role: 'user',
        parts: [
          { functionResponse: { id: '1', response: { error: expect.stringContaining('lost') } } },
          { functionResponse: { id: '2', response: {} } },
        ],
      },
      { role: 'user', parts: [{ text: 'Meanwhile' }] },
    ]);
    expect(seed).toHaveLength(3);
  });
});

describe('tool', () => {
  it('refuses what no model could be told of', () => {
    const execute = (): undefined => undefined;
    expect(() => tool({ name: 'no spaces', description: '', execute })).toThrow(/cannot name a tool/);
    expect(() => tool({ name: 'it', description: '', timeoutMs: 0, execute })).toThrow(/timeoutMs/);
    const parameters = z.object({ at: z.date() });
    expect(() => tool({ name: 'it', description: '', parameters, execute })).toThrow(/cannot be told/);
    const older = { _def: {} };
    expect(() => tool({ name: 'it', description: '', parameters: older, execute })).toThrow(/zod 3/);
  });
});

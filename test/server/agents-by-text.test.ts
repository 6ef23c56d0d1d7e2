import { describe, expect, it } from 'vitest';
import { Agent, AgentTask, handoff, tool } from '../../src/session/index.ts';
import type { LiveSetup, ModelOutput } from '../../src/session/index.ts';
import { ScriptedModel } from '../../src/testing/index.ts';
import { startServer } from '../support/live-server.ts';

const TURN = {
  appName: 'demo',
  userId: 'u',
  sessionId: 's1',
  newMessage: { role: 'user', parts: [{ text: 'My invoice is lost.' }] },
};

const call = (name: string): ModelOutput => ({ type: 'toolCall', calls: [{ id: name, name, args: {} }] });

/** A model whose agents do what their instructions are the key of, once each. */
function playing(
  part: Record<string, ModelOutput[][]>,
  reconfigures: 'applied' | 'needs-swap',
): ScriptedModel {
  return new ScriptedModel({
    capabilities: { takesContent: true },
    reconfigures,
    onInput: ({ type }, connection) => {
      const { instructions = '' } = connection.setup as LiveSetup;
      if (type === 'content' || type === 'history') connection.output(...(part[instructions]?.shift() ?? []));
    },
  });
}

describe.each(['applied', 'needs-swap'] as const)('a text turn that is handed over (%s)', (reconfigures) => {
  it('is over when the next agent has answered', async () => {
    const biller = new Agent({ name: 'biller', instructions: 'biller' });
    const billing = tool({ name: 'billing', description: '', execute: () => handoff(biller) });
    const model = playing(
      {
        clerk: [[{ type: 'text', text: 'One moment.' }, call('billing')]],
        biller: [[{ type: 'text', text: 'Which one?' }, { type: 'turnComplete' }]],
      },
      reconfigures,
    );
    const clerk = new Agent({ name: 'clerk', instructions: 'clerk', model, tools: [billing] });
    await using test = await startServer({ agents: { demo: clerk }, runTimeoutMs: 3_000 });
    await test.createSession();
    // A cascade ends the answer it was giving when it goes on for another agent; this one is told to.
    const run = test.request('/run', TURN);
    if (reconfigures === 'applied') {
      await expect.poll(() => model.connection.setup.instructions).toBe('biller');
      model.connection.output({ type: 'turnComplete' });
    }
    const { status, text } = await run;
    expect(status).toBe(200);
    const said = (JSON.parse(text) as { author: string; content?: { parts: { text?: string }[] } }[]).flatMap(
      ({ author, content }) =>
        content?.parts.flatMap((part) => (part.text ? [`${author}: ${part.text}`] : [])) ?? [],
    );
    expect(said).toEqual(['clerk: One moment.', 'biller: Which one?']);
  });

  it('is over when a task has asked', async () => {
    const ask = tool({
      name: 'ask',
      description: '',
      execute: (_args, { runTask }) => runTask(new AgentTask({ name: 'number', instructions: 'number' })),
    });
    const model = playing(
      {
        clerk: [[call('ask')]],
        number: [[{ type: 'text', text: 'Which number?' }, { type: 'turnComplete' }]],
      },
      reconfigures,
    );
    const clerk = new Agent({ name: 'clerk', instructions: 'clerk', model, tools: [ask] });
    await using test = await startServer({ agents: { demo: clerk }, runTimeoutMs: 3_000 });
    await test.createSession();
    const run = test.request('/run', TURN);
    if (reconfigures === 'applied') {
      await expect.poll(() => model.connection.setup.instructions).toBe('number');
      model.connection.output({ type: 'turnComplete' });
    }
    const { status, text } = await run;
    expect(status).toBe(200);
    expect(text).toContain('"text":"Which number?"');
  });
});

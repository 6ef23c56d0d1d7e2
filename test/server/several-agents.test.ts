import { describe, expect, it } from 'vitest';
import { Agent, handoff, tool } from '../../src/session/index.ts';
import { ScriptedModel } from '../../src/testing/index.ts';
import { startServer } from '../support/live-server.ts';

const says = (text: string) => [{ type: 'text', text }, { type: 'turnComplete' }] as const;

describe.each([undefined, 'applied'] as const)(
  'a text turn of several agents (connections that go on: %s)',
  (reconfigures) => {
    const body = {
      appName: 'demo',
      userId: 'u',
      sessionId: 's1',
      newMessage: { role: 'user', parts: [{ text: 'My invoice is lost.' }] },
    };

    it.each(['/run', '/run_sse'])(
      'R10 is over when the agent has answered who got the conversation (%s)',
      async (path) => {
        const biller = new Agent({ name: 'biller' });
        const billing = tool({ name: 'billing', description: '', execute: () => handoff(biller) });
        const model = new ScriptedModel({
          capabilities: { takesContent: true },
          ...(reconfigures === undefined ? {} : { reconfigures }),
          onInput: ({ type }, connection) => {
            if (connection.setup.tools.length > 0 && type === 'content') {
              connection.output(
                { type: 'text', text: 'One moment.' },
                { type: 'toolCall', calls: [{ id: '1', name: 'billing', args: {} }] },
              );
              if (reconfigures !== undefined)
                setTimeout(() => connection.output({ type: 'turnComplete' }), 50);
            } else if (type === 'history') connection.output(...says('Which invoice is it?'));
          },
        });
        await using test = await startServer({
          model,
          agents: { demo: new Agent({ name: 'clerk', tools: [billing] }) },
          runTimeoutMs: 3_000,
        });
        await test.createSession();
        const { text } = await test.request(path, body);
        expect(text).toContain('One moment.');
        expect(text).toContain('Which invoice is it?');
        expect(text).toContain('"author":"biller"');
      },
    );

    it('R10 is over when nobody answers after a handoff', async () => {
      const biller = new Agent({ name: 'biller' });
      const billing = tool({
        name: 'billing',
        description: '',
        execute: () => handoff(biller, { reply: false }),
      });
      const model = new ScriptedModel({
        capabilities: { takesContent: true },
        ...(reconfigures === undefined ? {} : { reconfigures }),
        onInput: ({ type }, connection) => {
          if (type !== 'content') return;
          connection.output({ type: 'toolCall', calls: [{ id: '1', name: 'billing', args: {} }] });
          if (reconfigures !== undefined) setTimeout(() => connection.output({ type: 'turnComplete' }), 50);
        },
      });
      await using test = await startServer({
        model,
        agents: { demo: new Agent({ name: 'clerk', tools: [billing] }) },
        runTimeoutMs: 3_000,
      });
      await test.createSession();
      const { status, text } = await test.request('/run', body);
      expect([status, text.includes('billing')]).toEqual([200, true]);
    });
  },
);

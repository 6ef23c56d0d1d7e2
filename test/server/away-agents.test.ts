import { describe, expect, it } from 'vitest';
import { Agent, handoff, tool } from '../../src/session/index.ts';
import { ScriptedModel } from '../../src/testing/index.ts';
import { startServer, until } from '../support/live-server.ts';

interface Told {
  readonly seq: number;
  readonly type: string;
  readonly author: string;
}

const eventsOf = (messages: readonly Record<string, unknown>[]): Told[] =>
  messages.flatMap(({ event }) => (event === undefined ? [] : [event as Told]));

describe('a client that is away while the conversation is handed over', () => {
  it('H2 R9 is told by whom it is greeted, and given the change and the answer once, signed by who gave it', async () => {
    const asked = Promise.withResolvers<void>();
    const biller = new Agent({ name: 'biller' });
    const billing = tool({
      name: 'billing',
      description: '',
      execute: () => asked.promise.then(() => handoff(biller)),
    });
    const model = new ScriptedModel({
      capabilities: { takesContent: true },
      onInput: ({ type }, connection) => {
        if (type === 'history')
          connection.output({ type: 'text', text: 'Which one?' }, { type: 'turnComplete' });
      },
    });
    const clerk = new Agent({ name: 'clerk', tools: [billing] });
    await using test = await startServer({ model, agents: { demo: clerk }, clientGraceMs: 5_000 });
    await test.createSession();
    const first = await test.welcomed('s1');
    await until('it is live', () => model.openConnections === 1);
    model.connection.output({ type: 'toolCall', calls: [{ id: '1', name: 'billing', args: {} }] });
    await until('the call is told', () => eventsOf(first.messages).some(({ type }) => type === 'toolCall'));
    const [hello] = first.having('type', 'hello');
    const lastSeq = Math.max(...eventsOf(first.messages).map(({ seq }) => seq));
    first.socket.terminate();
    await first.closed;
    asked.resolve();
    await until('it is answered', () => model.connection.inputs.some(({ type }) => type === 'history'));
    const again = await test.holdfast('s1').opened();
    const resume = { token: hello?.['resumeToken'], seq: lastSeq, positionSamples: 0 };
    again.send({ type: 'hello', protocol: 1, resume });
    await until('the end is told', () =>
      eventsOf(again.messages).some(({ type, author }) => type === 'turnComplete' && author === 'biller'),
    );
    expect(again.having('type', 'hello')[0]).toMatchObject({ agent: 'biller', recovered: true });
    const events = [...eventsOf(first.messages), ...eventsOf(again.messages)];
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.filter(({ type }) => type === 'agentChanged')).toHaveLength(1);
    expect(events.filter(({ type }) => type === 'text').map(({ author }) => author)).toEqual([
      'biller',
      'biller',
    ]);
  });
});

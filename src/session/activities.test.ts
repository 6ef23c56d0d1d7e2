import { describe, expect, it } from 'vitest';
import { LiveRig } from '../../test/support/live-rig.ts';
import type { LiveRigOptions } from '../../test/support/live-rig.ts';
import { ClosedError } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';
import type { FunctionCall, LiveEventOf } from '../protocol/index.ts';
import { textContent } from '../protocol/index.ts';
import type { ScriptedModelOptions } from '../testing/scripted-model.ts';
import { ScriptedModel } from '../testing/scripted-model.ts';
import { EXIT_TIMEOUT_MS } from './activity.ts';
import { HANDOFF_ANSWER_TIMEOUT_MS, MAX_NESTED_TASKS, MAX_REFUSED_TASKS } from './activities.ts';
import { AgentTask } from './agent-task.ts';
import { Agent } from './agent.ts';
import type { AgentOptions } from './agent.ts';
import { ToolsetError } from './errors.ts';
import { TRANSFER_TOOL, handoff } from './handoff.ts';
import type { ModelInput } from './live-model.ts';
import type { SessionChanges } from './session-store.ts';
import { DEFAULT_TOOL_TIMEOUT_MS, tool } from './tool.ts';
import type { ToolContext } from './tool.ts';
import { TOOLSET_OPEN_TIMEOUT_MS } from './toolsets.ts';
import { FOREIGN_UNWIND_MS } from './until-closed.ts';

const TAKES_CONTENT = { capabilities: { takesContent: true, saysText: true } } as const;

/** Each handoff looks the same from outside, whether the connection can go on or is replaced. */
const KINDS: readonly (readonly [string, ScriptedModelOptions])[] = [
  ['a connection that goes on', { ...TAKES_CONTENT, reconfigures: 'applied' }],
  ['a connection that cannot', { ...TAKES_CONTENT, reconfigures: 'needs-swap' }],
  ['a connection that is not asked', TAKES_CONTENT],
];

const call = (name: string, id = '1', args: FunctionCall['args'] = {}): FunctionCall => ({ id, name, args });

const agent = (name: string, options: Partial<AgentOptions> = {}): Agent =>
  new Agent({ name, instructions: `You are the ${name}.`, ...options });

const plain = (name: string, execute: (context: ToolContext) => unknown, timeoutMs?: number) =>
  tool({
    name,
    description: '',
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    execute: (_args, context) => execute(context),
  });

async function live(root: Agent, script: ScriptedModelOptions = TAKES_CONTENT, options: LiveRigOptions = {}) {
  return LiveRig.live({ ...options, script, ...({ agent: root } as object) });
}

/** The model calls, and everything due happens. A connection that goes on ends its answer. */
async function calls(rig: LiveRig, ...made: readonly FunctionCall[]): Promise<void> {
  const { connection } = rig.model;
  connection.output({ type: 'toolCall', calls: made });
  await rig.clock.settle();
}

/** As a cascade does it: the answer whose calls wait is over when it goes on for somebody else. */
async function turnEnds(rig: LiveRig): Promise<void> {
  rig.model.connection.output({ type: 'turnComplete' });
  await rig.clock.settle();
}

const changes = (rig: LiveRig): string[] =>
  rig.of('agentChanged').map(({ previous, agent: next, why }) => `${previous} → ${next} (${why})`);

const toolsOf = (rig: LiveRig): string[] => rig.model.connection.setup.tools.map(({ name }) => name);

/** What it was asked of its own accord: replies that nobody's words are answered by. */
const asked = (rig: LiveRig): ModelInput[] =>
  rig.model.connection.inputs.filter(({ type }) => type === 'history');

async function ended(rig: LiveRig): Promise<void> {
  void rig.session.close();
  await rig.clock.advance(6_000);
  await rig.session.closed;
  expect(rig.session.resources()).toEqual([]);
  expect(rig.model.openConnections).toBe(0);
}

describe.each(KINDS)('a handoff, on %s', (_name, script) => {
  it('goes by the result of a tool: history, instructions and tools are those of the next agent, who answers', async () => {
    const biller = agent('biller', { tools: [plain('refund', () => 'done')] });
    const clerk = agent('clerk', { tools: [plain('billing', () => handoff(biller))] });
    const rig = await live(clerk, script);
    rig.session.queue.sendContent(textContent('user', 'My invoice is wrong.'));
    await calls(rig, call('billing'));
    if (script.reconfigures === 'applied') await turnEnds(rig);
    expect(changes(rig)).toEqual(['clerk → biller (handoff)']);
    expect(rig.session.currentAgent).toBe(biller);
    expect(rig.history).toEqual([
      'user: My invoice is wrong.',
      'model: call billing(1)',
      'user: result billing(1)',
    ]);
    const { setup } = rig.model.connection;
    expect(setup.instructions).toBe('You are the biller.');
    expect(toolsOf(rig)).toEqual(['refund']);
    expect(setup.history).toEqual(rig.session.session.history);
    expect(asked(rig)).toEqual([{ type: 'history', turns: [], turnComplete: true }]);
    rig.model.connection.output({ type: 'text', text: 'Let me see.' }, { type: 'turnComplete' });
    expect(rig.of('text').at(-1)).toMatchObject({ author: 'biller', text: 'Let me see.' });
    expect(rig.of('turnComplete')).toHaveLength(2);
    expect(rig.model.dials).toHaveLength(script.reconfigures === 'applied' ? 1 : 2);
    await calls(rig, call('refund', '2'));
    expect(rig.history.slice(-2)).toEqual(['model: call refund(2)', 'user: result refund(2)']);
    await ended(rig);
  });

  it('waits for the calls under way, whose results go along and are answered by nobody else', async () => {
    const slow = Promise.withResolvers<string>();
    const biller = agent('biller');
    const clerk = agent('clerk', {
      tools: [plain('billing', () => handoff(biller)), plain('book', () => slow.promise)],
    });
    const rig = await live(clerk, script);
    await calls(rig, call('billing', '1'), call('book', '2'));
    expect(changes(rig)).toEqual([]);
    slow.resolve('booked');
    await rig.clock.settle();
    expect(changes(rig)).toEqual(['clerk → biller (handoff)']);
    expect(rig.model.dials[0]?.inputs.filter(({ type }) => type === 'toolResponse')).toEqual([]);
    expect(rig.model.connection.setup.history.at(-1)?.parts).toMatchObject([
      { functionResponse: { id: '1' } },
      { functionResponse: { id: '2', response: { output: 'booked' } } },
    ]);
    await ended(rig);
  });

  it('runs onExit, then onEnter, and asks for no answer where onEnter says something', async () => {
    const heard: string[] = [];
    const biller = agent('biller', {
      onEnter: ({ session }) => {
        heard.push('biller enters');
        session.say('Billing here.');
      },
      onExit: () => void heard.push('biller exits'),
    });
    const clerk = agent('clerk', {
      tools: [plain('billing', () => handoff(biller))],
      onEnter: () => void heard.push('clerk enters'),
      onExit: async () => {
        heard.push('clerk exits');
        await Promise.resolve();
        heard.push('clerk is out');
      },
    });
    const rig = await live(clerk, script);
    expect(heard).toEqual(['clerk enters']);
    await calls(rig, call('billing'));
    if (script.reconfigures === 'applied') await turnEnds(rig);
    expect(heard).toEqual(['clerk enters', 'clerk exits', 'clerk is out', 'biller enters']);
    expect(rig.model.connection.said.map(({ text }) => text)).toEqual(['Billing here.']);
    expect(asked(rig)).toEqual([]);
    await ended(rig);
    expect(heard.at(-1)).toBe('biller exits');
    expect(heard).toHaveLength(5);
  });

  it('by the program lets an answer be finished, and asks for none', async () => {
    const rig = await live(agent('clerk'), script);
    rig.model.connection.output({ type: 'text', text: 'As I was ' });
    const given = rig.session.handoff(agent('biller'));
    await rig.clock.advance(100);
    await given;
    expect(changes(rig)).toEqual([]);
    rig.model.connection.output({ type: 'text', text: 'saying.' }, { type: 'turnComplete' });
    await rig.clock.settle();
    expect(changes(rig)).toEqual(['clerk → biller (handoff)']);
    expect(rig.history).toEqual(['model: As I was saying.']);
    expect(asked(rig)).toEqual([]);
    await ended(rig);
  });

  it('by the program does not wait for an answer that never ends', async () => {
    const rig = await live(agent('clerk'), script);
    rig.model.connection.output({ type: 'text', text: 'Well…' });
    void rig.session.handoff(agent('biller'));
    await rig.clock.advance(HANDOFF_ANSWER_TIMEOUT_MS - 1);
    expect(changes(rig)).toEqual([]);
    await rig.clock.advance(1);
    expect(changes(rig)).toEqual(['clerk → biller (handoff)']);
    await ended(rig);
  });

  it('takes along what the user says while it happens', async () => {
    const biller = agent('biller');
    const clerk = agent('clerk', { tools: [plain('billing', () => handoff(biller))] });
    const rig = await live(clerk, script);
    rig.session.queue.sendContent(textContent('user', 'My invoice is wrong.'));
    rig.model.connection.output({ type: 'toolCall', calls: [call('billing')] });
    rig.session.queue.sendContent(textContent('user', 'And hurry.'));
    await rig.clock.settle();
    const told = [
      ...rig.model.connection.setup.history.flatMap(({ parts }) => parts.map(({ text }) => text)),
      // A connection that goes on is given the whole conversation anew.
      ...(script.reconfigures === 'applied' ? [] : rig.model.connection.inputs).flatMap((input) =>
        input.type === 'content' ? input.content.parts.map(({ text }) => text) : [],
      ),
    ];
    expect(told.filter((text) => text === 'And hurry.')).toHaveLength(1);
    await ended(rig);
  });

  it('is not made to an agent who cannot be had: the model is told, and the first one goes on', async () => {
    const broken = { name: 'orders', open: () => Promise.reject(new Error('no database')) };
    const biller = agent('biller', { toolsets: [broken] });
    const clerk = agent('clerk', { tools: [plain('billing', () => handoff(biller))] });
    const rig = await live(clerk, script);
    await calls(rig, call('billing'));
    expect(changes(rig)).toEqual([]);
    expect(rig.model.connection.inputs).toMatchObject([
      { type: 'toolResponse', responses: [{ response: { error: expect.stringContaining('no database') } }] },
    ]);
    expect(rig.session.resources()).not.toContain('toolset orders');
    await ended(rig);
  });

  it('gives way to a task, and its result is answered by who had asked for it', async () => {
    const task = new AgentTask<string>({
      name: 'address',
      instructions: 'Ask for the address.',
      tools: (it) => [plain('record', () => it.complete('Main Street 1'))],
    });
    const clerk = agent('clerk', {
      tools: [plain('ship', async ({ runTask }) => ({ to: await runTask(task) }), 5_000)],
    });
    const rig = await live(clerk, script);
    rig.session.queue.sendContent(textContent('user', 'Ship it.'));
    await calls(rig, call('ship', '1'));
    if (script.reconfigures === 'applied') await turnEnds(rig);
    expect(changes(rig)).toEqual(['clerk → address (task)']);
    expect(rig.model.connection.setup.instructions).toBe('Ask for the address.');
    expect(toolsOf(rig)).toEqual(['record']);
    // A call without its result is nothing a provider takes.
    expect(rig.model.connection.setup.history).toEqual([textContent('user', 'Ship it.')]);
    expect(asked(rig)).toHaveLength(1);
    rig.model.connection.output({ type: 'text', text: 'Where to?' }, { type: 'turnComplete' });
    await rig.clock.advance(60_000);
    expect(rig.of('toolResult')).toEqual([]);
    rig.session.queue.sendContent(textContent('user', 'Main Street 1'));
    await calls(rig, call('record', '2'));
    if (script.reconfigures === 'applied') await turnEnds(rig);
    expect(changes(rig)).toEqual(['clerk → address (task)', 'address → clerk (taskDone)']);
    expect(rig.of('toolResult').map(({ result }) => result.response)).toEqual([
      { output: null },
      { to: 'Main Street 1' },
    ]);
    expect(toolsOf(rig)).toEqual(['ship']);
    const { inputs, setup } = rig.model.connection;
    const known = JSON.stringify([setup.history, inputs.slice(script.reconfigures === 'applied' ? 2 : 0)]);
    expect(known.match(/"to":"Main Street 1"/g)).toHaveLength(1);
    expect(inputs.at(-1)).toMatchObject({ type: 'history', turnComplete: true });
    await ended(rig);
  });
});

describe.each(KINDS)('call ids that begin anew with each agent, on %s', (_name, script) => {
  it('R10 are those of other calls, also while one of the same id runs', async () => {
    const task = new AgentTask<string>({
      name: 'address',
      tools: (it) => [plain('record', () => it.complete('Main Street 1'))],
    });
    const runs: string[] = [];
    const biller = agent('biller', { tools: [plain('refund', () => runs.push('refund') && 'refunded')] });
    const clerk = agent('clerk', {
      tools: [plain('ship', async ({ runTask }) => runTask(task)), plain('billing', () => handoff(biller))],
    });
    const rig = await live(clerk, script);
    const applied = script.reconfigures === 'applied';
    await calls(rig, call('ship', 'call-1'));
    if (applied) await turnEnds(rig);
    await calls(rig, call('record', 'call-1'));
    if (applied) await turnEnds(rig);
    await calls(rig, call('billing', 'call-1'));
    if (applied) await turnEnds(rig);
    await calls(rig, call('refund', 'call-1'));
    expect(changes(rig)).toEqual([
      'clerk → address (task)',
      'address → clerk (taskDone)',
      'clerk → biller (handoff)',
    ]);
    expect(runs).toEqual(['refund']);
    // The connection gets the result under the id it gave; here each call has a name of its own.
    expect(rig.model.connection.inputs.at(-1)).toMatchObject({
      type: 'toolResponse',
      responses: [{ id: 'call-1', name: 'refund' }],
    });
    expect(new Set(rig.of('toolResult').map(({ result }) => result.id)).size).toBe(4);
    expect(rig.of('warning')).toEqual([]);
    rig.model.connection.output({ type: 'toolCall', calls: [call('refund', 'call-1')] });
    await rig.clock.settle();
    expect(runs).toEqual(['refund']);
    expect(rig.of('warning').map(({ code }) => code)).toEqual(['HOLDFAST_DUPLICATE_TOOL_CALL']);
    await ended(rig);
  });
});

describe.each(KINDS)('instructions that do not come, on %s', (_name, script) => {
  const failing = {
    throw: () => Promise.reject(new Error('no database')),
    hang: () => new Promise<string>(() => undefined),
  } as const;

  it.each(['throw', 'hang'] as const)(
    'R8 when a task is over (%s): who was there before goes on',
    async (how) => {
      let times = 0;
      const task = new AgentTask<string>({
        name: 'address',
        tools: (it) => [plain('record', () => it.complete('x'))],
      });
      const clerk = agent('clerk', {
        instructions: () => {
          times += 1;
          return times === 1 ? 'You are the clerk.' : failing[how]();
        },
        tools: [plain('ship', async ({ runTask }) => ({ to: await runTask(task) }))],
      });
      const rig = await live(clerk, script);
      await calls(rig, call('ship', '1'));
      if (script.reconfigures === 'applied') await turnEnds(rig);
      await calls(rig, call('record', '2'));
      if (script.reconfigures === 'applied') await turnEnds(rig);
      await rig.clock.advance(30_000);
      expect(changes(rig)).toEqual(['clerk → address (task)', 'address → clerk (taskDone)']);
      expect(rig.session.state).toBe('live');
      expect(rig.model.connection.setup.instructions).toBe('You are the clerk.');
      expect(rig.of('warning').map(({ code }) => code)).toContain('HOLDFAST_AGENT_HOOK');
      expect(rig.of('toolResult').map(({ result }) => result.id)).toEqual(['2', '1']);
      await ended(rig);
    },
  );

  it.each(['throw', 'hang'] as const)('R10 when a task begins (%s): the call settles', async (how) => {
    const task = new AgentTask<string>({ name: 'address', instructions: failing[how] });
    const clerk = agent('clerk', {
      tools: [plain('ship', async ({ runTask }) => ({ to: await runTask(task) }))],
    });
    const rig = await live(clerk, script);
    await calls(rig, call('ship', '1'));
    await rig.clock.advance(30_000);
    expect(changes(rig)).toEqual([]);
    expect(rig.of('toolResult').map(({ result }) => result.response)).toEqual([
      { error: expect.stringContaining(how === 'throw' ? 'no database' : 'did not come') },
    ]);
    expect(rig.session.resources().filter((name) => name.includes('agent address'))).toEqual([]);
    await ended(rig);
  });
});

describe('agents', () => {
  it('may give the conversation to those below, above and beside them, by a tool of their model', async () => {
    const [sales, support] = [agent('sales', { description: 'sells' }), agent('support')];
    const root = agent('root', { subAgents: [sales, support] });
    const rig = await live(root);
    expect(toolsOf(rig)).toEqual([TRANSFER_TOOL]);
    expect(rig.model.connection.setup.tools[0]?.description).toContain('sales (sells); support');
    await calls(rig, call(TRANSFER_TOOL, '1', { agent_name: 'sales' }));
    expect(rig.model.connection.setup.tools[0]?.description).toContain('root; support');
    await calls(rig, call(TRANSFER_TOOL, '2', { agent_name: 'support' }));
    await calls(rig, call(TRANSFER_TOOL, '3', { agent_name: 'nobody' }));
    expect(changes(rig)).toEqual(['root → sales (handoff)', 'sales → support (handoff)']);
    expect(rig.of('toolResult').at(-1)?.result.response).toMatchObject({
      error: expect.stringContaining('Known: root, sales'),
    });
    await ended(rig);
  });

  it('go on where the stored session says who had the conversation', async () => {
    const sales = agent('sales');
    const root = agent('root', { subAgents: [sales] });
    const written: SessionChanges[] = [];
    const journal = { record: async (_key: unknown, changes: SessionChanges) => void written.push(changes) };
    const rig = await live(root, TAKES_CONTENT, { journal });
    await calls(rig, call(TRANSFER_TOOL, '1', { agent_name: 'sales' }));
    await ended(rig);
    expect(written.map(({ activeAgent }) => activeAgent).filter(Boolean)).toEqual(['sales']);
    const again = await live(root, TAKES_CONTENT, { session: rig.session.session });
    expect(again.session.currentAgent).toBe(sales);
    expect(again.model.connection.setup.instructions).toBe('You are the sales.');
    await ended(again);
  });

  it('are told of a hook that fails, and nothing else comes of it', async () => {
    const clerk = agent('clerk', {
      onEnter: () => {
        throw new Error('no greeting');
      },
      onExit: () => Promise.reject(new Error('no goodbye')),
    });
    const rig = await live(clerk);
    expect(rig.of('warning')).toMatchObject([
      { code: 'HOLDFAST_AGENT_HOOK', message: expect.stringContaining('no greeting') },
    ]);
    expect(rig.session.state).toBe('live');
    await ended(rig);
    const report = await rig.session.closed;
    expect(report.steps.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name)).toEqual([
      'activity clerk/on exit',
    ]);
  });

  it('share what the program gave the live session, and find the session in every hook and tool', async () => {
    const userData = { customer: 'Anna' };
    const seen: unknown[] = [];
    const look = ({ session, userData: data, state }: Pick<ToolContext, 'session' | 'userData' | 'state'>) =>
      void seen.push([session, data, state]);
    const clerk = agent('clerk', { tools: [plain('look', look)], onEnter: look, onExit: look });
    const rig = await live(clerk, TAKES_CONTENT, { userData });
    await calls(rig, call('look'));
    await ended(rig);
    expect(seen).toHaveLength(3);
    for (const each of seen) expect(each).toEqual([rig.session, userData, rig.session.session.state]);
  });

  it('of another model go on over a connection to that one, where it speaks at the same rate', async () => {
    const other = new ScriptedModel({ id: 'other', ...TAKES_CONTENT });
    const slow = new ScriptedModel({ id: 'slow', capabilities: { outputRateHz: 8_000 } });
    const rig = await live(agent('clerk'));
    const refused = rig.session.handoff(agent('slow', { model: slow }));
    await expect(refused).rejects.toThrow(/8000 and 24000 Hz/);
    await rig.session.handoff(agent('other', { model: other }));
    await rig.clock.settle();
    expect(other.dials).toHaveLength(1);
    expect(rig.model.openConnections).toBe(0);
    expect(rig.session.model).toBe(other);
    await ended(rig);
    expect(other.openConnections).toBe(0);
  });

  it('know what the user said when they get the conversation, also where it is written down late', async () => {
    const biller = agent('biller');
    const clerk = agent('clerk', { tools: [plain('billing', () => handoff(biller))] });
    const rig = await live(clerk);
    const { connection } = rig.model;
    connection.finishes = true;
    await calls(rig, call('billing'));
    connection.output(
      { type: 'transcript', speaker: 'user', text: 'My invoice is lost.', finished: true },
      { type: 'text', text: 'I will' },
      { type: 'toolCall', calls: [call('billing', '2')] },
      { type: 'resumption', handle: 'of the clerk' },
    );
    await rig.clock.settle();
    expect(rig.model.dials).toHaveLength(1);
    connection.end();
    await rig.clock.settle();
    expect(rig.model.dials).toHaveLength(2);
    expect(rig.history).toEqual([
      'model: call billing(1)',
      'user: result billing(1)',
      'user: My invoice is lost.',
    ]);
    const { setup } = rig.model.connection;
    expect(setup.resumptionHandle).toBeUndefined();
    expect(setup.history.at(-1)).toEqual(textContent('user', 'My invoice is lost.'));
    expect(rig.of('connection').at(-1)).toMatchObject({ state: 'swapped', cause: 'handoff', cutTurn: false });
    expect(asked(rig)).toHaveLength(1);
    await ended(rig);
  });

  it('C10: one who gets the conversation while its connection is dialled has it set up anew', async () => {
    const rig = new LiveRig({
      script: { ...TAKES_CONTENT, acceptsAtOnce: false },
      ...({ agent: agent('clerk') } as object),
    });
    const started = rig.session.start();
    await rig.clock.settle();
    await rig.session.handoff(agent('biller'));
    rig.model.connection.accept();
    await started;
    await rig.clock.settle();
    rig.model.connection.accept();
    await rig.clock.settle();
    expect(rig.model.connection.setup.instructions).toBe('You are the biller.');
    expect(rig.session.state).toBe('live');
    await ended(rig);
  });

  it('answer nobody but the user, on models that take no content: such a model is told to go on', async () => {
    const biller = agent('biller');
    const clerk = agent('clerk', { tools: [plain('billing', () => handoff(biller))] });
    const rig = await live(clerk, {});
    await calls(rig, call('billing'));
    expect(rig.model.connection.inputs).toMatchObject([{ type: 'content', turnComplete: true }]);
    await ended(rig);
  });
});

describe('tasks', () => {
  const recorded = <Result>(name: string, result: Result) =>
    new AgentTask<Result>({ name, tools: (it) => [plain('record', () => it.complete(result))] });

  it('give their result to whoever ran them, and the conversation back', async () => {
    const rig = await live(agent('clerk'));
    const result = rig.session.runTask(recorded('address', 'Main Street 1'));
    await rig.clock.settle();
    await calls(rig, call('record'));
    expect(await result).toBe('Main Street 1');
    await rig.clock.settle();
    expect(changes(rig)).toEqual(['clerk → address (task)', 'address → clerk (taskDone)']);
    // Who ran it says what comes next: nobody has asked anything.
    expect(asked(rig)).toEqual([]);
    await ended(rig);
  });

  it('may be within each other, and end from within', async () => {
    const inner = recorded('inner', 'in');
    const outer = new AgentTask<string>({
      name: 'outer',
      tools: (it) => [plain('ask', async ({ runTask }) => it.complete(`out of ${await runTask(inner)}`))],
    });
    const rig = await live(agent('clerk'));
    const result = rig.session.runTask(outer);
    await rig.clock.settle();
    await calls(rig, call('ask', '1'));
    await calls(rig, call('record', '2'));
    expect(await result).toBe('out of in');
    await rig.clock.settle();
    expect(changes(rig)).toEqual([
      'clerk → outer (task)',
      'outer → inner (task)',
      // The outer one was over by the time the inner one was left.
      'inner → clerk (taskDone)',
    ]);
    expect(rig.history.filter((line) => line.includes('result'))).toHaveLength(2);
    await ended(rig);
  });

  it('that are over take those within them along', async () => {
    const inner = new AgentTask<string>({ name: 'inner' });
    const outer = new AgentTask<string>({ name: 'outer' });
    const rig = await live(agent('clerk'));
    const results = [rig.session.runTask(outer)];
    await rig.clock.settle();
    results.push(rig.session.runTask(inner));
    await rig.clock.settle();
    outer.complete('enough');
    const [first, second] = await Promise.allSettled(results);
    expect(first).toEqual({ status: 'fulfilled', value: 'enough' });
    expect(second).toMatchObject({ reason: expect.any(ClosedError) });
    await rig.clock.settle();
    expect(rig.session.currentAgent.name).toBe('clerk');
    await ended(rig);
  });

  it('fail with what they fail with, also in onEnter, and the conversation goes back', async () => {
    const rig = await live(agent('clerk'));
    const broken = new AgentTask({
      name: 'broken',
      onEnter: () => {
        throw new Error('no questions');
      },
    });
    await expect(rig.session.runTask(broken)).rejects.toThrow('no questions');
    await rig.clock.settle();
    expect(rig.session.currentAgent.name).toBe('clerk');
    await expect(rig.session.runTask(broken)).rejects.toThrow(/was run before/);
    await ended(rig);
  });

  it('end with the call they were run for, whose own time did not run', async () => {
    const task = new AgentTask<string>({ name: 'address' });
    const clerk = agent('clerk', {
      tools: [
        plain('ship', async ({ runTask }) => {
          await Promise.resolve();
          return runTask(task);
        }),
      ],
    });
    const rig = await live(clerk);
    await calls(rig, call('ship'));
    await rig.clock.advance(2 * DEFAULT_TOOL_TIMEOUT_MS);
    expect(rig.session.currentAgent.name).toBe('address');
    rig.model.connection.output({ type: 'toolCallCancellation', ids: ['1'] });
    await expect(task.result).rejects.toThrow(ClosedError);
    await rig.clock.settle();
    expect(rig.session.currentAgent.name).toBe('clerk');
    await ended(rig);
  });

  it('cannot give the conversation away', async () => {
    const task = new AgentTask({
      name: 'address',
      tools: () => [plain('off', () => handoff(agent('biller')))],
    });
    const rig = await live(agent('clerk'));
    void rig.session.runTask(task).catch(() => undefined);
    await rig.clock.settle();
    await calls(rig, call('off'));
    expect(rig.of('toolResult')[0]?.result.response).toMatchObject({
      error: expect.stringContaining('cannot give the conversation away'),
    });
    await ended(rig);
  });

  it('C9: are unwound once each at a close, the innermost first, and no more of them than a bound', async () => {
    const rig = await live(agent('clerk'));
    const told: string[] = [];
    const tasks = Array.from({ length: MAX_NESTED_TASKS + 1 }, (_, index) => {
      const task = new AgentTask({ name: `task${index}`, onExit: () => void told.push(`exit ${index}`) });
      task.result.catch((error: unknown) => told.push(error instanceof ClosedError ? `${index}` : 'refused'));
      return task;
    });
    const refusals: unknown[] = [];
    for (const task of tasks) {
      rig.session.runTask(task).catch((error: unknown) => refusals.push(error));
      await rig.clock.settle();
    }
    expect(refusals).toHaveLength(1);
    expect(rig.session.currentAgent.name).toBe(`task${MAX_NESTED_TASKS - 1}`);
    await ended(rig);
    const order = Array.from({ length: MAX_NESTED_TASKS }, (_, index) => `${MAX_NESTED_TASKS - 1 - index}`);
    expect(told.filter((each) => !each.startsWith('exit'))).toEqual(order);
    expect(told.filter((each) => each.startsWith('exit'))).toHaveLength(MAX_NESTED_TASKS);
  });

  it('C9: of tasks that are asked for all at once no more are within each other than of those that are not', async () => {
    const rig = await live(agent('clerk'));
    const runs = Array.from({ length: MAX_NESTED_TASKS + 5 }, (_, index) =>
      rig.session.runTask(new AgentTask({ name: `task${index}` })),
    );
    const outcomes = Promise.allSettled(runs);
    await rig.clock.settle();
    expect(changes(rig)).toHaveLength(MAX_NESTED_TASKS);
    await ended(rig);
    const refused = (await outcomes).filter(
      (outcome) => outcome.status === 'rejected' && !(outcome.reason instanceof ClosedError),
    );
    expect(refused).toHaveLength(5);
  });

  it('C9: a tool that asks for a task again and again does not keep a close from its end', async () => {
    let asks = 0;
    const clerk = agent('clerk', {
      tools: [
        plain('stubborn', async ({ runTask }) => {
          for (;;) {
            asks += 1;
            try {
              await runTask(new AgentTask({ name: 'again' }));
            } catch {
              // And again.
            }
          }
        }),
      ],
    });
    const rig = await live(clerk);
    await calls(rig, call('stubborn'));
    await ended(rig);
    expect(asks).toBeLessThanOrEqual(MAX_REFUSED_TASKS + 2);
    const report = await rig.session.closed;
    expect(report.steps.find(({ outcome }) => outcome === 'abandoned')?.name).toBe('tool stubborn/run');
  });

  it('C1: none is run, and nothing handed over, once a live session is ending', async () => {
    const rig = await live(agent('clerk'));
    const drained = rig.session.drain();
    await expect(rig.session.handoff(agent('biller'))).rejects.toThrow(ClosedError);
    await expect(rig.session.runTask(recorded('address', 1))).rejects.toThrow(ClosedError);
    await drained;
    expect(changes(rig)).toEqual([]);
  });

  it('S3: a drain ends them, because nobody can answer to them any more', async () => {
    const task = new AgentTask({ name: 'address' });
    const clerk = agent('clerk', { tools: [plain('ship', ({ runTask }) => runTask(task), Infinity)] });
    const rig = await live(clerk);
    await calls(rig, call('ship'));
    const drained = rig.session.drain();
    await rig.clock.advance(20_000);
    expect((await drained).reason).toBe('drained');
    await expect(task.result).rejects.toThrow(ClosedError);
  });
});

describe('toolsets', () => {
  it('are opened once for a live session, and let go of with it, by name', async () => {
    const told: string[] = [];
    const orders = {
      name: 'orders',
      open: async (scope: Lifetime) => {
        told.push('opened');
        scope.own('database', {}, { close: () => void told.push('closed') });
        return [plain('find', () => 'found')];
      },
    };
    const [one, other] = [agent('one', { toolsets: [orders] }), agent('other', { toolsets: [orders] })];
    const rig = await live(one);
    expect(toolsOf(rig)).toEqual(['find']);
    await rig.session.handoff(other);
    await rig.clock.settle();
    await calls(rig, call('find'));
    expect(rig.of('toolResult')[0]?.result.response).toEqual({ output: 'found' });
    expect(told).toEqual(['opened']);
    await ended(rig);
    expect(told).toEqual(['opened', 'closed']);
    expect((await rig.session.closed).steps.map(({ name }) => name)).toContain('toolset orders/database');
  });

  it('C4: one that does not close is named, and the close is over in time', async () => {
    const stuck = {
      name: 'stuck',
      open: async (scope: Lifetime) => {
        scope.own('database', {}, { close: () => new Promise(() => undefined) });
        return [];
      },
    };
    const rig = await live(agent('clerk', { toolsets: [stuck] }));
    await ended(rig);
    const { steps, durationMs } = await rig.session.closed;
    expect(durationMs).toBeLessThanOrEqual(5_000);
    expect(steps.filter(({ outcome }) => outcome === 'abandoned').map(({ name }) => name)).toEqual([
      'toolset stuck/database',
    ]);
  });

  it('R11: one that does not open ends the start with a typed error, in time', async () => {
    const rig = new LiveRig({
      connectTimeoutMs: 60_000,
      ...({
        agent: agent('clerk', { toolsets: [{ name: 'slow', open: () => new Promise(() => undefined) }] }),
      } as object),
    });
    const started = rig.session.start().catch((error: unknown) => error);
    await rig.clock.advance(TOOLSET_OPEN_TIMEOUT_MS + FOREIGN_UNWIND_MS);
    expect(await started).toBeInstanceOf(ToolsetError);
    await rig.clock.advance(5_000);
    expect((await rig.session.closed).reason).toBe('error');
    expect(rig.session.resources()).toEqual([]);
  });
});

describe('hooks', () => {
  it('C3 C4: one that hangs is named, and holds neither a close nor a handoff up for longer than its bound', async () => {
    const hang = () => new Promise(() => undefined);
    const clerk = agent('clerk', { onEnter: hang, onExit: hang });
    const rig = await live(clerk);
    const biller = agent('biller', { onEnter: ({ session }) => void session.say('Hello.') });
    await rig.session.handoff(biller);
    await rig.clock.advance(EXIT_TIMEOUT_MS + 1_100);
    expect(rig.model.connection.said.map(({ text }) => text)).toEqual(['Hello.']);
    await ended(rig);
    const again = await live(clerk);
    await ended(again);
    const { steps, durationMs } = await again.session.closed;
    expect(durationMs).toBeLessThanOrEqual(5_000);
    expect(
      steps
        .filter(({ outcome }) => outcome === 'abandoned')
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['activity clerk/on enter', 'activity clerk/on exit']);
  });

  it('heed a signal that fires when their agent is not the one who speaks any more', async () => {
    const signals: AbortSignal[] = [];
    const clerk = agent('clerk', { onEnter: ({ signal }) => void signals.push(signal) });
    const rig = await live(clerk);
    expect(signals[0]?.aborted).toBe(false);
    await rig.session.handoff(agent('biller'));
    await rig.clock.settle();
    expect(signals[0]?.aborted).toBe(true);
    await ended(rig);
  });
});

describe('tasks on a model that takes no content in the middle of a conversation', () => {
  it('R10 results that come after a task are all told, each with a new connection', async () => {
    const slow = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
    const task = new AgentTask<string>({
      name: 'address',
      tools: (it) => [plain('record', () => it.complete('Main Street 1'))],
    });
    const clerk = agent('clerk', {
      tools: [
        plain('ship', async ({ runTask }) => `${await runTask(task)}, ${await slow[0]!.promise}`),
        plain('book', () => slow[1]!.promise),
      ],
    });
    const rig = await live(clerk, {});
    await calls(rig, call('ship', '1'), call('book', '2'));
    await calls(rig, call('record', '3'));
    expect(changes(rig)).toEqual(['clerk → address (task)', 'address → clerk (taskDone)']);
    for (const [index, { resolve }] of slow.entries()) {
      resolve(`result ${index}`);
      await rig.clock.advance(1_000);
    }
    expect(rig.of('warning')).toEqual([]);
    const known = JSON.stringify(rig.model.connection.setup.history);
    expect(known).toContain('Main Street 1, result 0');
    expect(known).toContain('result 1');
    await ended(rig);
  });
});

describe('handoffs side by side', () => {
  it('R10 the first one counts, and the history says of the other that it was not made', async () => {
    const [biller, seller] = [agent('biller'), agent('seller')];
    const clerk = agent('clerk', {
      tools: [plain('billing', () => handoff(biller)), plain('sales', () => handoff(seller))],
    });
    const rig = await live(clerk);
    await calls(rig, call('billing', '1'), call('sales', '2'));
    expect(changes(rig)).toEqual(['clerk → biller (handoff)']);
    expect(rig.of('toolResult').map(({ result }) => JSON.stringify(result.response))).toEqual([
      expect.stringContaining("given to 'biller'"),
      expect.stringContaining('being given away'),
    ]);
    await ended(rig);
  });
});

describe('tools', () => {
  it('R10: one that is not cancellable runs to its end, and the model that took its call back is not answered', async () => {
    const paid = Promise.withResolvers<string>();
    let fired = false;
    const pay = tool({
      name: 'pay',
      description: '',
      cancellable: false,
      execute: (_args, { signal }) => {
        signal.addEventListener('abort', () => (fired = true));
        return paid.promise;
      },
    });
    const rig = await live(agent('clerk', { tools: [pay] }));
    await calls(rig, call('pay'));
    rig.model.connection.output({ type: 'toolCallCancellation', ids: ['1'] });
    await rig.clock.settle();
    expect(fired).toBe(false);
    paid.resolve('paid');
    await rig.clock.settle();
    expect(rig.of('toolResult').map(({ result }: LiveEventOf<'toolResult'>) => result.response)).toEqual([
      { output: 'paid' },
    ]);
    expect(rig.model.connection.inputs).toEqual([]);
    await ended(rig);
  });
});

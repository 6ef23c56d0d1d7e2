import { afterEach, describe, expect, it } from 'vitest';
import { Lifetime, seededRandom, systemClock } from '../src/kernel/index.ts';
import { gemini } from '../src/models/gemini/index.ts';
import { AudioChunk, textContent } from '../src/protocol/index.ts';
import type { LiveEvent } from '../src/protocol/index.ts';
import { Agent, AgentSession, AgentTask, handoff, tool } from '../src/session/index.ts';
import type { Tool } from '../src/session/index.ts';
import { FaultProxy, GeminiEmulator } from '../src/testing/index.ts';

const toClose: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of toClose.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

describe('agents on Gemini, over real sockets', () => {
  it.each([
    ['2.x', 1],
    ['3.x', 2],
  ] as const)(
    'R8 R10 C9: %s: handoffs and tasks under goAways and resets leave no call without its one result (seed %i)',
    async (generation, seed) => {
      const random = seededRandom(seed);
      const caller = Lifetime.root({ name: 'caller', clock: systemClock });
      toClose.push(caller);
      const provider = await GeminiEmulator.start({
        tool: { name: 'record', args: {} },
        generation,
        connectionLifetimeMs: 900,
        goAwayLeadMs: 250,
        generationSpeed: 50,
        playbackSpeed: 50,
      });
      toClose.push(provider);
      const proxy = await FaultProxy.start({ target: provider.url });
      toClose.push(proxy);
      const inside = new Set<string>();
      const problems: string[] = [];
      let count = 0;
      const hooks = (name: string) => ({
        onEnter: () => {
          if (inside.has(name)) problems.push(`${name} entered twice`);
          inside.add(name);
        },
        onExit: () => {
          if (!inside.delete(name)) problems.push(`${name} left without having entered`);
        },
      });
      const execute: Tool['execute'] = async (_args, { runTask }) => {
        const dice = random.next();
        count += 1;
        if (dice < 0.2) await caller.sleep(random.next() * 600);
        if (dice > 0.75) return handoff(agent());
        if (dice > 0.4) return { done: await runTask(task()) };
        return { said: `result ${count}` };
      };
      const record = (): Tool => tool({ name: 'record', description: '', timeoutMs: 5_000, execute });
      const agent = (): Agent => {
        const name = `agent${(count += 1)}`;
        return new Agent({ name, instructions: `You are ${name}.`, tools: [record()], ...hooks(name) });
      };
      const task = (): AgentTask => {
        const name = `task${(count += 1)}`;
        return new AgentTask({
          name,
          tools: (it) => [
            tool({
              name: 'record',
              description: '',
              execute: async (args, context) => {
                if (random.next() < 0.2) return execute(args, context);
                if (random.next() < 0.3) await caller.sleep(300);
                it.complete(name);
                return 'recorded';
              },
            }),
          ],
          ...hooks(name),
        });
      };
      const session = new AgentSession({
        agent: agent(),
        model: gemini({
          model:
            generation === '2.x' ? 'gemini-2.5-flash-native-audio-latest' : 'gemini-3.1-flash-live-preview',
          apiKey: 'any',
          baseUrl: proxy.url,
          maxConnectionAgeMs: 900,
        }),
        reconnect: { delaysMs: [0, 20, 50], jitterMs: 0, maxAttempts: 50, withoutHandle: 'reseed' },
      });
      toClose.push(session);
      const events: LiveEvent[] = [];
      session.on('event', (event) => void events.push(event));
      await session.start();
      for (let round = 0; round < 18; round += 1) {
        session.queue.sendContent(textContent('user', `Number ${round}.`));
        session.queue.sendAudio(AudioChunk.fromSamples(new Int16Array(320), 16_000));
        await caller.sleep(60 + random.next() * 400);
        if (random.next() < 0.25) proxy.reset();
      }
      await caller.sleep(2_000);
      const state = session.state;
      const report = await session.close();
      const { history } = session.session;
      const ids = (kind: 'functionCall' | 'functionResponse') =>
        history.flatMap(({ parts }) => parts.flatMap((part) => part[kind]?.id ?? []));
      expect(report.error).toBe(undefined);
      expect(events.flatMap((event) => (event.type === 'warning' ? [event.code] : []))).not.toContain(
        'HOLDFAST_DUPLICATE_TOOL_CALL',
      );
      expect(problems).toEqual([]);
      expect([...inside]).toEqual([]);
      expect(state).toBe('live');
      expect(ids('functionResponse').sort()).toEqual(ids('functionCall').sort());
      const said = history.flatMap(({ role, parts }) =>
        role === 'user' ? parts.flatMap(({ text }) => text ?? []) : [],
      );
      for (let round = 0; round < 18; round += 1)
        expect(
          said.filter((text) => text === `Number ${round}.`),
          `Number ${round}.`,
        ).toHaveLength(1);
      expect(session.resources()).toEqual([]);
    },
    60_000,
  );
});

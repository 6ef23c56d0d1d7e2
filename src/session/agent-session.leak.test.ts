import { createHook } from 'node:async_hooks';
import { describe, expect, it } from 'vitest';
import { isCollected, settledHeapBytes } from '../../test/support/garbage.ts';
import { LiveRig, frame } from '../../test/support/live-rig.ts';
import { Lifetime, VirtualClock } from '../kernel/index.ts';
import { AudioChunk, textContent } from '../protocol/index.ts';
import { ScriptedModel } from '../testing/scripted-model.ts';
import { AgentTask } from './agent-task.ts';
import { Agent } from './agent.ts';
import type { AgentContext } from './agent.ts';
import { AgentSession } from './agent-session.ts';
import { LiveRequestQueue } from './live-request-queue.ts';
import { runLive } from './run-live.ts';
import { tool } from './tool.ts';
import type { Toolset } from './toolset.ts';

/** Whatever hangs in these tests hangs for good, because something outside keeps the promise that never settles. */
const outside: unknown[] = [];
function never(): Promise<never> {
  const promise = new Promise<never>((resolve) => outside.push(resolve));
  outside.push(promise);
  return promise;
}

interface Scene {
  readonly clock: VirtualClock;
  readonly owner: Lifetime;
  readonly model: ScriptedModel;
  readonly queue: LiveRequestQueue;
}

/** Runs a live session of this scene to its end and forgets it; what the scene holds stays. */
async function forgotten(
  { clock, owner, model, queue }: Scene,
  agent: Agent,
  during: (session: AgentSession, model: ScriptedModel) => void,
): Promise<WeakRef<object>> {
  const session = new AgentSession({ agent, model, clock, owner, queue });
  session.on('event', () => never());
  outside.push(session.closed, session.session);
  session.start().catch(() => undefined);
  await clock.settle();
  during(session, model);
  await clock.settle();
  void session.close();
  await clock.advance(5_000);
  outside.push(await session.closed);
  return new WeakRef(session);
}

function scene(script = {}): Scene {
  const clock = new VirtualClock();
  const kept: Scene = {
    clock,
    owner: Lifetime.root({ name: 'server', clock }),
    model: new ScriptedModel(script),
    queue: new LiveRequestQueue(),
  };
  outside.push(kept);
  return kept;
}

describe('AgentSession, memory', () => {
  it('C6 idle: a closed session is collected while its queue, model, agent, owner and report are kept', async () => {
    const ref = await forgotten(scene(), new Agent({ name: 'agent' }), () => undefined);
    expect(await isCollected(ref)).toBe(true);
  });

  it('C6 tool: a closed session is collected while one of its tools never settles', async () => {
    const hang = tool({
      name: 'hang',
      description: '',
      execute: (_, context) => {
        outside.push(context);
        return never();
      },
    });
    const agent = new Agent({ name: 'agent', tools: [hang] });
    const ref = await forgotten(scene(), agent, (session, model) => {
      session.queue.sendContent(textContent('user', 'Hello'));
      model.connection.output({ type: 'toolCall', calls: [{ id: '1', name: 'hang', args: {} }] });
    });
    expect(await isCollected(ref)).toBe(true);
  });

  it('C6 dial: a closed session is collected while the model never answers and keeps its sink', async () => {
    const kept = scene({ acceptsAtOnce: false });
    const ref = await forgotten(kept, new Agent({ name: 'agent' }), () => undefined);
    expect(kept.model.dials).toHaveLength(1);
    expect(await isCollected(ref)).toBe(true);
  });

  it('C6 instructions: a closed session is collected while its instructions never come', async () => {
    const agent = new Agent({ name: 'agent', instructions: () => never() });
    const ref = await forgotten(scene(), agent, () => undefined);
    expect(await isCollected(ref)).toBe(true);
  });

  it('C6 hooks: a closed session is collected while hooks that were given it never settle', async () => {
    const hang = (context: AgentContext): Promise<never> => {
      outside.push(context, context.signal);
      return never();
    };
    const agent = new Agent({ name: 'agent', onEnter: hang, onExit: hang, onDrain: hang });
    const ref = await forgotten(scene(), agent, (session) => session.announceDrain(60_000));
    expect(await isCollected(ref)).toBe(true);
  });

  it('C6 toolset: a closed session is collected while a toolset never opens, or never closes', async () => {
    const opening: Toolset = { name: 'opening', open: () => never() };
    const closing: Toolset = {
      name: 'closing',
      open: async (scope) => {
        outside.push(scope, scope.own('thing', {}, { close: () => never() }));
        return [];
      },
    };
    for (const toolset of [opening, closing]) {
      const ref = await forgotten(
        scene(),
        new Agent({ name: 'agent', toolsets: [toolset] }),
        () => undefined,
      );
      expect(await isCollected(ref)).toBe(true);
    }
  });

  it('C6 handoff: a closed session is collected while an agent is never ready for the conversation', async () => {
    const biller = new Agent({ name: 'biller', instructions: () => never() });
    const ref = await forgotten(scene(), new Agent({ name: 'agent' }), (session) => {
      outside.push(session.handoff(biller).catch(() => undefined));
    });
    expect(await isCollected(ref)).toBe(true);
  });

  it('C6 tasks: a closed session is collected while tasks it ran are kept, with their results', async () => {
    const ran = new AgentTask({ name: 'ran', onEnter: () => never(), onExit: () => never() });
    const waits = new AgentTask({ name: 'waits', instructions: () => never() });
    outside.push(ran, waits);
    const ref = await forgotten(scene(), new Agent({ name: 'agent' }), (session) => {
      for (const task of [ran, waits]) outside.push(session.runTask(task).catch(() => undefined));
    });
    expect(await isCollected(ref)).toBe(true);
  });

  it('C6 error: a session that failed is collected while its report and error are kept', async () => {
    const ref = await forgotten(scene(), new Agent({ name: 'agent' }), (_, model) => model.connection.end());
    expect(await isCollected(ref)).toBe(true);
    const refused = scene({ acceptsAtOnce: false });
    const other = await forgotten(refused, new Agent({ name: 'agent' }), (_, model) =>
      model.connection.refuse(new Error('refused')),
    );
    expect(await isCollected(other)).toBe(true);
  });

  it('C6 signal: a loop that has ended is collected while the signal it heeded lives on', async () => {
    const kept = scene();
    const controller = new AbortController();
    outside.push(controller);
    const made = async (): Promise<WeakRef<object>> => {
      const { clock, model, owner } = kept;
      const run = runLive({
        agent: new Agent({ name: 'agent' }),
        model,
        clock,
        owner,
        signal: controller.signal,
      });
      await run.next();
      await clock.settle();
      await run.return();
      return new WeakRef(run);
    };
    expect(await isCollected(await made())).toBe(true);
  });

  it('S5 frames: a frame makes no promise on its way, in either direction', async () => {
    const rig = await LiveRig.live();
    const audio = frame();
    let promises = 0;
    const hook = createHook({ init: (_, type) => void (promises += type === 'PROMISE' ? 1 : 0) }).enable();
    for (let count = 0; count < 1_000; count += 1) {
      rig.session.queue.sendAudio(audio);
      rig.model.connection.output({ type: 'audio', audio });
    }
    hook.disable();
    expect(promises).toBe(0);
    expect(rig.model.connection.inputs).toHaveLength(1_000);
    expect(rig.of('audio')).toHaveLength(1_000);
    void rig.session.close();
    await rig.clock.advance(5_000);
  });

  it('S5 frames: an hour of audio both ways, 50 frames a second, leaves the heap flat', async () => {
    let heard = 0;
    const run = await LiveRig.live({ script: { onInput: () => void (heard += 1) } });
    const { connection } = run.model;
    const audio = frame();
    const talk = async (minutes: number): Promise<void> => {
      for (let second = 0; second < minutes * 60; second += 1) {
        for (let count = 0; count < 50; count += 1) {
          run.session.queue.sendAudio(audio);
          connection.output({ type: 'audio', audio });
        }
        // The rig writes everything down, which is its own affair.
        run.events.length = 0;
        connection.inputs.length = 0;
        if (second % 60 === 0) await run.clock.advance(60_000);
      }
    };
    await talk(2);
    const before = await settledHeapBytes();
    await talk(60);
    const grown = (await settledHeapBytes()) - before;
    expect(heard).toBe(62 * 60 * 50);
    // 180 000 frames each way: a promise or closure kept for each would be tens of megabytes.
    expect(grown).toBeLessThan(500_000);
    void run.session.close();
    await run.clock.advance(5_000);
  });

  it('S5 R8 ring: an hour of silence, of talk that nobody answers and of dialogue, with losses, leaves the heap flat', async () => {
    const run = await LiveRig.live({ script: { capabilities: { resumption: true } } });
    const talk = async (minutes: number, sample: number, isAnswered: boolean): Promise<void> => {
      for (let second = 0; second < minutes * 60; second += 1) {
        // Each frame is one of its own: what the ring keeps of them is what is measured.
        for (let count = 0; count < 50; count += 1) {
          run.session.queue.sendAudio(AudioChunk.fromSamples(new Int16Array(320).fill(sample), 16_000));
        }
        const { connection } = run.model;
        if (isAnswered && second % 10 === 0) {
          connection.output({ type: 'audio', audio: frame(24_000) }, { type: 'turnComplete' });
          connection.output({ type: 'resumption', handle: `h${second}` });
        }
        if (second % 300 === 299) connection.end({ code: 1006 });
        await run.clock.advance(1_000);
        run.events.length = 0;
        for (const dial of run.model.dials.splice(0, run.model.dials.length - 1)) dial.inputs.length = 0;
        run.model.connection.inputs.length = 0;
      }
    };
    await talk(1, 5_000, true);
    await talk(1, 5_000, false);
    const before = await settledHeapBytes();
    await talk(20, 0, false);
    await talk(20, 5_000, true);
    await talk(20, 5_000, false);
    const grown = (await settledHeapBytes()) - before;
    expect(run.session.state).toBe('live');
    // 180 000 frames of 640 bytes; the ring's half minute of them is there before and after.
    expect(grown).toBeLessThan(500_000);
    void run.session.close();
    await run.clock.advance(5_000);
  }, 60_000);
});

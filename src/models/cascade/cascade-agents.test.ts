import { afterEach, describe, expect, it } from 'vitest';
import { CascadeRig, HandTts } from '../../../test/support/cascade-rig.ts';
import type { CascadeRigOptions } from '../../../test/support/cascade-rig.ts';
import { textContent } from '../../protocol/index.ts';
import { Agent, AgentTask, handoff, tool } from '../../session/index.ts';
import type { AgentSessionOptions, Tool, ToolContext } from '../../session/index.ts';
import { ScriptedLanguageModel } from '../../testing/scripted-language-model.ts';
import { cascade } from './index.ts';

let rig: CascadeRig;

async function live(options: Partial<CascadeRigOptions> = {}): Promise<CascadeRig> {
  rig = await CascadeRig.live({ script: [{ say: 'Yes.' }, { say: 'Two.' }], ...options });
  return rig;
}

afterEach(async () => {
  const closing = rig.session.close();
  await rig.clock.advance(5_000);
  await closing;
  expect(rig.session.resources()).toEqual([]);
  expect(rig.clock.pendingTimers).toBe(0);
  expect(rig.book.at('error')).toEqual([]);
});

const plain = (name: string, execute: (context: ToolContext) => unknown): Tool =>
  tool({ name, description: '', execute: (_args, context) => execute(context) });

const NOTICE = 'This call is recorded for training.';

describe('a cascade of several agents', () => {
  it('S1 a voice that is changed again before it has connected ends nothing', async () => {
    await live();
    const { stt, vad, llm } = rig;
    class SlowTts extends HandTts {
      override async connect(...args: Parameters<HandTts['connect']>): ReturnType<HandTts['connect']> {
        await args[2].sleep(300);
        return super.connect(...args);
      }
    }
    const clerk = rig.session.agent;
    const biller = new Agent({
      name: 'biller',
      model: cascade({ stt, vad, llm, tts: new SlowTts() }),
    });
    await rig.session.handoff(biller);
    await rig.clock.advance(100);
    await rig.session.handoff(clerk);
    await rig.clock.advance(100);
    await rig.session.handoff(new Agent({ name: 'boss', model: biller.model! }));
    await rig.clock.advance(1_000);
    expect(rig.session.state).toBe('live');
    rig.session.queue.sendContent(textContent('user', 'Hello'));
    await rig.clock.advance(2_000);
    expect(rig.history).toEqual(['user: Hello', 'model: Yes.']);
  });

  it('S4 what was said under something firm is known to the agent who gets the conversation meanwhile', async () => {
    await live();
    rig.session.say(NOTICE, { interruptible: false });
    await rig.clock.advance(200);
    await rig.says('I have a question.', 700);
    await rig.clock.advance(100);
    void rig.session.runTask(new AgentTask({ name: 'task', instructions: 'Ask.' })).catch(() => undefined);
    await rig.clock.advance(5_000);
    expect(rig.history).toEqual([`model: ${NOTICE}`, 'user: I have a question.', 'model: Yes.']);
    expect(rig.asked(1)).toEqual(rig.known.slice(0, 2));
  });

  it('S4 what was said beside an answer without ending it is known to the agent who gets the conversation meanwhile', async () => {
    await live({ script: [{ say: 'It takes five working days.' }, { say: 'Two.' }, { say: 'Three.' }] });
    rig.session.queue.sendContent(textContent('user', 'How long?'));
    await rig.clock.advance(300);
    rig.speaks();
    await rig.clock.advance(200);
    rig.quiet();
    rig.writes('mhm');
    await rig.clock.advance(800);
    expect(rig.of('turnComplete')).toEqual([]);
    expect(rig.of('voiceActivity').map(({ activity }) => activity)).toEqual(['start', 'end']);
    void rig.session.runTask(new AgentTask({ name: 'task', instructions: 'Ask.' })).catch(() => undefined);
    await rig.clock.advance(5_000);
    rig.session.queue.sendContent(textContent('user', 'Well?'));
    await rig.clock.advance(2_000);
    expect(rig.asked(rig.llm.requests.length)).toEqual(rig.known.slice(0, -1));
  });

  it('what an agent says is signed by it, to its end, also when another one has the conversation', async () => {
    await live({ script: [{ say: 'It takes five working days.' }, { say: 'Which address?' }] });
    rig.session.queue.sendContent(textContent('user', 'How long?'));
    await rig.clock.advance(300);
    void rig.session.runTask(new AgentTask({ name: 'task', instructions: 'Ask.' })).catch(() => undefined);
    await rig.clock.advance(5_000);
    expect(
      rig.of('transcript').flatMap(({ partial, author, text }) => (partial ? [] : [`${author}: ${text}`])),
    ).toEqual(['clerk: It takes five working days.', 'task: Which address?']);
  });
});

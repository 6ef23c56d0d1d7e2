import { afterEach, describe, expect, it } from 'vitest';
import { CascadeRig, HandTts } from '../../../test/support/cascade-rig.ts';
import type { CascadeRigOptions } from '../../../test/support/cascade-rig.ts';
import { textContent } from '../../protocol/index.ts';
import { Agent, AgentTask, ConnectionLostError, handoff, tool } from '../../session/index.ts';
import type { Tool, ToolContext } from '../../session/index.ts';
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

  it('S1 a voice that cannot be had at once when it is changed to is tried again, and says what waited', async () => {
    await live({
      script: [{ calls: [{ id: '1', name: 'billing', args: {} }] }, { say: 'Which invoice?' }],
      tools: [plain('billing', () => handoff(biller))],
    });
    const { stt, vad, llm } = rig;
    let dials = 0;
    const tts = new HandTts();
    const connect = tts.connect.bind(tts);
    tts.connect = async (...args) => {
      dials += 1;
      if (dials < 3) throw new ConnectionLostError('Refused.', { provider: 'hand-tts' });
      return connect(...args);
    };
    const biller = new Agent({ name: 'biller', model: cascade({ stt, vad, llm, tts }) });
    rig.session.queue.sendContent(textContent('user', 'My invoice is lost.'));
    await rig.clock.advance(10_000);
    expect(dials).toBe(3);
    expect(rig.session.state).toBe('live');
    expect(tts.said).toEqual(['Which invoice?']);
    expect(rig.history.at(-1)).toBe('model: Which invoice?');
  });

  it('S4 a pause over a handoff: what was not heard comes again, once', async () => {
    await live({ script: [{ say: 'It takes five working days.' }, { say: 'Three.' }] });
    rig.session.queue.sendContent(textContent('user', 'How long?'));
    await rig.clock.advance(300);
    rig.speaks();
    await rig.clock.advance(600);
    expect(rig.of('interrupted')).toMatchObject([{ provisional: true }]);
    void rig.session.runTask(new AgentTask({ name: 'task', instructions: 'Ask.' })).catch(() => undefined);
    await rig.clock.advance(100);
    rig.quiet();
    await rig.clock.advance(6_000);
    expect(rig.of('resumed')).toHaveLength(1);
    expect(rig.history).toEqual(['user: How long?', 'model: It takes five working days.', 'model: Three.']);
    expect(rig.asked(2)).toEqual(rig.known.slice(0, 2));
    const total = rig.played.reduce((sum, { ms }) => sum + ms, 0);
    expect(total).toBe(('It takes five working days. '.length + 'Three. '.length) * 50);
  });

  it('S4 a pause over a handoff that is an interruption after all leaves what was heard, once', async () => {
    await live({ script: [{ say: 'It takes five working days.' }, { say: 'Three.' }, { say: 'Four.' }] });
    rig.session.queue.sendContent(textContent('user', 'How long?'));
    await rig.clock.advance(300);
    rig.speaks();
    await rig.clock.advance(600);
    void rig.session.runTask(new AgentTask({ name: 'task', instructions: 'Ask.' })).catch(() => undefined);
    await rig.clock.advance(100);
    rig.writes('No, wait.');
    await rig.clock.advance(100);
    rig.quiet();
    await rig.clock.advance(6_000);
    expect(rig.history).toEqual([
      'user: How long?',
      'model: It takes five',
      'user: No, wait.',
      'model: Three.',
      'model: Four.',
    ]);
    const known = (contents: readonly unknown[]): string[] =>
      contents.map((each) => JSON.stringify(each)).sort();
    expect(known(rig.asked(rig.llm.requests.length))).toEqual(known(rig.known.slice(0, -1)));
  });

  it('manual turns: one that begins before a handoff and ends after it is answered, by the next agent', async () => {
    await live({ session: { runConfig: { turnDetection: 'manual' } } });
    rig.session.queue.sendActivityStart();
    await rig.clock.advance(300);
    rig.writes('Hello.');
    await rig.session.handoff(new Agent({ name: 'biller', instructions: 'Bill.' }));
    await rig.clock.advance(300);
    rig.session.queue.sendActivityEnd();
    await rig.clock.advance(3_000);
    expect(rig.history).toEqual(['user: Hello.', 'model: Yes.']);
    expect(rig.llm.requests.map(({ instructions }) => instructions)).toEqual(['Bill.']);
    expect(rig.asked(1)).toEqual(rig.known.slice(0, 1));
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

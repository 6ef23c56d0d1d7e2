import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frame, historyOf } from '../../test/support/live-rig.ts';
import { textContent } from '../protocol/index.ts';
import type { Content, LiveEventBody } from '../protocol/index.ts';
import { Conversation } from './conversation.ts';
import type { ModelOutput } from './live-model.ts';

const audio: ModelOutput = { type: 'audio', audio: frame(24_000) };
const user = (text: string, finished = false): ModelOutput => ({
  type: 'transcript',
  speaker: 'user',
  text,
  finished,
});
const agent = (text: string): ModelOutput => ({
  type: 'transcript',
  speaker: 'agent',
  text,
  finished: false,
});
const interrupted: ModelOutput = { type: 'interrupted' };
const complete: ModelOutput = { type: 'turnComplete' };

function heard(...outputs: readonly ModelOutput[]): { history: string[]; events: LiveEventBody[] } {
  const history: Content[] = [];
  const events: LiveEventBody[] = [];
  const conversation = new Conversation(history, (event) => void events.push(event));
  for (const output of outputs) conversation.received(output);
  conversation.finish();
  return { history: historyOf({ history }), events };
}

const QUESTION_AND_ANSWER = ['user: How are you?', 'model: I am well.'];

describe('Conversation', () => {
  const interleavings: Record<string, readonly ModelOutput[]> = {
    'before the audio': [user('How are'), user(' you?'), audio, agent('I am'), agent(' well.'), complete],
    'before the audio, with an end': [user('How are you?', true), agent('I am well.'), audio, complete],
    'beside the audio': [audio, user('How are'), agent('I am'), user(' you?'), agent(' well.'), complete],
    'after the audio': [audio, audio, user('How are you?', true), agent('I am well.'), complete],
    'after the turn, the agent’s': [user('How are you?'), audio, complete, agent('I am well.')],
    'the agent’s before the user’s': [audio, agent('I am well.'), user('How are you?'), complete],
    'the agent’s before the audio': [user('How are you?'), agent('I am '), audio, agent('well.'), complete],
    'without an end of the turn': [user('How are you?'), audio, agent('I am well.')],
    'the user’s never finished': [audio, agent('I am well.'), user('How are you?')],
  };
  for (const [when, outputs] of Object.entries(interleavings)) {
    it(`R2 history: a spoken turn is written down when its transcripts come ${when}`, () => {
      expect(heard(...outputs).history).toEqual(QUESTION_AND_ANSWER);
    });
  }

  it('R2 history: what interrupts an answer stands after it, what the answer answers before it', () => {
    const expected = ['user: Tell me', 'model: Once upon', 'user: Stop', 'model: Yes.'];
    const rest = [complete, audio, agent('Yes.'), complete];
    expect(
      heard(user('Tell me'), audio, agent('Once upon'), interrupted, user('Stop'), ...rest).history,
    ).toEqual(expected);
    // The question's words come beside the answer, those of the interruption after it.
    expect(
      heard(audio, user('Tell me'), agent('Once upon'), interrupted, user('Stop'), ...rest).history,
    ).toEqual(expected);
    // The end of the turn comes before the words that ended it.
    expect(
      heard(user('Tell me'), audio, agent('Once upon'), interrupted, complete, user('Stop'), ...rest.slice(1))
        .history,
    ).toEqual(expected);
    // The connection ends in the middle of it.
    expect(heard(user('Tell me'), audio, interrupted, agent('Once upon'), user('Stop')).history).toEqual(
      expected.slice(0, 3),
    );
  });

  it('R2 history: the agent may speak first', () => {
    expect(
      heard(audio, agent('Welcome.'), complete, user('Hi'), audio, agent('Hello.'), complete).history,
    ).toEqual(['model: Welcome.', 'user: Hi', 'model: Hello.']);
  });

  it('R2 history: a question whose words come before the call it led to stands before the call', () => {
    const call: ModelOutput = { type: 'toolCall', calls: [{ id: '1', name: 'look', args: {} }] };
    expect(heard(audio, agent('Let me see.'), user('What is it?'), call).history).toEqual([
      'user: What is it?',
      'model: Let me see.',
      'model: call look(1)',
    ]);
  });

  it('R2 history: text and other parts keep their order, thoughts stay out', () => {
    const code = { executableCode: { code: '1+1' } };
    const { history, events } = heard(
      { type: 'text', text: 'Hm.', thought: true },
      { type: 'text', text: 'Let me ' },
      { type: 'text', text: 'count:' },
      { type: 'content', content: { role: 'model', parts: [code] } },
      { type: 'text', text: 'Two.' },
      complete,
    );
    expect(history).toEqual(['model: Let me count: + other + Two.']);
    expect(events).toContainEqual({ type: 'text', text: 'Let me count:Two.', partial: false });
  });

  it('tells pieces as partial and every utterance once as a whole', () => {
    const { events } = heard(user('How '), user('are you?', true), audio, agent('Well.'), complete);
    const transcripts = events.filter((event) => event.type === 'transcript');
    expect(transcripts.map(({ speaker, text, partial }) => [speaker, text, partial])).toEqual([
      ['user', 'How ', true],
      ['user', 'are you?', true],
      ['user', 'How are you?', false],
      ['agent', 'Well.', true],
      ['agent', 'Well.', false],
    ]);
  });

  it('counts output samples, and tells at which one the user interrupted', () => {
    const { events } = heard(audio, audio, interrupted, complete, audio, complete);
    const samples = frame(24_000).sampleCount;
    expect(events.flatMap((event) => ('positionSamples' in event ? [event.positionSamples] : []))).toEqual([
      0,
      samples,
      2 * samples,
      2 * samples,
    ]);
    expect(events.flatMap((event) => (event.type === 'turnComplete' ? [event.interrupted] : []))).toEqual([
      true,
      false,
    ]);
  });

  it('R2 history: in every interleaving no word is lost or doubled, and each speaker’s words keep their order', () => {
    const piece = fc.constantFrom<ModelOutput['type'] | 'user' | 'userEnd' | 'agent' | 'content'>(
      'user',
      'userEnd',
      'agent',
      'audio',
      'interrupted',
      'turnComplete',
      'content',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (kinds) => {
        const history: Content[] = [];
        const conversation = new Conversation(history, () => undefined);
        const said: Record<'user' | 'model', string[]> = { user: [], model: [] };
        kinds.forEach((kind, index) => {
          const word = `${index};`;
          if (kind === 'content') {
            said.user.push(word);
            conversation.sent({ type: 'content', content: textContent('user', word) });
          } else if (kind === 'user' || kind === 'userEnd') {
            said.user.push(word);
            conversation.received(user(word, kind === 'userEnd'));
          } else if (kind === 'agent') {
            said.model.push(word);
            conversation.received(agent(word));
          } else
            conversation.received(kind === 'audio' ? audio : kind === 'interrupted' ? interrupted : complete);
        });
        conversation.finish();
        for (const role of ['user', 'model'] as const) {
          const texts = history.filter((turn) => turn.role === role).flatMap(({ parts }) => parts);
          const words = texts.flatMap(({ text = '' }) => text.match(/\d+;/g) ?? []);
          expect(words).toEqual(said[role]);
        }
      }),
      { numRuns: 500 },
    );
  });
});

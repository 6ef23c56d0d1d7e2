import { describe, expect, it } from 'vitest';
import type { Content } from '../../protocol/index.ts';
import { textContent } from '../../protocol/index.ts';
import { MISSING_RESULT, aiPrompt, aiTools } from './ai-prompt.ts';

const call = (id: string, name = 'look'): Content => ({
  role: 'model',
  parts: [{ functionCall: { id, name, args: { id } } }],
});
const result = (id: string, response: Record<string, unknown> = { output: id }): Content => ({
  role: 'user',
  parts: [{ functionResponse: { id, name: 'look', response } }],
});

/** The messages in short: `assistant call 1`, `tool 1={"output":"1"}`. */
function written(...history: Content[]): string[] {
  return aiPrompt({ instructions: undefined, history, tools: [] }).map((message) => {
    if (message.role === 'system') return `system ${message.content}`;
    const parts = message.content.map((part) => {
      if (part.type === 'text') return part.text;
      if (part.type === 'tool-call') return `call ${part.toolCallId}`;
      return `${part.toolCallId}=${JSON.stringify(part.output.value)}`;
    });
    return `${message.role} ${parts.join(' | ')}`;
  });
}

const MISSING = JSON.stringify(MISSING_RESULT);

describe('aiPrompt', () => {
  it('begins with the instructions, where there are any', () => {
    const history = [textContent('user', 'Hello')];
    const hello = { role: 'user', content: [{ type: 'text', text: 'Hello' }] };
    expect(aiPrompt({ instructions: 'Be brief.', history, tools: [] })).toEqual([
      { role: 'system', content: 'Be brief.' },
      hello,
    ]);
    expect(aiPrompt({ instructions: '', history, tools: [] })).toEqual([hello]);
  });

  it('makes one message of what one side says in several', () => {
    const user = (text: string): Content => textContent('user', text);
    const model = (text: string): Content => textContent('model', text);
    expect(written(user('One'), user('two'), model('three'), model('four'), user('five'))).toEqual([
      'user One\ntwo',
      'assistant three\nfour',
      'user five',
    ]);
  });

  it('leaves out sounds, pictures and reasoning, and messages of nothing else', () => {
    const audio = { inlineData: { mimeType: 'audio/pcm', data: 'AAAA' } };
    expect(
      written(
        { role: 'user', parts: [audio] },
        { role: 'user', parts: [audio, { text: 'Hel' }, { text: 'lo' }] },
        { role: 'model', parts: [{ text: 'hmm', thought: true }] },
        { role: 'model', parts: [{ text: 'hmm', thought: true }, { text: 'Hi' }] },
      ),
    ).toEqual(['user Hello', 'assistant Hi']);
  });

  it('puts results behind their calls, in the order of the calls, whenever they came', () => {
    const two: Content = { role: 'model', parts: [...call('a').parts, ...call('b').parts] };
    expect(
      written(textContent('model', 'Wait'), two, textContent('user', 'Well?'), result('b'), result('a')),
    ).toEqual(['assistant Wait | call a | call b', 'tool a={"output":"a"} | b={"output":"b"}', 'user Well?']);
  });

  it('R10 says of a call without a result that there is none yet, and drops results nobody asked for', () => {
    expect(written(call('a'), textContent('user', 'Well?'), result('x'))).toEqual([
      'assistant call a',
      `tool a=${MISSING}`,
      'user Well?',
    ]);
    expect(written(result('a'), call('a'))).toEqual(['assistant call a', `tool a=${MISSING}`]);
  });

  it('takes the first of two results, and keeps calls of the same id apart', () => {
    expect(written(call('0'), result('0'), result('0', { output: 'again' }))).toEqual([
      'assistant call 0',
      'tool 0={"output":"0"}',
    ]);
    expect(written(call('0'), result('0', { output: 1 }), call('0'), result('0', { output: 2 }))).toEqual([
      'assistant call 0',
      'tool 0={"output":1}',
      'assistant call 0',
      'tool 0={"output":2}',
    ]);
  });

  it('tells a result that is an error as one', () => {
    const prompt = aiPrompt({
      instructions: undefined,
      history: [call('a'), result('a', { error: 'no such city' })],
      tools: [],
    });
    expect(prompt[1]).toMatchObject({ content: [{ output: { type: 'error-json' } }] });
  });

  it('gives tools as JSON Schema', () => {
    const parameters = { type: 'object', properties: { city: { type: 'string' } } };
    expect(aiTools([{ name: 'weather', description: 'The weather.', parameters }])).toEqual([
      { type: 'function', name: 'weather', description: 'The weather.', inputSchema: parameters },
    ]);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClosedError, Lifetime, VirtualClock } from '../../kernel/index.ts';
import { ProviderError } from '../../session/errors.ts';
import type { FinishReason } from '../language-model.ts';
import { aiLanguageModel } from './ai-language-model.ts';
import type { AiStreamPart } from './ai-model.ts';

const ACTIONS = [
  'open',
  'refuse',
  'text',
  'call',
  'finish',
  'error',
  'end',
  'break',
  'close',
  'wait',
  'settle',
] as const;
type Action = (typeof ACTIONS)[number];

/** What a provider may send, by the name of the action. */
const PARTS: Partial<Record<Action, object>> = {
  text: { type: 'text-delta', delta: 'x' },
  call: { type: 'tool-call', toolCallId: 'a', toolName: 'look', input: '{}' },
  finish: { type: 'finish', finishReason: { unified: 'stop' }, usage: { inputTokens: 1 } },
  error: { type: 'error', error: 'oops' },
};

/** Plays the actions against one answer, and checks at each that nothing comes when it should not. */
async function play(actions: readonly Action[]): Promise<void> {
  const clock = new VirtualClock();
  const scope = Lifetime.root({ name: 'turn', clock });
  const opened = Promise.withResolvers<{ readonly stream: ReadableStream<AiStreamPart> }>();
  let source: ReadableStreamDefaultController<object> | undefined;
  const stream = new ReadableStream<object>({
    start: (it) => void (source = it),
  }) as ReadableStream<AiStreamPart>;
  const attempt = (act: () => void): void => {
    try {
      act();
    } catch {
      // The stream has ended before.
      expect(source).toBeDefined();
    }
  };
  let settled: { readonly reason?: FinishReason; readonly error?: unknown } | undefined;
  const heard = (): void => {
    expect(scope.isClosing).toBe(false);
    expect(settled).toBeUndefined();
  };
  const doStream = (): typeof opened.promise => opened.promise;
  aiLanguageModel({ model: { specificationVersion: 'v4', provider: 'p', modelId: 'm', doStream } })
    .generate(
      { instructions: undefined, history: [], tools: [] },
      { text: heard, toolCall: heard, usage: heard },
      scope,
    )
    .then(
      (reason) => (settled = { reason }),
      (error: unknown) => (settled = { error }),
    );
  for (const action of actions) {
    const part = PARTS[action];
    if (part !== undefined) attempt(() => source?.enqueue(part));
    else if (action === 'open') opened.resolve({ stream });
    else if (action === 'refuse') opened.reject(new Error('refused'));
    else if (action === 'end') attempt(() => source?.close());
    else if (action === 'break') attempt(() => source?.error(new Error('broken')));
    else if (action === 'close') void scope.close();
    else if (action === 'wait') await clock.advance(100);
    else await clock.settle();
  }
  // Whatever has happened: within a minute of silence it is over.
  await clock.advance(61_000);
  expect(settled).toBeDefined();
  expect(scope.resources()).toEqual([]);
  if (settled?.error !== undefined) {
    expect(settled.error).toBeInstanceOf(actions.includes('close') ? Error : ProviderError);
    if (scope.isClosing)
      expect([ClosedError, ProviderError].some((type) => settled?.error instanceof type)).toBe(true);
  }
}

describe('aiLanguageModel, whatever happens in whatever order', () => {
  it('C1 C6 language model: settles once, says nothing after it or after a close, and leaves nothing', async () => {
    const action = fc.constantFrom(...ACTIONS);
    await fc.assert(fc.asyncProperty(fc.array(action, { maxLength: 14 }), play), { numRuns: 500 });
  });
});

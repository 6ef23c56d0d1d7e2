import { describe, expect, it } from 'vitest';
import { isCollected } from '../../../test/support/garbage.ts';
import { Lifetime, VirtualClock } from '../../kernel/index.ts';
import type { GenerationSink, LanguageModel } from '../language-model.ts';
import { aiLanguageModel } from './ai-language-model.ts';
import type { AiModel, AiStreamPart } from './ai-model.ts';
import { fallbackLanguageModel } from './fallback-language-model.ts';
import { retryingLanguageModel } from './retrying-language-model.ts';

/** Whatever hangs in these tests hangs for good, because something outside keeps what would settle it. */
const outside: unknown[] = [];

type Stream = { readonly stream: ReadableStream<AiStreamPart> };

/** A provider that heeds no signal and keeps everything it was given. */
function provider(doStream: () => Promise<Stream>): AiModel {
  const model: AiModel = {
    ...{ specificationVersion: 'v4', provider: 'deaf', modelId: 'one' },
    doStream: (options: never) => {
      outside.push(options);
      return doStream();
    },
  };
  outside.push(model);
  return model;
}

function never(): Promise<never> {
  const promise = new Promise<never>((resolve) => outside.push(resolve));
  outside.push(promise);
  return promise;
}

/** A stream whose read, and whose cancelling, never settle. */
function deafStream(): Promise<Stream> {
  const stream = new ReadableStream<AiStreamPart>({ start: (it) => void outside.push(it), cancel: never });
  outside.push(stream);
  return Promise.resolve({ stream });
}

/** Asks, closes in mid-answer, and forgets who asked. */
async function forgotten(model: LanguageModel): Promise<WeakRef<object>> {
  outside.push(model);
  const clock = new VirtualClock();
  const session = { pieces: [] as string[] };
  const sink: GenerationSink = {
    text: (piece) => void session.pieces.push(piece),
    toolCall: () => undefined,
    usage: () => undefined,
  };
  const scope = Lifetime.root({ name: 'turn', clock });
  const outcome = model
    .generate({ instructions: undefined, history: [], tools: [] }, sink, scope)
    .catch(() => session.pieces.push('over'));
  await clock.settle();
  void scope.close();
  await outcome;
  expect(session.pieces).toEqual(['over']);
  return new WeakRef(session);
}

describe.each([
  ['doStream', never],
  ['a read', deafStream],
])('a provider of which %s never settles', (_what, doStream) => {
  const model = (): LanguageModel => aiLanguageModel({ model: provider(doStream) });

  it('C6 language model: does not hold who asked', async () => {
    expect(await isCollected(await forgotten(model()))).toBe(true);
  });

  it('C6 fallback: does not hold who asked through a fallback, or a retry', async () => {
    expect(await isCollected(await forgotten(fallbackLanguageModel([model(), model()])))).toBe(true);
    expect(await isCollected(await forgotten(retryingLanguageModel(model())))).toBe(true);
  });
});

describe('a language model of another’s making that never settles and heeds nothing', () => {
  const deaf: LanguageModel = {
    id: 'deaf',
    generate: (...given) => {
      // Not the scope: who keeps an owner keeps what it owns.
      outside.push(given[1]);
      return never();
    },
  };

  it('C6 fallback: does not hold who asked through a fallback, or a retry', async () => {
    expect(await isCollected(await forgotten(fallbackLanguageModel([deaf])))).toBe(true);
    expect(await isCollected(await forgotten(retryingLanguageModel(deaf)))).toBe(true);
  });
});

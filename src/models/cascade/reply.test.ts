import { describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';
import { ConnectionLostError } from '../../session/index.ts';
import { ScriptedLanguageModel } from '../../testing/scripted-language-model.ts';
import type { ScriptedTurn } from '../../testing/scripted-language-model.ts';
import { Reply } from './reply.ts';
import type { ReplyEnd } from './reply.ts';
import type { UtteranceSink } from './utterance.ts';

/** A reply on virtual time, with a voice in the hands of the test, and all that it told written down. */
class Stage {
  readonly clock = new VirtualClock();
  readonly owner = Lifetime.root({ name: 'cascade', clock: this.clock });
  readonly told: string[] = [];
  readonly spoken: string[] = [];
  readonly model: ScriptedLanguageModel;
  readonly reply: Reply;
  readonly worked: string[] = [];
  voice: UtteranceSink | undefined;
  end: ReplyEnd | undefined;
  said: string[] = [];

  constructor(turns: readonly ScriptedTurn[], isSpoken = true) {
    this.model = new ScriptedLanguageModel({ turns });
    this.reply = new Reply({
      name: '1',
      model: this.model,
      instructions: undefined,
      tools: [],
      named: (call) => call,
      history: () => [{ role: 'user', parts: [{ text: 'Hello' }] }],
      voice: isSpoken ? { say: (sink) => this.#say(sink) } : undefined,
      owner: this.owner,
      sink: {
        text: (piece) => void this.told.push(`text ${piece}`),
        audio: ({ durationMs }) => void this.told.push(`audio ${durationMs}`),
        words: () => undefined,
        toolCalls: (calls) => void this.told.push(`calls ${calls.map(({ id }) => id).join()}`),
        usage: () => undefined,
        worked: (part) => void this.worked.push(part),
        generated: () => void this.told.push('generated'),
        over: (said, how) => {
          this.said = said.map(({ parts }) =>
            parts.map((part) => part.text ?? Object.keys(part).join()).join(' + '),
          );
          this.end = how;
        },
      },
    });
  }

  #say(sink: UtteranceSink): ReturnType<NonNullable<ConstructorParameters<typeof Reply>[0]['voice']>['say']> {
    this.voice = sink;
    return {
      text: (piece) => void this.spoken.push(piece),
      flush: () => void this.spoken.push('(flush)'),
      end: () => void this.spoken.push('(end)'),
      cancel: () => void this.spoken.push('(cancel)'),
    };
  }

  speak(ms: number): void {
    this.voice?.audio(AudioChunk.fromSamples(new Int16Array(ms * 24), 24_000));
  }
}

describe('Reply', () => {
  it('is over when the last of it was heard, and not when it was made', async () => {
    const stage = new Stage([{ say: ['One ', 'two.'] }]);
    await stage.clock.settle();
    expect(stage.spoken).toEqual(['One ', 'two.', '(end)']);
    stage.speak(2_000);
    stage.voice?.done();
    expect(stage.told.at(-1)).toBe('generated');
    await stage.clock.advance(1_999);
    expect(stage.end).toBeUndefined();
    await stage.clock.advance(1);
    expect(stage.end).toEqual({ tag: 'whole' });
    expect(stage.said).toEqual(['One two.']);
    expect(stage.owner.resources()).toEqual([]);
  });

  it('S4 cut, it has said what was heard: by the words’ places, or by share', async () => {
    for (const hasWords of [true, false]) {
      const stage = new Stage([{ say: 'One two three four.' }]);
      await stage.clock.settle();
      stage.speak(4_000);
      if (hasWords) {
        stage.voice?.words?.(
          ['One', 'two', 'three', 'four'].map((text, index) => ({
            text,
            startMs: index * 1_000,
            endMs: index * 1_000 + 900,
          })),
        );
      }
      stage.voice?.done();
      await stage.clock.advance(2_100);
      stage.reply.interrupt();
      expect(stage.end).toEqual({ tag: 'cut' });
      expect(stage.said).toEqual(['One two']);
      expect(stage.spoken.at(-1)).toBe('(cancel)');
    }
  });

  it('S4 cut before anything was heard, it has said nothing', async () => {
    const stage = new Stage([{ say: 'One two.', hang: true }]);
    await stage.clock.settle();
    stage.reply.interrupt();
    expect(stage.said).toEqual([]);
    await stage.clock.settle();
    expect(stage.model.openAnswers).toBe(0);
  });

  it('R10 waits for all results of its calls, and hands back those that are not its own', async () => {
    const calls = ['a', 'b'].map((id) => ({ id, name: 'it', args: {} }));
    const stage = new Stage([{ say: 'Wait.', calls }, { say: 'Done.' }], false);
    await stage.clock.settle();
    expect(stage.told).toEqual(['text Wait.', 'calls a,b']);
    const result = (id: string) => ({ id, name: 'it', response: {} });
    expect(stage.reply.results([result('b'), result('x')])).toEqual([result('x')]);
    await stage.clock.settle();
    expect(stage.model.requests).toHaveLength(1);
    stage.reply.results([result('a')]);
    await stage.clock.settle();
    expect(stage.end).toEqual({ tag: 'whole' });
    expect(stage.said).toEqual([
      'Wait. + functionCall + functionCall',
      'functionResponse',
      'functionResponse',
      'Done.',
    ]);
  });

  it('fails with the language model, or with the voice, and once', async () => {
    const error = new ConnectionLostError('gone', { provider: 'scripted' });
    const headless = new Stage([{ say: 'One', fail: error }]);
    await headless.clock.settle();
    expect(headless.end).toEqual({ tag: 'failed', part: 'llm', error });
    const mute = new Stage([{ say: 'One.' }]);
    await mute.clock.settle();
    mute.voice?.failed(error);
    mute.voice?.failed(new Error('again'));
    expect([headless.worked, mute.worked]).toEqual([[], ['llm']]);
    expect(mute.end).toEqual({ tag: 'failed', part: 'tts', error });
  });

  it('S3 C6 closes with its owner, and a model that never settles holds nothing', async () => {
    const stage = new Stage([{ say: 'One', hang: true, hearsNoClose: true }]);
    await stage.clock.settle();
    const closing = stage.owner.close();
    await stage.clock.advance(5_000);
    expect((await closing).durationMs).toBeLessThanOrEqual(5_000);
    expect(stage.end).toBeUndefined();
    expect(stage.clock.pendingTimers).toBe(0);
  });
});

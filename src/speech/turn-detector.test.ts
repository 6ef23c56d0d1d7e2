import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClosedError, InvalidOptionError, Lifetime, VirtualClock } from '../kernel/index.ts';
import { DICTATED_NUMBERS, END_OF_TURN_BY_ENDING, heuristicTurnDetector } from './heuristic-turn-detector.ts';
import type { GenerationRequest, LanguageModel } from './language-model.ts';
import { MODEL_TURN_CHARACTERS, modelTurnDetector } from './model-turn-detector.ts';
import {
  boundedEndOfTurn,
  END_OF_TURN_BOUND_MS,
  MAX_ENDPOINTING_MS,
  MIN_ENDPOINTING_MS,
  silenceTurnDetector,
  UNCERTAIN,
} from './turn-detector.ts';
import { TURN_PHRASES } from './turn-phrases.ts';
import type { TurnDetector } from './voice-activity.ts';

let clock: VirtualClock;
let call: Lifetime;
let warnings: string[];

beforeEach(() => {
  clock = new VirtualClock();
  warnings = [];
  const nothing = (): void => undefined;
  const warn = (message: string): number => warnings.push(message);
  call = Lifetime.root({ name: 'call', clock, log: { debug: nothing, info: nothing, warn, error: nothing } });
});

afterEach(async () => {
  await call.close();
  expect(call.resources()).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});

const context = (transcript: string, languageCode?: string) => ({ transcript, languageCode, silenceMs: 300 });
const answering = (endOfTurn: TurnDetector['endOfTurn']): TurnDetector => ({ id: 'scripted', endOfTurn });

describe('silenceTurnDetector', () => {
  it.each([
    [0, 0],
    [MIN_ENDPOINTING_MS, 0],
    [(MIN_ENDPOINTING_MS + MAX_ENDPOINTING_MS) / 2, 0.5],
    [MAX_ENDPOINTING_MS, 1],
    [60_000, 1],
  ])('after %i ms says %f', async (silenceMs, probability) => {
    expect(await silenceTurnDetector().endOfTurn({ transcript: '', silenceMs }, call)).toBe(probability);
  });

  it('refuses bounds that cross', async () => {
    expect(() => silenceTurnDetector({ minMs: 200, maxMs: 100 })).toThrow(InvalidOptionError);
    const sharp = silenceTurnDetector({ minMs: 200, maxMs: 200 });
    expect(await sharp.endOfTurn({ transcript: '', silenceMs: 200 }, call)).toBe(1);
  });
});

describe('heuristicTurnDetector', () => {
  const is = END_OF_TURN_BY_ENDING;

  it.each([
    ['I would like a table for two.', 'en-US', is.statement],
    ['Can you hear me?', 'en', is.question],
    ['What is this for?', 'en', is.question],
    ['I would like a table for', 'en', is.joiner],
    ['I would like a table and.', 'en', is.punctuatedJoiner],
    ['I would like, um', 'en', is.filler],
    ['I would like, um.', 'en', is.filler],
    ['So I was thinking,', 'en', is.openPunctuation],
    ['So I was thinking...', 'en', is.openPunctuation],
    ['So I was thinking…', 'en', is.openPunctuation],
    ['Thank you', 'en', is.complete],
    ['No, thank you.', 'en', is.complete],
    ['My number is 5 5 5', 'en', is.dictation],
    ['My number is five five five.', 'en', is.dictation],
    ['It is 555 123.', 'en', is.dictation],
    ['I am 42.', 'en', is.statement],
    ['At 7 30.', 'en', is.statement],
    ['It is 0049 30 1234 5678 9.', 'en', is.statement],
    ['a table for two', 'en', UNCERTAIN],
    ['', 'en', UNCERTAIN],
    ['…', 'en', UNCERTAIN],
    ['Ich hätte gern einen Tisch für', 'de-DE', is.joiner],
    ['Ich hätte gern, ähm', 'de', is.filler],
    ['Nein danke', 'de', is.complete],
    ['null eins sieben', 'de', is.dictation],
    ['Je voudrais une table pour', 'fr', is.joiner],
    ['C’est tout', 'fr', is.complete],
    ['Quiero una mesa para', 'es', is.joiner],
    ['Vorrei un tavolo per', 'it', is.joiner],
    ['Ich hätte gern einen Tisch für', undefined, UNCERTAIN],
    ['Ich hätte gern einen Tisch für', 'en', UNCERTAIN],
    ['もしもし。', 'ja', is.statement],
    ['聞こえますか？', 'ja', is.question],
    ['هل تسمعني؟', 'ar', is.question],
    ['5 5 5', 'ja', is.dictation],
  ])('%s (%s) → %f', async (transcript, languageCode, probability) => {
    expect(await heuristicTurnDetector().endOfTurn(context(transcript, languageCode), call)).toBe(
      probability,
    );
  });

  it('takes other tables', async () => {
    const dutch = { nl: { fillers: ['eh'], joiners: ['en'], numbers: [], complete: [] } };
    const detector = heuristicTurnDetector({ ...TURN_PHRASES, ...dutch });
    expect(await detector.endOfTurn(context('een tafel en', 'nl-BE'), call)).toBe(is.joiner);
    expect(DICTATED_NUMBERS).toBe(3);
  });

  it('has no word of a table in two of its lists that say the opposite, and all in lower case', () => {
    for (const { fillers, joiners, numbers, complete } of Object.values(TURN_PHRASES)) {
      const all = [...fillers, ...joiners, ...numbers, ...complete];
      expect(all.filter((phrase) => phrase !== phrase.toLowerCase() || phrase === '')).toEqual([]);
      expect(fillers.filter((word) => joiners.includes(word) || complete.includes(word))).toEqual([]);
    }
  });

  it('looks at the end of a long turn only', async () => {
    const long = 'I said something. '.repeat(100_000);
    expect(await heuristicTurnDetector().endOfTurn(context(long, 'en'), call)).toBe(is.statement);
  });
});

describe('boundedEndOfTurn', () => {
  it.each([
    [0.3, 0.3],
    [-1, 0],
    [7, 1],
    [Number.NaN, undefined],
    ['yes' as unknown as number, undefined],
  ])('makes of %s: %s', async (answer, expected) => {
    expect(
      await boundedEndOfTurn(
        answering(async () => answer),
        context(''),
        call,
      ),
    ).toBe(expected);
  });

  it('waits for no answer that never comes, and ends the scope of the question', async () => {
    let scope: Lifetime | undefined;
    const never = answering((_, asking) => {
      scope = asking;
      return new Promise(() => undefined);
    });
    let answer: unknown = 'none yet';
    void boundedEndOfTurn(never, context(''), call).then((value) => (answer = value));
    await clock.advance(END_OF_TURN_BOUND_MS - 1);
    expect(answer).toBe('none yet');
    await clock.advance(1);
    expect(answer).toBeUndefined();
    expect(scope?.state.tag).toBe('closed');
    expect(call.resources()).toEqual([]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
  ])('has no answer, and a warning, of one that %s', async (_, endOfTurn) => {
    expect(await boundedEndOfTurn(answering(endOfTurn), context(''), call)).toBeUndefined();
    expect(warnings).toEqual(['turn detector failed']);
  });

  it('C1 turn detector: a close of the owner is an end of the question, at once and without a warning', async () => {
    const asked = answering((_, scope) => scope.sleep(100).then(() => 1));
    const answer = boundedEndOfTurn(asked, context(''), call);
    void call.close();
    expect(await answer).toBeUndefined();
    expect(await boundedEndOfTurn(asked, context(''), call)).toBeUndefined();
    expect(warnings).toEqual([]);
  });
});

describe('modelTurnDetector', () => {
  class Model implements LanguageModel {
    readonly id = 'scripted:model';
    request: GenerationRequest | undefined;
    scope: Lifetime | undefined;
    readonly #pieces: readonly string[];
    readonly #ends: boolean;
    constructor(pieces: readonly string[], ends: boolean) {
      this.#pieces = pieces;
      this.#ends = ends;
    }
    async generate(request: GenerationRequest, sink: { text(piece: string): void }, scope: Lifetime) {
      this.request = request;
      this.scope = scope;
      for (const piece of this.#pieces) sink.text(piece);
      if (!this.#ends) await scope.sleep(60_000);
      return 'stop' as const;
    }
  }

  it.each([
    [['9'], true, 1],
    [[' ', '3', '.'], false, 3 / 9],
    [['I cannot say'], true, UNCERTAIN],
    [[], false, UNCERTAIN],
  ])('takes the answer %j (whole: %s) for %f', async (pieces, ends, probability) => {
    const model = new Model(pieces, ends);
    let answer: unknown;
    void modelTurnDetector(model)
      .endOfTurn(context('I would like'), call)
      .then((value) => (answer = value));
    await clock.advance(END_OF_TURN_BOUND_MS);
    expect(answer).toBe(probability);
    expect(model.scope?.state.tag).toBe('closed');
  });

  it('shows the model the end of the turn and its language, and no tools', async () => {
    const model = new Model(['5'], true);
    const detector = modelTurnDetector(model, { timeoutMs: 100 });
    await detector.endOfTurn(context(`${'x'.repeat(5_000)} the end`, 'de'), call);
    const asked = JSON.stringify(model.request?.history);
    expect(asked).toContain('the end');
    expect(asked).toContain('Language: de');
    expect(asked.length).toBeLessThan(MODEL_TURN_CHARACTERS + 150);
    expect(model.request?.tools).toEqual([]);
    expect(detector.id).toBe('model(scripted:model)');
  });

  it('is uncertain of a model that fails', async () => {
    const failing: LanguageModel = { id: 'failing', generate: () => Promise.reject(new ClosedError('gone')) };
    expect(await modelTurnDetector(failing).endOfTurn(context(''), call)).toBe(UNCERTAIN);
    expect(() => modelTurnDetector(failing, { timeoutMs: 0 })).toThrow(InvalidOptionError);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AudioChunk, textContent } from '../protocol/index.ts';
import {
  InputRing,
  LEAD_IN_MS,
  MAX_KEPT_MESSAGES,
  MAX_OVERLAP_MS,
  MAX_REPLAYS,
  QUIET_TAIL_MS,
} from './input-ring.ts';
import type { ClientInput, Rewinding } from './input-ring.ts';

/** Frames this long make rules of 300 ms rules of three frames. */
const FRAME_MS = 100;
const QUIET_FRAMES = QUIET_TAIL_MS / FRAME_MS;
const LEAD_IN_FRAMES = LEAD_IN_MS / FRAME_MS;
const OVERLAP_FRAMES = MAX_OVERLAP_MS / FRAME_MS;
const RING_MS = 2_500;

/** One letter for each kind of input: voice, quiet, text, start and end of an activity, picture. */
type Letter = 'v' | 'q' | 't' | 's' | 'e' | 'p';

const audio = (sample: number): ClientInput => ({
  type: 'audio',
  audio: AudioChunk.fromSamples(new Int16Array(1_600).fill(sample), 16_000),
});
const MAKE: Record<Letter, () => ClientInput> = {
  v: () => audio(5_000),
  q: () => audio(0),
  t: () => ({ type: 'content', content: textContent('user', 'Hello'), turnComplete: true }),
  s: () => ({ type: 'activityStart' }),
  e: () => ({ type: 'activityEnd' }),
  p: () => ({ type: 'image', mimeType: 'image/png', data: '' }),
};
const MS: Record<Letter, number> = { v: FRAME_MS, q: FRAME_MS, t: 0, s: 0, e: 0, p: 1_000 };

interface Entry {
  readonly letter: Letter;
  readonly position: number;
  wasSent: boolean;
  isGone: boolean;
}

/** The ring's rules over an array that forgets nothing, read off strings of letters. */
class Reference {
  readonly all: Entry[] = [];
  cursor = 0;
  #floor = 0;
  #replays = 0;
  #droppedMs = 0;
  #lostMs = 0;
  #backlogEnd = 0;
  #sinceMs = 0;
  #unsent = { requests: 0, audioMs: 0 };
  #hasWord = false;

  get kept(): Entry[] {
    return this.all.filter(({ isGone }) => !isGone);
  }

  get sentKept(): Entry[] {
    return this.kept.filter(({ position }) => position < this.cursor);
  }

  get waiting(): Entry[] {
    return this.kept.filter(({ position }) => position >= this.cursor);
  }

  get position(): number {
    return this.waiting[0]?.position ?? this.all.length;
  }

  get isQuiet(): boolean {
    const heard = lettersOf(this.kept).replaceAll(/[^vq]/g, '');
    return !heard.slice(-QUIET_FRAMES).includes('v');
  }

  push(letter: Letter): void {
    this.all.push({ letter, position: this.all.length, wasSent: false, isGone: false });
    this.#sinceMs += MS[letter];
    for (;;) {
      const sumMs = this.kept.reduce((sum, entry) => sum + MS[entry.letter], 0);
      const oldest = this.kept.find((entry) => MS[entry.letter] > 0);
      if (sumMs <= RING_MS || oldest === undefined) return;
      oldest.isGone = true;
      const ms = oldest.letter === 'p' ? 0 : FRAME_MS;
      if (oldest.position < this.cursor) this.#droppedMs += ms;
      else this.#lostMs += ms;
      if (!oldest.wasSent) {
        this.#unsent = { requests: this.#unsent.requests + 1, audioMs: this.#unsent.audioMs + ms };
      }
    }
  }

  sent(): void {
    const [next] = this.waiting;
    if (next === undefined) return;
    next.wasSent = true;
    if (next.letter === 'p') next.isGone = true;
    this.cursor = next.position + 1;
    if (next.letter !== 'p') this.#trimSilence(next);
  }

  /** Of the silence before the first word only the lead-in is kept; what came before it was before a pause. */
  #trimSilence({ letter }: Entry): void {
    this.#hasWord ||= letter !== 'q';
    if (this.#hasWord) return;
    const trimmed = this.sentKept.slice(0, -LEAD_IN_FRAMES);
    if (trimmed.length > 0) this.#droppedMs = 0;
    for (const entry of trimmed) entry.isGone = true;
  }

  refused(): void {
    const [next] = this.waiting;
    if (next !== undefined) next.isGone = true;
  }

  floorTaken(): void {
    const sent = this.sentKept;
    const letters = lettersOf(sent);
    const isCatchingUp =
      (this.kept[0]?.position ?? Infinity) < this.#backlogEnd && this.#sinceMs < MAX_OVERLAP_MS;
    const first = isCatchingUp ? firstUtterance(letters) : letters.length;
    const heard = Math.min(first, wholeUntil(letters));
    this.#floor = sent[heard]?.position ?? this.position;
  }

  answered(): void {
    this.#forget(this.#floor);
    this.#replays = 0;
    this.#droppedMs = 0;
  }

  rewind(): Rewinding {
    const sent = this.sentKept;
    if (sent.length === 0) return 'nothing';
    this.#replays += 1;
    const isGivenUp = this.#replays > MAX_REPLAYS;
    const word = lettersOf(sent).search(/[^q]/);
    const start = isGivenUp || word === -1 ? sent.length : Math.max(0, word - LEAD_IN_FRAMES);
    if (isGivenUp) this.#lostMs += lettersOf(sent).replaceAll(/[^vq]/g, '').length * FRAME_MS;
    if (start === 0) this.#lostMs += this.#droppedMs;
    this.#droppedMs = 0;
    this.cursor = sent[start]?.position ?? this.position;
    this.#floor = this.cursor;
    this.#forget(this.cursor);
    if (isGivenUp) return 'givenUp';
    return start < sent.length ? 'again' : 'nothing';
  }

  skipTo(position: number): void {
    for (const entry of this.waiting) {
      if (!entry.wasSent || entry.position >= position) return;
      this.cursor = entry.position + 1;
      this.#hasWord ||= entry.letter !== 'q';
    }
  }

  replay(): { readonly replayedMs: number; readonly audioGapMs: number } {
    const again = lettersOf(this.waiting.filter(({ wasSent }) => wasSent)).replaceAll(/[^vq]/g, '');
    const told = { replayedMs: again.length * FRAME_MS, audioGapMs: this.#lostMs };
    this.#lostMs = 0;
    this.#unsent = { requests: 0, audioMs: 0 };
    this.#backlogEnd = this.all.length;
    this.#sinceMs = 0;
    return told;
  }

  abandon(): { readonly requests: number; readonly audioMs: number } {
    const unsent = lettersOf(this.kept.filter(({ wasSent }) => !wasSent));
    const audioMs = unsent.replaceAll(/[^vq]/g, '').length * FRAME_MS;
    return { requests: this.#unsent.requests + unsent.length, audioMs: this.#unsent.audioMs + audioMs };
  }

  #forget(position: number): void {
    const before = this.sentKept.filter((entry) => entry.position < position);
    for (const entry of before) entry.isGone = true;
    if (before.length > 0) this.#hasWord = /[^q]/.test(lettersOf(this.sentKept));
  }
}

const lettersOf = (entries: readonly Entry[]): string => entries.map(({ letter }) => letter).join('');

/** How many letters were heard to their end: all but what is being said, where a pause or a mark shows its beginning. */
function wholeUntil(letters: string): number {
  const tail = /[vq]*$/.exec(letters)?.[0] ?? '';
  const near = tail.slice(-OVERLAP_FRAMES - 1);
  const pause = near.lastIndexOf('q'.repeat(QUIET_FRAMES));
  if (pause >= 0) {
    const isSpeaking = near.slice(pause).includes('v');
    return isSpeaking ? letters.length - near.length + pause : letters.length;
  }
  const mark = letters.length - tail.length - 1;
  if (mark < 0 || tail.length > OVERLAP_FRAMES) return letters.length;
  if (letters[mark] === 's') return mark;
  return tail.includes('v') ? mark + 1 : letters.length;
}

/** How many letters the first of several utterances has, up to where the next one begins. */
function firstUtterance(letters: string): number {
  const pattern = new RegExp(`^q*v[vq]*?q{${QUIET_FRAMES},}(?=v)`);
  const first = pattern.exec(letters)?.[0];
  return first === undefined ? letters.length : first.length - LEAD_IN_FRAMES;
}

type Step =
  readonly ['push', Letter] | readonly ['skipTo', number] | readonly [Exclude<keyof Moves, 'skipTo'>];
type Moves = Pick<InputRing, 'floorTaken' | 'answered' | 'rewind' | 'replay' | 'refused' | 'skipTo'> & {
  readonly sent: unknown;
  readonly sentAll: unknown;
};

const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .constantFrom<Letter>('v', 'v', 'v', 'v', 'q', 'q', 'q', 't', 's', 'e', 'p')
      .map((letter): Step => ['push', letter]),
  },
  { weight: 4, arbitrary: fc.constantFrom<Letter>('v', 'q').map((letter): Step => ['push', letter]) },
  {
    weight: 10,
    arbitrary: fc
      .constantFrom(
        'sent',
        'sent',
        'sentAll',
        'sentAll',
        'floorTaken',
        'answered',
        'rewind',
        'replay',
        'refused',
      )
      .map((name): Step => [name as 'sent']),
  },
  { weight: 1, arbitrary: fc.nat(40).map((position): Step => ['skipTo', position]) },
);

function take(ring: InputRing, reference: Reference, [name, argument]: Step): void {
  switch (name) {
    case 'push':
      ring.push(MAKE[argument]());
      reference.push(argument);
      return;
    case 'sentAll':
      while (ring.waiting > 0) take(ring, reference, ['sent']);
      return;
    case 'sent':
      ring.sent(0);
      reference.sent();
      return;
    case 'skipTo':
      ring.skipTo(argument);
      reference.skipTo(argument);
      return;
    default:
      expect(ring[name]()).toEqual(reference[name]());
  }
}

describe('InputRing', () => {
  it('R8 does what an array of everything would do', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const ring = new InputRing(true, RING_MS);
        const reference = new Reference();
        for (const each of steps) {
          take(ring, reference, each);
          expect(ring.position).toBe(reference.position);
          expect(ring.waiting).toBe(reference.waiting.length);
          expect(ring.isQuiet).toBe(reference.isQuiet);
          expect(ring.peek()?.type).toBe(reference.waiting[0] && MAKE[reference.waiting[0].letter]().type);
          expect(ring.contentsToSend.size).toBe(
            reference.waiting.filter(({ letter }) => letter === 't').length,
          );
        }
        expect(ring.abandon()).toEqual(reference.abandon());
        expect([ring.waiting, ring.peek()]).toEqual([0, undefined]);
      }),
      {
        numRuns: 1_000,
        // Silence that follows words which were skipped: it was taken for all there was, and the words were let go of.
        examples: [
          [
            [
              ...Array.from('vqqqq').map((letter): Step => ['push', letter as Letter]),
              ['sent'],
              ...Array.from('ppvs').map((letter): Step => ['push', letter as Letter]),
              ...([['sentAll'], ['rewind'], ['skipTo', 9], ['push', 'q'], ['sent'], ['rewind']] as const),
            ],
          ],
        ],
      },
    );
  });

  const filled = (letters: string, maxAudioMs = RING_MS): InputRing => {
    const ring = new InputRing(true, maxAudioMs);
    for (const letter of letters) ring.push(MAKE[letter as Letter]());
    while (ring.waiting > 0) ring.sent(0);
    return ring;
  };
  const again = (ring: InputRing): number => {
    ring.rewind();
    return ring.replay().replayedMs / FRAME_MS;
  };

  it('R8 an answer is one to what was heard to its end: the next utterance, begun beside it, is kept', () => {
    const ring = filled('vvvvqqqqqvv');
    ring.floorTaken();
    ring.answered();
    expect(again(ring)).toBe(QUIET_FRAMES + 2);
  });

  it('R8 what was dropped before a pause is not missed', () => {
    const ring = filled('q');
    for (const letter of 'pqqqqvvvvvvvvvvv') ring.push(MAKE[letter as Letter]());
    while (ring.waiting > 0) ring.sent(0);
    ring.rewind();
    expect(ring.replay()).toEqual({ replayedMs: 1_400, audioGapMs: 0 });
  });

  it('R8 a noisy room is no utterance: what led to an answer is forgotten with it', () => {
    const ring = filled('v'.repeat(OVERLAP_FRAMES + 10), 60_000);
    ring.floorTaken();
    ring.answered();
    expect(again(ring)).toBe(0);
  });

  it('R8 the first answer after a loss is one to the first of what had piled up', () => {
    const ring = filled('vvqqqqqvvqqqqq');
    ring.rewind();
    ring.replay();
    while (ring.waiting > 0) ring.sent(0);
    ring.floorTaken();
    ring.answered();
    expect(again(ring)).toBe(QUIET_FRAMES + 2 + 5);
  });

  it('R8 what ends connections is not sent for ever, and told to be lost', () => {
    const ring = filled('vvv');
    for (let count = 0; count < MAX_REPLAYS; count += 1) {
      expect(again(ring)).toBe(3);
      while (ring.waiting > 0) ring.sent(0);
    }
    expect(ring.rewind()).toBe('givenUp');
    expect(ring.replay()).toEqual({ replayedMs: 0, audioGapMs: 3 * FRAME_MS });
  });

  it('S5 messages without an answer are bounded: the oldest of those that were sent are forgotten', () => {
    const ring = new InputRing(true, RING_MS);
    for (let count = 0; count < MAX_KEPT_MESSAGES + 50; count += 1) {
      ring.push(MAKE.t());
      ring.sent(0);
    }
    ring.rewind();
    expect(ring.waiting).toBe(MAX_KEPT_MESSAGES);
  });

  it('S5 a ring that keeps nothing holds nothing once it was sent', () => {
    const ring = new InputRing(false, Infinity);
    for (const letter of 'vqtse') ring.push(MAKE[letter as Letter]());
    while (ring.waiting > 0) ring.sent(0);
    expect([ring.rewind(), ring.waiting]).toEqual(['nothing', 0]);
  });

  it('R8 the latest piece is never dropped before it was sent, however long it is and little is kept', () => {
    for (const maxAudioMs of [0, 10, 30]) {
      const ring = new InputRing(true, maxAudioMs);
      for (const durationMs of [20, 20, 60_000, 20]) {
        const audio = AudioChunk.fromSamples(new Int16Array(durationMs * 16), 16_000);
        ring.push({ type: 'audio', audio });
        expect(ring.peek()).toEqual({ type: 'audio', audio });
        ring.sent(0);
      }
      expect(ring.abandon()).toEqual({ requests: 0, audioMs: 0 });
    }
  });
});

import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import {
  messageFaults,
  socketFaults,
  transportFaults,
  typesOf,
} from '../../src/testing/emulators/fault-vocabulary.ts';
import { STT_MOMENTS_OF, sttFaultSchema } from '../../src/testing/emulators/speech/stt/stt-faults.ts';
import { TTS_MOMENTS_OF, ttsFaultSchema } from '../../src/testing/emulators/speech/tts/tts-faults.ts';
import {
  STT_FAULT_MOMENTS,
  STT_FAULT_TYPES,
  STT_MESSAGE_KINDS,
  TTS_FAULT_MOMENTS,
  TTS_FAULT_TYPES,
  TTS_MESSAGE_KINDS,
  parseSttFaults,
} from '../../src/testing/index.ts';
import { FaultPage, momentsOf, words } from '../support/fault-page.ts';

const page = new FaultPage('docs/speech-faults.md');

interface Described {
  readonly name: 'stt' | 'tts';
  readonly heading: string;
  readonly moments: readonly string[];
  readonly types: readonly string[];
  readonly kinds: readonly string[];
  readonly momentsOf: Readonly<Record<string, readonly string[]>>;
  readonly options: readonly { readonly shape: Readonly<Record<string, z.ZodType>> }[];
}

const stt: Described = {
  name: 'stt',
  heading: 'Speech-to-text',
  moments: STT_FAULT_MOMENTS,
  types: STT_FAULT_TYPES,
  kinds: STT_MESSAGE_KINDS,
  momentsOf: STT_MOMENTS_OF,
  options: sttFaultSchema.options,
};
const tts: Described = {
  name: 'tts',
  heading: 'Text-to-speech',
  moments: TTS_FAULT_MOMENTS,
  types: TTS_FAULT_TYPES,
  kinds: TTS_MESSAGE_KINDS,
  momentsOf: TTS_MOMENTS_OF,
  options: ttsFaultSchema.options,
};

/** Those every emulator of speech has, which the page tells of once. */
const shared = new Set(page.wordsBelow('What all of them have').filter((word) => stt.types.includes(word)));

/** Which of the emulators a type belongs to, with its row. */
function rows({ name, moments }: Described) {
  return page.rowsOfTables(`${name} type`).map(([type = '', fields = '', when = '']) => ({
    type: words(type)[0] ?? '',
    fields: words(fields),
    moments: momentsOf(when, moments),
  }));
}

describe.each([stt, tts])('docs/speech-faults.md on $heading', (described) => {
  it('names every kind of message, in order', () => {
    const paragraph = described.name === 'stt' ? 1 : 2;
    expect(page.wordsOfParagraph('Kinds of its messages', paragraph)).toEqual([...described.kinds]);
  });

  it('has a row for every moment, in order', () => {
    const named = page.rowsOfTables(`${described.name} moment`).map(([moment = '']) => words(moment)[0]);
    expect(named).toEqual([...described.moments]);
  });

  it('has a row for every fault of its own, in order, and names the others', () => {
    const own = described.types.filter((type) => !shared.has(type));
    expect(rows(described).map(({ type }) => type)).toEqual(own);
  });

  it.each(rows(described))('says of $type when it can happen and which fields it has', ({ type, ...row }) => {
    const possible = described.momentsOf[type] ?? [];
    expect([row.moments.first, row.moments.all]).toEqual([possible[0], new Set(possible)]);
    const option = described.options.find(({ shape }) => shape.type?.safeParse(type).success === true);
    const known = Object.entries(option?.shape ?? {})
      .filter(([field]) => field !== 'type')
      .map(([field, schema]) => (schema.safeParse(undefined).success ? `${field}?` : field));
    expect(row.fields).toEqual(known);
  });
});

describe('docs/speech-faults.md', () => {
  it('tells once of the faults that all have', () => {
    const all = [...typesOf(transportFaults), ...typesOf(socketFaults), ...typesOf(messageFaults)];
    expect(new Set(all.filter((type) => stt.types.includes(type)))).toEqual(shared);
    expect(all.filter((type) => !shared.has(type))).toEqual(['mergeWithNext']);
  });

  it.each(page.scripts)('shows a script that is one: $heading', ({ script, heading }) => {
    expect(() => parseSttFaults(script, heading)).not.toThrow();
  });
});

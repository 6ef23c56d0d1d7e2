import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import {
  FAULT_MOMENTS,
  FAULT_TYPES,
  MOMENTS_OF,
  faultSchema,
} from '../../src/testing/emulators/gemini/fault-types.ts';
import { SERVER_MESSAGE_KINDS, parseFaultText } from '../../src/testing/index.ts';
import { FaultPage, momentsOf, words } from '../support/fault-page.ts';

const page = new FaultPage('docs/emulator-faults.md');

describe('docs/emulator-faults.md', () => {
  const faults = page.rowsOfTables('type').map(([type = '', fields = '', moments = '']) => ({
    type: words(type)[0] ?? '',
    fields: words(fields),
    moments: momentsOf(moments, FAULT_MOMENTS),
  }));

  it('has a row for every moment, in order', () => {
    expect(page.rowsOfTables('moment').map(([moment = '']) => words(moment)[0])).toEqual([...FAULT_MOMENTS]);
  });

  it('has a row for every field of "when", in order', () => {
    expect(() => parseFaultText('- { when: { nothing: 1 }, what: { type: reset } }', 'x')).toThrow(
      `there are: ${page
        .rowsOfTables('field')
        .map(([field = '']) => words(field)[0])
        .join(', ')}`,
    );
  });

  it('names every kind of message', () => {
    expect(page.wordsBelow('Kinds of messages')).toEqual(expect.arrayContaining([...SERVER_MESSAGE_KINDS]));
  });

  it('has a row for every fault, in order', () => {
    expect(faults.map(({ type }) => type)).toEqual([...FAULT_TYPES]);
  });

  it.each(faults)('says of $type at which moments it can happen', ({ type, moments }) => {
    const possible = MOMENTS_OF[type as keyof typeof MOMENTS_OF];
    expect(moments.first).toBe(possible[0]);
    expect(moments.all).toEqual(new Set(possible));
  });

  it.each(faults)('says of $type which fields it has', ({ type, fields }) => {
    const option = faultSchema.options.find(({ shape }) => shape.type.value === type);
    const shape: Readonly<Record<string, z.ZodType>> = option?.shape ?? {};
    const known = Object.entries(shape)
      .filter(([field]) => field !== 'type')
      .map(([field, schema]) => (schema.safeParse(undefined).success ? `${field}?` : field));
    expect(fields).toEqual(known);
  });

  it.each(page.scripts)('shows a script that is one: $heading', ({ script, heading }) => {
    expect(() => parseFaultText(script, heading)).not.toThrow();
  });
});

import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import {
  FAULT_MOMENTS,
  FAULT_TYPES,
  MOMENTS_OF,
  faultSchema,
} from '../../src/testing/emulators/gemini/fault-types.ts';
import type { FaultMoment } from '../../src/testing/emulators/gemini/fault-types.ts';
import { SERVER_MESSAGE_KINDS, parseFaultText } from '../../src/testing/index.ts';
import { rowsOfTables, scriptsOfPage, words, wordsBelow } from '../support/fault-page.ts';

/** What a cell like "`close`, since open" means: the first moment, and all of them. */
function momentsOf(cell: string): { readonly first: string | undefined; readonly all: Set<FaultMoment> } {
  const named = words(cell) as FaultMoment[];
  const more = cell.endsWith('all') ? [...FAULT_MOMENTS] : [];
  const sinceOpen = cell.endsWith('since open') ? FAULT_MOMENTS.slice(FAULT_MOMENTS.indexOf('open')) : [];
  return { first: named[0], all: new Set([...named, ...more, ...sinceOpen]) };
}

describe('docs/emulator-faults.md', () => {
  const faults = rowsOfTables('type').map(([type = '', fields = '', moments = '']) => ({
    type: words(type)[0] ?? '',
    fields: words(fields),
    moments: momentsOf(moments),
  }));

  it('has a row for every moment, in order', () => {
    expect(rowsOfTables('moment').map(([moment = '']) => words(moment)[0])).toEqual([...FAULT_MOMENTS]);
  });

  it('has a row for every field of "when", in order', () => {
    expect(() => parseFaultText('- { when: { nothing: 1 }, what: { type: reset } }', 'x')).toThrow(
      `there are: ${rowsOfTables('field')
        .map(([field = '']) => words(field)[0])
        .join(', ')}`,
    );
  });

  it('names every kind of message', () => {
    expect(wordsBelow('Kinds of messages')).toEqual(expect.arrayContaining([...SERVER_MESSAGE_KINDS]));
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

  it.each(scriptsOfPage())('shows a script that is one: $heading', ({ script, heading }) => {
    expect(() => parseFaultText(script, heading)).not.toThrow();
  });
});

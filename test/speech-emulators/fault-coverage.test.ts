import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STT_FAULT_TYPES, TTS_FAULT_TYPES } from '../../src/testing/index.ts';
import { CHECKOUT } from '../support/checkout.ts';

function source(name: string): string {
  return readFileSync(join(CHECKOUT, name), 'utf8');
}

/** Those of the shared connection, which the tests of the Gemini emulator show on the wire. */
const shared = ['faults', 'frame-faults', 'message-faults', 'limits']
  .map((name) => source(`test/gemini-emulator/${name}.test.ts`))
  .join('\n');

/** Faults that these emulators do in a way of their own, or not as the Gemini emulator. */
const OWN = [
  'httpStatus',
  'silence',
  'mute',
  'error',
  'unknownMessage',
  'transcript',
  'emptyTranscript',
  'nullWords',
  'shiftTimes',
  'oddBytes',
  'strayAudio',
];

describe('faults of the speech emulators', () => {
  it.each(STT_FAULT_TYPES)('has a test whose script says %s, of speech-to-text', (type) => {
    const own = source('test/speech-emulators/stt-faults.test.ts');
    const places = OWN.includes(type) ? own : own + shared;
    expect(new RegExp(`type: '?${type}\\b|'${type}'`).test(places)).toBe(true);
  });

  it.each(TTS_FAULT_TYPES)('has a test whose script says %s, of text-to-speech', (type) => {
    const own = source('test/speech-emulators/tts-faults.test.ts');
    const places = OWN.includes(type) && type !== 'unknownMessage' ? own : own + shared;
    expect(new RegExp(`type: '?${type}\\b|'${type}'`).test(places)).toBe(true);
  });
});

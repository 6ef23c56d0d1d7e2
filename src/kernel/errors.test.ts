import { describe, expect, it } from 'vitest';
import { ClosedError, describeError, withWrittenFrames } from './errors.ts';

/** An error that fails whoever looks at it. */
const unreadable = Object.defineProperty(new Error('hidden'), 'message', {
  get: () => {
    throw new Error('not to be read');
  },
});

describe('describeError', () => {
  it('tells the message, else the name, else the kind of what was thrown', () => {
    expect(describeError(new ClosedError('gone'))).toBe('gone');
    expect(describeError(new RangeError())).toBe('RangeError');
    expect(describeError('a text')).toBe('a text');
    expect(describeError(undefined)).toBe('a thrown undefined');
    expect(describeError(Object.assign(new Error(), { message: 7 }))).toBe('7');
  });

  it('C8 never throws itself, whatever was thrown', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(describeError(proxy)).toBe('a thrown object');
    expect(describeError(unreadable)).toBe('a thrown object');
  });
});

describe('withWrittenFrames', () => {
  it('gives the error back, whatever it is', () => {
    const looped = new Error('round');
    looped.cause = looped;
    const chained = new Error('outer', { cause: new Error('inner', { cause: 'a text' }) });
    for (const thrown of [looped, chained, 'a text', undefined, unreadable]) {
      expect(withWrittenFrames(thrown)).toBe(thrown);
    }
  });

  it('C8 never throws itself, whoever made the error', () => {
    const hostile = Object.defineProperty(new Error('hidden'), 'stack', {
      get: () => {
        throw new Error('not to be read');
      },
    });
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(withWrittenFrames(hostile)).toBe(hostile);
    expect(withWrittenFrames(proxy)).toBe(proxy);
    expect(withWrittenFrames(new Error('outer', { cause: hostile })).message).toBe('outer');
  });
});

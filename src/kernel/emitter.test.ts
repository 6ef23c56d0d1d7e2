import { describe, expect, it } from 'vitest';
import { Emitter } from './emitter.ts';

type Events = { said: [text: string, turn: number]; end: [] };

function makeEmitter(): { emitter: Emitter<Events>; failures: [unknown, string][] } {
  const failures: [unknown, string][] = [];
  return { emitter: new Emitter<Events>((error, event) => void failures.push([error, event])), failures };
}

describe('Emitter', () => {
  it('C8 listeners: one that throws and one that rejects reach the handler, and all others are called in order', async () => {
    const { emitter, failures } = makeEmitter();
    const heard: string[] = [];
    emitter.on('said', (text, turn) => heard.push(`a ${text} ${turn}`));
    emitter.on('said', () => {
      throw new Error('thrown');
    });
    emitter.on('said', () => Promise.reject(new Error('rejected')));
    emitter.on('said', (text) => heard.push(`b ${text}`));
    emitter.emit('said', 'hello', 1);
    await Promise.resolve();
    expect(heard).toEqual(['a hello 1', 'b hello']);
    await expect
      .poll(() => failures.map(([error]) => (error as Error).message))
      .toEqual(['thrown', 'rejected']);
    expect(failures.map(([, event]) => event)).toEqual(['said', 'said']);
  });

  it('C8 listeners: a handler that throws or rejects itself harms nobody', () => {
    for (const handler of [
      () => {
        throw new Error('handler');
      },
      () => Promise.reject(new Error('handler')) as never,
    ]) {
      const emitter = new Emitter<Events>(handler);
      let heard = 0;
      emitter.on('end', () => {
        throw new Error('listener');
      });
      emitter.on('end', () => (heard += 1));
      emitter.emit('end');
      expect(heard).toBe(1);
    }
  });

  it('calls a once listener once, also when it emits the same event itself', () => {
    const { emitter } = makeEmitter();
    let again = true;
    let heard = 0;
    emitter.on('end', () => {
      if (!again) return;
      again = false;
      emitter.emit('end');
    });
    emitter.once('end', () => (heard += 1));
    emitter.emit('end');
    emitter.emit('end');
    expect(heard).toBe(1);
    expect(emitter.listenerCount('end')).toBe(1);
  });

  it('does not call what was taken away in the middle of an emit, nor what was added there', () => {
    const { emitter } = makeEmitter();
    const heard: string[] = [];
    emitter.on('end', () => {
      removeB();
      emitter.on('end', () => heard.push('added'));
    });
    const removeB = emitter.on('end', () => heard.push('b'));
    emitter.on('end', () => emitter.clear());
    emitter.on('end', () => heard.push('after clear'));
    emitter.emit('end');
    expect(heard).toEqual([]);
    expect(emitter.listenerCount('end')).toBe(0);
  });

  it('removes the very registration, once, also where a function is registered twice', () => {
    const { emitter } = makeEmitter();
    let heard = 0;
    const listener = (): number => (heard += 1);
    const remove = emitter.on('end', listener);
    emitter.on('end', listener);
    remove();
    remove();
    emitter.emit('end');
    expect(heard).toBe(1);
    emitter.off('end', listener);
    emitter.off('end', listener);
    emitter.once('end', listener);
    emitter.off('end', listener);
    emitter.emit('end');
    expect(heard).toBe(1);
    expect(emitter.listenerCount('end')).toBe(0);
  });
});

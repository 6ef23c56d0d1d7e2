import { describe, expect, it } from 'vitest';
import { frame } from '../../test/support/live-rig.ts';
import { ClosedError } from '../kernel/index.ts';
import { textContent } from '../protocol/index.ts';
import type { LiveRequest } from '../protocol/index.ts';
import { LiveRequestQueue } from './live-request-queue.ts';

const hello = textContent('user', 'Hello');

function takeAll(queue: LiveRequestQueue): LiveRequest['type'][] {
  return queue.clear().map(({ type }) => type);
}

describe('LiveRequestQueue', () => {
  it('C1 queue: isClosed is set synchronously, and only by a close', () => {
    const queue = new LiveRequestQueue({ capacity: 1 });
    queue.sendContent(hello);
    expect(queue.sendAudio(frame())).toBe(false);
    expect(queue.isClosed).toBe(false);
    queue.close();
    expect(queue.isClosed).toBe(true);
    queue.close();
    expect(queue.size).toBe(1);
  });

  it('E queue: after close every content and mark throws, audio and pictures return false', () => {
    const queue = new LiveRequestQueue();
    queue.close();
    const refused: (() => unknown)[] = [
      () => queue.sendContent(hello),
      () => queue.sendActivityStart(),
      () => queue.sendActivityEnd(),
      () => queue.sendAudioStreamEnd(),
      () => queue.send({ content: hello }),
      () => queue.send({ type: 'activityStart' }),
    ];
    for (const send of refused) expect(send).toThrow(ClosedError);
    expect(queue.sendAudio(frame())).toBe(false);
    expect(queue.sendRealtime({ mimeType: 'image/png', data: 'AAAA' })).toBe(false);
    expect(queue.send({ blob: { mimeType: 'audio/pcm;rate=8000', data: new Uint8Array(2) } })).toBe(false);
  });

  it('takes requests of the ADK, each of their fields in its turn', () => {
    const queue = new LiveRequestQueue();
    const blob = { mimeType: 'audio/pcm;rate=16000', data: 'AAAA' };
    const request = { activityStart: {}, content: hello, blob, activityEnd: {}, audioStreamEnd: true };
    expect(queue.send(request)).toBe(true);
    expect(takeAll(queue)).toEqual(['activityStart', 'content', 'audio', 'activityEnd', 'audioStreamEnd']);
  });

  it('refuses what cannot be streamed, by name', () => {
    const queue = new LiveRequestQueue();
    expect(() => queue.sendRealtime({ mimeType: 'audio/pcm', data: 'not base64!' })).toThrow(/not base64/);
    expect(() => queue.sendRealtime({ mimeType: 'audio/ogg', data: 'AAAA' })).toThrow(/audio\/ogg/);
  });

  it('is iterated until it is closed, after what it held', async () => {
    const queue = new LiveRequestQueue();
    queue.sendContent(hello);
    queue.sendAudio(frame());
    queue.close();
    const seen: string[] = [];
    for await (const { type } of queue) seen.push(type);
    expect(seen).toEqual(['content', 'audio']);
  });
});

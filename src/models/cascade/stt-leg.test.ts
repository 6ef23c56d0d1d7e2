import { describe, expect, it } from 'vitest';
import { SttRig, refuse, results, silence, voice, welcome } from '../../../test/support/stt-rig.ts';
import type { SttPeer } from '../../../test/support/stt-rig.ts';
import { DEFAULT_CONNECT_TIMEOUT_MS, DEFAULT_MAX_ATTEMPTS } from '../../session/index.ts';
import { deepgram } from '../stt/index.ts';
import { FINALIZE_TIMEOUT_MS } from './stt-leg.ts';
import { sttReconnectPolicy } from './stt-reconnect-policy.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const INACTIVE = { type: 'error', code: 2007, message: 'session closed due to agent inactivity' };

describe('An STT leg that hears', () => {
  it('S1 tells what is said, with the times of the audio, and ends with its owner', async () => {
    const rig = await SttRig.live();
    await rig.speak(1_000);
    rig.peer.say(
      { type: 'SpeechStarted', timestamp: 0.1 },
      results('two', 0, 0.5, { final: false }),
      results('Two rye, please.', 0, 1, { end: true }),
      { type: 'UtteranceEnd', last_word_end: 1 },
    );
    await rig.clock.settle();
    expect(rig.types).toEqual(['speechStarted', 'transcript', 'transcript', 'speechEnded']);
    expect(rig.events[2]).toMatchObject({
      text: 'Two rye, please.',
      isFinal: true,
      startMs: 0,
      endMs: 1_000,
    });
    expect(rig.leg.progress).toEqual({ writtenMs: 1_000, heardMs: 1_000 });
    expect(await rig.end()).toEqual([]);
    expect(rig.failures).toEqual([]);
    expect(rig.book.at('warn')).toEqual([]);
    expect(rig.book.at('error')).toEqual([]);
  });

  it('resamples what comes at another rate, and hears before it is connected', async () => {
    const rig = new SttRig();
    const { AudioChunk } = await import('../../protocol/index.ts');
    rig.leg.hear(AudioChunk.fromSamples(new Int16Array(160).fill(2_000), 8_000));
    rig.leg.hear(AudioChunk.fromSamples(new Int16Array(16_000).fill(2_000), 8_000));
    await Promise.all([rig.leg.start(), rig.clock.settle()]);
    await rig.clock.settle();
    expect(rig.peer.audioMs).toBeGreaterThan(2_000);
    expect(rig.leg.hear(AudioChunk.fromSamples(new Int16Array(0), 16_000))).toBe(true);
    expect(await rig.end()).toEqual([]);
    expect(rig.leg.hear(voice())).toBe(false);
  });

  it('a start that is refused closes the leg, with the typed error', async () => {
    for (const [httpStatus, code] of [
      [401, 'HOLDFAST_AUTHENTICATION'],
      [402, 'HOLDFAST_QUOTA'],
      [429, 'HOLDFAST_OVERLOADED'],
      [503, 'HOLDFAST_OVERLOADED'],
      [500, 'HOLDFAST_CONNECTION_LOST'],
      [400, 'HOLDFAST_INVALID_REQUEST'],
    ] as const) {
      const rig = new SttRig({ serve: refuse({ httpStatus, body: 'no' }) });
      const starting = rig.leg.start().catch((error: unknown) => error);
      await rig.clock.settle();
      expect(await starting).toMatchObject({ code });
      expect(rig.leg.hear(voice())).toBe(false);
      expect(await rig.end()).toEqual([]);
    }
  });
});

describe('An STT leg whose caller says nothing', () => {
  it('S2 lives through fifty recycled connections, and dials again when there is audio', async () => {
    const rig = await SttRig.live({ wire: 'livekit' });
    for (let time = 1; time <= 50; time += 1) {
      await rig.clock.advance(30 * MINUTE_MS);
      rig.peer.say(INACTIVE);
      await rig.clock.advance(HOUR_MS);
      expect(rig.peers).toHaveLength(time);
      rig.leg.hear(silence(50));
      await rig.clock.settle();
      expect(rig.peers).toHaveLength(time + 1);
    }
    expect(rig.failures).toEqual([]);
    expect(rig.states.filter((state) => state === 'waiting')).toEqual([]);
    expect(rig.leg.connections).toMatchObject({ losses: 50, reseeds: 50, exhausted: 0 });
    expect(await rig.end()).toEqual([]);
  });

  it('S2 lives through fifty, too, when the microphone sends silence all the time', async () => {
    const rig = await SttRig.live({
      reconnect: { maxAttempts: 2 },
      stt: (transport) =>
        deepgram({ apiKey: 'k', transport, ends: { closes: [{ code: 1001, said: /Idle/, kind: 'idle' }] } }),
    });
    for (let time = 1; time <= 50; time += 1) {
      await rig.speak(1_000, 0);
      await rig.clock.advance(3 * MINUTE_MS);
      await rig.speak(200, 0);
      rig.peer.close(1001, 'Idle timeout');
      await rig.speak(100, 0);
    }
    expect(rig.peers).toHaveLength(51);
    expect(rig.failures).toEqual([]);
    expect(await rig.end()).toEqual([]);
  });

  it('S2 R4 a gateway that accepts and says 2007 at once is no loop: it ends, with a typed error', async () => {
    const rig = await SttRig.live({
      wire: 'livekit',
      serve: (peer) => {
        peer.accept({
          message: (data, from) => {
            if (!String(data).includes('session.create')) return;
            from.send('{"type":"session.created"}');
            from.send(JSON.stringify(INACTIVE));
          },
        });
      },
    });
    for (let spokenMs = 0; spokenMs < 10 * MINUTE_MS && rig.failures.length === 0; spokenMs += 1_000) {
      rig.leg.hear(voice(1, 1_000));
      await rig.clock.advance(1_000);
    }
    expect(rig.failures).toMatchObject([{ code: 'HOLDFAST_RECONNECT_EXHAUSTED', meter: 'attempts' }]);
    expect(rig.peers).toHaveLength(1 + DEFAULT_MAX_ATTEMPTS);
    expect(await rig.end()).toEqual([]);
  });

  it('S2 is not dialled at all by such a gateway while nobody speaks', async () => {
    const rig = await SttRig.live({ wire: 'livekit' });
    rig.peer.say(INACTIVE);
    await rig.clock.advance(10 * HOUR_MS);
    expect(rig.peers).toHaveLength(1);
    expect(await rig.end()).toEqual([]);
  });

  it('S2 R8 one that calls itself idle while it is spoken to has heard nothing: it is said again', async () => {
    const rig = await SttRig.live();
    await rig.speak(11_000, 0);
    await rig.speak(500, 1);
    rig.peer.close(1011, 'NET-0001');
    await rig.clock.settle();
    expect(rig.peers).toHaveLength(2);
    expect(rig.peer.marks).toEqual([1]);
    // Noise of long ago, which no words were made of, is not.
    await rig.clock.advance(MINUTE_MS);
    rig.peer.close(1011, 'NET-0001');
    await rig.clock.advance(HOUR_MS);
    expect(rig.peers).toHaveLength(2);
    expect(await rig.end()).toEqual([]);
  });

  it('S2 an idle close after the last of the audio is the end, and no error', async () => {
    const rig = await SttRig.live({ wire: 'livekit' });
    await rig.speak(200);
    const drained = rig.leg.drain();
    await rig.clock.advance(FINALIZE_TIMEOUT_MS / 2);
    rig.peer.say({ type: 'final_transcript', transcript: 'bye', start: 0, duration: 0.2 }, INACTIVE);
    await rig.clock.settle();
    expect(await drained).toMatchObject({ reason: 'drained' });
    expect(rig.finals).toEqual(['bye']);
    expect(rig.failures).toEqual([]);
    expect(rig.peers).toHaveLength(1);
    expect(await rig.end()).toEqual([]);
  });

  it('S2 a leg that rests ends when it is drained, without a dial', async () => {
    const rig = await SttRig.live({ wire: 'livekit' });
    await rig.clock.advance(30 * MINUTE_MS);
    rig.peer.say(INACTIVE);
    await rig.clock.settle();
    const drained = rig.leg.drain();
    await rig.clock.settle();
    expect(await drained).toMatchObject({ reason: 'drained' });
    expect(rig.peers).toHaveLength(1);
    expect(await rig.end()).toEqual([]);
  });
});

describe('An STT leg whose connection is lost', () => {
  it('R8 sends again what no final covers, cut to the sample, and tells times of the whole audio', async () => {
    const rig = await SttRig.live();
    await rig.speak(1_000, 1);
    await rig.speak(1_000, 2);
    // Written down in the middle of a frame.
    rig.peer.say(results('One.', 0, 1.01));
    await rig.clock.settle();
    rig.peer.destroy();
    await rig.clock.settle();
    await rig.speak(400, 3);
    expect(rig.peers).toHaveLength(2);
    expect(rig.peer.marks).toEqual([2, 3]);
    expect(rig.peer.audioMs).toBe(990 + 400);
    rig.peer.say(results('Two three.', 0, 1.39));
    await rig.clock.settle();
    expect(rig.finals).toEqual(['One.', 'Two three.']);
    expect(rig.events.at(-1)).toMatchObject({
      startMs: 1_010,
      endMs: 2_400,
      words: [
        { text: 'Two', startMs: 1_010 },
        { text: 'three.', endMs: 2_400 },
      ],
    });
    const recovery = rig.connections.find(({ state }) => state === 'reseeded');
    expect(recovery).toMatchObject({ cause: 'lost', attempt: 1, audioGapMs: 0, replayedMs: 990 });
    expect(await rig.end()).toEqual([]);
  });

  it('R8 says how much it could not keep', async () => {
    const rig = await SttRig.live({
      reconnect: { bufferedAudioMs: 1_000, delaysMs: [5_000], jitterMs: 0 },
      serve: (peer, number) => (number === 2 ? peer.dial.refuse() : welcome(peer)),
    });
    await rig.speak(200, 1);
    rig.peer.destroy();
    await rig.speak(12_000, 2);
    expect(rig.peers).toHaveLength(3);
    const [recovery] = rig.connections.filter(({ state }) => state === 'reseeded');
    expect(recovery).toMatchObject({ attempt: 2 });
    expect(recovery && 'audioGapMs' in recovery && recovery.audioGapMs).toBeGreaterThan(3_000);
    expect(await rig.end()).toEqual([]);
  });

  it('R8 does not send again the silence before somebody spoke', async () => {
    const rig = await SttRig.live();
    await rig.speak(5_000, 0);
    await rig.speak(500, 1);
    rig.peer.destroy();
    await rig.clock.settle();
    await rig.redialled();
    expect(rig.peer.audioMs).toBe(800);
    expect(await rig.end()).toEqual([]);
  });

  it('an utterance that begins on one connection and ends on another begins and ends once', async () => {
    const rig = await SttRig.live();
    await rig.speak(500);
    rig.peer.say({ type: 'SpeechStarted', timestamp: 0 }, results('I want', 0, 0.5, { final: false }));
    await rig.clock.settle();
    rig.peer.close(1011, 'restart');
    await rig.clock.settle();
    await rig.redialled();
    await rig.speak(500);
    rig.peer.say({ type: 'SpeechStarted', timestamp: 0 }, results('I want rye.', 0, 1, { end: true }));
    await rig.clock.settle();
    expect(rig.types).toEqual(['speechStarted', 'transcript', 'transcript', 'speechEnded']);
    expect(rig.finals).toEqual(['I want rye.']);
    expect(await rig.end()).toEqual([]);
  });

  it('R5 a dead recogniser ends with a typed error when the attempts are used up', async () => {
    const rig = await SttRig.live({
      serve: (peer, number) => (number === 1 ? welcome(peer) : peer.dial.refuse({ httpStatus: 502 })),
    });
    rig.peer.destroy();
    await rig.clock.advance(10 * MINUTE_MS);
    expect(rig.failures).toMatchObject([
      {
        code: 'HOLDFAST_RECONNECT_EXHAUSTED',
        meter: 'attempts',
        cause: { code: 'HOLDFAST_CONNECTION_LOST' },
      },
    ]);
    expect(rig.peers).toHaveLength(1 + DEFAULT_MAX_ATTEMPTS);
    expect(await rig.leg.closed).toMatchObject({ reason: 'connection lost' });
    expect(await rig.end()).toEqual([]);
  });

  it('R4 a connection that is dropped before it outlived the connect time-out counts, one after it does not', async () => {
    const policy = sttReconnectPolicy({ connectTimeoutMs: 2_000 });
    expect(policy).toMatchObject({ stableAfterMs: 2_000, withoutHandle: 'reseed' });
    expect(sttReconnectPolicy()?.stableAfterMs).toBe(DEFAULT_CONNECT_TIMEOUT_MS);
    expect(sttReconnectPolicy({ reconnect: false })).toBeUndefined();
    for (const [livedMs, failures] of [
      [1_900, 1],
      [2_000, 0],
    ] as const) {
      const rig = await SttRig.live({
        connectTimeoutMs: 2_000,
        reconnect: { maxAttempts: 3, delaysMs: [0] },
      });
      for (let time = 0; time < 10; time += 1) {
        await rig.clock.advance(livedMs);
        rig.peer.destroy();
        await rig.clock.settle();
      }
      expect(rig.failures).toHaveLength(failures);
      expect(await rig.end()).toEqual([]);
    }
  });

  it('R4 a final transcript ends the row of failures', async () => {
    const rig = await SttRig.live({ reconnect: { maxAttempts: 2, delaysMs: [0] } });
    for (let time = 0; time < 20; time += 1) {
      await rig.speak(100);
      rig.peer.say(results(`word ${time}`, 0, 0.1));
      await rig.clock.settle();
      rig.peer.destroy();
      await rig.clock.settle();
    }
    expect(rig.failures).toEqual([]);
    expect(rig.finals).toHaveLength(20);
    expect(await rig.end()).toEqual([]);
  });

  it('R4 with reconnecting off the first loss is the end', async () => {
    const rig = await SttRig.live({ reconnect: false });
    rig.peer.destroy();
    await rig.clock.settle();
    expect(rig.failures).toMatchObject([{ code: 'HOLDFAST_CONNECTION_LOST' }]);
    expect(await rig.end()).toEqual([]);
  });

  it('an error that is not the connection’s ends it at once', async () => {
    const rig = await SttRig.live();
    await rig.speak(100);
    rig.peer.close(1008, 'DATA-0000');
    await rig.clock.settle();
    expect(rig.failures).toMatchObject([{ code: 'HOLDFAST_INVALID_REQUEST' }]);
    expect(rig.peers).toHaveLength(1);
    expect(await rig.end()).toEqual([]);
  });
});

describe('An STT leg that is asked to write down at once', () => {
  const finalized = (rig: SttRig): unknown[] => rig.events.filter(({ type }) => type === 'finalized');

  it('answers when the recogniser does, after the last of the audio', async () => {
    const rig = await SttRig.live();
    await rig.speak(500);
    rig.leg.finalize();
    await rig.clock.settle();
    expect(rig.peer.said).toEqual(['Finalize']);
    rig.peer.say(results('Yes.', 0, 0.5, { finalized: true }));
    await rig.clock.settle();
    expect(rig.types).toEqual(['speechStarted', 'transcript', 'finalized']);
    expect(finalized(rig)).toEqual([{ type: 'finalized', isComplete: true }]);
    expect(await rig.end()).toEqual([]);
  });

  it('answers without the recogniser in time, and tells what was heard as it stands, once', async () => {
    const rig = await SttRig.live();
    await rig.speak(500);
    rig.peer.say(results('Yes', 0, 0.5, { final: false }));
    rig.leg.finalize();
    await rig.clock.advance(FINALIZE_TIMEOUT_MS);
    expect(finalized(rig)).toEqual([{ type: 'finalized', isComplete: false }]);
    expect(rig.finals).toEqual(['Yes']);
    // The final comes after all, and the recogniser is not deaf.
    rig.peer.say(results('Yes.', 0, 0.9, { end: true }));
    await rig.clock.settle();
    expect(rig.finals).toEqual(['Yes']);
    expect(rig.peers).toHaveLength(1);
    expect(rig.types.at(-1)).toBe('speechEnded');
    expect(await rig.end()).toEqual([]);
  });

  it('asks the next connection again, after what it has to hear again', async () => {
    const rig = await SttRig.live({ reconnect: { delaysMs: [0, 1_000], jitterMs: 0 } });
    await rig.speak(500, 1);
    rig.leg.finalize();
    await rig.clock.settle();
    rig.peer.destroy();
    rig.leg.hear(voice(2));
    await rig.clock.advance(1_000);
    expect(rig.peers).toHaveLength(2);
    expect(rig.peer.said).toEqual(['Finalize']);
    expect(rig.peer.marks).toEqual([1, 2]);
    rig.peer.say(results('One.', 0, 0.5, { finalized: true }));
    await rig.clock.settle();
    expect(finalized(rig)).toEqual([{ type: 'finalized', isComplete: true }]);
    expect(await rig.end()).toEqual([]);
  });

  it('R12 a recogniser that hears nothing is replaced, once, and what it did not hear is heard', async () => {
    const rig = await SttRig.live();
    await rig.speak(500);
    rig.leg.finalize();
    await rig.clock.advance(FINALIZE_TIMEOUT_MS);
    expect(rig.states).toContain('lost silent');
    expect(finalized(rig)).toHaveLength(1);
    await rig.clock.advance(FINALIZE_TIMEOUT_MS - 1);
    expect(rig.peers).toHaveLength(2);
    expect(rig.peer.audioMs).toBe(500);
    rig.peer.say(results('Hello?', 0, 0.5, { finalized: true }));
    await rig.clock.advance(HOUR_MS);
    expect(rig.finals).toEqual(['Hello?']);
    expect(finalized(rig)).toHaveLength(1);
    expect(rig.peers).toHaveLength(2);
    expect(await rig.end()).toEqual([]);
  });

  it('R12 noise that no recogniser makes words of replaces one connection and not one after the other', async () => {
    const rig = await SttRig.live();
    await rig.speak(500);
    rig.leg.finalize();
    await rig.clock.advance(10 * MINUTE_MS);
    expect(rig.peers).toHaveLength(2);
    expect(rig.failures).toEqual([]);
    expect(await rig.end()).toEqual([]);
  });

  it('silence that is not answered is no reason to replace anything', async () => {
    const rig = await SttRig.live();
    await rig.speak(500, 0);
    rig.leg.finalize();
    await rig.clock.advance(10 * MINUTE_MS);
    expect(finalized(rig)).toEqual([{ type: 'finalized', isComplete: false }]);
    expect(rig.peers).toHaveLength(1);
    expect(await rig.end()).toEqual([]);
  });
});

describe('An STT leg that ends', () => {
  const withGoodbye = async (wire: 'deepgram' | 'livekit'): Promise<SttPeer> => {
    const rig = await SttRig.live({ wire });
    await rig.speak(70);
    const closed = rig.leg.close('hung up');
    // What comes after the close is not told.
    rig.peer.say(results('late', 0, 0.07), { type: 'final_transcript', transcript: 'late' });
    await rig.clock.advance(1_000);
    expect(await closed).toMatchObject({ reason: 'hung up', durationMs: 0 });
    expect(rig.finals).toEqual([]);
    expect(await rig.end()).toEqual([]);
    return rig.peer;
  };

  it('C5 tells the gateway before the socket goes', async () => {
    const peer = await withGoodbye('livekit');
    expect(peer.said.at(-1)).toBe('session.close');
    expect(peer.audioMs).toBe(80);
    expect(peer.closes).toMatchObject([{ code: 1000 }]);
  });

  it('C5 tells Deepgram before the socket goes', async () => {
    const peer = await withGoodbye('deepgram');
    expect(peer.said).toEqual(['CloseStream']);
    expect(peer.closes).toMatchObject([{ code: 1000 }]);
  });

  it('C10 a peer that does not answer the close holds it up for its bound and no longer', async () => {
    const rig = await SttRig.live({ serve: (peer) => peer.accept({ answersClose: false }) });
    const closed = rig.leg.close();
    await rig.clock.advance(1_000);
    expect((await closed).durationMs).toBeLessThanOrEqual(1_000);
    expect(await rig.end()).toEqual([]);
  });

  it('C10 closes while it connects, while it waits, and while it rests', async () => {
    const connecting = new SttRig({ serve: () => undefined });
    const starting = connecting.leg.start().catch((error: unknown) => error);
    await connecting.clock.settle();
    expect(await connecting.end()).toEqual([]);
    expect(await starting).toMatchObject({ code: 'HOLDFAST_CLOSED' });

    const waiting = await SttRig.live({
      serve: (peer, number) => (number === 1 ? welcome(peer) : peer.dial.refuse()),
    });
    waiting.peer.destroy();
    await waiting.clock.advance(100);
    expect(waiting.states.at(-1)).toBe('waiting');
    expect(await waiting.end()).toEqual([]);

    const resting = await SttRig.live();
    await resting.clock.advance(HOUR_MS);
    resting.peer.close(1011, 'NET-0001');
    await resting.clock.settle();
    expect(resting.states.at(-1)).toBe('lost idle');
    expect(await resting.end()).toEqual([]);
  });

  it('drains: what was given is written down first', async () => {
    const rig = await SttRig.live();
    await rig.speak(500);
    const drained = rig.leg.drain();
    expect(rig.leg.hear(voice())).toBe(false);
    await rig.clock.advance(200);
    rig.peer.say(results('Bye.', 0, 0.5, { finalized: true }));
    await rig.clock.settle();
    expect(await drained).toMatchObject({ reason: 'drained' });
    expect(rig.finals).toEqual(['Bye.']);
    expect(rig.peer.said).toEqual(['Finalize', 'CloseStream']);
    expect(await rig.end()).toEqual([]);
  });

  it('drains in bounded time when the recogniser says nothing, and at once when nothing is owed', async () => {
    const mute = await SttRig.live();
    await mute.speak(500);
    const drained = mute.leg.drain();
    await mute.clock.advance(FINALIZE_TIMEOUT_MS);
    expect(await drained).toMatchObject({ reason: 'drained' });
    expect(await mute.end()).toEqual([]);

    const quiet = await SttRig.live();
    await quiet.speak(500, 0);
    const over = quiet.owner.drain();
    await quiet.clock.settle();
    await over;
    expect(quiet.peer.said).toEqual(['CloseStream']);
    expect(await quiet.end()).toEqual([]);
  });

  it('a loss while it drains, with words missing, is told', async () => {
    const rig = await SttRig.live();
    await rig.speak(500);
    void rig.leg.drain();
    rig.peer.destroy();
    await rig.clock.settle();
    expect(rig.failures).toMatchObject([{ code: 'HOLDFAST_CONNECTION_LOST' }]);
    expect(rig.peers).toHaveLength(1);
    expect(await rig.end()).toEqual([]);
  });
});

import { AudioChunk } from '../../src/protocol/index.ts';
import { results } from './stt-rig.ts';
import type { SttPeer } from './stt-rig.ts';

const RATE_HZ = 16_000;

/** How much silence ends an utterance. */
export const PAUSE_MS = 200;

/**
 * A service that understands: each run of one sample value is a word, named after it, and is told finally when it has been
 * followed by a pause, with its place in the audio of the connection.
 */
export function understanding(peer: SttPeer): void {
  let [heard, quiet, startedAt, endedAt, word] = [0, 0, 0, 0, 0];
  const tell = (finalized: boolean): void => {
    const text = word === 0 ? '' : `word${word}`;
    peer.say(results(text, startedAt / RATE_HZ, endedAt / RATE_HZ, { end: true, finalized }));
    word = 0;
  };
  peer.accept({
    message: (data) => {
      if (typeof data === 'string') {
        if (data.includes('Finalize')) tell(true);
        return;
      }
      for (const sample of AudioChunk.fromPcm(data, RATE_HZ).samples) {
        heard += 1;
        quiet = sample > 0 ? 0 : quiet + 1;
        if (sample > 0 && word === 0) startedAt = heard - 1;
        if (sample > 0) [word, endedAt] = [sample - 1_000, heard];
        if (word !== 0 && (quiet * 1_000) / RATE_HZ >= PAUSE_MS) tell(false);
      }
    },
  });
}

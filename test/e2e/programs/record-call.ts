// Records a call as it would happen, for as long as it is let: node record-call.ts FILE [MILLISECONDS]
import { Lifetime } from '../../../src/kernel/index.ts';
import { Recorder } from '../../../src/speech/index.ts';

const [file = '', lengthMs = 'Infinity'] = process.argv.slice(2);
const FRAME_MS = 20;
const FRAME_SAMPLES = 480;

const call = Lifetime.root({ name: 'call' });
const recorder = new Recorder({
  owner: call,
  to: file,
  onError: (error) => {
    throw error;
  },
});

/** Samples that tell their places. */
function counted(from: number, count: number): Int16Array {
  return Int16Array.from({ length: count }, (_, i) => ((from + i) % 30_000) + 1);
}

// A second of the agent at once, as models send it; the user as a microphone does.
let given = 0;
const startMs = call.clock.now();
const frame = (): void => {
  if (given % 24_000 === 0) recorder.agent(counted(given, 24_000), 24_000);
  recorder.user(counted(given, FRAME_SAMPLES), 24_000, given);
  given += FRAME_SAMPLES;
  const givenMs = given / 24;
  if (givenMs % 500 === 0) process.stdout.write(`recorded ${givenMs}\n`);
  if (givenMs >= Number(lengthMs)) void call.close('hung up');
  else call.timer('frame', startMs + givenMs - call.clock.now() + FRAME_MS, frame);
};
frame();

import { parentPort, workerData } from 'node:worker_threads';
import type {
  FromThread,
  SpeechModelModule,
  SpeechModelStream,
  ThreadSetup,
  ToThread,
} from './speech-model.ts';

// The thread in which a model listens; `VadThread` is its host. Whatever fails here ends it, and the host is told.

const port = parentPort;
if (port === null)
  throw new Error('This module is the thread of a voice activity detector, and runs in a worker.');

const setup = workerData as ThreadSetup;
const { loadSpeechModel } = (await import(setup.module)) as SpeechModelModule;
const model = await loadSpeechModel(setup.options);
const streams = new Map<number, SpeechModelStream>();

async function handle(message: ToThread): Promise<void> {
  const stream = streams.get(message.ear) ?? model.open();
  streams.set(message.ear, stream);
  switch (message.type) {
    case 'window': {
      const probability = await stream.probability(message.samples);
      say({ type: 'probability', ear: message.ear, window: message.window, probability });
      break;
    }
    case 'reset':
      stream.reset();
      break;
    case 'gone':
      streams.delete(message.ear);
  }
}

function say(message: FromThread): void {
  port?.postMessage(message);
}

// One after the other, in the order they came, whoever's they are: a stream's state is of its last window.
let last = Promise.resolve();
port.on('message', (message: ToThread) => {
  last = last.then(() => handle(message));
});
say({ type: 'ready' });

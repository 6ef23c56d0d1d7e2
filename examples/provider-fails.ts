// A provider that fails, and a program that knows what to do: every kind of failure is an error of its own.
//
//   node examples/provider-fails.ts
//
// prints
//
//   HOLDFAST_QUOTA: again in 1 s
//   connected with 0 messages of history
//   agent: Are you there?
//   HOLDFAST_CONNECTION_LOST: again in 0.5 s
//   connected with 2 messages of history
//   agent: Are you there?
//   HOLDFAST_AUTHENTICATION: Gemini closed the connection before it was set up: 1007 API key not valid. …
//
// No key is needed: the Gemini emulator plays the provider, and fails as its script says.
import { setTimeout } from 'node:timers/promises';
import {
  Agent,
  ConnectTimeoutError,
  ConnectionLostError,
  HoldfastError,
  LiveRequestQueue,
  MemorySessionStore,
  QuotaError,
  gemini,
  runLive,
  textContent,
} from 'holdfast';
import { GeminiEmulator } from 'holdfast/testing';

await using provider = await GeminiEmulator.start({
  keys: ['good'],
  playbackSpeed: 20,
  faults: [
    { when: { connection: 1 }, what: { type: 'httpStatus', status: 429, retryAfter: '1' } },
    { when: { connection: 2, on: 'answerAudio', nth: 3 }, what: { type: 'reset' } },
  ],
});

// The stored session outlives connections: each new one is given what was said on those before.
const session = await new MemorySessionStore().create({ appName: 'demo', userId: 'me' });

async function ask(question: string, apiKey: string): Promise<void> {
  const model = gemini({ model: 'gemini-2.5-flash', apiKey, baseUrl: provider.url });
  const agent = new Agent({ name: 'agent', model });
  const queue = new LiveRequestQueue();
  queue.sendContent(textContent('user', question));
  for await (const event of runLive({ agent, queue, session })) {
    if (event.type === 'connection' && event.state === 'connected') {
      console.log(`connected with ${event.historyTurns} messages of history`);
    }
    if (event.type === 'transcript' && !event.partial) console.log(`${event.author}: ${event.text}`);
    if (event.type === 'turnComplete') queue.close();
  }
}

/** Waits out what another attempt may cure. What it cannot cure, a bad key say, is thrown on. */
async function pauseAfter(error: unknown): Promise<void> {
  let pauseMs = 500;
  if (error instanceof QuotaError) pauseMs = error.failure.retryAfterMs ?? 30_000;
  else if (!(error instanceof ConnectionLostError || error instanceof ConnectTimeoutError)) throw error;
  console.log(`${error.code}: again in ${pauseMs / 1_000} s`);
  await setTimeout(pauseMs);
}

async function askUntilAnswered(question: string, apiKey: string, attempts = 5): Promise<void> {
  try {
    await ask(question, apiKey);
  } catch (error) {
    if (attempts === 1) throw error;
    await pauseAfter(error);
    await askUntilAnswered(question, apiKey, attempts - 1);
  }
}

for (const apiKey of ['good', 'bad']) {
  try {
    await askUntilAnswered('Are you there?', apiKey);
  } catch (error) {
    // The base of every error Holdfast throws: a stable code, and a message that says what to do.
    if (!(error instanceof HoldfastError)) throw error;
    console.log(`${error.code}: ${error.message}`);
  }
}

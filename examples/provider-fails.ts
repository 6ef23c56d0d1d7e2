// A provider that fails: a lost connection is had again by itself, and every other failure is an error of its own, so
// that a program knows what to do.
//
//   node examples/provider-fails.ts
//
// prints
//
//   HOLDFAST_QUOTA: again in 1 s
//   agent: Are you there?
//   lost: 1011 Internal error encountered.
//   resumed at attempt 1
//   agent: And now?
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
    // The second question is on its way, and its answer never comes over this connection.
    {
      when: { connection: 2, on: 'turn', nth: 2 },
      what: { type: 'close', code: 1011, reason: 'Internal error encountered.' },
    },
  ],
});

async function ask(questions: readonly string[], apiKey: string): Promise<void> {
  const model = gemini({ model: 'gemini-2.5-flash', apiKey, baseUrl: provider.url });
  const agent = new Agent({ name: 'agent', model });
  const queue = new LiveRequestQueue();
  const next = [...questions];
  const askNext = (): void => {
    const question = next.shift();
    if (question === undefined) queue.close();
    else queue.sendContent(textContent('user', question));
  };
  askNext();
  for await (const event of runLive({ agent, queue })) {
    // Nothing has to be done about these two: what was said and not answered is sent again.
    if (event.type === 'connection' && event.state === 'lost') {
      console.log(`lost: ${event.code} ${event.reason}`);
    }
    if (event.type === 'connection' && event.state === 'resumed') {
      console.log(`resumed at attempt ${event.attempt}`);
    }
    if (event.type === 'transcript' && !event.partial) console.log(`${event.author}: ${event.text}`);
    if (event.type === 'turnComplete') askNext();
  }
}

/** Waits out what another call may cure. What it cannot cure, a bad key say, is thrown on. */
async function pauseAfter(error: unknown): Promise<void> {
  let pauseMs = 500;
  if (error instanceof QuotaError) pauseMs = error.failure.retryAfterMs ?? 30_000;
  else if (!(error instanceof ConnectionLostError || error instanceof ConnectTimeoutError)) throw error;
  console.log(`${error.code}: again in ${pauseMs / 1_000} s`);
  await setTimeout(pauseMs);
}

async function askUntilAnswered(questions: readonly string[], apiKey: string, calls = 5): Promise<void> {
  try {
    await ask(questions, apiKey);
  } catch (error) {
    if (calls === 1) throw error;
    await pauseAfter(error);
    await askUntilAnswered(questions, apiKey, calls - 1);
  }
}

for (const apiKey of ['good', 'bad']) {
  try {
    await askUntilAnswered(['Are you there?', 'And now?'], apiKey);
  } catch (error) {
    // The base of every error Holdfast throws: a stable code, and a message that says what to do.
    if (!(error instanceof HoldfastError)) throw error;
    console.log(`${error.code}: ${error.message}`);
  }
}

// A client of a server, with the SDK that browsers use too: apps, a session, a conversation, its end.
//
//   node examples/client.ts [http://127.0.0.1:8000]
//
// prints, of a server on the echo model
//
//   apps: default
//   connected to echo
//   default: Are you there?
//   closed with 1000
//
// Without an address it starts a server of its own to talk to.
import { Agent, echo } from 'holdfast';
import { HoldfastError, connectSession, createSession, listApps } from 'holdfast/client';
import { createServer } from 'holdfast/server';

const agents = { default: new Agent({ name: 'default', model: echo() }) };
await using server = process.argv[2] === undefined ? createServer({ agents }) : undefined;
const url = process.argv[2] ?? (await server?.listen())?.url ?? '';

try {
  const [appName = '', ...others] = await listApps({ url });
  console.log(`apps: ${[appName, ...others].join(', ')}`);
  // The session is stored on the server: connecting to it again later goes on with its history.
  const { id: sessionId } = await createSession({ url, appName, userId: 'me' });

  await using client = connectSession({ url, appName, userId: 'me', sessionId });
  client.on('hello', ({ model }) => console.log(`connected to ${model}`));
  client.on('audio', ({ samples }) => console.log(`${samples.length} samples to play`));
  client.on('error', ({ message }) => console.log(`refused: ${message}`));
  client.on('state', (state) => {
    if (state.tag === 'closed') console.log(`closed with ${state.code}`);
  });
  const answered = new Promise<void>((resolve) => {
    client.on('event', (event) => {
      if (event.type === 'text' && !event.partial) console.log(`${event.author}: ${event.text}`);
      if (event.type === 'turnComplete') resolve();
    });
  });
  await client.opened;
  client.sendText('Are you there?');
  // Whichever comes first: an answer, or the end of the connection.
  await Promise.race([answered, client.closed]);
} catch (error) {
  // Everything Holdfast throws has a stable code, and says what to do.
  if (!(error instanceof HoldfastError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}

// Every way to leave a live session from outside ends it, and nothing is left behind: no socket, no timer, no bill.
//
//   node examples/cancelling.ts
//
// prints
//
//   the signal fired: consumer_left, still held: 0
//   the loop was left: consumer_left, still held: 0
//   the block was left: consumer_left, still held: 0
//   the queue was closed: user_initiated, still held: 0
//
// With GEMINI_API_KEY set, it is real connections that end.
import { Agent, LiveRequestQueue, echo, gemini, runLive } from 'holdfast';
import type { LiveRun } from 'holdfast';

const agent = new Agent({
  name: 'agent',
  model: process.env.GEMINI_API_KEY ? gemini({ model: 'gemini-2.5-flash-native-audio-latest' }) : echo(),
});

async function tell(how: string, run: LiveRun): Promise<void> {
  const { reason } = await run.closed;
  console.log(`${how}: ${reason}, still held: ${run.session.resources().length}`);
}

// A signal, for what already has one: a request, a time-out, a shutdown. The loop ends, also where it only waits.
const signalled = runLive({ agent, signal: AbortSignal.timeout(300) });
for await (const event of signalled) void event;
await tell('the signal fired', signalled);

// Leaving the loop, by break, return or an error.
const left = runLive({ agent });
for await (const event of left) {
  if (event.type === 'connection' && event.state === 'connected') break;
}
await tell('the loop was left', left);

// The end of a block, however it is come to. (Node 24; on Node 22 `try` and `finally` with `run.return()`.)
async function waitForOneEvent(): Promise<LiveRun> {
  await using run = runLive({ agent });
  await run.next();
  return run;
}
await tell('the block was left', await waitForOneEvent());

// Closing the queue, from wherever it is fed.
const queue = new LiveRequestQueue();
const closed = runLive({ agent, queue });
for await (const event of closed)
  if (event.type === 'connection' && event.state === 'connected') queue.close();
await tell('the queue was closed', closed);

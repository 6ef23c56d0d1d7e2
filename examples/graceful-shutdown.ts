// A server that is deployed while people talk: on SIGTERM it takes no new call, and lets those it has end by themselves.
//
//   PORT=8080 node examples/graceful-shutdown.ts
//
// prints `listening on http://127.0.0.1:8080`. Speak to it from a second terminal,
//
//   holdfast call http://127.0.0.1:8080 --wav question.wav
//
// and press Ctrl-C here meanwhile. The call goes on to its end:
//
//   draining, calls under way: 1
//   draining, calls under way: 1
//   drained, calls cut: 0
//
// Ctrl-C again ends the calls now; once more, and nobody is waited for. `holdfast web` and `api-server` do all this.
import { Agent, echo } from 'holdfast';
import type { Logger } from 'holdfast';
import { createServer } from 'holdfast/server';

// Your logger's four functions. Lines are constant; what varies is in the fields.
const log: Logger = {
  debug: () => undefined,
  info: (message, fields) => {
    if (message === 'draining') console.log(`draining, calls under way: ${String(fields?.['calls'])}`);
  },
  warn: (message, fields) => console.warn(message, fields),
  error: (message, fields) => console.error(message, fields),
};

const server = createServer({
  agents: { default: new Agent({ name: 'default', model: echo() }) },
  // What the platform gives a process between SIGTERM and SIGKILL, less a little.
  drainTimeoutMs: 290_000,
  // How long the load balancer takes to see that /ready says 503. New calls are accepted until then.
  preDrainDelayMs: 0,
  drainProgressMs: 1_000,
  log,
});

// Each signal is a step harder than the one before. npm forwards the terminal's Ctrl-C, which has come already: two
// signals in half a second are one.
const steps = [() => server.drain(), () => server.close(), () => server.abort()];
let lastMs = -Infinity;
function step(): void {
  const isEcho = performance.now() - lastMs < 500;
  if (isEcho) return;
  lastMs = performance.now();
  void steps.shift()?.();
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, step);

const { url } = await server.listen(Number(process.env.PORT ?? 8080));
console.log(`listening on ${url}`);

const { reason, cutCalls } = await server.closed;
console.log(`${reason}, calls cut: ${cutCalls}`);
// Says to whoever deploys whether somebody was hung up on.
process.exit(cutCalls === 0 ? 0 : 1);

// Live sessions in a server you have already: your routes stay yours, `/agents/…` is Holdfast's.
//
//   PORT=8080 node examples/own-server.ts
//
// prints `listening on http://127.0.0.1:8080`, serves until Ctrl-C or SIGTERM, and then prints `stopped, calls cut: 0`.
// Call it from a second terminal:
//
//   holdfast call http://127.0.0.1:8080/agents --app parrot --text "Are you there?"
//
// With Express: `app.use('/agents', holdfast.requestListener)`. With Hono, or whatever speaks fetch:
// `app.mount('/agents', holdfast.fetch)`. In both, `holdfast.attach(server, …)` with the server that listens.
import { createServer as createHttpServer } from 'node:http';
import { Agent, echo } from 'holdfast';
import { createServer } from 'holdfast/server';

const holdfast = createServer({ agents: { parrot: new Agent({ name: 'parrot', model: echo() }) } });

const server = createHttpServer((request, response) => {
  const path = request.url ?? '/';
  if (path.startsWith('/agents/')) {
    request.url = path.slice('/agents'.length);
    holdfast.requestListener(request, response);
  } else {
    response.end('This is my own server.\n');
  }
});

// WebSocket upgrades do not come through the request listener. All others than ours are left to you.
holdfast.attach(server, { basePath: '/agents' });

const port = Number(process.env.PORT ?? 8080);
server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') console.log(`listening on http://127.0.0.1:${address?.port}`);
});

// Holdfast listens to no signal in a server of yours. Drain it first, then close your own.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void holdfast.drain());
const { cutCalls } = await holdfast.closed;
server.close();
server.closeAllConnections();
console.log(`stopped, calls cut: ${cutCalls}`);

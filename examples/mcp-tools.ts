// Tools of a server that speaks MCP: started, called, had again when it dies, and gone with the session.
//
//   npm install @modelcontextprotocol/sdk
//   node examples/mcp-tools.ts
//
// prints
//
//   the model is told {"article":"rye","left":3}
//   the model is told {"error":"The server of toolset 'shelf' did not answer: it has ended."}
//   the model is told {"article":"rye","left":3}
//   ended: user_initiated, toolset shelf/connection/process: done
//
// No key is needed: the Gemini emulator calls a function when it is told `call name {…}`, as no real model would. And the
// server is this same file, so that it can be run alone; yours is a package, `command: 'npx', args: ['-y', 'its-name']`,
// or has an address, `url` and `headers`.
import { createInterface } from 'node:readline';
import { Agent, LiveRequestQueue, gemini, runLive, textContent } from 'holdfast';
import { mcpToolset } from 'holdfast/mcp';
import { GeminiEmulator } from 'holdfast/testing';

if (process.argv[2] === 'serve') await serve();
else await talk();

async function talk(): Promise<void> {
  const shelf = mcpToolset({
    name: 'shelf',
    command: process.execPath,
    args: [import.meta.filename, 'serve'],
    // Besides PATH, HOME and their like the server is given nothing. A function is asked at every start.
    env: () => ({ SHELF: 'rye=3' }),
    tools: { prefix: 'shelf_' },
  });

  await using provider = await GeminiEmulator.start({ playbackSpeed: 20 });
  const model = gemini({ model: 'gemini-2.5-flash', apiKey: 'any', baseUrl: provider.url });
  // Each live session of the agent starts a server of its own, and ends it.
  const agent = new Agent({ name: 'clerk', model, toolsets: [shelf] });

  const questions = ['call shelf_stock', 'call shelf_break', 'call shelf_stock'];
  const queue = new LiveRequestQueue();
  const ask = (): void => {
    const question = questions.shift();
    if (question === undefined) queue.close();
    else queue.sendContent(textContent('user', question));
  };

  ask();
  const run = runLive({ agent, queue });
  for await (const event of run) {
    if (event.type === 'toolResult')
      console.log(`the model is told ${JSON.stringify(event.result.response)}`);
    if (event.type === 'turnComplete') ask();
  }

  const { reason, steps } = await run.closed;
  const ofShelf = steps.filter(({ name }) => name.startsWith('toolset shelf'));
  console.log(`ended: ${reason}, ${ofShelf.map(({ name, outcome }) => `${name}: ${outcome}`).join(', ')}`);
}

/** A server by hand: one JSON-RPC message a line. With the SDK of MCP it would be a few lines as well. */
async function serve(): Promise<void> {
  const [article, left] = (process.env['SHELF'] ?? '').split('=');
  const inputSchema = { type: 'object' };
  const answers: Record<string, () => unknown> = {
    initialize: () => ({
      protocolVersion: '2025-06-18',
      capabilities: { tools: {} },
      serverInfo: { name: 'shelf', version: '1' },
    }),
    'tools/list': () => ({
      tools: [
        { name: 'stock', description: 'What is left on the shelf.', inputSchema },
        { name: 'break', description: 'Ends the server.', inputSchema },
      ],
    }),
    stock: () => ({ content: [], structuredContent: { article, left: Number(left) } }),
    break: () => process.exit(1),
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, method, params } = JSON.parse(line) as {
      id?: number;
      method: string;
      params?: { name?: string };
    };
    if (id === undefined) continue;
    const result = answers[params?.name ?? method]?.() ?? {};
    console.log(JSON.stringify({ jsonrpc: '2.0', id, result }));
  }
}

// An agent with tools: arguments checked by zod, a time-out, and a signal that is heeded.
//
//   node examples/tools.ts
//
// prints
//
//   the model calls stock {"article":"rye"}
//   and is told {"article":"rye","left":3}
//   the model calls stock {"article":7}
//   and is told {"error":"The arguments of 'stock' are not valid: ✖ Invalid input: expected string, received number\n  → at article"}
//   the model calls ask_supplier {}
//   (the supplier is not waited for any longer)
//   and is told {"error":"Tool 'ask_supplier' did not settle within 300 ms."}
//
// No key is needed: the Gemini emulator calls a function when it is told `call name {…}`, as no real model would.
import { setTimeout } from 'node:timers/promises';
import { Agent, LiveRequestQueue, gemini, runLive, textContent, tool } from 'holdfast';
import { GeminiEmulator } from 'holdfast/testing';
import { z } from 'zod';

const shelf = new Map([['rye', 3]]);

const stock = tool({
  name: 'stock',
  description: 'How many of an article are left.',
  parameters: z.object({ article: z.string() }),
  execute: ({ article }) => ({ article, left: shelf.get(article) ?? 0 }),
});

const askSupplier = tool({
  name: 'ask_supplier',
  description: 'Asks the supplier when the next delivery comes.',
  timeoutMs: 300,
  // The signal fires when the time is up, when the user interrupts, and when the session ends. Hand it on to whatever
  // the tool waits for; the conversation goes on meanwhile in any case.
  execute: async (_args, { signal }) => {
    signal.addEventListener('abort', () => console.log('(the supplier is not waited for any longer)'));
    await setTimeout(60_000, undefined, { signal });
    return { delivery: 'tomorrow' };
  },
});

// An answer counts as heard twenty times sooner than it plays, or this would take as long as a call.
await using provider = await GeminiEmulator.start({ playbackSpeed: 20 });
const agent = new Agent({
  name: 'clerk',
  instructions: 'You answer the phone of a small bakery. Be brief.',
  model: gemini({ model: 'gemini-2.5-flash', apiKey: 'any', baseUrl: provider.url }),
  tools: [stock, askSupplier],
});

const questions = ['call stock {"article":"rye"}', 'call stock {"article":7}', 'call ask_supplier'];
const queue = new LiveRequestQueue();
const ask = (): void => {
  const question = questions.shift();
  if (question === undefined) queue.close();
  else queue.sendContent(textContent('user', question));
};

ask();
for await (const event of runLive({ agent, queue })) {
  if (event.type === 'toolCall') {
    for (const { name, args } of event.calls) console.log(`the model calls ${name} ${JSON.stringify(args)}`);
  }
  if (event.type === 'toolResult') console.log(`and is told ${JSON.stringify(event.result.response)}`);
  if (event.type === 'turnComplete') ask();
}

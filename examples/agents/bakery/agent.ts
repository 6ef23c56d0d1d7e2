// An agents folder: `holdfast web` and `holdfast api-server` serve each <folder>/<app>/agent.ts, by what it exports as
// `rootAgent`. No project is needed around it: `holdfast` and `zod` are those of the command that runs it.
//
//   GEMINI_API_KEY=… holdfast web examples/agents --model gemini:gemini-2.5-flash-native-audio-latest
//
// prints `Holdfast is listening on http://127.0.0.1:8000`: open it, choose `bakery`, and ask for rye bread. Without
// `--model` it is served on the echo model, which calls no tool but tries everything else.
import { Agent, tool } from 'holdfast';
import { z } from 'zod';

const shelf = new Map([
  ['rye', 3],
  ['spelt', 1],
]);

const stock = tool({
  name: 'stock',
  description: 'How many loaves of a kind of bread are left.',
  parameters: z.object({ bread: z.string() }),
  execute: ({ bread }) => ({ bread, left: shelf.get(bread) ?? 0 }),
});

const reserve = tool({
  name: 'reserve',
  description: 'Puts one loaf aside for the caller.',
  parameters: z.object({ bread: z.string(), caller: z.string() }),
  // `state` belongs to the session: it is stored with it, and is there again when the caller comes back.
  execute: ({ bread, caller }, { state }) => {
    const left = shelf.get(bread) ?? 0;
    if (left === 0) return { reserved: false, why: `There is no ${bread} left.` };
    shelf.set(bread, left - 1);
    state['reserved'] = { bread, caller };
    return { reserved: true };
  },
});

export const rootAgent = new Agent({
  name: 'clerk',
  instructions: 'You answer the phone of a small bakery. Be brief and friendly.',
  tools: [stock, reserve],
});

// Two agents and a task: one gives the conversation to the other, who lets a task find something out.
//
//   node examples/agents-handing-over.ts
//
// prints
//
//   caller: I would like to order bread.
//   (reception → orders: handoff)
//   orders: Gladly. What shall it be?
//   caller: Three rye loaves.
//   (orders → phone_number: task)
//   phone_number: Under which number can we reach you?
//   caller: 555 0117.
//   (phone_number → orders: taskDone)
//   orders: Three rye loaves, and we ring 555 0117 when they are ready.
//   the order: {"bread":"rye","loaves":3,"phone":"555 0117"}
//   ended: user_initiated
//
// No key is needed: the model is played, and goes on with its part whenever it is asked something. Give `model` a real one,
// `gemini({ … })` or a `cascade({ … })`, and it decides by itself what to say and what to call; nothing else changes.
import { Agent, AgentTask, LiveRequestQueue, runLive, textContent, tool } from 'holdfast';
import { ScriptedModel } from 'holdfast/testing';
import { z } from 'zod';

const says = (text: string) => [{ type: 'text', text } as const, { type: 'turnComplete' } as const];
const calls = (name: string, args: Record<string, unknown>) => [
  { type: 'toolCall', calls: [{ id: name, name, args }] } as const,
];
const part = [
  calls('transfer_to_agent', { agent_name: 'orders' }),
  says('Gladly. What shall it be?'),
  calls('order', { bread: 'rye', loaves: 3 }),
  says('Under which number can we reach you?'),
  calls('note', { phone: '555 0117' }),
  says('Three rye loaves, and we ring 555 0117 when they are ready.'),
];
const model = new ScriptedModel({
  capabilities: { takesContent: true },
  onInput: (_input, connection) => connection.output(...(part.shift() ?? [])),
});

// A task has the conversation until one of its tools completes it. It is run once: make a new one for each run.
const phoneNumber = () =>
  new AgentTask<string>({
    name: 'phone_number',
    instructions: 'Ask for a phone number, read it back, and note it.',
    tools: (task) => [
      tool({
        name: 'note',
        description: 'Notes the number the caller has confirmed.',
        parameters: z.object({ phone: z.string() }),
        execute: ({ phone }) => task.complete(phone),
      }),
    ],
  });

const orders = new Agent({
  name: 'orders',
  description: 'Takes orders.',
  instructions: 'Take the order of the caller.',
  tools: [
    tool({
      name: 'order',
      description: 'Places an order.',
      parameters: z.object({ bread: z.string(), loaves: z.int() }),
      // The tool's own time-out does not run while the task has the conversation.
      execute: async (wanted, { runTask, userData }) => {
        userData['order'] = { ...wanted, phone: await runTask(phoneNumber()) };
        return 'The order is placed.';
      },
    }),
  ],
});

// `subAgents` give its model a tool `transfer_to_agent`. A tool of your own does the same by returning `handoff(orders)`.
const reception = new Agent({
  name: 'reception',
  instructions: 'You answer the phone of a small bakery. Be brief.',
  model,
  subAgents: [orders],
});

const caller = ['I would like to order bread.', 'Three rye loaves.', '555 0117.'];
const queue = new LiveRequestQueue();
const speak = (): void => {
  const text = caller.shift();
  if (text === undefined) return queue.close();
  console.log(`caller: ${text}`);
  queue.sendContent(textContent('user', text));
};

const userData: Record<string, unknown> = {};
speak();
const run = runLive({ agent: reception, queue, userData });
for await (const event of run) {
  if (event.type === 'agentChanged') console.log(`(${event.previous} → ${event.agent}: ${event.why})`);
  if (event.type === 'text' && !event.partial) {
    console.log(`${event.author}: ${event.text}`);
    speak();
  }
}
console.log(`the order: ${JSON.stringify(userData['order'])}`);
console.log(`ended: ${(await run.closed).reason}`);

// An agent with a slow tool, and a model that calls it when it is told to: `work 3000` has it work for three seconds.

import { Agent, tool } from 'holdfast';
import { ScriptedModel } from 'holdfast/testing';
import { z } from 'zod';

/** Longer than any drill: what ends such a call is the server. */
const TOOL_TIMEOUT_MS = 600_000;

const model = new ScriptedModel({
  onInput: (input, connection) => {
    if (input.type === 'content') {
      const said = input.content.parts.map((part) => ('text' in part ? part.text : '')).join('');
      const [, durationMs] = /^work (\d+)$/.exec(said) ?? [];
      if (durationMs === undefined) {
        connection.output({ type: 'text', text: said }, { type: 'turnComplete' });
        return;
      }
      const args = { durationMs: Number(durationMs) };
      connection.output({ type: 'toolCall', calls: [{ id: `call-${said}`, name: 'work', args }] });
    } else if (input.type === 'toolResponse') {
      connection.output({ type: 'text', text: 'The work is done.' }, { type: 'turnComplete' });
    }
  },
});

export const rootAgent = new Agent({
  name: 'slow',
  model,
  tools: [
    tool({
      name: 'work',
      description: 'Works for so many milliseconds, and listens to nobody meanwhile.',
      parameters: z.object({ durationMs: z.number() }),
      timeoutMs: TOOL_TIMEOUT_MS,
      execute: async ({ durationMs }) => {
        await new Promise((resolve) => setTimeout(resolve, durationMs));
        return { done: true };
      },
    }),
  ],
});

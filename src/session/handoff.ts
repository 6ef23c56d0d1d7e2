import { InvalidOptionError } from '../kernel/index.ts';
import { transferTargets } from './agent.ts';
import type { Agent } from './agent.ts';
import { tool } from './tool.ts';
import type { Tool } from './tool.ts';

export interface HandoffOptions {
  /**
   * Whether the agent is to say something by itself, unless its `onEnter` does. Default true for a handoff by a tool: the
   * user's turn that led to it has no answer yet. Default false for `session.handoff()`.
   */
  readonly reply?: boolean;
  /** What stands in the history as the result of the tool that hands over. JSON. Default: that it was done. */
  readonly result?: unknown;
}

/** The wish to give the conversation to another agent: a tool that returns one does it. Made by `handoff()`. */
export class Handoff {
  readonly agent: Agent;
  readonly reply: boolean;
  readonly result: unknown;

  constructor(agent: Agent, { reply = true, result }: HandoffOptions = {}) {
    this.agent = agent;
    this.reply = reply;
    this.result = result ?? { output: `The conversation was given to '${agent.name}'.` };
  }
}

/**
 * What a tool returns to give the conversation to another agent.
 *
 * ```ts
 * tool({ name: 'billing', description: 'For questions about an invoice.', execute: () => handoff(biller) });
 * ```
 */
export function handoff(agent: Agent, options?: HandoffOptions): Handoff {
  return new Handoff(agent, options);
}

/** The name the ADK gave it, which models have learned. */
export const TRANSFER_TOOL = 'transfer_to_agent';

/** The tool with which an agent's model gives the conversation to another agent of its tree; undefined where there is none. */
export function transferTool(root: Agent, agent: Agent): Tool | undefined {
  const targets = transferTargets(root, agent);
  if (targets.length === 0) return undefined;
  const who = targets.map(({ name, description }) =>
    description === '' ? name : `${name} (${description})`,
  );
  return tool({
    name: TRANSFER_TOOL,
    description: `Gives the conversation to another agent, where that one is better suited to answer: ${who.join('; ')}.`,
    parameters: {
      type: 'object',
      properties: { agent_name: { type: 'string', enum: targets.map(({ name }) => name) } },
      required: ['agent_name'],
    },
    execute: ({ agent_name: name }) => {
      const target = targets.find((other) => other.name === name);
      if (target !== undefined) return handoff(target);
      const known = targets.map((other) => other.name).join(', ');
      throw new InvalidOptionError(`There is no agent '${String(name)}' here. Known: ${known}.`);
    },
  });
}

import { InvalidOptionError } from '../kernel/index.ts';
import type { LiveModel } from './live-model.ts';
import type { StoredSession } from './session-store.ts';
import type { Tool } from './tool.ts';

/** What an agent tells the model about itself; a function is asked anew for every connection. */
export type Instructions = string | ((session: StoredSession) => string | Promise<string>);

export interface AgentOptions {
  /** Author of the agent's events. Letters, digits, `_` and `-`; not `user`, which is what the other side is called. */
  readonly name: string;
  readonly description?: string;
  readonly instructions?: Instructions;
  /** The model it speaks through. Without one, whoever runs the agent decides. */
  readonly model?: LiveModel;
  readonly tools?: readonly Tool[];
}

const AGENT_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/**
 * Who speaks: a name, instructions, tools. It holds no conversation; an AgentSession does.
 * @throws InvalidOptionError for a name that cannot be used, or two tools of one name.
 */
export class Agent {
  readonly name: string;
  readonly description: string;
  readonly instructions: Instructions | undefined;
  readonly model: LiveModel | undefined;
  readonly tools: readonly Tool[];

  constructor(options: AgentOptions) {
    const { name, description = '', instructions, model, tools = [] } = options;
    if (!AGENT_NAME.test(name) || name === 'user') {
      throw new InvalidOptionError(
        `'${name}' cannot name an agent. Start with a letter, go on with letters, digits, _ or -; 'user' is taken.`,
      );
    }
    const names = new Set<string>();
    for (const each of tools) {
      if (names.has(each.name))
        throw new InvalidOptionError(`Agent '${name}' has two tools named '${each.name}'.`);
      names.add(each.name);
    }
    this.name = name;
    this.description = description;
    this.instructions = instructions;
    this.model = model;
    this.tools = tools;
  }
}

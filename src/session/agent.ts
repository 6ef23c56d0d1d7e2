import { InvalidOptionError } from '../kernel/index.ts';
import type { AgentSession } from './agent-session.ts';
import type { LiveModel } from './live-model.ts';
import type { StoredSession } from './session-store.ts';
import { checkToolNames } from './tool.ts';
import type { Tool, UserData } from './tool.ts';
import type { Toolset } from './toolset.ts';

/** What an agent tells the model about itself; a function is asked anew for every connection. */
export type Instructions = string | ((session: StoredSession) => string | Promise<string>);

/** What the hooks of an agent are given. */
export interface AgentContext {
  /** @throws ClosedError when it has ended and nobody else holds it: a hook that hangs keeps no live session in memory. */
  readonly session: AgentSession;
  /** Fires when the agent is not the one who speaks any more, or the live session ends. */
  readonly signal: AbortSignal;
  /** The session's own state; what is written there stays with the session. */
  readonly state: Record<string, unknown>;
  /** What the program gave the live session to share with tools and hooks. */
  readonly userData: UserData;
}

/**
 * A hook of an agent. What an `onEnter` throws is told in a `warning` event, what an `onExit` throws is a line of the log;
 * neither ends anything.
 */
export type AgentHook = (context: AgentContext) => unknown;

/** What an agent is told when the server it speaks on is going away. */
export interface DrainNotice {
  /** How long the live session may go on, in milliseconds; what is left of it then is ended. */
  readonly timeLeftMs: number;
  /** When that is. */
  readonly deadline: Date;
}

/**
 * A hook for the moment in which an agent learns that its live session will have to end: to say so, to come to an end, to
 * hand somebody a number to call. Nothing waits for it; what it throws is told in a `warning` event.
 */
export type DrainHook = (context: AgentContext, notice: DrainNotice) => unknown;

export interface AgentOptions {
  /** Author of the agent's events. Letters, digits, `_` and `-`; not `user`, which is what the other side is called. */
  readonly name: string;
  /** Tells other agents' models what it is for: see `subAgents`. */
  readonly description?: string;
  readonly instructions?: Instructions;
  /** The model it speaks through. Without one, whoever runs the agent decides. */
  readonly model?: LiveModel;
  readonly tools?: readonly Tool[];
  /** Tools that are opened for each live session, when the agent is needed for the first time, and let go of with it. */
  readonly toolsets?: readonly Toolset[];
  /**
   * To whom it may give the conversation: its model gets a tool `transfer_to_agent` for them. Each of them may give it back,
   * or on to the others.
   */
  readonly subAgents?: readonly Agent[];
  /** Runs when it has become the one who speaks and the model is ready for it. Nothing waits for it. */
  readonly onEnter?: AgentHook;
  /** Runs when it is no longer the one who speaks, also at the end of the live session. The next agent waits for it, bounded. */
  readonly onExit?: AgentHook;
  /**
   * Runs when the server begins to drain and this agent has the conversation, or gets it while the server drains; once for each
   * time it gets it, after `onEnter` was begun. Its signal fires when it has the conversation no more.
   */
  readonly onDrain?: DrainHook;
}

const AGENT_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/**
 * Who speaks: a name, instructions, tools. It holds no conversation; an AgentSession does, so that one agent serves any
 * number of them.
 * @throws InvalidOptionError for a name that cannot be used, or two tools or agents of one name.
 * Tools of toolsets are looked at when they are opened.
 */
export class Agent {
  readonly name: string;
  readonly description: string;
  readonly instructions: Instructions | undefined;
  readonly model: LiveModel | undefined;
  readonly tools: readonly Tool[];
  readonly toolsets: readonly Toolset[];
  readonly subAgents: readonly Agent[];
  readonly onEnter: AgentHook | undefined;
  readonly onExit: AgentHook | undefined;
  readonly onDrain: DrainHook | undefined;

  constructor(options: AgentOptions) {
    const {
      name,
      description = '',
      instructions,
      model,
      tools = [],
      toolsets = [],
      subAgents = [],
    } = options;
    if (!AGENT_NAME.test(name) || name === 'user') {
      throw new InvalidOptionError(
        `'${name}' cannot name an agent. Start with a letter, go on with letters, digits, _ or -; 'user' is taken.`,
      );
    }
    checkToolNames(name, tools);
    this.name = name;
    this.description = description;
    this.instructions = instructions;
    this.model = model;
    this.tools = tools;
    this.toolsets = toolsets;
    this.subAgents = subAgents;
    this.onEnter = options.onEnter;
    this.onExit = options.onExit;
    this.onDrain = options.onDrain;
    const names = new Set<string>();
    for (const each of agentsUnder(this)) {
      if (names.has(each.name)) {
        throw new InvalidOptionError(
          `Two agents of '${name}' are named '${each.name}'; a transfer has to know which one is meant.`,
        );
      }
      names.add(each.name);
    }
  }
}

/** The agent and everybody it, or they, may give the conversation to. */
export function agentsUnder(root: Agent): readonly Agent[] {
  return [root, ...root.subAgents.flatMap(agentsUnder)];
}

/** To whom an agent may give the conversation: those below it, the one above it, and those beside it. */
export function transferTargets(root: Agent, agent: Agent): readonly Agent[] {
  const above = agentsUnder(root).find(({ subAgents }) => subAgents.includes(agent));
  const beside = above?.subAgents.filter((other) => other !== agent) ?? [];
  return [...agent.subAgents, ...(above === undefined ? [] : [above]), ...beside];
}

import type { Lifetime } from '../kernel/index.ts';
import type { Agent } from './agent.ts';
import { AgentNotReadyError } from './errors.ts';
import { transferTool } from './handoff.ts';
import { checkToolNames } from './tool.ts';
import type { Tool } from './tool.ts';
import type { StoredSession } from './session-store.ts';
import type { Toolsets } from './toolsets.ts';
import { foreignUntilClosed } from './until-closed.ts';

/**
 * How long an agent may take to find its instructions, in milliseconds: half of what a connection may take to be made, so
 * that one which is had again goes on with the last ones.
 */
export const INSTRUCTIONS_TIMEOUT_MS = 5_000;

/** What an agent's connections are set up with: nothing of it has to be waited for any more. */
export interface PreparedAgent {
  readonly agent: Agent;
  readonly instructions: string | undefined;
  readonly tools: ReadonlyMap<string, Tool>;
}

/**
 * Asks an agent for its instructions, bounded by {@link INSTRUCTIONS_TIMEOUT_MS} where there is an `owner`, and opens its
 * toolsets. `root` is the agent the tree of agents begins with. A function
 * of its own, so that what never comes holds no live session in memory (clause C6).
 * @throws InvalidOptionError where two tools have one name; ToolsetError; AgentNotReadyError; what the instructions throw.
 */
export async function prepareAgent(
  agent: Agent,
  root: Agent,
  session: StoredSession,
  toolsets: Toolsets,
  owner: Lifetime | undefined,
): Promise<PreparedAgent> {
  const [instructions, ...opened] = await Promise.all([
    instructionsOf(agent, session, owner),
    ...agent.toolsets.map((toolset) => toolsets.tools(toolset)),
  ]);
  const transfer = transferTool(root, agent);
  const tools = [...agent.tools, ...opened.flat(), ...(transfer === undefined ? [] : [transfer])];
  checkToolNames(agent.name, tools);
  return { agent, instructions, tools: new Map(tools.map((tool) => [tool.name, tool])) };
}

async function instructionsOf(
  { name, instructions }: Agent,
  session: StoredSession,
  owner: Lifetime | undefined,
): Promise<string | undefined> {
  if (typeof instructions !== 'function') return instructions;
  if (owner === undefined) return instructions(session);
  const scope = owner.child(`agent ${name}`, { phase: 'settle' });
  let isLate = false;
  const bound = scope.timer('time-out', INSTRUCTIONS_TIMEOUT_MS, () => {
    isLate = true;
    void scope.close('time-out');
  });
  try {
    return await foreignUntilClosed(scope, 'instructions', async () => instructions(session));
  } catch (error) {
    if (!isLate) throw error;
    throw new AgentNotReadyError(
      `The instructions of agent '${name}' did not come within ${INSTRUCTIONS_TIMEOUT_MS} ms.`,
    );
  } finally {
    bound.cancel();
    void scope.close('asked');
  }
}

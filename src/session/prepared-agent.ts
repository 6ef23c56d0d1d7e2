import type { Agent } from './agent.ts';
import { transferTool } from './handoff.ts';
import { checkToolNames } from './tool.ts';
import type { Tool } from './tool.ts';
import type { StoredSession } from './session-store.ts';
import type { Toolsets } from './toolsets.ts';

/** What an agent's connections are set up with: nothing of it has to be waited for any more. */
export interface PreparedAgent {
  readonly agent: Agent;
  readonly instructions: string | undefined;
  readonly tools: ReadonlyMap<string, Tool>;
}

/**
 * Asks an agent for its instructions and opens its toolsets. `root` is the agent the tree of agents begins with. A function
 * of its own, so that what never comes holds no live session in memory (clause C6).
 * @throws InvalidOptionError where two tools have one name; ToolsetError; what the instructions throw.
 */
export async function prepareAgent(
  agent: Agent,
  root: Agent,
  session: StoredSession,
  toolsets: Toolsets,
): Promise<PreparedAgent> {
  const { instructions: given } = agent;
  const [instructions, ...opened] = await Promise.all([
    typeof given === 'function' ? given(session) : given,
    ...agent.toolsets.map((toolset) => toolsets.tools(toolset)),
  ]);
  const transfer = transferTool(root, agent);
  const tools = [...agent.tools, ...opened.flat(), ...(transfer === undefined ? [] : [transfer])];
  checkToolNames(agent.name, tools);
  return { agent, instructions, tools: new Map(tools.map((tool) => [tool.name, tool])) };
}

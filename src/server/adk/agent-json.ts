import { agentsUnder } from '../../session/agent.ts';
import type { Agent } from '../../session/index.ts';
import { toolNames } from './agent-graph.ts';

/** An app as `GET /apps/{app}/app-info` of the ADK tells it: every agent of it, by name, with tools as they are declared. */
export function appInfoJson(appName: string, root: Agent): Record<string, unknown> {
  return {
    name: appName,
    rootAgentName: root.name,
    description: root.description,
    language: 'javascript',
    isComputerUse: false,
    agents: Object.fromEntries(agentsUnder(root).map((agent) => [agent.name, agentInfoJson(agent)])),
  };
}

/** The names are those of the ADK, which writes this one with underscores. */
function agentInfoJson(agent: Agent): Record<string, unknown> {
  const { name, description, tools, subAgents } = agent;
  return {
    name,
    description,
    instruction: instructionOf(agent),
    tools: tools.map(({ declaration }) => ({
      functionDeclarations: [
        {
          name: declaration.name,
          description: declaration.description,
          parametersJsonSchema: declaration.parameters,
        },
      ],
    })),
    sub_agents: subAgents.map((each) => each.name),
  };
}

/** An app as adk-web wants it for its picture of the agents. */
export function appTreeJson(appName: string, root: Agent): Record<string, unknown> {
  return { name: appName, root_agent: agentTreeJson(root) };
}

function agentTreeJson(agent: Agent): Record<string, unknown> {
  const { name, description, model, subAgents } = agent;
  return {
    name,
    type: 'agent',
    description,
    instruction: instructionOf(agent),
    ...(model === undefined ? {} : { model: model.id }),
    tools: toolNames(agent).map((tool) => ({ name: tool, type: 'tool' })),
    sub_agents: subAgents.map(agentTreeJson),
  };
}

/** A function may need a session to answer, and is named instead. */
function instructionOf({ instructions = '' }: Agent): string {
  return typeof instructions === 'string' ? instructions : `<function ${instructions.name}>`;
}

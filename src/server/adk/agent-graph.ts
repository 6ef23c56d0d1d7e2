import type { Agent } from '../../session/index.ts';

/** What of a graph is to stand out: who said or did something, and with which tools. */
export interface GraphFocus {
  readonly agent?: string | undefined;
  readonly tools?: readonly string[];
}

interface Colours {
  readonly ground: string;
  readonly line: string;
  readonly text: string;
  readonly focus: string;
}

const LIGHT: Colours = { ground: '#ffffff', line: '#5f6368', text: '#202124', focus: '#ceead6' };
const DARK: Colours = { ground: '#333537', line: '#9aa0a6', text: '#e8eaed', focus: '#0f5223' };

/** An agent with everybody below it, and all their tools, in the DOT language of Graphviz. */
export function graphOf(root: Agent, isDark: boolean, focus: GraphFocus = {}): string {
  const colours = isDark ? DARK : LIGHT;
  const { ground, line, text } = colours;
  return [
    `digraph ${quoted(root.name)} {`,
    `  graph [rankdir=TB, bgcolor=${quoted(ground)}]`,
    `  node [style="rounded,filled", fillcolor=${quoted(ground)}, color=${quoted(line)}, fontcolor=${quoted(text)}]`,
    `  edge [color=${quoted(line)}, arrowhead=none]`,
    ...linesOf(root, focus, colours),
    '}',
    '',
  ].join('\n');
}

function linesOf(agent: Agent, focus: GraphFocus, colours: Colours): string[] {
  const { name, subAgents } = agent;
  const isAtWork = focus.agent === name;
  const fill = (stands: boolean): string => (stands ? `, fillcolor=${quoted(colours.focus)}` : '');
  const lines = [`  ${quoted(name)} [label=${quoted(name)}, shape=ellipse${fill(isAtWork)}]`];
  for (const tool of toolNames(agent)) {
    const id = quoted(`${name}/${tool}`);
    const isUsed = isAtWork && focus.tools?.includes(tool) === true;
    lines.push(`  ${id} [label=${quoted(tool)}, shape=box${fill(isUsed)}]`, `  ${quoted(name)} -> ${id}`);
  }
  for (const each of subAgents) {
    lines.push(...linesOf(each, focus, colours), `  ${quoted(name)} -> ${quoted(each.name)}`);
  }
  return lines;
}

/** Tools by their names. What is in a toolset is known when it is opened: it is told by its own name. */
export function toolNames({ tools, toolsets }: Agent): string[] {
  return [...tools.map(({ name }) => name), ...toolsets.map(({ name }) => name)];
}

/** A string of the DOT language, in which only the quote means something, and the backslash before it. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', ' ')}"`;
}

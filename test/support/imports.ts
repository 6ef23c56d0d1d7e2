import { parseSync } from 'vite';

/** One mention of another module in a source file, whatever its form. */
export interface ImportMention {
  /** As written: './clock.ts', 'node:fs', 'ws'. */
  readonly specifier: string;
  readonly line: number;
}

/**
 * Every module a source names: import and export declarations (types too), `import()`, `import('…')` in types,
 * and `require`. A specifier that is computed is given as '<computed>', so that it cannot hide.
 */
export function findImports(path: string, source: string): ImportMention[] {
  const { program, errors } = parseSync(path, source);
  const first = errors[0];
  if (first !== undefined) throw new Error(`${path} does not parse: ${first.message}`);
  const found: ImportMention[] = [];
  walk({ program }, (node) => {
    const named = moduleNamedBy(node);
    if (named === undefined) return;
    const specifier = typeof named.value === 'string' ? named.value : '<computed>';
    found.push({ specifier, line: source.slice(0, Number(node.start)).split('\n').length });
  });
  return found;
}

type SyntaxNode = Readonly<Record<string, unknown>>;

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null;
}

function walk(node: SyntaxNode, visit: (node: SyntaxNode) => void): void {
  visit(node);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) walk(child, visit);
    }
  }
}

function moduleNamedBy(node: SyntaxNode): SyntaxNode | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return isNode(node.source) ? node.source : undefined;
    case 'CallExpression': {
      const isRequire =
        isNode(node.callee) && node.callee.type === 'Identifier' && node.callee.name === 'require';
      const argument: unknown = Array.isArray(node.arguments) ? node.arguments[0] : undefined;
      return isRequire && isNode(argument) ? argument : undefined;
    }
    default:
      return undefined;
  }
}

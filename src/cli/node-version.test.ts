import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nodeWarning } from './node-version.ts';

describe('the version of Node', () => {
  it('is told where it is too old, in place of what that Node says', () => {
    expect(nodeWarning('20.20.2')).toMatch(/^Node 22\.18 or newer is needed, and this is 20\.20\.2\./);
    expect(nodeWarning('22.17.1')).toContain('22.17.1');
    for (const version of ['22.18.0', '22.19.0', '24.0.0', process.versions.node]) {
      expect(nodeWarning(version)).toBeUndefined();
    }
  });

  it('is the one that the package asks for', () => {
    const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } };
    expect(nodeWarning('0.0.0')).toContain(`Node ${engines.node.replace('>=', '')} or newer`);
  });
});

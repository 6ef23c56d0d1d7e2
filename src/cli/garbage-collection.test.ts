import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CHECKOUT, shellEnvironment } from '../../test/support/checkout.ts';
import { runProgram } from '../../test/support/run-program.ts';
import { countBuffersWithHeap } from './garbage-collection.ts';

interface Figures {
  readonly collections: number;
  readonly megabytes: number;
}

async function measure(manner: 'with' | 'without'): Promise<Figures> {
  const program = join(CHECKOUT, 'test/support/makes-garbage.ts');
  const { status, stdout, stderr } = await runProgram(process.execPath, [program, manner], {
    cwd: CHECKOUT,
    env: shellEnvironment(),
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as Figures;
}

it('looks through the whole heap a fraction as often for buffers that are soon garbage, and holds no more for it', async () => {
  const without = await measure('without');
  const withIt = await measure('with');
  expect(without.collections).toBeGreaterThan(10);
  expect(withIt.collections).toBeLessThan(without.collections / 3);
  expect(withIt.megabytes).toBeLessThan(without.megabytes * 1.5);
});

it('says nothing to a Node that it was not measured on', () => {
  expect(countBuffersWithHeap('22.18.0')).toBe(false);
  expect(countBuffersWithHeap('25.0.0')).toBe(false);
});

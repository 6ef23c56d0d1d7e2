import { closingScenarios } from './closing-scenarios.ts';
import { connectingScenarios } from './connecting-scenarios.ts';
import { leavingScenarios } from './leaving-scenarios.ts';
import { processScenarios } from './process-scenarios.ts';
import type { Scenario } from './scenario.ts';
import { serverScenarios } from './server-scenarios.ts';

/** Every way a session can end that is shown over real sockets, in the order of the table. */
export const scenarios: readonly Scenario[] = [
  ...closingScenarios,
  ...leavingScenarios,
  ...serverScenarios,
  ...processScenarios,
  ...connectingScenarios,
];

import { closingScenarios } from './closing-scenarios.ts';
import { connectingScenarios } from './connecting-scenarios.ts';
import { goingAwayScenarios } from './going-away-scenarios.ts';
import { handleScenarios } from './handle-scenarios.ts';
import { leavingScenarios } from './leaving-scenarios.ts';
import { processScenarios } from './process-scenarios.ts';
import { losingScenarios } from './losing-scenarios.ts';
import { outageScenarios } from './outage-scenarios.ts';
import type { Scenario, ScenarioGroup } from './scenario.ts';
import { stateScenarios } from './state-scenarios.ts';
import { serverScenarios } from './server-scenarios.ts';
import { toolScenarios } from './tool-scenarios.ts';

/** Every way a session can end, or go on, that is shown over real sockets, in the order of the table. */
export const scenarioGroups: readonly ScenarioGroup[] = [
  { title: 'Closed', scenarios: closingScenarios },
  { title: 'Left', scenarios: leavingScenarios },
  { title: 'Served', scenarios: serverScenarios },
  { title: 'In a process of its own', scenarios: processScenarios },
  { title: 'Not connected', scenarios: connectingScenarios },
  { title: 'Lost in session', scenarios: losingScenarios },
  { title: 'Not to be had again at once', scenarios: outageScenarios },
  { title: 'Handles', scenarios: handleScenarios },
  { title: 'Going away', scenarios: goingAwayScenarios },
  { title: 'Tools', scenarios: toolScenarios },
  { title: 'In every state', scenarios: stateScenarios },
];

export const scenarios: readonly Scenario[] = scenarioGroups.flatMap((group) => group.scenarios);

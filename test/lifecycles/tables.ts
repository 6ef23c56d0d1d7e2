import { agentSession } from './agent-session.ts';
import { activityEnds, taskEnds } from './agents.ts';
import { aroundACall } from './around-a-call.ts';
import { brokenLeg, clientLeg } from './client-leg.ts';
import { connection } from './connection.ts';
import { faultProxy } from './fault-proxy.ts';
import { geminiEmulator } from './gemini-emulator.ts';
import { lifetime } from './lifetime.ts';
import { liveClient } from './live-client.ts';
import { liveRun } from './live-run.ts';
import { modelLeg } from './model-leg.ts';
import { requestQueue } from './request-queue.ts';
import { serverEnds } from './server.ts';
import { sessionFile } from './session-file.ts';
import { sessionStates } from './session-states.ts';
import { speechEmulators } from './speech-emulators.ts';
import { speechEnds } from './speech.ts';
import { textTurn } from './text-turn.ts';
import { ticketEnds } from './ticket.ts';
import { traceEnds } from './trace.ts';
import { toolCall } from './tool-call.ts';
import type { WayTable } from './way-table.ts';
import { wireGoodbyes } from './wire-goodbyes.ts';

/** Every table of docs/lifecycles.md that tells how something ends, in the order of the page. */
export const tables: readonly WayTable[] = [
  lifetime,
  agentSession,
  sessionStates,
  modelLeg,
  connection,
  toolCall,
  activityEnds,
  taskEnds,
  speechEnds,
  aroundACall,
  requestQueue,
  liveRun,
  clientLeg,
  brokenLeg,
  wireGoodbyes,
  textTurn,
  serverEnds,
  ticketEnds,
  traceEnds,
  sessionFile,
  liveClient,
  geminiEmulator,
  speechEmulators,
  faultProxy,
];

import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidOptionError, describeError, randomId, systemRandom } from '../kernel/index.ts';
import type { Logger } from '../kernel/index.ts';
import type { AgentSession } from '../session/index.ts';
import { recordSession } from '../speech/index.ts';

/** How much of a session's id is in the name of its recording: names of files are bounded, at 255 bytes on most disks. */
const MAX_NAMED_CHARACTERS = 64;

/**
 * Records every live session it is given: a file each in `folder`, which only its owner may read.
 * @throws InvalidOptionError when nothing can be written there, so that it is known before the first call.
 */
export function recordCalls(folder: string, log: Logger): (session: AgentSession) => void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw new InvalidOptionError(
      `Calls cannot be recorded in '${folder}': ${describeError(cause)}. Give a folder that can be written to.`,
    );
  }
  return (session) => {
    const { id } = session.session;
    const to = join(folder, recordingName(id, new Date(session.clock.wallTime()), randomId(systemRandom)));
    recordSession(session, { to });
    log.info('recording', { session: id, to });
  };
}

/**
 * `2026-03-01T12-30-05.250Z_<session>_<chance>.wav`: sorted by time, safe in every path whatever a client has called its
 * session, and different for two calls of one session.
 */
export function recordingName(sessionId: string, at: Date, chance: string): string {
  const time = at.toISOString().replaceAll(':', '-');
  const id = sessionId.replaceAll(/[^A-Za-z0-9-]/g, '-').slice(0, MAX_NAMED_CHARACTERS);
  return `${time}_${id}_${chance.slice(0, 8)}.wav`;
}

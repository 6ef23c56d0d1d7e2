import { z } from 'zod';
import { join } from 'node:path';

const placeSchema = z.object({
  /** Its number, from 0. */
  slot: z.number().int().nonnegative(),
  count: z.number().int().positive(),
  /** How many workers of this slot have ended before it. */
  replaced: z.number().int().nonnegative(),
  /** The folder with the sockets over which workers speak to each other; nobody else may enter it. */
  folder: z.string().min(1),
});

/**
 * Where a process stands among the workers of one server. The supervisor writes it into the environment of each worker; it
 * is not for people.
 */
export type WorkerPlace = z.output<typeof placeSchema>;

/** The place of this process; undefined where it is no worker: without a channel to a supervisor there is none. */
export function placeOfThisProcess(): WorkerPlace | undefined {
  const text = process.env['HOLDFAST_WORKER_PLACE'];
  if (text === undefined || process.send === undefined) return undefined;
  return placeSchema.parse(JSON.parse(text));
}

/** The environment of a worker, above that of the supervisor. */
export function placeEnvironment(place: WorkerPlace): Record<string, string> {
  return { HOLDFAST_WORKER_PLACE: JSON.stringify(place) };
}

/** What clients come through, and what those come through who run the server. */
export type Door = 'public' | 'operations';

/** Where the worker of a slot listens for its fellows. */
export function socketPathOf({ folder }: Pick<WorkerPlace, 'folder'>, slot: number, door: Door): string {
  return join(folder, `${slot}.${door}.sock`);
}

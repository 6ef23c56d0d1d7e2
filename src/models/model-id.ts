import { InvalidOptionError } from '../kernel/index.ts';
import type { LiveModel } from '../session/index.ts';
import { echo } from './echo/index.ts';

/** What a model can be called on a command line or in a configuration. */
export const MODEL_IDS = ['echo', 'gemini:<id>'] as const;

/**
 * The model of an id: `echo`, or `gemini:` and the provider's own name for it. A provider's code is loaded when it is
 * asked for; its key is read when it is dialled, so a server starts without one.
 * @throws InvalidOptionError that lists what there is.
 */
export async function modelFromId(id: string): Promise<LiveModel> {
  const colon = id.indexOf(':');
  const provider = colon < 0 ? id : id.slice(0, colon);
  const name = colon < 0 ? '' : id.slice(colon + 1).trim();
  if (provider === 'echo' && name === '') return echo();
  if (provider === 'gemini') {
    if (name === '') {
      throw new InvalidOptionError(
        `'${id}' names no model of Gemini. Write gemini:<id>, with an id of its live models.`,
      );
    }
    const { gemini } = await import('./gemini/index.ts');
    return gemini({ model: name });
  }
  throw new InvalidOptionError(`There is no model '${id}'. Known are: ${MODEL_IDS.join(', ')}.`);
}

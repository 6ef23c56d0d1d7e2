import type { Modality, RunConfig, SessionKey } from '../../session/index.ts';
import { BadRequestError } from '../errors.ts';
import { checkedName } from './request-input.ts';

/** What the query of `/run_live` asks for. */
export interface LiveQuery {
  readonly key: SessionKey;
  readonly runConfig: RunConfig;
}

const TRUE = new Set(['true', '1', 'yes', 'on']);
const FALSE = new Set(['false', '0', 'no', 'off', '']);

/**
 * Reads `app_name`, `user_id`, `session_id`, `modalities`, `proactive_audio`, `enable_affective_dialog` and
 * `explicit_vad_signal`. `enable_session_resumption` and `save_live_blob` are known and change nothing here: the
 * connection to the model is resumed by this server's own rules, and audio is not stored.
 * @throws BadRequestError that names the parameter.
 */
export function parseLiveQuery(query: URLSearchParams): LiveQuery {
  const appName = query.get('app_name');
  if (appName === null || appName === '') throw new BadRequestError("The query has no 'app_name'.");
  const userId = checkedName('user', query.get('user_id') ?? undefined);
  const id = checkedName('session', query.get('session_id') ?? undefined);
  booleanParameter(query, 'enable_session_resumption');
  booleanParameter(query, 'save_live_blob');
  const responseModalities = modalitiesOf(query);
  return {
    key: { appName, userId, id },
    runConfig: {
      responseModalities: responseModalities.length === 0 ? undefined : responseModalities,
      proactiveAudio: booleanParameter(query, 'proactive_audio'),
      affectiveDialog: booleanParameter(query, 'enable_affective_dialog'),
      explicitVadSignal: booleanParameter(query, 'explicit_vad_signal'),
    },
  };
}

/** May be repeated, or listed with commas. VIDEO is input only and says nothing about the answer. */
function modalitiesOf(query: URLSearchParams): Modality[] {
  const modalities = new Set<Modality>();
  for (const name of query.getAll('modalities').flatMap((each) => each.split(','))) {
    const modality = name.trim().toUpperCase();
    if (modality === 'AUDIO' || modality === 'TEXT') modalities.add(modality);
    else if (modality !== 'VIDEO' && modality !== '') {
      throw new BadRequestError(
        `'modalities' holds '${name.slice(0, 40)}'; TEXT, AUDIO and VIDEO are known.`,
      );
    }
  }
  return [...modalities];
}

function booleanParameter(query: URLSearchParams, name: string): boolean | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  if (TRUE.has(value.toLowerCase())) return true;
  if (FALSE.has(value.toLowerCase())) return false;
  throw new BadRequestError(`'${name}' must be true or false.`);
}

/** What a request says: its form, its query, its body, and whose session it is for. */
export { parseLiveQuery } from './live-query.ts';
export { addressOf, booleanField, checkedName, jsonBody, objectField, stringField } from './request-input.ts';
export type { JsonBody } from './request-input.ts';
export { PATHS_WITH_BODIES, keyOfBody, keyOfPath, keyOfUpgrade, sessionKeyOf } from './request-keys.ts';
export { requestLog } from './request-log.ts';
export { checkRequestShape, requestShape } from './request-shape.ts';
export { historyIn } from './session-events-input.ts';

import { z } from 'zod';
import { EmulatorControlError } from './control-error.ts';
import type { EmulatedRecord } from './emulated-record.ts';
import { CONTROL_PREFIX } from './listener.ts';
import type { JsonObject } from './json-object.ts';
import type { Recorder } from './recorder.ts';

/** Longest an emulator can be told to stay down, in milliseconds: nobody could call it back. */
export const MAX_DOWN_MS = 3_600_000;

/** What can be controlled from outside; the emulator's own methods say what each does. */
export interface ControlledEmulator {
  readonly connections: Iterable<EmulatedRecord>;
  readonly recorder: Recorder | undefined;
  status(): JsonObject;
  addFaults(script: unknown): void;
  clearFaults(): void;
  inject(fault: unknown, connection?: number): number;
  stopListening(options: { readonly forMs: number }): void;
}

/** What a route answers: JSON, or the record, as lines. */
export type ControlAnswer =
  | { readonly type: 'json'; readonly json: unknown }
  | { readonly type: 'record'; readonly recorder: Recorder; readonly follow: boolean };

export interface ControlRoute<Emulator extends ControlledEmulator = ControlledEmulator> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** What it does and takes, in a line, for `help`. */
  readonly does: string;
  /** @throws EmulatorControlError, InvalidOptionError */
  answer(emulator: Emulator, body: unknown, query: URLSearchParams): ControlAnswer;
}

const connection = z.int().min(1).optional();
const injectBody = z.strictObject({ fault: z.unknown(), connection });
const closeBody = z.strictObject({ code: z.int().optional(), reason: z.string().optional(), connection });
const stopBody = z.strictObject({ forMs: z.number().min(1).max(MAX_DOWN_MS) });

/** Everything that can be asked of a running emulator: what all of them have, and what this one has besides. */
export function controlRoutes<Emulator extends ControlledEmulator>(
  own: readonly ControlRoute<Emulator>[],
): readonly ControlRoute<Emulator>[] {
  const routes: ControlRoute<Emulator>[] = [
    {
      method: 'GET',
      path: 'help',
      does: 'this list',
      answer: () => json({ routes: routes.map(describeRoute) }),
    },
    ...COMMON_ROUTES,
    ...own,
  ];
  return routes;
}

const COMMON_ROUTES: readonly ControlRoute[] = [
  {
    method: 'GET',
    path: 'status',
    does: 'how the emulator is set up and how many connections it has',
    answer: (emulator) => json(emulator.status()),
  },
  {
    method: 'GET',
    path: 'connections',
    does: 'every connection: how far it came, what came in, how it ended',
    answer: (emulator) => json({ connections: [...emulator.connections].map((record) => record.describe()) }),
  },
  {
    method: 'GET',
    path: 'record',
    does: 'what was recorded, as JSON lines; ?follow=1 goes on with what happens',
    answer: ({ recorder }, _, query) => {
      if (recorder === undefined) {
        throw new EmulatorControlError(409, 'Nothing is recorded: start the emulator with --record.');
      }
      return { type: 'record', recorder, follow: query.get('follow') === '1' };
    },
  },
  {
    method: 'POST',
    path: 'faults',
    does: 'adds rules to the fault script: a list of {"when"?, "what"}',
    answer: (emulator, body) => {
      // What it is given is checked by the emulator, and refused as a whole.
      emulator.addFaults(body);
      return json({});
    },
  },
  {
    method: 'DELETE',
    path: 'faults',
    does: 'takes every rule away',
    answer: (emulator) => {
      emulator.clearFaults();
      return json({});
    },
  },
  {
    method: 'POST',
    path: 'inject',
    does: 'makes a fault happen now, on all connections or on one: {"fault": {"type", …}, "connection"?}',
    answer: (emulator, body) => {
      const { fault, connection: number } = read(injectBody, body);
      return json({ connections: emulator.inject(fault, number) });
    },
  },
  {
    method: 'POST',
    path: 'stop-listening',
    does: 'refuses whoever dials, for a while; connections go on: {"forMs"}',
    answer: (emulator, body) => {
      emulator.stopListening(read(stopBody, body));
      return json({});
    },
  },
  {
    method: 'POST',
    path: 'close-connections',
    does: 'closes all connections or one: {"code"?, "reason"?, "connection"?}; default code 1001',
    answer: (emulator, body) => {
      const { connection: number, code = 1001, ...rest } = read(closeBody, body);
      return json({ connections: emulator.inject({ type: 'close', code, ...rest }, number) });
    },
  },
];

/** An answer in JSON. */
export function json(value: unknown): ControlAnswer {
  return { type: 'json', json: value };
}

/** A body that is what the route takes; none counts as an empty one. */
function read<Body>(schema: z.ZodType<Body>, body: unknown): Body {
  const parsed = schema.safeParse(body ?? {});
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  );
  throw new EmulatorControlError(400, `The body is not what this route takes: ${problems.join('; ')}.`);
}

function describeRoute({ method, path, does }: Omit<ControlRoute, 'answer'>): JsonObject {
  return { route: `${method} ${CONTROL_PREFIX}/${path}`, does };
}

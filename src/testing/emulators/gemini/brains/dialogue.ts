import { z } from 'zod';
import { InvalidOptionError } from '../../../../kernel/index.ts';
import { SourceText } from '../../source-text.ts';

/** Longest a dialogue may wait before it answers, in milliseconds: an hour. */
const MAX_WAIT_MS = 3_600_000;

/** Problems named in one message: more than these are seldom read before the first is mended. */
const MAX_NAMED_PROBLEMS = 5;

const say = z.string();
const call = z.strictObject({
  name: z.string().regex(/^[A-Za-z_][\w.:-]*$/, { error: 'not a name of a function' }),
  args: z.record(z.string(), z.json()).optional(),
});
const wait = z.number().min(0).max(MAX_WAIT_MS);

const stepSchema = z
  .strictObject({ say: say.optional(), call: call.optional(), wait: wait.optional() })
  .refine((step) => Object.values(step).filter((value) => value !== undefined).length === 1, {
    error: 'a step is one of say, call, wait',
  });

const answer = {
  /** Said aloud as a hum with this transcript, or written. `{{result}}` is the output of the last call. */
  say: say.optional(),
  /** Calls a function of the client, before anything is said. */
  call: call.optional(),
  /** Milliseconds before anything else is done. */
  wait: wait.optional(),
  /** No answer at all. */
  silence: z.literal(true).optional(),
  /** For any other order: a list of single steps. */
  steps: z.array(stepSchema).min(1).optional(),
};

const ONE_WAY = 'answer with say, call and wait, or with steps, or with silence: true';

function answersOneWay(turn: Partial<Record<keyof typeof answer, unknown>>): boolean {
  const inline = [turn.say, turn.call, turn.wait].some((step) => step !== undefined);
  return [inline, turn.silence !== undefined, turn.steps !== undefined].filter(Boolean).length === 1;
}

const hear = z.string().refine(isPattern, { error: 'not a regular expression' });

const turnSchema = z
  .strictObject({
    /** What a typed turn must contain, or a `/pattern/i` it must match. Spoken turns always fit. */
    hear: hear.optional(),
    /** What a spoken turn is claimed to have been. */
    transcript: z.string().optional(),
    ...answer,
  })
  .refine(answersOneWay, { error: ONE_WAY });

const dialogueSchema = z.strictObject({
  /** What is answered to the user's turns, in order. */
  turns: z.array(turnSchema),
  /** What is answered when the next turn waits to hear something else, and when the dialogue is over. */
  otherwise: z.strictObject(answer).refine(answersOneWay, { error: ONE_WAY }).optional(),
  /** Whether it begins anew when it is over. */
  loop: z.boolean().optional(),
});

/**
 * What the emulated model answers, turn by turn.
 *
 * ```yaml
 * turns:
 *   - say: Good morning. Which city?
 *   - hear: /bern|basel/i
 *     call: { name: get_weather, args: { city: Bern } }
 *     say: It is {{result}}.
 * otherwise:
 *   say: I beg your pardon?
 * ```
 */
export type Dialogue = Readonly<z.input<typeof dialogueSchema>>;
export type DialogueTurn = Readonly<z.input<typeof turnSchema>>;
export type DialogueAnswer = Omit<DialogueTurn, 'hear' | 'transcript'>;

/** @throws InvalidOptionError when it is no dialogue; the message names the place. */
export function checkDialogue(dialogue: unknown): Dialogue {
  const parsed = dialogueSchema.safeParse(dialogue);
  if (parsed.success) return parsed.data;
  const problems = problemsOf(parsed.error).map(({ path, message }) => `${formatPath(path)}: ${message}`);
  throw new InvalidOptionError(`The dialogue is wrong. ${problems.join('; ')}.`);
}

/**
 * A dialogue from a file in YAML or JSON: an object with `turns`, or the list of turns alone.
 * @throws InvalidOptionError when the file cannot be read or is no dialogue; the message names line and place.
 */
export function readDialogue(path: string): Dialogue {
  return checked(SourceText.read(path, 'dialogue'), path);
}

/** {@link readDialogue} of a text; `name` stands in the messages. */
export function parseDialogue(text: string, name: string): Dialogue {
  return checked(new SourceText(text, 'dialogue', name), name);
}

function checked(source: SourceText, name: string): Dialogue {
  const { content } = source;
  const bare = Array.isArray(content);
  const parsed = dialogueSchema.safeParse(bare ? { turns: content } : content);
  if (parsed.success) return parsed.data;
  const problems = problemsOf(parsed.error).map(({ path, message }) => {
    const inFile = bare ? path.slice(1) : path;
    return `${name}:${source.placeOf(inFile).line}: ${formatPath(inFile)}: ${message}`;
  });
  throw new InvalidOptionError(`The dialogue is wrong. ${problems.join('; ')}.`);
}

interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** The problems, an unknown key by its own path. */
function problemsOf({ issues }: z.ZodError): Problem[] {
  const problems = issues.flatMap((issue): Problem[] =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [...issue.path, key], message: 'there is no such key' }))
      : [{ path: issue.path, message: issue.message }],
  );
  return problems.slice(0, MAX_NAMED_PROBLEMS);
}

/** `turns[2].call.name`, or `dialogue` for the whole. */
function formatPath(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text === '' ? 'dialogue' : text.replace(/^\./, '');
}

/**
 * The pattern of a `hear` of the form `/…/i`; undefined where it is a plain text.
 * @throws SyntaxError when the pattern is none.
 */
export function patternOf(hear: string): RegExp | undefined {
  const [, source, flags] = /^\/(.+)\/([a-z]*)$/.exec(hear) ?? [];
  return source === undefined ? undefined : new RegExp(source, flags);
}

function isPattern(hear: string): boolean {
  try {
    patternOf(hear);
    return true;
  } catch {
    // That it is none is the answer.
    return false;
  }
}

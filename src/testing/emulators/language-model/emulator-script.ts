import { z } from 'zod';
import { InvalidOptionError } from '../../../kernel/index.ts';
import { SourceText } from '../source-text.ts';

/** What one request is answered with: the text, then the calls. */
export interface EmulatedAnswer {
  /** The text: one string is cut into words, several are the pieces. */
  readonly say?: string | readonly string[] | undefined;
  readonly calls?: readonly EmulatedCall[] | undefined;
  /** Default `stop`, with calls `tool_calls`. */
  readonly finishReason?: string | undefined;
}

export interface EmulatedCall {
  readonly name: string;
  readonly args?: Readonly<Record<string, unknown>> | undefined;
  /** Default: one that is made up. */
  readonly id?: string | undefined;
}

/** What goes wrong. `afterPieces` counts the pieces of the answer that are sent before it; default 0. */
export type LanguageModelFault =
  /** An HTTP status instead of an answer. `retryAfter` is the header, as it is sent. */
  | {
      readonly type: 'status';
      readonly status: number;
      readonly retryAfter?: string | undefined;
      readonly message?: string | undefined;
    }
  /** Nothing comes for a while, not even the status. */
  | { readonly type: 'slowFirstByte'; readonly ms: number }
  /** Nothing more comes, and the connection stays. */
  | { readonly type: 'stall'; readonly afterPieces?: number | undefined }
  /** The connection is reset. */
  | { readonly type: 'reset'; readonly afterPieces?: number | undefined }
  /** The response ends as if it were whole, without a reason of its end. */
  | { readonly type: 'cut'; readonly afterPieces?: number | undefined }
  /** A line that is no JSON; the answer goes on behind it. */
  | { readonly type: 'malformed'; readonly afterPieces?: number | undefined }
  /** An error is sent in the stream, and the response ends. */
  | {
      readonly type: 'error';
      readonly afterPieces?: number | undefined;
      readonly message?: string | undefined;
      /** `server_error`, `overloaded_error`. */
      readonly kind?: string | undefined;
    };

/** A fault and its requests: the n-th, counted from 1, or all; the first `times` of them, or all. */
export interface LanguageModelFaultRule {
  readonly request?: number | undefined;
  readonly times?: number | undefined;
  readonly what: LanguageModelFault;
}

/** What a server has been set up to answer, and to do wrong. */
export interface LanguageModelScript {
  readonly answers?: readonly EmulatedAnswer[] | undefined;
  readonly faults?: readonly LanguageModelFaultRule[] | undefined;
}

/** Longest delay: nobody waits longer for an answer. */
const MAX_DELAY_MS = 86_400_000;

const afterPieces = z.int().min(0).optional();
const answer = z.strictObject({
  say: z.union([z.string(), z.array(z.string())]).optional(),
  calls: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        args: z.record(z.string(), z.unknown()).optional(),
        id: z.string().min(1).optional(),
      }),
    )
    .optional(),
  finishReason: z.string().optional(),
});
const fault = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('status'),
    status: z.int().min(400).max(599),
    retryAfter: z.string().optional(),
    message: z.string().optional(),
  }),
  z.strictObject({ type: z.literal('slowFirstByte'), ms: z.number().min(0).max(MAX_DELAY_MS) }),
  z.strictObject({ type: z.literal('stall'), afterPieces }),
  z.strictObject({ type: z.literal('reset'), afterPieces }),
  z.strictObject({ type: z.literal('cut'), afterPieces }),
  z.strictObject({ type: z.literal('malformed'), afterPieces }),
  z.strictObject({
    type: z.literal('error'),
    afterPieces,
    message: z.string().optional(),
    kind: z.string().optional(),
  }),
]);
const script = z.strictObject({
  answers: z.array(answer).optional(),
  faults: z
    .array(
      z.strictObject({
        request: z.int().min(1).optional(),
        times: z.int().min(1).optional(),
        what: fault,
      }),
    )
    .optional(),
});

/** @throws InvalidOptionError when it cannot be understood; the message names the place and what it accepts. */
export function checkLanguageModelScript(given: unknown): LanguageModelScript {
  const parsed = script.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new InvalidOptionError(
    `The script of the language model is wrong.\n${z.prettifyError(parsed.error)}`,
  );
}

/**
 * A script from a file, YAML or JSON.
 * @throws InvalidOptionError when it cannot be read, is neither, or is no such script.
 */
export function readLanguageModelScript(path: string): LanguageModelScript {
  return checkLanguageModelScript(SourceText.read(path, 'script of the language model').content);
}

import { z } from 'zod';
import { MAX_CLOSE_REASON_BYTES } from '../../protocol/index.ts';
import { nearestWord } from './nearest-word.ts';

/** Any fault of any emulator. */
export interface AnyFault {
  readonly type: string;
}

/** Largest message a script can ask for. */
const MOST_BYTES = 256 * 1024 * 1024;

/** What `oversize` sends where a script does not say: more than what clients that have a limit take. */
export const DEFAULT_OVERSIZE_BYTES = 32 * 1024 * 1024;

/** How many pings are a flood where a script does not say. */
export const DEFAULT_FLOOD_PINGS = 1_000;

/** How long `swapWithNext` and `mergeWithNext` wait for the next message; if none comes, theirs goes alone. */
export const NEXT_MESSAGE_WAIT_MS = 1_000;

export const delayMs = z.number().min(0).max(86_400_000);
const count = z.int().min(2).max(10_000);
const bytesPerSecond = z.number().positive().max(1e9);
/** Where in a message: `serverContent.modelTurn.parts.0.text`. */
const path = z.string().regex(/^[^.]+(\.[^.]+)*$/, {
  error: 'give field names with dots between them, for example sessionResumptionUpdate.newHandle',
});
/** Codes a close frame can carry (RFC 6455 7.4); others are refused by every WebSocket library. */
const closeCode = z
  .int()
  .refine(
    (code) =>
      (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999),
    {
      error:
        'give 1000–1003, 1007–1014 or 3000–4999; leave it out for a frame without a code (1005), use "reset" for 1006',
    },
  );
const closeReason = z
  .string()
  .refine((reason) => new TextEncoder().encode(reason).byteLength <= MAX_CLOSE_REASON_BYTES, {
    error: `a close reason has at most ${MAX_CLOSE_REASON_BYTES} bytes`,
  });
/** The fields of a close frame. */
export const closeFrame = { code: closeCode.optional(), reason: closeReason.optional() };

/** An object with these fields and no others; a wrong name is answered with the right ones. */
export function strict<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? unknownWord('field', issue.keys, known) : undefined,
  });
}

/** What is said of words that mean nothing here. */
export function unknownWord(what: string, words: readonly string[], known: readonly string[]): string {
  const told = words.map((word) => {
    const meant = nearestWord(word, known);
    return `there is no ${what} '${word}'${meant === undefined ? '' : `, did you mean '${meant}'?`}`;
  });
  return `${told.join('; ')} (there are: ${known.join(', ')})`;
}

/** One type of fault, with its fields. */
export function fault<Type extends string, Shape extends z.core.$ZodLooseShape>(type: Type, fields: Shape) {
  return strict({ type: z.literal(type), ...fields });
}

/** What is said of a fault whose type is not among these. */
export function unknownFault(input: unknown, types: readonly string[]): string {
  return unknownWord('fault', [String((input as Partial<AnyFault> | null | undefined)?.type)], types);
}

/** Faults of TCP and of the HTTP upgrade. */
export const transportFaults = [
  /** Accepts the TCP connection and resets it at once. */
  fault('refuseTcp', {}),
  /** Refuses whoever dials, for ever or for a while; connections that are open go on. */
  fault('stopListening', { ms: delayMs.optional() }),
  /** Reads the upgrade request and never answers it. */
  fault('neverAnswerUpgrade', {}),
  /** Answers the upgrade request with an HTTP status. `retryAfter` is the header's value: seconds or a date. */
  fault('httpStatus', {
    status: z.int().min(300).max(599),
    body: z.string().optional(),
    retryAfter: z.string().optional(),
  }),
  /** Resets the TCP connection: the client reads 1006. */
  fault('reset', {}),
  /** Ends the TCP connection in order, without a close frame: the client reads 1006. */
  fault('endWithoutCloseFrame', {}),
  /** Goes dead while the TCP connection stays up: nothing is sent, nothing is understood, no close is answered. */
  fault('halfOpen', {}),
  /** Stops reading, for ever or for a while: what the client sends piles up on its side. */
  fault('stallReads', { ms: delayMs.optional() }),
  /** Reads no faster than this from here on. */
  fault('slowReads', { bytesPerSecond }),
  /** Lets everything that is sent from here on drip. */
  fault('slowWrites', { bytesPerSecond }),
] as const;

/** Faults of the WebSocket: closes, pings, frames. */
export const socketFaults = [
  /** Sends a close frame; without a code the client reads 1005. */
  fault('close', closeFrame),
  /** Sends a close frame and then never closes the TCP connection. */
  fault('closeAndStay', closeFrame),
  /** Sends a close frame, and a message behind it. */
  fault('closeAndTalk', { ...closeFrame, json: z.json().optional() }),
  /** Does not answer the client's close frame. */
  fault('ignoreClose', {}),
  /** Answers the client's close frame later, and talks on meanwhile. */
  fault('delayCloseEcho', { ms: delayMs }),
  /** Answers pings that much later from here on. */
  fault('latePongs', { ms: delayMs }),
  /** Answers no ping from here on. */
  fault('noPongs', {}),
  /** Sends pings, all at once or one every so often. */
  fault('pingFlood', { count: z.int().min(1).max(100_000).optional(), everyMs: delayMs.optional() }),
  /** Sends a text frame that is not UTF-8. */
  fault('invalidUtf8', {}),
  /** Sends a text frame with nothing in it. */
  fault('emptyFrame', {}),
  /** Sends a message of so many bytes, of a kind nobody knows. */
  fault('oversize', { bytes: z.int().min(1_000).max(MOST_BYTES).optional() }),
  /** Sends a frame with this text, JSON or not. */
  fault('rawText', { text: z.string() }),
  /** Sends half of a message, as a frame of its own. */
  fault('invalidJson', {}),
] as const;

/** Sends a message as it stands. */
export const rawFault = fault('raw', { json: z.json() });
/** Sends a message of a kind nobody knows. */
export const unknownMessageFault = fault('unknownMessage', {});

/** Faults of one message of the service, which is about to be sent. */
export const messageFaults = [
  /** Sends it again, so many times in all. */
  fault('duplicate', { times: count.optional() }),
  /** Sends it later, and what comes behind it not before. */
  fault('delay', { ms: delayMs }),
  /** Sends it after the next one. */
  fault('swapWithNext', {}),
  /** Makes one message of it and the next ones, so many in all; the parts of a modelTurn end up in one list. */
  fault('mergeWithNext', { messages: count.optional() }),
  /** Adds fields nobody knows, at the top and within. */
  fault('extraField', {}),
  /** Puts a value into a field, known or not. */
  fault('setField', { path, value: z.json() }),
  /** Leaves a field out. */
  fault('removeField', { path }),
  /** Sends it in so many frames, the first and its continuations. */
  fault('fragment', { frames: count }),
  /** Sends half of its frame, and then ends the TCP connection: by a reset, or in order. */
  fault('cutMessage', { by: z.enum(['reset', 'fin']).optional() }),
] as const;

export type TransportFault = Readonly<z.infer<(typeof transportFaults)[number]>>;
export type SocketFault = Readonly<z.infer<(typeof socketFaults)[number]>>;
export type FramedFault = Readonly<z.infer<typeof rawFault>> | Readonly<z.infer<typeof unknownMessageFault>>;
/** A fault of one message, which changes it on its way and is known to every emulator. */
export type MessageFault = Readonly<z.infer<(typeof messageFaults)[number]>>;

const MESSAGE_FAULTS: ReadonlySet<string> = new Set(typesOf(messageFaults));

export function isMessageFault(what: AnyFault): what is MessageFault {
  return MESSAGE_FAULTS.has(what.type);
}

interface FaultOption<Type extends string> {
  readonly shape: { readonly type: { readonly value: Type } };
}

/** The types of a list of faults, in its order. */
export function typesOf<Type extends string>(faults: readonly FaultOption<Type>[]): Type[] {
  return faults.map(({ shape }) => shape.type.value);
}

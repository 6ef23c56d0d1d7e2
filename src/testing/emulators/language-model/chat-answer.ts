import { requestedCalls } from '../gemini/brains/tool-trigger.ts';
import type { ChatRequest } from './chat-request.ts';
import type { EmulatedAnswer } from './emulator-script.ts';

/** What is sent for one piece of an answer: the `delta` of a chunk. */
type Delta = Readonly<Record<string, unknown>>;

/** An answer taken apart as the service does. */
export interface ChatAnswer {
  readonly pieces: readonly Delta[];
  readonly finishReason: string;
  /** The same in one message, for who did not ask for a stream. */
  readonly message: Readonly<Record<string, unknown>>;
  readonly usage: Readonly<Record<string, number>>;
}

/**
 * An echo: a text is answered with itself, a text of the form `call name {"argument":1}` with a call of that function,
 * when it was declared, and the result of a call with what it is.
 */
export function echoAnswer({ messages, tools }: ChatRequest): EmulatedAnswer {
  const last = messages.at(-1);
  if (last?.role === 'tool') return { say: `It is ${last.text}.` };
  const text = last?.text ?? '';
  const calls = requestedCalls(text, tools);
  return calls.length > 0 ? { calls } : { say: text };
}

/** `number` makes the ids of calls. */
export function chatAnswer(answer: EmulatedAnswer, request: ChatRequest, number: number): ChatAnswer {
  const { say = [], calls = [] } = answer;
  const words = typeof say === 'string' ? (say.match(/\S+\s*|\s+/g) ?? []) : say;
  const made = calls.map(({ name, args = {}, id }, index) => ({
    ...{ index, id: id ?? `call_${number}_${index}`, type: 'function' },
    function: { name, arguments: JSON.stringify(args) },
  }));
  const pieces = [...words.map((content) => ({ content })), ...made.flatMap(callPieces)];
  const prompt = request.messages.reduce((sum, { text }) => sum + tokensIn(text), 0);
  return {
    pieces,
    finishReason: answer.finishReason ?? (made.length > 0 ? 'tool_calls' : 'stop'),
    message: {
      role: 'assistant',
      content: words.join('') || null,
      ...(made.length > 0 ? { tool_calls: made } : {}),
    },
    usage: {
      prompt_tokens: prompt,
      completion_tokens: pieces.length,
      total_tokens: prompt + pieces.length,
    },
  };
}

/** A call comes with its name first, then its arguments in two parts, cut wherever it falls. */
function callPieces(call: { index: number; function: { name: string; arguments: string } }): Delta[] {
  const { index } = call;
  const { name, arguments: json } = call.function;
  const half = Math.ceil(json.length / 2);
  return [
    { tool_calls: [{ ...call, function: { name, arguments: '' } }] },
    ...[json.slice(0, half), json.slice(half)].map((part) => ({
      tool_calls: [{ index, function: { arguments: part } }],
    })),
  ];
}

/** A word is a token: near enough for what is counted here. */
function tokensIn(text: string): number {
  return text.match(/\S+/g)?.length ?? 0;
}

import { isObject } from '../json-object.ts';

export interface ChatMessage {
  readonly role: string;
  /** The text of it, from whichever form it had. */
  readonly text: string;
}

/** What is read of the body of a request for chat completions. */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  /** Names of the functions that may be called. */
  readonly tools: ReadonlySet<string>;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/** The request, or what is wrong with it in the words of the service. */
export function readChatRequest(body: unknown): ChatRequest | string {
  if (!isObject(body)) return 'We could not parse the JSON body of your request.';
  const { model, messages, tools, stream, stream_options: options } = body;
  if (typeof model !== 'string') return 'you must provide a model parameter';
  if (!Array.isArray(messages) || messages.length === 0) return "Missing required parameter: 'messages'.";
  const dangling = danglingCall(messages);
  if (dangling !== undefined) return dangling;
  const names = (Array.isArray(tools) ? tools : []).map((tool: unknown) =>
    isObject(tool) && isObject(tool.function) ? String(tool.function.name) : '',
  );
  return {
    ...{ model, tools: new Set(names), stream: stream === true },
    messages: messages.map((message: unknown) => {
      const { role, content } = isObject(message) ? message : {};
      return { role: String(role), text: textOf(content) };
    }),
    includeUsage: isObject(options) && options.include_usage === true,
  };
}

/** The service refuses calls without a result right behind them, and results without a call. */
function danglingCall(messages: readonly unknown[]): string | undefined {
  let open = new Set<unknown>();
  for (const message of [...messages, {}]) {
    const { role, tool_calls: calls, tool_call_id: id } = isObject(message) ? message : {};
    if (role === 'tool') {
      if (!open.delete(id)) {
        return "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.";
      }
      continue;
    }
    if (open.size > 0) {
      return `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id': ${[...open].join(', ')}.`;
    }
    open = new Set(Array.isArray(calls) ? calls.map((call: unknown) => isObject(call) && call.id) : []);
  }
  return undefined;
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((part: unknown) => (isObject(part) && typeof part.text === 'string' ? part.text : ''))
    .join('');
}

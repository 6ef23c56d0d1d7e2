import type { Content, Part } from '../../protocol/index.ts';
import type { ToolDeclaration } from '../../session/live-model.ts';
import type { GenerationRequest } from '../language-model.ts';
import type { AiMessage, AiTextPart, AiTool, AiToolCallPart, AiToolResultPart } from './ai-model.ts';

/** What a call is said to have answered whose result is not there: it runs still, or it was lost. */
export const MISSING_RESULT = { error: 'There is no result of this call yet.' };

/** What the provider gave along with a call, kept by the call's arguments for as long as these are. */
export type CallMetadata = WeakMap<object, object>;

type ToolMessage = { readonly role: 'tool'; readonly content: AiToolResultPart[] };
type AssistantMessage = { readonly role: 'assistant'; readonly content: (AiTextPart | AiToolCallPart)[] };

/** The conversation as the AI SDK's models take it. */
export function aiPrompt(
  { instructions, history }: GenerationRequest,
  metadata: CallMetadata = new WeakMap(),
): AiMessage[] {
  const prompt = new PromptWriter(metadata);
  if (instructions !== undefined && instructions !== '') prompt.system(instructions);
  for (const content of history) prompt.add(content);
  return prompt.messages;
}

export function aiTools(tools: readonly ToolDeclaration[]): AiTool[] {
  return tools.map(({ name, description, parameters }) => ({
    type: 'function',
    name,
    description,
    inputSchema: parameters,
  }));
}

/**
 * Writes messages in the order every provider takes: each call is followed at once by its result, whenever that came, and
 * neither stands without the other. Messages of one side that follow each other become one, and one text: there are
 * servers that take nothing else.
 */
class PromptWriter {
  readonly messages: AiMessage[] = [];
  readonly #metadata: CallMetadata;
  /** Calls whose result has not been met yet, by their id, with the place that is kept for it. */
  readonly #open = new Map<string, { readonly results: AiToolResultPart[]; readonly index: number }>();

  constructor(metadata: CallMetadata) {
    this.#metadata = metadata;
  }

  system(content: string): void {
    this.messages.push({ role: 'system', content });
  }

  add({ role, parts }: Content): void {
    for (const part of parts) this.#result(part);
    const text = spokenText(parts);
    if (role === 'user') {
      if (text !== '') this.#user(text);
      return;
    }
    const calls = parts.filter((part) => part.functionCall !== undefined);
    if (text !== '') this.#assistant(text);
    if (calls.length > 0) this.#calls(calls);
  }

  #user(text: string): void {
    const last = this.messages.at(-1);
    const before = last?.role === 'user' ? `${last.content[0]?.text ?? ''}\n` : '';
    if (before !== '') this.messages.pop();
    this.messages.push({ role: 'user', content: [{ type: 'text', text: before + text }] });
  }

  #assistant(text: string): void {
    const last = this.messages.at(-1);
    const before = last?.role === 'assistant' ? last.content[0] : undefined;
    if (before?.type === 'text') this.messages.pop();
    const whole = before?.type === 'text' ? `${before.text}\n${text}` : text;
    this.messages.push({ role: 'assistant', content: [{ type: 'text', text: whole }] });
  }

  #calls(parts: readonly Part[]): void {
    const last = this.messages.at(-1);
    const before = last?.role === 'assistant' ? last.content : [];
    if (before.length > 0) this.messages.pop();
    const message: AssistantMessage = { role: 'assistant', content: [...before] };
    const answers: ToolMessage = { role: 'tool', content: [] };
    for (const { functionCall: call } of parts) {
      if (call === undefined) continue;
      const { id: toolCallId, name: toolName, args: input } = call;
      const given = this.#metadata.get(input);
      message.content.push({
        type: 'tool-call',
        ...{ toolCallId, toolName, input },
        ...(given === undefined ? {} : { providerOptions: given }),
      });
      this.#open.set(toolCallId, { results: answers.content, index: answers.content.length });
      const output = { type: 'error-json', value: MISSING_RESULT } as const;
      answers.content.push({ type: 'tool-result', toolCallId, toolName, output });
    }
    this.messages.push(message, answers);
  }

  /** Puts a result where its call is. One that nobody asked for has no place. */
  #result({ functionResponse: result }: Part): void {
    const place = result === undefined ? undefined : this.#open.get(result.id);
    const kept = place?.results[place.index];
    if (result === undefined || place === undefined || kept === undefined) return;
    this.#open.delete(result.id);
    const type = 'error' in result.response ? 'error-json' : 'json';
    place.results[place.index] = { ...kept, output: { type, value: result.response } };
  }
}

/** What was said in words. Reasoning, sounds and pictures are left out. */
function spokenText(parts: readonly Part[]): string {
  return parts.map(({ text, thought }) => (thought === true ? '' : (text ?? ''))).join('');
}

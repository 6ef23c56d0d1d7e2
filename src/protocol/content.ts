/** Bytes inside a message, as base64. */
export interface InlineData {
  readonly mimeType: string;
  readonly data: string;
}

export interface FunctionCall {
  /** Given by the model; results are matched by it. */
  readonly id: string;
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface FunctionResponse {
  readonly id: string;
  readonly name: string;
  /** `{ output }` or `{ error }` by convention; any object is passed on. */
  readonly response: Readonly<Record<string, unknown>>;
}

/** One part of a message. One of the payload fields is set; kinds not named here are passed through untouched. */
export interface Part {
  readonly text?: string;
  /** True when the text is the model's reasoning and not part of the answer. */
  readonly thought?: boolean;
  readonly inlineData?: InlineData;
  readonly functionCall?: FunctionCall;
  readonly functionResponse?: FunctionResponse;
  readonly fileData?: { readonly mimeType?: string; readonly fileUri: string };
  readonly executableCode?: { readonly language?: string; readonly code: string };
  readonly codeExecutionResult?: { readonly outcome?: string; readonly output?: string };
}

/** One message of a conversation, in the form the whole field uses. */
export interface Content {
  readonly role: 'user' | 'model';
  readonly parts: readonly Part[];
  /**
   * The agent was interrupted, and its words are those that were heard: found by the place of each word in the audio, or,
   * as an estimate, by the share of the audio that was heard. Where nothing was heard the text is empty.
   */
  readonly cut?: 'words' | 'share';
  /** On the result of a tool: the artifacts it has saved, with their versions. Models are not told. */
  readonly artifacts?: Readonly<Record<string, number>>;
}

/** A message of one text. */
export function textContent(role: Content['role'], text: string): Content {
  return { role, parts: [{ text }] };
}

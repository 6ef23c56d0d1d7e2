/** How much of one message a span tells: traces are no archive of conversations. */
export const MAX_TOLD_CONTENT_CHARACTERS = 8_192;

/** Messages in the form of the conventions: `[{ role, parts: [{ type: 'text', content }] }]`. */
export function messagesJson(role: 'user' | 'assistant', texts: readonly string[]): string {
  const content = cut(texts.join(' '));
  return JSON.stringify([{ role, parts: [{ type: 'text', content }] }]);
}

export function contentJson(value: unknown): string {
  try {
    return cut(JSON.stringify(value));
  } catch {
    // What a tool is called with came as JSON; what it answers has been made JSON of before.
    return '';
  }
}

function cut(text: string): string {
  return text.length > MAX_TOLD_CONTENT_CHARACTERS ? `${text.slice(0, MAX_TOLD_CONTENT_CHARACTERS)}…` : text;
}

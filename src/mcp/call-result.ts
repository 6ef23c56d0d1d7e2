import { z } from 'zod';
import { McpCallError } from './errors.ts';

/**
 * What a `tools/call` is answered with, as far as a model is told of it. Everything else a server adds is left out, and a
 * kind of content that is not known yet is named and no error.
 */
export const CALL_RESULT = z.looseObject({
  content: z.array(z.looseObject({ type: z.string() })).default([]),
  structuredContent: z.record(z.string(), z.unknown()).optional(),
  isError: z.boolean().optional(),
});

export type CallResult = z.infer<typeof CALL_RESULT>;
type Content = CallResult['content'][number];

/**
 * What the model is told: the structured result where there is one, otherwise the text, in which everything else is
 * described in words. What is more than `maxBytes` is cut, and said to be.
 * @throws McpCallError with the server's own words where the tool has failed.
 */
export function toldOf(result: CallResult, maxBytes: number): unknown {
  const text = result.content.map(describeContent).join('\n');
  if (result.isError === true) {
    throw new McpCallError(cut(text, maxBytes) || 'The tool failed and did not say why.');
  }
  if (result.structuredContent === undefined) return cut(text, maxBytes);
  const json = JSON.stringify(result.structuredContent);
  return Buffer.byteLength(json) <= maxBytes ? result.structuredContent : cut(json, maxBytes);
}

function describeContent(content: Content): string {
  switch (content.type) {
    case 'text':
      return textOf(content['text']);
    case 'image':
    case 'audio':
      return `[${content.type}, ${kindOf(content)}, ${sizeOf(content['data'])}: not shown]`;
    case 'resource_link':
      return `[a link to ${textOf(content['name'])}: ${textOf(content['uri'])}]`;
    case 'resource':
      return describeResource(content['resource']);
    default:
      return `[content of the kind '${content.type.slice(0, 40)}': not shown]`;
  }
}

function describeResource(resource: unknown): string {
  if (typeof resource !== 'object' || resource === null) return '[a resource that is empty]';
  const { uri, text, blob } = resource as Readonly<Record<string, unknown>>;
  if (typeof text === 'string') return text;
  return `[the resource ${textOf(uri)}, ${kindOf(resource)}, ${sizeOf(blob)}: not shown]`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function kindOf(content: object): string {
  const { mimeType } = content as { readonly mimeType?: unknown };
  return typeof mimeType === 'string' ? mimeType.slice(0, 80) : 'of an unknown kind';
}

/** Of base64: four characters are three bytes. */
function sizeOf(base64: unknown): string {
  return `${Math.ceil((textOf(base64).length * 3) / 4 / 1024)} kB`;
}

function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return text;
  // A character that the cut goes through is left out with it.
  const beginning = Buffer.from(text)
    .subarray(0, maxBytes)
    .toString('utf8')
    .replace(/\uFFFD$/, '');
  return `${beginning}\n[cut: ${maxBytes} of ${bytes} bytes]`;
}

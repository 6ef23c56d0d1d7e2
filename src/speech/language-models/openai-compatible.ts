import type { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { HoldfastError, InvalidOptionError, describeError, registerSecret } from '../../kernel/index.ts';
import { AuthenticationError, ConnectionLostError } from '../../session/errors.ts';
import type { LanguageModel } from '../language-model.ts';
import { discreetLanguageModel } from './ai-language-model.ts';
import type { AiCallSettings, AiModel } from './ai-model.ts';

/** Where OpenAI itself answers. */
export const OPENAI_BASE_URL = 'https://api.openai.com/v1';

export interface OpenAiCompatibleOptions {
  /** As the server calls it: `gpt-4.1-mini`, `llama-3.3-70b-versatile`. */
  readonly model: string;
  /**
   * What stands before `/chat/completions`. Default: OPENAI_BASE_URL, read for each answer, and {@link OPENAI_BASE_URL}
   * where that is not set.
   */
  readonly baseUrl?: string;
  /**
   * The key, or a function that is asked for it for each answer. Default: OPENAI_API_KEY, read for each answer, which is
   * told to OpenAI and to the server of OPENAI_BASE_URL and to no other. A server of your own may need none.
   */
  readonly apiKey?: string | (() => string | Promise<string>);
  /** What it is called in logs and events, before the model: `openai:gpt-4.1-mini`. Default `openai`. */
  readonly name?: string;
  /** Sent with each request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: what the server does by itself. */
  readonly settings?: AiCallSettings;
  /** Default {@link LANGUAGE_MODEL_STALL_TIMEOUT_MS}. */
  readonly stallTimeoutMs?: number;
}

/**
 * Any server that speaks OpenAI's chat completions: OpenAI, Groq, Together, OpenRouter, vLLM, Ollama, llama.cpp, …
 * Needs the package `@ai-sdk/openai-compatible`, which is loaded when this is first called.
 * @throws InvalidOptionError for a base URL that is none.
 */
export function openaiCompatible(options: OpenAiCompatibleOptions): LanguageModel {
  const { model, name = 'openai', settings, stallTimeoutMs } = options;
  if (options.baseUrl !== undefined) checkBaseUrl(options.baseUrl);
  const id = `${name}:${model}`;
  const made = new ProviderModel(options);
  const lazy: AiModel = {
    specificationVersion: 'v4',
    provider: name,
    modelId: model,
    doStream: async (call) => {
      const baseUrl = baseUrlOf(options);
      const key = await obtainKey(options, baseUrl, id);
      return (await made.for(baseUrl, key)).doStream(call);
    },
  };
  const known = {
    ...(settings === undefined ? {} : { settings }),
    ...(stallTimeoutMs === undefined ? {} : { stallTimeoutMs }),
  };
  return discreetLanguageModel({ model: lazy, id, ...known }, () => made.key);
}

/** The provider's model for an address and a key, made anew when one of them is another. */
class ProviderModel {
  readonly #options: OpenAiCompatibleOptions;
  #latest: { readonly baseUrl: string; readonly key: string | undefined; model?: AiModel } | undefined;

  constructor(options: OpenAiCompatibleOptions) {
    this.#options = options;
    // Begun now, the first answer does not wait for it; whether it failed is asked then.
    loadProvider().catch(() => undefined);
  }

  /** The latest one. */
  get key(): string | undefined {
    return this.#latest?.key;
  }

  async for(baseUrl: string, key: string | undefined): Promise<AiModel> {
    if (this.#latest?.baseUrl !== baseUrl || this.#latest.key !== key) this.#latest = { baseUrl, key };
    const wanted = this.#latest;
    const { createOpenAICompatible: create } = await loadProvider();
    const { model, name = 'openai', headers } = this.#options;
    wanted.model ??= create({
      ...{ name, baseURL: baseUrl, includeUsage: true },
      ...(key === undefined ? {} : { apiKey: key }),
      ...(headers === undefined ? {} : { headers }),
    }).chatModel(model);
    return wanted.model;
  }
}

/** @throws InvalidOptionError for one of the environment that is none. */
function baseUrlOf({ baseUrl }: OpenAiCompatibleOptions): string {
  const told = baseUrl ?? nonEmpty(process.env.OPENAI_BASE_URL) ?? OPENAI_BASE_URL;
  checkBaseUrl(told);
  return told;
}

/**
 * @throws AuthenticationError when OpenAI itself is to be asked without one; ConnectionLostError when the function that
 * gives it threw, unless what it threw is typed.
 */
async function obtainKey(
  { apiKey }: OpenAiCompatibleOptions,
  baseUrl: string,
  id: string,
): Promise<string | undefined> {
  const given =
    typeof apiKey === 'function' ? await askForKey(apiKey, id) : (apiKey ?? environmentKey(baseUrl));
  const key = nonEmpty(given);
  registerSecret(key);
  if (key === undefined && isSameServer(baseUrl, OPENAI_BASE_URL)) {
    throw new AuthenticationError('There is no key for OpenAI. Set OPENAI_API_KEY, or give apiKey.', {
      provider: id,
    });
  }
  return key;
}

async function askForKey(source: () => string | Promise<string>, id: string): Promise<string> {
  try {
    return await source();
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw new ConnectionLostError(
      `The key for '${id}' could not be obtained. See the cause; throw an AuthenticationError from the function where another attempt cannot help.`,
      { provider: id, cause: error },
    );
  }
}

/** The key of the environment, where it is meant for this server. */
function environmentKey(baseUrl: string): string | undefined {
  const { OPENAI_API_KEY: key, OPENAI_BASE_URL: server } = process.env;
  const isMeant = [OPENAI_BASE_URL, server].some((url) => url !== undefined && isSameServer(baseUrl, url));
  return isMeant ? key : undefined;
}

function isSameServer(one: string, other: string): boolean {
  return URL.parse(one)?.origin === URL.parse(other)?.origin;
}

async function loadProvider(): Promise<{ readonly createOpenAICompatible: typeof createOpenAICompatible }> {
  try {
    return await import('@ai-sdk/openai-compatible');
  } catch (cause) {
    throw new InvalidOptionError(
      `openaiCompatible() needs the package @ai-sdk/openai-compatible: npm install @ai-sdk/openai-compatible. ${describeError(cause)}`,
      { cause },
    );
  }
}

function checkBaseUrl(baseUrl: string): void {
  const { protocol } = URL.parse(baseUrl) ?? {};
  if (protocol === 'http:' || protocol === 'https:') return;
  throw new InvalidOptionError(
    'The base URL of a language model must begin with http:// or https://. Check baseUrl or OPENAI_BASE_URL.',
  );
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value.trim();
}

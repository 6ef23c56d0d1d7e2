import { InvalidOptionError } from '../kernel/index.ts';
import { Agent } from './agent.ts';
import type { AgentOptions } from './agent.ts';
import { checkToolNames } from './tool.ts';
import type { Tool } from './tool.ts';

export interface AgentTaskOptions<Result> extends Omit<AgentOptions, 'tools' | 'subAgents' | 'model'> {
  /** With a function, tools that know the task: one of them completes it. */
  readonly tools?: readonly Tool[] | ((task: AgentTask<Result>) => readonly Tool[]);
}

/**
 * A part of a conversation with an end and a result: an address to be taken down, a consent to be had. It is an agent for
 * as long as that takes; then the one who was there before goes on.
 *
 * ```ts
 * const task = new AgentTask<string>({
 *   name: 'address',
 *   instructions: 'Ask for the address, read it back, and record it.',
 *   tools: (it) => [
 *     tool({
 *       name: 'record',
 *       description: 'Records the address that was confirmed.',
 *       parameters: z.object({ address: z.string() }),
 *       execute: ({ address }) => it.complete(address),
 *     }),
 *   ],
 * });
 * const address = await session.runTask(task); // or context.runTask(task), in a tool
 * ```
 *
 * A task is run once.
 */
export class AgentTask<Result = unknown> extends Agent {
  /** Settles when it is complete, has failed, or the live session ends. Observed: nobody has to wait for it. */
  readonly result: Promise<Result>;
  readonly #outcome: PromiseWithResolvers<Result>;
  #state: 'new' | 'running' | 'over' = 'new';
  #over: (() => void) | undefined;

  /** @throws InvalidOptionError as Agent does. */
  constructor(options: AgentTaskOptions<Result>) {
    const { tools = [], ...rest } = options;
    const outcome = Promise.withResolvers<Result>();
    // The tools are made for the task, which there is none of before its own constructor.
    const made: Tool[] = [];
    super({ ...rest, tools: made });
    this.#outcome = outcome;
    this.result = outcome.promise;
    this.result.catch(() => undefined);
    made.push(...(typeof tools === 'function' ? tools(this) : tools));
    checkToolNames(this.name, made);
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Ends it with its result. The first end counts. */
  complete(result: Result): void {
    this.#end(() => this.#outcome.resolve(result));
  }

  /** Ends it without one: who waits for the result gets the error. */
  fail(error: Error): void {
    this.#end(() => this.#outcome.reject(error));
  }

  /** @internal It becomes the agent who speaks; `over` is called once, when it is complete or has failed. */
  begin(over: () => void): void {
    if (this.#state !== 'new') {
      throw new InvalidOptionError(
        `The task '${this.name}' was run before. Make a new AgentTask for each run.`,
      );
    }
    this.#state = 'running';
    this.#over = over;
  }

  #end(settle: () => void): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    settle();
    const over = this.#over;
    this.#over = undefined;
    over?.();
  }
}

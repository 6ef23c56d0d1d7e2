import { describeError } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';
import { ToolsetError } from './errors.ts';
import type { Tool } from './tool.ts';
import type { Toolset } from './toolset.ts';
import { foreignUntilClosed } from './until-closed.ts';

/** How long a toolset may take to open, in milliseconds: as long as a model may take to connect, which waits for it. */
export const TOOLSET_OPEN_TIMEOUT_MS = 10_000;

const TOO_LATE = 'open time-out';

/** The toolsets of one live session: each is opened once, when it is needed for the first time. */
export class Toolsets {
  readonly #owner: Lifetime;
  readonly #opened = new Map<Toolset, Promise<readonly Tool[]>>();

  constructor(owner: Lifetime) {
    this.#owner = owner;
  }

  /** @throws ToolsetError when it cannot be opened, which is tried again the next time; ClosedError. */
  tools(toolset: Toolset): Promise<readonly Tool[]> {
    const opened = this.#opened.get(toolset);
    if (opened !== undefined) return opened;
    const opening = openToolset(toolset, this.#owner);
    this.#opened.set(toolset, opening);
    opening.catch(() => this.#opened.delete(toolset));
    return opening;
  }
}

/** A function of its own, so that a toolset which never opens holds no live session in memory (clause C6). */
async function openToolset(toolset: Toolset, owner: Lifetime): Promise<readonly Tool[]> {
  const scope = owner.child(`toolset ${toolset.name}`, { phase: 'settle' });
  const bound = scope.timer('open time-out', TOOLSET_OPEN_TIMEOUT_MS, () => void scope.close(TOO_LATE));
  try {
    const tools = await foreignUntilClosed(scope, 'open', () => toolset.open(scope));
    bound.cancel();
    return tools;
  } catch (error) {
    const { reason } = await scope.close('not opened');
    owner.throwIfClosing();
    const why =
      reason === TOO_LATE ? `It did not open within ${TOOLSET_OPEN_TIMEOUT_MS} ms.` : describeError(error);
    throw new ToolsetError(`The toolset '${toolset.name}' cannot be had: ${why}`, { cause: error });
  }
}

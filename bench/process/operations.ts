/** What a program of the bench can be asked to do, by name. Arguments and results travel as JSON. */
export type Operations = { readonly [name: string]: (...args: never[]) => unknown };

export interface Question {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

export type Answer =
  { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string };

/** Answers the process that started this one, for as long as it lives; when it goes, this process goes too. */
export function serveOperations(operations: Operations): void {
  process.on('message', (message) => void answer(message as Question, operations));
  process.on('disconnect', () => process.exit(0));
  process.send?.('ready');
}

async function answer({ id, name, args }: Question, operations: Operations): Promise<void> {
  let reply: Answer;
  try {
    const operation = operations[name];
    if (operation === undefined) throw new Error(`there is no operation '${name}'`);
    reply = { id, result: await operation(...(args as never[])) };
  } catch (error) {
    reply = { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  if (process.connected) process.send?.(reply);
}

import { ClosedError, InvalidOptionError, describeError } from '../kernel/index.ts';
import { withoutFrames } from '../kernel/errors.ts';
import type { Deadline, Lifetime } from '../kernel/index.ts';
import type { LiveEventBody } from '../protocol/index.ts';
import { Activity } from './activity.ts';
import type { HookEnvironment } from './activity.ts';
import { AgentTask } from './agent-task.ts';
import { agentsUnder } from './agent.ts';
import type { Agent } from './agent.ts';
import type { CurrentModel } from './current-model.ts';
import type { LiveModel } from './live-model.ts';
import { prepareAgent } from './prepared-agent.ts';
import type { PreparedAgent } from './prepared-agent.ts';
import type { StoredSession } from './session-store.ts';
import type { Toolsets } from './toolsets.ts';
import { foreignUntilClosed } from './until-closed.ts';

/** How many tasks may be within each other: more is a task that starts itself. */
export const MAX_NESTED_TASKS = 10;

/**
 * How often a program is told that no task can be run any more. One that goes on asking, in a loop that heeds no error, is
 * not answered then: it would keep the process from everything else (clause C9).
 */
export const MAX_REFUSED_TASKS = 100;

/** How long a handoff by `session.handoff()` lets an answer under way be finished, in milliseconds: as long as a drain does. */
export const HANDOFF_ANSWER_TIMEOUT_MS = 10_000;

export interface ActivitiesOptions {
  readonly root: Agent;
  readonly owner: Lifetime;
  readonly session: StoredSession;
  /** The model of agents that bring none. */
  readonly model: LiveModel;
  readonly current: CurrentModel;
  readonly toolsets: Toolsets;
  readonly environment: HookEnvironment;
  /** How many calls of an activity's tools have not settled. */
  calls(activity: Activity): number;
  /** Whether an answer is being given. */
  isAnswering(): boolean;
  /** The agent's turn in which what is said now will be answered. */
  answerTurn(): number;
  /** Whether somebody has asked for, or begun, an answer in this turn or a later one. */
  isAnswered(turn: number): boolean;
  /** The connection is set up for the current activity: `configured` is to be called when it is. */
  configure(): void;
  /** Has the model speak of its own accord. */
  reply(): void;
  emit(event: LiveEventBody): void;
}

type AgentChange = Extract<LiveEventBody, { readonly type: 'agentChanged' }>['why'];

/** A handoff that waits for what the agent who gives the conversation away still has to do. */
interface Leaving {
  readonly from: Activity;
  readonly to: Activity;
  readonly reply: boolean;
  /** Whether an answer under way is finished first; until the timer has fired. */
  finishesAnswer: boolean;
}

/** What follows when the connection is set up for an activity. */
interface Entry {
  readonly activity: Activity;
  readonly isNew: boolean;
  readonly reply: boolean;
  /** The agent's turn in which it would answer. */
  readonly turn: number;
  /** Settles when the activity before it has ended. */
  readonly after: Promise<unknown> | undefined;
}

/**
 * Who speaks in a live session: one agent at a time, or a task within its activity. Changes happen between two turns: when
 * the calls of the activity that is left have settled, so that no result is missing from the history that the next one gets.
 */
export class Activities {
  readonly #options: ActivitiesOptions;
  /** When the live session will be ended from outside, once that is known: every agent who has it until then is told. */
  #ending: Deadline | undefined;
  #current: Activity;
  #leaving: Leaving | undefined;
  /** Whether an activity is being gone back to. */
  #isReturning = false;
  #entry: Entry | undefined;
  /** Of the agent who got the conversation last, until it was seen whether it says something by itself. */
  #arriving: Entry | undefined;
  /** Who wants to go on when a task that is over has been left. */
  #waiting: (() => void)[] = [];
  #ownsTasks = false;
  #refused = 0;

  constructor(options: ActivitiesOptions) {
    const { root, owner, session, environment } = options;
    this.#options = options;
    // Who had the conversation when it was stored goes on with it.
    const agent = agentsUnder(root).find(({ name }) => name === session.activeAgent) ?? root;
    this.#current = new Activity(agent, owner, environment);
    this.#entry = { activity: this.#current, isNew: true, reply: false, turn: 1, after: undefined };
  }

  get current(): Activity {
    return this.#current;
  }

  /** Whether the conversation is on its way from one agent to another, who may be about to say something. */
  get isChanging(): boolean {
    return this.#arriving !== undefined || this.#leaving !== undefined || this.#isReturning;
  }

  /** Whether an activity has the conversation and is not about to give it away: it takes up what its tools bring. */
  isStaying(activity: Activity): boolean {
    return activity === this.#current && this.#leaving?.from !== activity && activity.task?.isOver !== true;
  }

  /** What the current agent is prepared with, asked anew for a new connection. */
  async prepareCurrent(): Promise<PreparedAgent> {
    const { root, session, toolsets, owner } = this.#options;
    const { prepared } = this.#current;
    // The first time the bound of the connection is the only one.
    if (prepared === undefined) return prepareActivity(this.#current, root, session, toolsets, undefined);
    const asked = prepareActivity(this.#current, root, session, toolsets, owner);
    return asked.catch((error: unknown) => this.#asBefore(prepared, error));
  }

  /** It was ready before, and is so still: a call does not end over that. */
  #asBefore(prepared: PreparedAgent, error: unknown): PreparedAgent {
    this.#throwIfEnding();
    this.#warn(prepared, NOT_ANEW, error);
    return prepared;
  }

  /** Whether an activity gives the conversation away already. */
  isLeaving(activity: Activity): boolean {
    return this.#leaving?.from === activity;
  }

  /**
   * Makes an agent ready to have the conversation.
   * @throws ClosedError; InvalidOptionError within a task, or for a model that cannot go on; ToolsetError.
   */
  async prepare(agent: Agent): Promise<Activity> {
    this.#throwIfEnding();
    if (agent instanceof AgentTask) {
      throw new InvalidOptionError(`'${agent.name}' is a task: use runTask(), which gives its result.`);
    }
    if (this.#current.task !== undefined) {
      throw new InvalidOptionError(
        `The task '${this.#current.agent.name}' cannot give the conversation away. Complete it first.`,
      );
    }
    const { owner, environment, current } = this.#options;
    current.checkFits(this.#modelOf(agent));
    const activity = new Activity(agent, owner, environment);
    await this.#prepare(activity);
    return activity;
  }

  /**
   * The conversation goes from one activity to another, which is prepared: at once, or when the calls under way have settled
   * and a task is over that has it meanwhile. The first handoff counts.
   */
  handOver(from: Activity, to: Activity, reply: boolean): void {
    this.#leave({ from, to, reply, finishesAnswer: false });
  }

  /**
   * The same, as the program wishes: an answer under way is finished first. Resolves when the agent is prepared.
   * @throws as `prepare`; InvalidOptionError while the conversation is being given away already.
   */
  async handoff(agent: Agent, reply: boolean): Promise<void> {
    const to = await this.prepare(agent);
    this.#throwIfEnding();
    const leaving: Leaving = { from: this.#current, to, reply, finishesAnswer: this.#options.isAnswering() };
    if (!this.#leave(leaving)) {
      throw new InvalidOptionError(`The conversation is being given away, and not to '${agent.name}'.`);
    }
    if (this.#leaving !== leaving) return;
    this.#options.owner.timer('handoff', HANDOFF_ANSWER_TIMEOUT_MS, () => {
      leaving.finishesAnswer = false;
      this.moveOn();
    });
  }

  /** `asker`: whose tool asks for it; undefined for the program. @throws as `ToolContext.runTask` says. */
  async runTask<Result>(task: AgentTask<Result>, asker?: Activity): Promise<Result> {
    const { owner, environment } = this.#options;
    if (!owner.isOpen) {
      this.#refused += 1;
      if (this.#refused > MAX_REFUSED_TASKS) return new Promise(() => undefined);
    }
    this.#throwIfEnding();
    this.#throwIfTooDeep(task);
    task.begin(() => this.moveOn());
    this.#ownTasks();
    try {
      const prepared = await this.#prepare(new Activity(task, owner, environment));
      while (this.#taskThatIsOver() !== undefined) {
        // Which waits for the very call that asks.
        if (asker?.task?.isOver === true) throw new ClosedError(PART_IS_OVER);
        await this.#returned();
      }
      this.#throwIfEnding();
      // Others may have been asked for in the meantime.
      this.#throwIfTooDeep(task);
      const activity = new Activity(task, owner, environment, this.#current);
      activity.prepared = prepared;
      if (!task.isOver) this.#switch(activity, 'task', true);
    } catch (error) {
      if (error instanceof ClosedError && !owner.isOpen) task.fail(ending());
      else task.fail(asError(error));
    }
    return task.result;
  }

  /** Something that a change may wait for is over: a call, an answer, a task. */
  moveOn(): void {
    if (!this.#options.owner.isOpen || this.#isReturning) return;
    const over = this.#taskThatIsOver();
    if (over !== undefined) {
      this.#return(over);
      return;
    }
    const leaving = this.#leaving;
    if (leaving === undefined || leaving.from !== this.#current) return;
    if (this.#options.calls(leaving.from) > 0) return;
    if (leaving.finishesAnswer && this.#options.isAnswering()) return;
    this.#leaving = undefined;
    this.#switch(leaving.to, 'handoff', leaving.reply);
  }

  /** The connection is set up for the current activity. */
  configured(): void {
    const entry = this.#entry;
    this.#entry = undefined;
    if (entry === undefined || !this.#isCurrent(entry)) return;
    if (entry.after === undefined) this.#enter(entry);
    else void entry.after.then(() => this.#enter(entry));
  }

  /** The model cannot be told what came while a task had the conversation, but on a new connection. */
  tellAnew(): boolean {
    if (!this.#current.hadTask || !this.#options.owner.isOpen) return false;
    // The next one of them is told in the same way.
    this.#current.hadTask = this.#options.calls(this.#current) > 0;
    this.#entry = this.#entryOf(this.#current, false, true, undefined);
    this.#options.configure();
    return true;
  }

  /** The live session will be ended at `deadline`, from outside: who has the conversation is told, and who gets it later. */
  drainBy(deadline: Deadline): void {
    if (this.#ending !== undefined) return;
    this.#ending = deadline;
    this.#tellOfDrain(this.#current);
  }

  #leave(leaving: Leaving): boolean {
    if (this.#leaving !== undefined || leaving.from.task !== undefined) return false;
    this.#leaving = leaving;
    this.moveOn();
    return true;
  }

  /** The outermost task that is over, of those that have not been left yet. */
  #taskThatIsOver(): Activity | undefined {
    let over: Activity | undefined;
    for (const activity of this.#tasks()) if (activity.task?.isOver === true) over = activity;
    return over;
  }

  /** The tasks within each other, the innermost first. */
  *#tasks(): Iterable<Activity> {
    for (let activity = this.#current; activity.under !== undefined; activity = activity.under)
      yield activity;
  }

  /** Goes back to who was there before a task that is over, once its calls have settled. */
  #return(over: Activity): void {
    const { under } = over;
    if (under === undefined) return;
    const left: Activity[] = [];
    for (const activity of this.#tasks()) {
      left.push(activity);
      if (activity === over) break;
    }
    this.#isReturning = true;
    for (const { task } of left) task?.fail(withoutFrames(new ClosedError(PART_IS_OVER)));
    this.#isReturning = false;
    if (left.some((activity) => this.#options.calls(activity) > 0)) return;
    this.#isReturning = true;
    // What it is told depends on the state, which the task may have changed.
    void this.#prepare(under)
      .catch((error: unknown) => this.#warn(under, NOT_ANEW, error))
      .then(() => {
        this.#isReturning = false;
        if (!this.#options.owner.isOpen) return;
        for (const activity of left.slice(1)) void activity.exit('task done');
        under.hadTask = true;
        this.#switch(under, 'taskDone', under.isUnanswered);
        this.#wake();
        this.moveOn();
      });
  }

  /** From the first task on, whoever waits for one is answered at the end. */
  #ownTasks(): void {
    if (this.#ownsTasks) return;
    this.#ownsTasks = true;
    this.#options.owner.own('agent tasks', this, {
      // Nobody can say anything to a task any more.
      drain: async (activities) => activities.#unwind(),
      stop: (activities) => activities.#unwind(),
    });
  }

  #returned(): Promise<void> {
    this.#throwIfEnding();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #switch(to: Activity, why: AgentChange, reply: boolean): void {
    const { session, current, emit, configure, owner } = this.#options;
    const from = this.#current;
    // Who starts a task is still there, and goes on after it.
    const after = why === 'task' ? undefined : from.exit(why);
    this.#current = to;
    current.use(this.#modelOf(to.agent));
    if (why === 'handoff') session.activeAgent = to.agent.name;
    this.#entry = this.#entryOf(to, why !== 'taskDone', reply, after);
    this.#arriving = this.#entry;
    emit({ type: 'agentChanged', agent: to.agent.name, previous: from.agent.name, why });
    // Who was told may have ended the session, or gone on already.
    if (owner.isOpen && this.#current === to) configure();
  }

  #entryOf(activity: Activity, isNew: boolean, reply: boolean, after: Promise<unknown> | undefined): Entry {
    return { activity, isNew, reply, turn: this.#options.answerTurn(), after };
  }

  #isCurrent({ activity }: Entry): boolean {
    return this.#options.owner.isOpen && activity === this.#current;
  }

  #enter(entry: Entry): void {
    if (!this.#isCurrent(entry)) return;
    const { activity } = entry;
    if (entry.isNew) activity.enter((error) => this.#entered(entry, error));
    else this.#reply(entry);
    this.#tellOfDrain(activity);
  }

  #tellOfDrain(activity: Activity): void {
    if (this.#ending === undefined) return;
    const { remainingMs: timeLeftMs } = this.#ending;
    const deadline = new Date(this.#options.owner.clock.wallTime() + timeLeftMs);
    activity.drain({ timeLeftMs, deadline }, (error) => this.#warn(activity, 'failed in its onDrain', error));
  }

  #entered(entry: Entry, error: unknown): void {
    const { activity } = entry;
    if (error !== undefined) {
      activity.task?.fail(asError(error));
      this.#warn(activity, 'failed in its onEnter', error);
    }
    this.#reply(entry);
  }

  /** Unless something was said since, or the user was answered, or it is about to leave again. */
  #reply(entry: Entry): void {
    if (this.#arriving === entry) this.#arriving = undefined;
    const { activity, reply, turn } = entry;
    if (!reply || !this.#options.owner.isOpen || !this.isStaying(activity)) return;
    activity.isUnanswered = false;
    if (!this.#options.isAnswered(turn)) this.#options.reply();
  }

  #warn({ agent }: Pick<Activity, 'agent'>, what: string, error: unknown): void {
    this.#options.emit({
      type: 'warning',
      code: 'HOLDFAST_AGENT_HOOK',
      message: `Agent '${agent.name}' ${what}: ${describeError(error)}`,
    });
  }

  /** Nobody waits for a task any more: each one within another is told once (clause C9). */
  #unwind(): void {
    this.#wake();
    for (const { task } of this.#tasks()) {
      task?.fail(ending());
    }
  }

  #throwIfTooDeep({ name }: Agent): void {
    if (this.#current.depth < MAX_NESTED_TASKS) return;
    throw new InvalidOptionError(
      `'${name}' would be task ${MAX_NESTED_TASKS + 1} within each other. Does a task start itself?`,
    );
  }

  #throwIfEnding(): void {
    if (this.#options.owner.isOpen) return;
    throw ending();
  }

  #modelOf(agent: Agent): LiveModel {
    if (agent instanceof AgentTask) return this.#options.current.model;
    if (agent === this.#options.root) return this.#options.model;
    return agent.model ?? this.#options.model;
  }

  #prepare(activity: Activity): Promise<PreparedAgent> {
    const { root, session, toolsets, owner } = this.#options;
    return foreignUntilClosed(owner, `agent ${activity.agent.name}`, () =>
      prepareActivity(activity, root, session, toolsets, owner),
    );
  }
}

const NOT_ANEW = 'cannot be prepared anew, and goes on as it was';
const PART_IS_OVER = 'The task it was a part of is over.';

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(describeError(error));
}

/** Who keeps it keeps no live session in memory by it. */
function ending(): ClosedError {
  return withoutFrames(new ClosedError('The live session is ending: nobody gets the conversation any more.'));
}

/** A function of its own, so that what never comes holds no live session in memory (clause C6). */
async function prepareActivity(
  activity: Activity,
  root: Agent,
  session: StoredSession,
  toolsets: Toolsets,
  owner: Lifetime | undefined,
): Promise<PreparedAgent> {
  activity.prepared = await prepareAgent(activity.agent, root, session, toolsets, owner);
  return activity.prepared;
}

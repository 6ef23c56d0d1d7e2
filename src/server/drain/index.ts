/** The way of a server to its end. */
export { DrainFollower } from './drain-follower.ts';
export { Drain } from './drain.ts';
export type { DrainProgress, DrainReport, DrainStage } from './drain.ts';

/** The client of a live session: its socket, its leg on either wire, and how it comes back. */
export { acceptClient } from './accept-client.ts';
export { ClientSeat } from './client-seat.ts';
export type { SeatedClient } from './client-seat.ts';
export type { AcceptedSocket } from './client-socket.ts';
export type { LegEnd } from './leg-end.ts';
export { ReplayBudget } from './replay-budget.ts';
export { DEFAULT_MAX_REPLAY_BYTES, DEFAULT_MAX_REPLAY_MESSAGES } from './replay-ring.ts';

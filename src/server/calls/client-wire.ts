/** Which wire a client speaks, by the subprotocol of its WebSocket. */
export type ClientWire = 'adk' | 'holdfast.v1';

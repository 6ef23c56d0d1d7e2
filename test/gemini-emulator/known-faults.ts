/** A fault of the wire that somebody has met, or that a client must bear, and the tests that show it. */
export interface KnownFault {
  readonly fault: string;
  /** Names of tests of this folder, as their sources write them. */
  readonly tests: readonly string[];
}

function known(fault: string, ...tests: readonly string[]): KnownFault {
  return { fault, tests };
}

const PRECLOSED = 'closes before setupComplete: %s';
const GO_AWAY = 'says goAway as it is told, and closes after a while or not at all';
const PENDING_GO_AWAY = 'says goAway while a tool call is pending, twice, and takes the result';
const ODD_MESSAGE = 'sends %s and goes on';

/** What any service behind a WebSocket can do. */
export const GENERIC_FAULTS: readonly KnownFault[] = [
  known(
    'TCP refused',
    'refuses TCP for a while, and comes back',
    'resets what was dialled, on the connection it was told to',
    'goes down, while open connections go on, and comes back at the same address',
  ),
  known('TCP accepted, the upgrade never answered', 'never answers an upgrade, and lets the client go'),
  known('HTTP status on the upgrade, with body and Retry-After', 'answers the upgrade with %i'),
  known('upgrade, then silence', 'is silent after the upgrade'),
  known(
    'upgrade, then an immediate close, with each code',
    'upgrades and closes at once with %i',
    'closes without a code, which a client reads as 1005',
  ),
  known('RST in the middle of a message', 'cuts a message in its middle: %s'),
  known('FIN without a close frame', 'ends the TCP connection without a close frame'),
  known('close frame, TCP never closed', 'sends a close frame and then never closes the TCP connection'),
  known('close echo that comes late', 'answers a close late, and talks on meanwhile'),
  known('close echo that never comes', 'never answers a close'),
  known('stalled reader', 'stops reading, so that what the client sends piles up there, and reads on'),
  known('slow drip', 'lets what it sends drip, close frame and all'),
  known('pong that comes late', 'answers pings late'),
  known('pong that never comes', 'answers no ping, and talks on'),
  known('ping flood', 'floods with pings: %s'),
  known('message in many continuation frames', 'splits a message into continuation frames: %s'),
  known('frame with invalid UTF-8', 'sends a text frame that is not UTF-8'),
  known('invalid JSON', ODD_MESSAGE),
  known('empty text frame', 'sends an empty text frame'),
  known('unknown message type', ODD_MESSAGE),
  known('unknown extra field', 'adds fields nobody knows'),
  known('duplicated message', 'sends a message twice, or more often'),
  known('reordered messages', 'swaps a message with the next one'),
  known('oversize message', 'sends an oversize message: %s bytes'),
  known(
    'message after a close was begun',
    'sends a message behind its own close frame',
    'answers a close late, and talks on meanwhile',
  ),
  known(
    'lifetimes on a faster clock',
    'says goAway before the lifetime of a connection ends, goes on, and ends it',
    'says goAway after nine minutes and ends the connection after ten',
  ),
];

/** What Gemini Live does. */
export const GEMINI_FAULTS: readonly KnownFault[] = [
  known('no setupComplete', 'never answers a setup'),
  known('late setupComplete', 'answers a setup late'),
  known('1007, 1008, 1011 before setupComplete, with each reason', PRECLOSED),
  known('sessionResumptionUpdate before setupComplete', 'sends a message before setupComplete'),
  known('handle accepted', 'restores what the handle knew, and gives a new one'),
  known(
    'handle rejected: 1007 invalid, 1008 session not found, 1008 entity not found',
    'refuses a handle that is %s',
    'lets a resumption fail where a fresh setup does not',
    'forgets its handles right when one is used',
  ),
  known('handle accepted, then 1011, in a loop', 'accepts a handle and then closes with 1011, in a loop'),
  known(
    'handle of another model',
    'accepts the handle of another model and then closes with 1011, as measured',
  ),
  known(
    'resume refused with 1011 while the old socket is open',
    'refuses to resume while the old socket is open, and does once it is not',
  ),
  known(
    'token of one use',
    'opens one session with a token of one use, and resumes it as often as one likes',
  ),
  known(
    'expired token',
    'opens no session a minute later, and still resumes one',
    'ends the connection when its token expires, and resumes it with a new token only',
  ),
  known('goAway with timeLeft "60s"', PENDING_GO_AWAY),
  known('goAway with timeLeft "0s"', GO_AWAY),
  known('goAway without timeLeft', GO_AWAY),
  known('goAway with a malformed timeLeft', PENDING_GO_AWAY),
  known('goAway, then no close', GO_AWAY),
  known('close without goAway', 'ends the connection without the goAway that was due'),
  known('goAway during a pending toolCall', PENDING_GO_AWAY),
  known('two goAways', PENDING_GO_AWAY),
  known('resumable: false, then a drop', 'says that it cannot be resumed, and drops'),
  known('newHandle absent', 'leaves newHandle out, once'),
  known('1006 in the middle of audio', 'cuts an answer in the middle of its audio'),
  known(
    '1006 right after setupComplete, every time',
    '%s right after setupComplete is 1006 to the client',
    'drops right after every setupComplete',
  ),
  known('1011 at a fixed time', 'says goAway after nine minutes and ends the connection after ten'),
  known(
    '1007 for an exhausted context',
    'closes with 1007 when the context is full, unless the window slides',
  ),
  known(
    'clientContent refused by 3.x without historyConfig',
    'refuse content without historyConfig',
    'take content as initial history, without an answer, and refuse it afterwards',
  ),
  known(
    'activityStart refused with automatic detection',
    'makes turns of activityStart and activityEnd, and only where detection is off',
  ),
  known('interrupted without turnComplete', 'interrupts without turnComplete, and ends other turns as ever'),
  known('turnComplete without generationComplete', 'completes a turn without generationComplete'),
  known('toolCallCancellation before the response', 'cancels a tool call before its result'),
  known(
    'toolCallCancellation after the response',
    'cancels a tool call when its result is there',
    'cancels a tool call that was answered long ago',
  ),
  known('duplicate toolCall id', 'calls twice with one id', 'gives a later call the id of an earlier one'),
  known('toolResponse with an unknown id: 1008', 'closes with 1008 on the result of a call it never made'),
  known('no response to a turn', 'is silent to a turn, once'),
  known('proactive silence', 'is silent to a spoken turn, and answers the next'),
  known('text and binary frames', 'sends %s frames'),
  known('several parts in one message', 'puts several parts into one message'),
  known('unknown key', 'adds fields nobody knows', ODD_MESSAGE),
  known('serverContent with usage only', 'sends a serverContent with usage and nothing else'),
  known('snake_case', 'writes a message in snake_case, and leaves what is the user’s own alone'),
  known('fragmented frames', 'splits a message into continuation frames: %s'),
  known('pongs of 8 to 30 s', 'answers pings late', '10. Pongs come half a minute late'),
  known('quota: 1011', 'closes one session too many with its quota', PRECLOSED),
  known(
    'HTTP 403, 429, 503 on the upgrade',
    'answers the upgrade with %i',
    'refuses one connection too many with 429',
  ),
  known('slow uplink', 'takes what a client sends slowly'),
];

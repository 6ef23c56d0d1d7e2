/** The longest text of one Speak message, as the service's documentation says; a longer one is an error there. */
export const MAX_SPEAK_CHARACTERS = 2_000;

/** A text in pieces that can be spoken, cut behind words where there are any. */
export function* speakPieces(text: string, most = MAX_SPEAK_CHARACTERS): Iterable<string> {
  let rest = text;
  while (rest.length > most) {
    const at = placeToCut(rest, most);
    yield rest.slice(0, at);
    rest = rest.slice(at);
  }
  if (rest.trim() !== '') yield rest;
}

function placeToCut(text: string, most: number): number {
  const behindWord = text.slice(0, most).search(/\s\S*$/) + 1;
  if (behindWord > 0) return behindWord;
  // The two halves of a character beyond the first 65 536 stay together.
  const last = text.charCodeAt(most - 1);
  return last >= 0xd800 && last <= 0xdbff ? most - 1 : most;
}

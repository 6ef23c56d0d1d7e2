/** What is spoken of a text: it has a letter or a digit. Anything else is a mark that a voice makes a noise of, or nothing. */
const SPEAKABLE = /[\p{L}\p{N}]/u;

/** Whether a voice has anything to say of it. */
export function isSpeakable(text: string): boolean {
  return SPEAKABLE.test(text);
}

/** Pictures, with what joins and colours them. Signs that are read out (©, ®, ™) are among the pictures, and stay. */
const EMOJI =
  /(?![©®™])(?:\p{Extended_Pictographic}|[\u{1F1E6}-\u{1F1FF}]|[#*0-9]\uFE0F?\u20E3)(?:\p{Emoji_Modifier}|[\u{E0020}-\u{E007F}]|\uFE0F|\u200D)*/gu;

const LINE_START = /^\s*(?:(?:#{1,6}|>+|[-*+•])\s+(?:\[[ xX]\]\s+)?)+/;
const RULE = /^\s*(?:[-*_=]\s*){3,}$|^[\s|:-]*-{2,}[\s|:-]*$/;
/** A line of its own; inline code in three backticks is none. */
const FENCE_OPENS = /^\s*(?:```[^`]*|~~~.*)\n$/;
const FENCE_CLOSES = /^\s*(?:```+|~~~+)\s*$/;
const IMAGE_OR_LINK = /!?\[([^\]\n]*)\]\([^)\s]*(?:\s+"[^"\n]*")?\)/g;
const MARKS = /\*{1,3}|~~|`+|(?<![\p{L}\p{N}])_{1,3}(?=\S)|(?<=\S)_{1,3}(?![\p{L}\p{N}])/gu;
/** A star between spaces or digits is a sign of arithmetic, and is read out. */
const TIMES = /(?<=\d\s?)\*(?=\s?\d)/g;

/**
 * Takes out of a text what is written for the eye: Markdown and emoji. What is fenced as code is left out whole, since
 * nobody can follow code by ear.
 *
 * It is given a text in pieces that are whole lines or whole sentences, in order: what is fenced is known from the pieces
 * before.
 */
export class SpokenText {
  #isFenced = false;

  /** What is to be said of a piece. `isLineStart`: nothing stands before it in its line. */
  of(piece: string, isLineStart: boolean): string {
    if (isLineStart && (this.#isFenced ? FENCE_CLOSES : FENCE_OPENS).test(piece)) {
      this.#isFenced = !this.#isFenced;
      return '';
    }
    if (this.#isFenced || RULE.test(piece)) return '';
    const line = isLineStart ? piece.replace(LINE_START, '') : piece;
    return line
      .replace(IMAGE_OR_LINK, '$1')
      .replace(TIMES, '×')
      .replace(MARKS, '')
      .replace(/\s*\|\s*/g, ', ')
      .replace(EMOJI, '')
      .replace(/^[\s,]+|[\s,]+$/g, '')
      .replace(/\s+/g, ' ')
      .replace(/ (?=[.,!?;:])/g, '');
  }
}

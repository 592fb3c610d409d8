/** Texts that would keep the YAML parser busy for minutes, or end the process, are told from the others beforehand. */
import { CST, Lexer, type LineCounter, Parser } from 'yaml';

/**
 * Both are far more than any configuration needs. The YAML parser calls itself for each level, and a full stack ends the
 * process; it compares each key with each.
 */
const DEEPEST_NESTING = 32;
const MOST_TOKENS = 4000;
const PADDING = new Set<string | null>(['space', 'newline', 'comment', 'byte-order-mark']);

/** Excess is where a text goes beyond what any configuration needs, and how. */
interface Excess {
  readonly offset: number;
  readonly text: string;
}

/** findExcess reads the text token by token, which takes no stack and only as long as the text is. Also finds the lines. */
export function findExcess(text: string, lines: LineCounter): Excess | undefined {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let tokens = 0;
  for (const lexeme of new Lexer().lex(text)) {
    const { offset } = parser;
    // Documents are of no interest, but a generator works only while it is read.
    Array.from(parser.next(lexeme));
    if (parser.stack.length > DEEPEST_NESTING) {
      return { offset, text: `expected a map of settings, found more than ${DEEPEST_NESTING} levels` };
    }
    if (!PADDING.has(CST.tokenType(lexeme)) && ++tokens > MOST_TOKENS) {
      return { offset, text: `expected a map of settings, found more than ${MOST_TOKENS} words and signs` };
    }
  }
  return undefined;
}

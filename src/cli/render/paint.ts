/** Colours, where a person looks: off when NO_COLOR is set or the output is no terminal. */
import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

/** Whether the stream shows colours. A single style, because Node 20 checks the stream only for that. */
export const hasColours = (stream: NodeJS.WriteStream): boolean =>
  styleText('red', '', { stream, validateStream: true }) !== '';

export const paint = (
  style: Style,
  text: string,
  stream: NodeJS.WriteStream = process.stdout,
): string => (hasColours(stream) ? styleText(style, text) : text);

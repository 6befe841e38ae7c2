import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

export const MADE_BY = '<!-- Made by `npm run docs`. -->\n';

export function code(text: string): string {
  return `\`${text}\``;
}

export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heads, heads.map(() => '---'), ...rows];
  return lines
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`)
    .join('\n');
}

/** Formats Markdown as `npm run check` requires. */
export async function formatted(text: string): Promise<string> {
  const options = await resolveConfig(fileURLToPath(new URL('../../README.md', import.meta.url)));
  return format(text, { ...options, parser: 'markdown' });
}

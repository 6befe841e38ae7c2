import { cliPages } from './cli.ts';
import { settingsPage } from './settings.ts';

/** Returns all generated pages by their paths in docs/. */
export async function generatedPages(): Promise<Map<string, string>> {
  const pages = new Map([['settings.md', await settingsPage()]]);
  for (const [name, text] of await cliPages()) pages.set(`cli/${name}`, text);
  return pages;
}

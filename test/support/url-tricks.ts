/** URLs that try to bypass `BUILD_API_ALLOWED_ORIGINS`, made from an allowed origin and the target. */

export interface UrlTrick {
  name: string;
  url: string;
  /** `listed` if it is another spelling of the allowed origin, so that a request may go there. */
  leadsTo: 'listed' | 'elsewhere' | 'nowhere';
  /** Whether an input with the URL is refused, wherever it leads. */
  isRefused: boolean;
}

/**
 * @param listed an origin at 127.0.0.1, such as `http://127.0.0.1:8090`
 * @param elsewhere `host:port` of a server that nothing may reach
 */
export function urlTricks(listed: string, elsewhere: string): UrlTrick[] {
  const { host, port } = new URL(listed);
  const elsewherePort = elsewhere.split(':').at(-1);
  const refused = (name: string, leadsTo: UrlTrick['leadsTo'], ...urls: string[]): UrlTrick[] =>
    urls.map((url) => ({ name, url, leadsTo, isRefused: true }));
  const taken = (name: string, ...urls: string[]): UrlTrick[] =>
    urls.map((url) => ({ name, url, leadsTo: 'listed', isRefused: false }));
  return [
    ...refused(
      'the listed origin as a user name',
      'elsewhere',
      `http://${host}@${elsewhere}`,
      `http://127.0.0.1@${elsewhere}`,
      `http://user:${host}@${elsewhere}`,
      `http://127.0.0.1%3a${port}@${elsewhere}`,
      `http://${host}%2f@${elsewhere}`,
      `http://${host}%40${elsewhere}@${elsewhere}`,
    ),
    ...refused('credentials', 'elsewhere', `http://@${elsewhere}`, `http://:@${elsewhere}`),
    ...refused(
      'credentials before the listed origin',
      'listed',
      `http://user@${host}`,
      `http://user:password@${host}`,
      `http://${elsewhere}@${host}`,
    ),
    ...refused(
      'the listed host with a suffix',
      'nowhere',
      `http://127.0.0.1.evil.example:${port}`,
      `https://127.0.0.1.evil.example`,
      `http://127.0.0.1-evil.example:${port}`,
      `http://${host}.evil.example`,
    ),
    ...refused(
      'another port',
      'elsewhere',
      `http://127.0.0.1:${elsewherePort}`,
      `http://127.0.0.1:0${elsewherePort}`,
      `http://127.0.0.1:000000000000${elsewherePort}`,
    ),
    ...refused(
      'a missing or invalid port',
      'nowhere',
      'http://127.0.0.1',
      'http://127.0.0.1:',
      'http://127.0.0.1:99999',
      `http://${host}0000`,
      `http://127.0.0.1:-${port}`,
      `http://127.0.0.1:${port}x`,
      `http://${host}:${elsewherePort}`,
    ),
    ...refused('https although http is listed', 'listed', listed.replace('http:', 'https:')),
    ...refused(
      'another scheme',
      'nowhere',
      `ftp://${host}`,
      `ws://${host}`,
      `file://${host}/etc/passwd`,
      `blob:${listed}/x`,
      `filesystem:${listed}/x`,
      `data:text/plain,${listed}`,
      `javascript://${host}`,
      `unix:/run/docker.sock:${listed}`,
      `http+unix://${host}`,
      `//${host}`,
      host,
      '',
      'about:blank',
    ),
    ...refused(
      'another host, by number',
      'nowhere',
      `http://2130706434:${port}`,
      `http://0x7f000002:${port}`,
      `http://0177.0.0.2:${port}`,
      `http://127.2:${port}`,
      `http://256.0.0.1:${port}`,
      `http://127.0.0.1.1:${port}`,
      `http://0:${port}`,
      `http://0.0.0.0:${port}`,
    ),
    ...refused(
      'IPv6',
      'nowhere',
      `http://[::1]:${port}`,
      `http://[::ffff:127.0.0.1]:${port}`,
      `http://[::ffff:7f00:1]:${port}`,
      `http://[0:0:0:0:0:0:0:1]:${elsewherePort}`,
      `http://[::]:${port}`,
      `http://[::1%25lo]:${port}`,
      `http://[127.0.0.1]:${port}`,
    ),
    ...refused(
      'another name of the listed host',
      'nowhere',
      `http://localhost:${elsewherePort}`,
      `http://localhost:${port}`,
      `http://LOCALHOST:${port}`,
      `http://127.0.0.1.nip.example:${port}`,
    ),
    ...refused('a name with a dot at its end', 'nowhere', `http://localhost.:${port}`, `http://127.0.0.1..:${port}`),
    ...refused(
      'other alphabets',
      'nowhere',
      `http://ⅼocalhost:${port}`,
      `http://xn--localhost-.example:${port}`,
      `http://lоcalhost:${port}`,
      `http://127。0。0。2:${port}`,
      `http://①②⑦.0.0.2:${port}`,
    ),
    ...refused(
      'backslashes',
      'elsewhere',
      `http://${elsewhere}\\@${host}`,
      `http:\\\\${elsewhere}`,
      `http://${elsewhere}\\.${host}`,
      `http:/\\${elsewhere}/@${host}`,
    ),
    ...refused('backslashes at the listed origin', 'listed', `http://${host}\\@${elsewhere}`, `http:\\\\${host}`),
    ...refused(
      'tabs, newlines and spaces',
      'elsewhere',
      `http://${elsewhere}\t`,
      `\nhttp://${elsewhere}`,
      `ht\ntp://${elsewhere}#@${host}`,
      `http://${elsewhere}/\r\nHost: ${host}`,
    ),
    ...refused(
      'tabs, newlines and spaces at the listed origin',
      'listed',
      `http://${host}\t`,
      `http://127.0.\n0.1:${port}`,
      ` http://${host}`,
      `http://${host}/\r\nx: y`,
      `http://${host}/a b`,
    ),
    ...refused('NUL', 'nowhere', `http://127.0.0.1\u0000.evil.example:${port}`),
    ...refused(
      'encoded slashes and similar characters in the host',
      'nowhere',
      `http://${host}%2f.evil.example`,
      `http://${host}%5c.evil.example`,
      `http://127.0.0.1%2f:${port}`,
      `http://127.0.0.1%00:${port}`,
    ),
    ...refused(
      'a query or a fragment in front of the listed origin',
      'elsewhere',
      `http://${elsewhere}?@${host}`,
      `http://${elsewhere}#@${host}`,
      `http://${elsewhere}/?${listed}`,
    ),
    ...refused(
      'a query or a fragment at the listed origin',
      'listed',
      `${listed}?@${elsewhere}`,
      `${listed}#@${elsewhere}`,
      `${listed}/?`,
      `${listed}/#`,
      `${listed}?url=http://${elsewhere}`,
    ),
    ...taken(
      'another spelling of the listed origin, by the URL standard',
      `http://2130706433:${port}`,
      `http://0x7f000001:${port}`,
      `http://0x7f.1:${port}`,
      `http://0177.0.0.1:${port}`,
      `http://017700000001:${port}`,
      `http://127.1:${port}`,
      `http://127.0.0.1.:${port}`,
      `HTTP://${host}`,
      `http://127.0.0.%31:${port}`,
      `http://127。0。0。1:${port}`,
      `http://①②⑦.0.0.1:${port}`,
    ),
    ...taken(
      'another origin in the path',
      `${listed}/@${elsewhere}`,
      `${listed}//${elsewhere}`,
      `${listed}/http://${elsewhere}`,
      `${listed}/..//${elsewhere}`,
      `${listed}/%2f%2f${elsewhere}`,
      `${listed}/%5c${elsewhere}`,
      `${listed}/;@${elsewhere}`,
      `${listed}/%2e%2e/%2e%2e/x`,
    ),
  ];
}

/** Returns build IDs with which a build API tries to redirect the next request. */
export function buildIdTricks(elsewhere: string): string[] {
  return [
    '../../elsewhere',
    '..%2f..%2felsewhere',
    '%2e%2e',
    '%2e%2e%2f%2e%2e',
    '..;/',
    '.%00',
    `http://${elsewhere}/`,
    `https://${elsewhere}`,
    `//${elsewhere}/`,
    `/\\${elsewhere}`,
    `\\\\${elsewhere}`,
    `@${elsewhere}`,
    `:80@${elsewhere}/`,
    `?url=http://${elsewhere}`,
    `#@${elsewhere}`,
    'a\r\nHost: evil.example\r\n\r\nGET /x HTTP/1.1',
    '\t',
    ' ',
    '\u0000',
    '．．／',
    '%',
  ];
}

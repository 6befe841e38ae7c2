/**
 * Where the build API may be. An origin is compared as the URL standard serialises it, so that no other spelling of a
 * host, port or user name gets past the list.
 */
export class AllowedOrigins {
  readonly #origins: ReadonlySet<string>;

  /** @param origins serialised origins, such as `https://builds.example.com` or `http://127.0.0.1:8090` */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /** @returns what is wrong with a URL's origin, or `undefined` */
  faultOf(url: string): string | undefined {
    if (!URL.canParse(url)) return 'is not a URL';
    const { origin } = new URL(url);
    return this.#origins.has(origin)
      ? undefined
      : `has the origin ${origin}, which BUILD_API_ALLOWED_ORIGINS does not list`;
  }
}
